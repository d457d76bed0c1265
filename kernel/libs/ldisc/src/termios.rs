//! Terminal attributes (`termios(3)`): flag words, control characters, speeds, in the x86-64 kernel ABI.

use bitflags::bitflags;

/// A control character slot that holds this value is off (`_POSIX_VDISABLE`).
pub const DISABLED: u8 = 0;

/// Bytes in `struct termios` as `TCGETS` copies it.
pub const TERMIOS_SIZE: usize = 36;

/// Bytes in `struct termios2` as `TCGETS2` copies it.
pub const TERMIOS2_SIZE: usize = 44;

/// Control character slots in the kernel's structure.
pub const NCCS: usize = 19;

bitflags! {
    /// `c_iflag`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Input: u32 {
        /// Ignore breaks.
        const IGNBRK = 0o1;
        /// A break interrupts.
        const BRKINT = 0o2;
        /// Ignore bytes with parity errors.
        const IGNPAR = 0o4;
        /// Mark breaks and parity errors with `\377 \0`.
        const PARMRK = 0o10;
        /// Check parity.
        const INPCK = 0o20;
        /// Strip the eighth bit.
        const ISTRIP = 0o40;
        /// Newline becomes carriage return.
        const INLCR = 0o100;
        /// Ignore carriage return.
        const IGNCR = 0o200;
        /// Carriage return becomes newline.
        const ICRNL = 0o400;
        /// Upper case becomes lower case.
        const IUCLC = 0o1000;
        /// STOP and START control output.
        const IXON = 0o2000;
        /// Any character restarts output.
        const IXANY = 0o4000;
        /// STOP and START are sent when the input queue fills and empties.
        const IXOFF = 0o10000;
        /// Ring the bell when the queue is full: no effect, as on Linux.
        const IMAXBEL = 0o20000;
        /// Input is UTF-8: erase whole characters.
        const IUTF8 = 0o40000;
        const _ = !0;
    }

    /// `c_oflag`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Output: u32 {
        /// Process output at all.
        const OPOST = 0o1;
        /// Lower case becomes upper case.
        const OLCUC = 0o2;
        /// Newline becomes carriage return and newline.
        const ONLCR = 0o4;
        /// Carriage return becomes newline.
        const OCRNL = 0o10;
        /// No carriage return at column 0.
        const ONOCR = 0o20;
        /// Newline does the carriage return's work.
        const ONLRET = 0o40;
        /// Expand tabs: the value that the tab delay field has for it.
        const XTABS = 0o14000;
        const _ = !0;
    }

    /// `c_cflag`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Control: u32 {
        /// Speed bits.
        const CBAUD = 0o10017;
        /// Speed is in `c_ospeed`.
        const BOTHER = 0o10000;
        /// Character size bits.
        const CSIZE = 0o60;
        /// Eight bits.
        const CS8 = 0o60;
        /// Two stop bits.
        const CSTOPB = 0o100;
        /// Receive.
        const CREAD = 0o200;
        /// Parity.
        const PARENB = 0o400;
        /// Odd parity.
        const PARODD = 0o1000;
        /// Hang up on last close.
        const HUPCL = 0o2000;
        /// Ignore modem lines.
        const CLOCAL = 0o4000;
        const _ = !0;
    }

    /// `c_lflag`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Local: u32 {
        /// INTR, QUIT and SUSP send signals.
        const ISIG = 0o1;
        /// Lines, with editing.
        const ICANON = 0o2;
        /// Upper-case terminal (no effect).
        const XCASE = 0o4;
        /// Echo.
        const ECHO = 0o10;
        /// ERASE wipes the character from the screen.
        const ECHOE = 0o20;
        /// A newline follows KILL.
        const ECHOK = 0o40;
        /// Newline is echoed even without `ECHO`.
        const ECHONL = 0o100;
        /// Signals do not flush the queues.
        const NOFLSH = 0o200;
        /// Output from the background stops its process group.
        const TOSTOP = 0o400;
        /// Control characters echo as `^X`.
        const ECHOCTL = 0o1000;
        /// Erased characters are echoed between `\` and `/`.
        const ECHOPRT = 0o2000;
        /// KILL wipes the line from the screen.
        const ECHOKE = 0o4000;
        /// Output is being flushed (no effect).
        const FLUSHO = 0o10000;
        /// Reprint pending input at the next character (no effect).
        const PENDIN = 0o40000;
        /// EOL2, LNEXT, REPRINT, WERASE and `IUCLC` work.
        const IEXTEN = 0o100000;
        /// Line editing is done at the other end.
        const EXTPROC = 0o200000;
        const _ = !0;
    }
}

/// Slots of `c_cc`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Cc {
    /// Interrupt (SIGINT).
    Intr = 0,
    /// Quit (SIGQUIT).
    Quit = 1,
    /// Erase a character.
    Erase = 2,
    /// Erase the line.
    Kill = 3,
    /// End of file.
    Eof = 4,
    /// Inter-byte time-out in tenths of a second.
    Time = 5,
    /// Fewest bytes for a raw read.
    Min = 6,
    /// (Linux has no use for it.)
    Swtc = 7,
    /// Restart output.
    Start = 8,
    /// Stop output.
    Stop = 9,
    /// Suspend (SIGTSTP).
    Susp = 10,
    /// Another end of line.
    Eol = 11,
    /// Reprint the line.
    Reprint = 12,
    /// (Not implemented on Linux.)
    Discard = 13,
    /// Erase a word.
    WordErase = 14,
    /// The next character is literal.
    Lnext = 15,
    /// Yet another end of line.
    Eol2 = 16,
}

/// Terminal attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Termios {
    /// Input modes.
    pub input: Input,
    /// Output modes.
    pub output: Output,
    /// Control modes.
    pub control: Control,
    /// Local modes.
    pub local: Local,
    /// Line discipline number (`c_line`).
    pub line: u8,
    /// Control characters.
    pub cc: [u8; NCCS],
    /// Input speed, bits a second.
    pub input_speed: u32,
    /// Output speed, bits a second.
    pub output_speed: u32,
}

/// The speeds that `Bxxx` codes stand for, in the order of the codes: `B0`…`B38400`, then from
/// `B57600` on with `CBAUDEX` set.
const SPEEDS: [u32; 16] =
    [0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400];
const SPEEDS_EX: [u32; 16] = [
    0, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000,
    2500000, 3000000, 3500000, 4000000,
];

impl Default for Termios {
    /// What Linux gives a new terminal (`tty_std_termios`).
    fn default() -> Termios {
        let mut cc = [DISABLED; NCCS];
        for (slot, value) in [
            (Cc::Intr, 0o3),
            (Cc::Quit, 0o34),
            (Cc::Erase, 0o177),
            (Cc::Kill, 0o25),
            (Cc::Eof, 0o4),
            (Cc::Min, 1),
            (Cc::Start, 0o21),
            (Cc::Stop, 0o23),
            (Cc::Susp, 0o32),
            (Cc::Reprint, 0o22),
            (Cc::Discard, 0o17),
            (Cc::WordErase, 0o27),
            (Cc::Lnext, 0o26),
        ] {
            cc[slot as usize] = value;
        }
        Termios {
            input: Input::ICRNL | Input::IXON,
            output: Output::OPOST | Output::ONLCR,
            control: Control::from_bits_retain(0o17)
                | Control::CS8
                | Control::CREAD
                | Control::HUPCL,
            local: Local::ISIG
                | Local::ICANON
                | Local::ECHO
                | Local::ECHOE
                | Local::ECHOK
                | Local::ECHOCTL
                | Local::ECHOKE
                | Local::IEXTEN,
            line: 0,
            cc,
            input_speed: 38400,
            output_speed: 38400,
        }
    }
}

fn word(bytes: &[u8], index: usize) -> u32 {
    let mut raw = [0; 4];
    raw.copy_from_slice(&bytes[index * 4..index * 4 + 4]);
    u32::from_le_bytes(raw)
}

impl Termios {
    /// The character in a slot; [`DISABLED`] when there is none.
    pub const fn char(&self, slot: Cc) -> u8 {
        self.cc[slot as usize]
    }

    /// As `TCGETS` copies it out.
    pub fn to_bytes(&self) -> [u8; TERMIOS_SIZE] {
        let mut out = [0; TERMIOS_SIZE];
        let words = [self.input.bits(), self.output.bits(), self.control.bits(), self.local.bits()];
        for (i, w) in words.iter().enumerate() {
            out[i * 4..i * 4 + 4].copy_from_slice(&w.to_le_bytes());
        }
        out[16] = self.line;
        out[17..].copy_from_slice(&self.cc);
        out
    }

    /// As `TCGETS2` copies it out.
    pub fn to_bytes2(&self) -> [u8; TERMIOS2_SIZE] {
        let mut out = [0; TERMIOS2_SIZE];
        out[..TERMIOS_SIZE].copy_from_slice(&self.to_bytes());
        out[36..40].copy_from_slice(&self.input_speed.to_le_bytes());
        out[40..].copy_from_slice(&self.output_speed.to_le_bytes());
        out
    }

    /// What `TCSETS` asks for. The speeds follow the speed bits; with `BOTHER` they stay as they are in `old`.
    pub fn from_bytes(raw: &[u8; TERMIOS_SIZE], old: &Termios) -> Termios {
        let mut cc = [0; NCCS];
        cc.copy_from_slice(&raw[17..]);
        let mut new = Termios {
            input: Input::from_bits_retain(word(raw, 0)),
            output: Output::from_bits_retain(word(raw, 1)),
            control: Control::from_bits_retain(word(raw, 2)),
            local: Local::from_bits_retain(word(raw, 3)),
            line: raw[16],
            cc,
            input_speed: old.input_speed,
            output_speed: old.output_speed,
        };
        new.settle_speeds();
        new
    }

    /// What `TCSETS2` asks for.
    pub fn from_bytes2(raw: &[u8; TERMIOS2_SIZE], old: &Termios) -> Termios {
        let mut head = [0; TERMIOS_SIZE];
        head.copy_from_slice(&raw[..TERMIOS_SIZE]);
        let mut new = Termios::from_bytes(&head, old);
        new.input_speed = word(raw, 9);
        new.output_speed = word(raw, 10);
        new.settle_speeds();
        new
    }

    /// Sets both speeds from one number, with its code in the control modes.
    pub fn set_speed(&mut self, speed: u32) {
        let code = SPEEDS
            .iter()
            .position(|s| *s == speed)
            .or_else(|| {
                SPEEDS_EX.iter().skip(1).position(|s| *s == speed).map(|i| (i + 1) | 0o10000)
            })
            .unwrap_or(0o10000);
        // Both speeds' codes, the input speed's 16 bits up: zero means "as output".
        let bits = (self.control.bits() & !0o10017 & !(0o10017 << 16)) | code as u32;
        self.control = Control::from_bits_retain(bits);
        self.input_speed = speed;
        self.output_speed = speed;
    }

    fn settle_speeds(&mut self) {
        let decode = |code: u32, given: u32| match code {
            0o10000 => given,
            c if c & 0o10000 != 0 => SPEEDS_EX[(c & 0o17) as usize],
            c => SPEEDS[(c & 0o17) as usize],
        };
        self.output_speed = decode(self.control.bits() & 0o10017, self.output_speed);
        self.input_speed = match (self.control.bits() >> 16) & 0o10017 {
            0 => self.output_speed,
            code => decode(code, self.input_speed),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_is_what_tcgets_shows_on_linux() {
        let raw = Termios::default().to_bytes();
        assert_eq!(word(&raw, 0), 0x500);
        assert_eq!(word(&raw, 1), 0x5);
        assert_eq!(word(&raw, 2), 0o2277);
        assert_eq!(word(&raw, 3), 0x8a3b);
        assert_eq!(&raw[17..22], &[3, 28, 127, 21, 4]);
    }

    #[test]
    fn bytes_round_trip() {
        let t = Termios::default();
        assert_eq!(Termios::from_bytes(&t.to_bytes(), &t), t);
        assert_eq!(Termios::from_bytes2(&t.to_bytes2(), &t), t);
    }

    #[test]
    fn speed_codes_follow_the_number() {
        let mut t = Termios::default();
        t.set_speed(115200);
        assert_eq!(t.control.bits() & 0o10017, 0o10002);
        let other = Termios::from_bytes(&t.to_bytes(), &Termios::default());
        assert_eq!(other.output_speed, 115200);
        assert_eq!(other.input_speed, 115200);
    }

    #[test]
    fn odd_speeds_need_bother() {
        let mut t = Termios::default();
        t.set_speed(31250);
        assert_eq!(t.control.bits() & 0o10017, 0o10000);
        assert_eq!(Termios::from_bytes2(&t.to_bytes2(), &Termios::default()).output_speed, 31250);
    }
}
