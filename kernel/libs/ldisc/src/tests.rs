//! The discipline against what Linux's does.

use crate::{
    Arrival, BUFFER_SIZE, Events, LineDiscipline, Sink,
    termios::{Cc, Input, Local, Output, Termios},
};
use proptest::prelude::*;
use std::vec::Vec;

struct Screen {
    bytes: Vec<u8>,
    room: usize,
}

impl Sink for Screen {
    fn room(&self) -> usize {
        self.room - self.bytes.len()
    }
    fn push(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.room());
        self.bytes.extend(bytes);
    }
}

/// A terminal: what was typed, shown, read.
struct Tty {
    ld: LineDiscipline,
    events: Events,
}

impl Tty {
    fn new(change: impl FnOnce(&mut Termios)) -> Tty {
        let mut t = Termios::default();
        change(&mut t);
        Tty { ld: LineDiscipline::new(t), events: Events::empty() }
    }
    fn raw() -> Tty {
        Tty::new(|t| {
            t.input = Input::empty();
            t.output = Output::empty();
            t.local = Local::empty();
        })
    }
    fn type_in(&mut self, bytes: &[u8]) -> usize {
        self.ld.receive(bytes, &mut self.events)
    }
    fn shown(&mut self) -> Vec<u8> {
        let mut screen = Screen { bytes: Vec::new(), room: 1 << 20 };
        self.ld.flush_echo(&mut screen);
        screen.bytes
    }
    fn read(&mut self) -> Option<Vec<u8>> {
        let mut buf = [0; 8192];
        self.ld.read(&mut buf).map(|n| buf[..n].to_vec())
    }
    fn write(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut screen = Screen { bytes: Vec::new(), room: 1 << 20 };
        assert_eq!(self.ld.write(bytes, &mut screen), bytes.len());
        screen.bytes
    }
    fn set(&mut self, change: impl FnOnce(&mut Termios)) {
        let mut t = *self.ld.termios();
        change(&mut t);
        let _ = self.ld.set_termios(t);
    }
    /// Types, and expects the echo.
    fn echoes(&mut self, typed: &[u8], shown: &[u8]) {
        self.type_in(typed);
        assert_eq!(
            self.shown().escape_ascii().to_string(),
            shown.escape_ascii().to_string(),
            "echo of {:?}",
            typed.escape_ascii().to_string()
        );
    }
}

#[test]
fn a_line_is_readable_when_it_ends() {
    let mut t = Tty::new(|_| {});
    t.echoes(b"ab", b"ab");
    assert_eq!(t.read(), None);
    assert!(!t.events.contains(Events::READABLE));
    t.echoes(b"\r", b"\r\n");
    assert!(t.events.contains(Events::READABLE));
    assert_eq!(t.ld.available(), 3);
    assert_eq!(t.read().unwrap(), b"ab\n");
    assert_eq!(t.read(), None);
}

#[test]
fn lines_are_read_one_at_a_time() {
    let mut t = Tty::new(|_| {});
    t.type_in(b"one\ntwo\n");
    assert_eq!(t.ld.available(), 8);
    assert_eq!(t.read().unwrap(), b"one\n");
    assert_eq!(t.read().unwrap(), b"two\n");
}

#[test]
fn a_short_read_leaves_the_rest_of_the_line() {
    let mut t = Tty::new(|_| {});
    t.type_in(b"hello\n");
    let mut buf = [0; 3];
    assert_eq!(t.ld.read_part(&mut buf), Some((3, false)));
    assert_eq!(&buf, b"hel");
    assert_eq!(t.read().unwrap(), b"lo\n");
}

#[test]
fn end_of_file_on_an_empty_line_reads_zero_bytes() {
    let mut t = Tty::new(|_| {});
    t.echoes(b"\x04", b"");
    assert_eq!(t.ld.available(), 0);
    assert_eq!(t.read().unwrap(), b"");
    assert_eq!(t.read(), None);
}

#[test]
fn end_of_file_in_a_line_delivers_it_without_newline() {
    let mut t = Tty::new(|_| {});
    t.type_in(b"abc\x04def\n");
    assert_eq!(t.ld.available(), 7);
    assert_eq!(t.read().unwrap(), b"abc");
    assert_eq!(t.read().unwrap(), b"def\n");
}

#[test]
fn a_full_read_swallows_the_end_of_file_behind_it() {
    let mut t = Tty::new(|_| {});
    t.type_in(b"abc\x04");
    let mut buf = [0; 3];
    assert_eq!(t.ld.read_part(&mut buf), Some((3, false)));
    t.ld.skip_eof();
    assert_eq!(t.read(), None);
}

#[test]
fn erase_wipes_one_column() {
    let mut t = Tty::new(|_| {});
    t.echoes(b"ab\x7f", b"ab\x08 \x08");
    t.echoes(b"\x7f\x7f", b"\x08 \x08");
    t.type_in(b"c\n");
    assert_eq!(t.read().unwrap(), b"c\n");
}

#[test]
fn erase_wipes_both_columns_of_a_control_character() {
    let mut t = Tty::new(|_| {});
    t.echoes(b"\x01", b"^A");
    t.echoes(b"\x7f", b"\x08 \x08\x08 \x08");
}

#[test]
fn erase_of_a_tab_goes_back_to_where_it_began() {
    let mut t = Tty::new(|_| {});
    t.write(b"$ ");
    t.echoes(b"abc\t", b"abc\t");
    // Column 5 to 8: three columns back.
    t.echoes(b"\x7f", b"\x08\x08\x08");
    t.echoes(b"\t\t", b"\t\t");
    t.echoes(b"\x7f", b"\x08\x08\x08\x08\x08\x08\x08\x08");
}

#[test]
fn erase_takes_a_whole_utf8_character() {
    let mut t = Tty::new(|t| t.input |= Input::IUTF8);
    t.type_in("añ€".as_bytes());
    t.shown();
    t.echoes(b"\x7f", b"\x08 \x08");
    t.echoes(b"\x7f", b"\x08 \x08");
    t.type_in(b"\n");
    assert_eq!(t.read().unwrap(), b"a\n");
    let mut t = Tty::new(|_| {});
    t.type_in("ñ\x7f\n".as_bytes());
    assert_eq!(t.read().unwrap(), b"\xc3\n");
}

#[test]
fn erase_never_leaves_the_line_being_edited() {
    let mut t = Tty::new(|_| {});
    t.type_in(b"one\n\x7f\x7f\x15\x17two\n");
    assert_eq!(t.read().unwrap(), b"one\n");
    assert_eq!(t.read().unwrap(), b"two\n");
}

#[test]
fn word_erase_takes_blanks_and_a_word() {
    let mut t = Tty::new(|_| {});
    t.type_in(b"foo bar_1  \x17\n");
    assert_eq!(t.read().unwrap(), b"foo \n");
    t.type_in(b"/usr/lib\x17\x17\n");
    assert_eq!(t.read().unwrap(), b"/\n");
}

#[test]
fn kill_wipes_the_line() {
    let mut t = Tty::new(|_| {});
    t.type_in(b"abc");
    t.shown();
    t.echoes(b"\x15", b"\x08 \x08\x08 \x08\x08 \x08");
    let mut t = Tty::new(|t| t.local &= !Local::ECHOKE);
    t.echoes(b"abc\x15", b"abc^U\r\n");
    let mut t = Tty::new(|t| t.local &= !(Local::ECHOKE | Local::ECHOK));
    t.echoes(b"abc\x15", b"abc^U");
}

#[test]
fn echoprt_shows_what_is_erased() {
    let mut t = Tty::new(|t| t.local |= Local::ECHOPRT);
    t.echoes(b"abc\x7f\x7f", b"abc\\cb");
    t.echoes(b"x", b"/x");
    t.echoes(b"\x7f\x7f", b"\\xa/");
}

#[test]
fn without_echoe_the_erase_character_itself_is_shown() {
    let mut t = Tty::new(|t| t.local &= !Local::ECHOE);
    t.echoes(b"ab\x7f", b"ab^?");
}

#[test]
fn echonl_shows_the_newline_alone() {
    let mut t = Tty::new(|t| {
        t.local &= !Local::ECHO;
        t.local |= Local::ECHONL;
    });
    t.echoes(b"secret\n", b"\r\n");
}

#[test]
fn without_echoctl_control_characters_echo_as_they_are() {
    let mut t = Tty::new(|t| t.local &= !Local::ECHOCTL);
    t.echoes(b"\x01\x02", b"\x01\x02");
}

#[test]
fn lnext_makes_the_next_byte_literal() {
    let mut t = Tty::new(|_| {});
    t.echoes(b"\x16\x03", b"^\x08^C");
    assert!(!t.events.contains(Events::INTERRUPT));
    t.type_in(b"\x16\n\x16\x00\n");
    assert_eq!(t.read().unwrap(), b"\x03\n\x00\n");
}

#[test]
fn reprint_shows_the_line_again() {
    let mut t = Tty::new(|_| {});
    t.echoes(b"ab\x12", b"ab^R\r\nab");
}

#[test]
fn eol_characters_end_lines_and_are_delivered() {
    let mut t = Tty::new(|t| {
        t.cc[Cc::Eol as usize] = b';';
        t.cc[Cc::Eol2 as usize] = b':';
    });
    t.echoes(b"a;b:", b"a;b:");
    assert_eq!(t.read().unwrap(), b"a;");
    assert_eq!(t.read().unwrap(), b"b:");
}

#[test]
fn signal_characters_signal_flush_and_echo() {
    for (c, event, shown) in [
        (3, Events::INTERRUPT, b"^C"),
        (0x1c, Events::QUIT, b"^\\"),
        (0x1a, Events::SUSPEND, b"^Z"),
    ] {
        let mut t = Tty::new(|_| {});
        t.type_in(b"line\nhalf");
        t.shown();
        t.echoes(&[c], shown);
        assert!(t.events.contains(event | Events::FLUSH_OUTPUT | Events::FLUSHED_INPUT));
        assert_eq!(t.read(), None);
        t.type_in(b"new\n");
        assert_eq!(t.read().unwrap(), b"new\n");
    }
}

#[test]
fn noflsh_keeps_the_queues() {
    let mut t = Tty::new(|t| t.local |= Local::NOFLSH);
    t.type_in(b"half\x03\n");
    assert!(t.events.contains(Events::INTERRUPT));
    assert!(!t.events.contains(Events::FLUSH_OUTPUT));
    assert_eq!(t.read().unwrap(), b"half\n");
}

#[test]
fn without_isig_the_characters_are_data() {
    let mut t = Tty::new(|t| t.local &= !Local::ISIG);
    t.type_in(b"\x03\n");
    assert_eq!(t.read().unwrap(), b"\x03\n");
}

#[test]
fn disabled_characters_are_data() {
    let mut t = Tty::new(|t| t.cc[Cc::Intr as usize] = 0);
    t.type_in(b"\x00\x03\n");
    assert_eq!(t.read().unwrap(), b"\x00\x03\n");
    assert!(!t.events.contains(Events::INTERRUPT));
}

#[test]
fn input_mappings() {
    let read = |change: fn(&mut Termios), typed: &[u8]| {
        let mut t = Tty::new(change);
        t.type_in(typed);
        t.read()
    };
    assert_eq!(read(|t| t.input |= Input::IGNCR, b"a\rb\n").unwrap(), b"ab\n");
    assert_eq!(read(|t| t.input = Input::INLCR, b"a\nb\r"), None);
    assert_eq!(read(|t| t.input |= Input::ISTRIP, b"\xe1\n").unwrap(), b"a\n");
    assert_eq!(read(|t| t.input |= Input::IUCLC, b"AbC\n").unwrap(), b"abc\n");
    let mut t = Tty::raw();
    t.set(|t| t.input = Input::INLCR);
    t.type_in(b"a\nb");
    assert_eq!(t.read().unwrap(), b"a\rb");
}

#[test]
fn parmrk_doubles_ff_and_marks_damage() {
    let mut t = Tty::raw();
    t.set(|t| t.input = Input::PARMRK | Input::INPCK);
    t.type_in(b"a\xff");
    t.ld.receive_flagged(b'x', Arrival::Damaged, &mut t.events);
    t.ld.receive_flagged(0, Arrival::Break, &mut t.events);
    assert_eq!(t.read().unwrap(), b"a\xff\xff\xff\0x\xff\0\0");
}

#[test]
fn break_can_be_ignored_or_interrupt() {
    let mut t = Tty::raw();
    t.set(|t| t.input = Input::IGNBRK | Input::BRKINT);
    t.ld.receive_flagged(0, Arrival::Break, &mut t.events);
    assert!(t.events.is_empty());
    t.set(|t| t.input = Input::BRKINT);
    t.ld.receive_flagged(0, Arrival::Break, &mut t.events);
    assert!(t.events.contains(Events::INTERRUPT));
    t.set(|t| t.input = Input::empty());
    t.ld.receive_flagged(0, Arrival::Break, &mut t.events);
    assert_eq!(t.read().unwrap(), b"\0");
}

#[test]
fn stop_and_start_hold_output() {
    let mut t = Tty::new(|_| {});
    t.type_in(b"\x13");
    assert!(t.events.contains(Events::STOPPED));
    let mut screen = Screen { bytes: Vec::new(), room: 100 };
    assert_eq!(t.ld.write(b"x", &mut screen), 0);
    t.type_in(b"ab");
    assert_eq!(t.shown(), b"");
    t.type_in(b"\x11");
    assert!(t.events.contains(Events::STARTED));
    assert_eq!(t.shown(), b"ab");
    assert_eq!(t.write(b"x"), b"x");
}

#[test]
fn ixany_restarts_on_any_byte() {
    let mut t = Tty::new(|t| t.input |= Input::IXANY);
    t.type_in(b"\x13a");
    assert!(!t.ld.is_stopped());
}

#[test]
fn clearing_ixon_restarts_output() {
    let mut t = Tty::new(|_| {});
    t.type_in(b"\x13");
    t.set(|t| t.input &= !Input::IXON);
    assert!(!t.ld.is_stopped());
}

#[test]
fn held_output_is_not_started_by_start() {
    let mut t = Tty::new(|_| {});
    assert_eq!(t.ld.hold(), Events::STOPPED);
    t.type_in(b"\x11");
    assert!(t.ld.is_stopped());
    assert_eq!(t.ld.release(), Events::STARTED);
    assert!(!t.ld.is_stopped());
}

#[test]
fn a_line_that_is_too_long_keeps_its_end() {
    let mut t = Tty::new(|t| t.local &= !Local::ECHO);
    let long = [b'x'; 5000];
    assert_eq!(t.type_in(&long), 5000);
    assert_eq!(t.read(), None);
    t.type_in(b"\n");
    let line = t.read().unwrap();
    assert_eq!(line.len(), BUFFER_SIZE);
    assert_eq!(&line[4094..], b"x\n");
}

#[test]
fn finished_lines_that_fill_the_buffer_stop_the_driver() {
    let mut t = Tty::new(|t| t.local &= !Local::ECHO);
    let lines = b"0123456\n".repeat(600);
    let n = t.type_in(&lines);
    assert_eq!(n, BUFFER_SIZE - 1);
    assert!(t.ld.nearly_full());
    assert_eq!(t.type_in(b"more"), 0);
    while t.read().is_some() {}
    assert_eq!(t.type_in(b"more\n"), 5);
}

#[test]
fn raw_reads_get_what_there_is() {
    let mut t = Tty::raw();
    t.type_in(b"a\r\n\x03\x7f");
    assert_eq!(t.ld.available(), 5);
    assert!(t.ld.readable(5) && !t.ld.readable(6));
    assert_eq!(t.read().unwrap(), b"a\r\n\x03\x7f");
    assert_eq!(t.shown(), b"");
}

#[test]
fn raw_input_fills_the_buffer_and_waits() {
    let mut t = Tty::raw();
    assert_eq!(t.type_in(&[1; 5000]), 4095);
    let mut buf = [0; 100];
    assert_eq!(t.ld.read(&mut buf), Some(100));
    assert_eq!(t.type_in(&[1; 905]), 100);
}

#[test]
fn leaving_canonical_mode_makes_half_a_line_readable() {
    let mut t = Tty::new(|_| {});
    t.type_in(b"half");
    t.set(|t| t.local &= !Local::ICANON);
    assert_eq!(t.read().unwrap(), b"half");
}

#[test]
fn entering_canonical_mode_makes_raw_input_a_line() {
    let mut t = Tty::raw();
    t.type_in(b"raw\0");
    t.set(|t| t.local |= Local::ICANON);
    assert!(t.ld.readable(1));
    assert_eq!(t.read().unwrap(), b"raw\0");
    assert_eq!(t.read(), None);
    t.type_in(b"line\n");
    assert_eq!(t.read().unwrap(), b"line\n");
}

#[test]
fn output_mappings() {
    let wrote = |flags: Output, bytes: &[u8]| Tty::new(|t| t.output = flags).write(bytes);
    let on = Output::OPOST;
    assert_eq!(wrote(Output::ONLCR, b"a\n"), b"a\n");
    assert_eq!(wrote(on | Output::ONLCR, b"a\nb"), b"a\r\nb");
    assert_eq!(wrote(on | Output::OCRNL, b"a\r"), b"a\n");
    assert_eq!(wrote(on | Output::ONOCR, b"\ra\r\r"), b"a\r");
    assert_eq!(wrote(on | Output::OLCUC, b"abC"), b"ABC");
    assert_eq!(wrote(on | Output::XTABS, b"a\tb"), b"a       b");
    assert_eq!(wrote(on | Output::ONLRET | Output::XTABS, b"abc\n\tx"), b"abc\n        x");
    assert_eq!(wrote(on | Output::XTABS, b"abc\n\tx"), b"abc\n     x");
}

#[test]
fn utf8_counts_one_column_a_character() {
    let mut t = Tty::new(|t| {
        t.output = Output::OPOST | Output::XTABS;
        t.input |= Input::IUTF8;
    });
    assert_eq!(t.write("é\tx".as_bytes()), "é       x".as_bytes());
}

#[test]
fn output_stops_where_the_room_ends() {
    let mut t = Tty::new(|_| {});
    let mut screen = Screen { bytes: Vec::new(), room: 3 };
    assert_eq!(t.ld.write(b"ab\ncd", &mut screen), 2);
    assert_eq!(screen.bytes, b"ab");
    screen.room = 4;
    assert_eq!(t.ld.write(b"\ncd", &mut screen), 1);
}

#[test]
fn extproc_leaves_editing_to_the_other_end() {
    let mut t = Tty::new(|t| t.local |= Local::EXTPROC);
    t.type_in(b"ab\x7f\x03\r");
    assert!(t.events == Events::READABLE);
    assert_eq!(t.read().unwrap(), b"ab\x7f\x03\r");
    t.type_in(b"\x04");
    assert_eq!(t.read().unwrap(), b"");
}

#[test]
fn echo_that_nobody_takes_is_bounded() {
    let mut t = Tty::new(|_| {});
    t.type_in(b"\x13");
    for _ in 0..100 {
        t.type_in(&[b'x'; 100]);
        t.type_in(b"\x15");
    }
    t.type_in(b"\x11");
    assert!(t.shown().len() <= crate::ECHO_LIMIT);
}

/// What a canonical reader must get, worked out line by line.
fn model(typed: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let mut line = Vec::new();
    for c in typed {
        match c {
            b'\n' => {
                line.push(b'\n');
                lines.push(core::mem::take(&mut line));
            }
            0x7f => {
                line.pop();
            }
            0x15 => line.clear(),
            0x04 => lines.push(core::mem::take(&mut line)),
            c => line.push(*c),
        }
    }
    lines
}

proptest! {
    #[test]
    fn canonical_input_reads_back_as_edited_lines(
        typed in prop::collection::vec(prop::sample::select(b"ab \t\x7f\x15\x04\n".to_vec()), 0..300),
        cuts in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let mut t = Tty::new(|_| {});
        let mut rest = &typed[..];
        for cut in cuts.iter().cycle() {
            let n = (*cut).min(rest.len());
            prop_assert_eq!(t.type_in(&rest[..n]), n);
            rest = &rest[n..];
            if rest.is_empty() { break; }
        }
        let got: Vec<_> = core::iter::from_fn(|| t.read()).collect();
        prop_assert_eq!(got, model(&typed));
    }

    #[test]
    fn raw_input_reads_back_unchanged(
        typed in prop::collection::vec(any::<u8>(), 0..20000),
        sizes in prop::collection::vec(1_usize..3000, 1..20),
    ) {
        let mut t = Tty::raw();
        let (mut sent, mut got) = (0, Vec::<u8>::new());
        for size in sizes.iter().cycle() {
            sent += t.type_in(&typed[sent..(sent + size).min(typed.len())]);
            let mut buf = vec![0; *size];
            if let Some(n) = t.ld.read(&mut buf) { got.extend(&buf[..n]); }
            if got.len() == typed.len() { break; }
        }
        prop_assert_eq!(got, typed);
    }

    /// Any modes, any bytes, any reads: nothing panics, and no more than the buffer is ever held.
    #[test]
    fn no_input_breaks_the_buffer(
        steps in prop::collection::vec(
            (any::<u32>(), any::<u32>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..2500), 0_usize..5000, any::<[u8; 19]>()),
            1..30,
        ),
    ) {
        let mut t = Tty::new(|_| {});
        for (input, output, local, bytes, size, cc) in steps {
            t.set(|t| {
                t.input = Input::from_bits_retain(input);
                t.output = Output::from_bits_retain(output);
                t.local = Local::from_bits_retain(local);
                t.cc = cc;
            });
            t.type_in(&bytes);
            t.ld.receive_flagged(0, Arrival::Break, &mut t.events);
            t.ld.receive_flagged(7, Arrival::Damaged, &mut t.events);
            prop_assert!(t.ld.buffered() <= BUFFER_SIZE);
            prop_assert!(t.ld.available() <= t.ld.buffered());
            let mut screen = Screen { bytes: Vec::new(), room: size };
            t.ld.write(&bytes, &mut screen);
            let mut buf = vec![0; size];
            let n = t.ld.read(&mut buf).unwrap_or(0);
            prop_assert!(n <= size);
            t.ld.skip_eof();
        }
    }
}
