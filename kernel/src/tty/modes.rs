//! The attribute calls: `TCGETS` and its relatives, in the three layouts of `struct termio`, `termios` and `termios2`.

use super::{Terminal, ioctl::number::*};
use crate::mm::{UserAddr, user};
use abi::{Errno, Result};
use ldisc::termios::{Control, Input, Local, Output, TERMIOS_SIZE, TERMIOS2_SIZE, Termios};

/// Bytes in `struct termio`: four 16-bit flag words, the discipline, eight characters.
const TERMIO_SIZE: usize = 18;

/// When a change takes effect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Now,
    /// When output has gone.
    Drained,
    /// Then, and unread input is dropped.
    Flushed,
}

/// The attribute calls; `ENOTTY` for all others.
pub(super) fn ioctl(terminal: &Terminal, command: u32, address: UserAddr) -> Result<usize> {
    match command {
        TCGETS => user::copy_to_user(address, &terminal.termios().to_bytes())?,
        TCGETS2 => user::copy_to_user(address, &terminal.termios().to_bytes2())?,
        TCGETA => user::copy_to_user(address, &to_termio(&terminal.termios()))?,
        TCSETS | TCSETS2 | TCSETA => set(terminal, command, address, When::Now)?,
        TCSETSW | TCSETSW2 | TCSETAW => set(terminal, command, address, When::Drained)?,
        TCSETSF | TCSETSF2 | TCSETAF => set(terminal, command, address, When::Flushed)?,
        _ => return Err(Errno::ENOTTY),
    }
    Ok(0)
}

fn set(terminal: &Terminal, command: u32, address: UserAddr, when: When) -> Result<()> {
    terminal.check_change()?;
    let old = terminal.termios();
    let new = match command {
        TCSETS | TCSETSW | TCSETSF => {
            let mut raw = [0; TERMIOS_SIZE];
            user::copy_from_user(&mut raw, address)?;
            Termios::from_bytes(&raw, &old)
        }
        TCSETS2 | TCSETSW2 | TCSETSF2 => {
            let mut raw = [0; TERMIOS2_SIZE];
            user::copy_from_user(&mut raw, address)?;
            Termios::from_bytes2(&raw, &old)
        }
        _ => {
            let mut raw = [0; TERMIO_SIZE];
            user::copy_from_user(&mut raw, address)?;
            from_termio(&raw, &old)
        }
    };
    if when == When::Flushed {
        terminal.flush_input();
    }
    if when != When::Now {
        terminal.drain()?;
    }
    terminal.set_termios(new);
    Ok(())
}

fn to_termio(termios: &Termios) -> [u8; TERMIO_SIZE] {
    let full = termios.to_bytes();
    let mut out = [0; TERMIO_SIZE];
    for word in 0..4 {
        out[word * 2..word * 2 + 2].copy_from_slice(&full[word * 4..word * 4 + 2]);
    }
    out[8] = termios.line;
    out[9..17].copy_from_slice(&termios.cc[..8]);
    out
}

/// The low halves of the flag words and the first eight characters; the rest stays.
fn from_termio(raw: &[u8; TERMIO_SIZE], old: &Termios) -> Termios {
    let merge = |word: usize, old: u32| {
        (old & 0xffff_0000) | u32::from(u16::from_le_bytes([raw[word * 2], raw[word * 2 + 1]]))
    };
    let mut new = *old;
    new.input = Input::from_bits_retain(merge(0, old.input.bits()));
    new.output = Output::from_bits_retain(merge(1, old.output.bits()));
    new.control = Control::from_bits_retain(merge(2, old.control.bits()));
    new.local = Local::from_bits_retain(merge(3, old.local.bits()));
    new.line = raw[8];
    new.cc[..8].copy_from_slice(&raw[9..17]);
    // The speeds follow the speed bits.
    Termios::from_bytes(&new.to_bytes(), old)
}
