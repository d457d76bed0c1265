//! Received bytes: mapping, signals, flow control, line editing.

use crate::{
    Arrival, Events, LineDiscipline,
    output::is_control,
    termios::{Cc, DISABLED, Input, Local},
};

/// How much an erase character takes away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Erase {
    Character,
    Word,
    Line,
}

impl LineDiscipline {
    /// Works out which bytes need more than storing and echoing.
    pub(crate) fn find_special(&mut self) {
        let (input, local) = (self.termios.input, self.termios.local);
        self.raw = !input.intersects(
            Input::ISTRIP
                | Input::IUCLC
                | Input::IGNCR
                | Input::ICRNL
                | Input::INLCR
                | Input::IXON
                | Input::PARMRK,
        ) && !local.intersects(Local::ICANON | Local::ISIG | Local::ECHO);
        let (canonical, extended) = (local.contains(Local::ICANON), local.contains(Local::IEXTEN));
        let mut special = [false; 256];
        let mut mark = |when: bool, slots: &[Cc]| {
            for slot in slots.iter().filter(|_| when) {
                special[usize::from(self.termios.char(*slot))] = true;
            }
        };
        mark(canonical, &[Cc::Erase, Cc::Kill, Cc::Eof, Cc::Eol]);
        mark(canonical && extended, &[Cc::WordErase, Cc::Lnext, Cc::Eol2]);
        mark(canonical && extended && local.contains(Local::ECHO), &[Cc::Reprint]);
        mark(input.contains(Input::IXON), &[Cc::Start, Cc::Stop]);
        mark(local.contains(Local::ISIG), &[Cc::Intr, Cc::Quit, Cc::Susp]);
        self.special = special;
        self.special[DISABLED as usize] = false;
        if input.intersects(Input::IGNCR | Input::ICRNL) {
            self.special[b'\r' as usize] = true;
        }
        if input.contains(Input::INLCR) || local.contains(Local::ICANON) {
            self.special[b'\n' as usize] = true;
        }
    }

    /// Takes bytes from the driver: how many, which is less than all only when the reader must make room first.
    pub fn receive(&mut self, bytes: &[u8], events: &mut Events) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            let n = self.make_room().min(bytes.len() - taken);
            if n == 0 {
                break;
            }
            self.accept(&bytes[taken..taken + n], events);
            taken += n;
        }
        taken
    }

    /// Takes a byte that arrived in an unusual way. Whether there was room for it.
    pub fn receive_flagged(&mut self, c: u8, how: Arrival, events: &mut Events) -> bool {
        if self.make_room() == 0 {
            return false;
        }
        self.lnext = false;
        match how {
            Arrival::Break => self.receive_break(events),
            Arrival::Damaged => self.receive_damaged(c, events),
        }
        self.publish(events);
        true
    }

    /// Bytes that can be taken now. An overlong line keeps one place, for its end.
    fn make_room(&mut self) -> usize {
        let free = self.ring.room();
        let free = if self.termios.input.contains(Input::PARMRK) { free.div_ceil(3) } else { free };
        if free > 1 {
            return free - 1;
        }
        let overlong = self.is_canonical() && !self.ring.has_line();
        usize::from(overlong)
    }

    fn accept(&mut self, bytes: &[u8], events: &mut Events) {
        let input = self.termios.input;
        let lower = input.contains(Input::IUCLC) && self.local(Local::IEXTEN);
        let strip = input.contains(Input::ISTRIP);
        if self.raw || (self.local(Local::EXTPROC) && !lower && !strip) {
            for c in bytes {
                self.ring.put(*c);
            }
        } else {
            for c in bytes {
                let mut c = *c;
                if strip {
                    c &= 0x7f;
                }
                if lower {
                    c = c.to_ascii_lowercase();
                }
                if core::mem::take(&mut self.lnext) {
                    self.receive_plain(c, events);
                } else if self.local(Local::EXTPROC) {
                    self.ring.put(c);
                } else if self.special[c as usize] {
                    self.receive_special(c, events);
                } else {
                    self.receive_plain(c, events);
                }
            }
        }
        self.publish(events);
    }

    /// Announces what became readable.
    fn publish(&mut self, events: &mut Events) {
        if !self.reads_lines() && !self.ring.is_empty() {
            *events |= Events::READABLE;
        }
    }

    fn restart_on_any(&mut self, events: &mut Events) {
        if self.stopped && self.termios.input.contains(Input::IXON | Input::IXANY) {
            *events |= self.start();
        }
    }

    /// Stores a byte, doubled where `PARMRK` needs that to tell it from a mark.
    fn store(&mut self, c: u8) {
        if c == 0xff && self.termios.input.contains(Input::PARMRK) {
            self.ring.put(c);
        }
        self.ring.put(c);
    }

    fn receive_plain(&mut self, c: u8, events: &mut Events) {
        self.restart_on_any(events);
        if self.local(Local::ECHO) {
            self.finish_erasing();
            self.echo_line_start();
            self.echo_char(c);
        }
        self.store(c);
    }

    fn receive_special(&mut self, c: u8, events: &mut Events) {
        let input = self.termios.input;
        if input.contains(Input::IXON) {
            if self.is(c, Cc::Start) {
                *events |= self.start();
                return;
            }
            if self.is(c, Cc::Stop) {
                *events |= self.stop();
                return;
            }
        }
        if self.local(Local::ISIG) {
            for (slot, event) in [
                (Cc::Intr, Events::INTERRUPT),
                (Cc::Quit, Events::QUIT),
                (Cc::Susp, Events::SUSPEND),
            ] {
                if self.is(c, slot) {
                    self.receive_signal(c, event, events);
                    return;
                }
            }
        }
        self.restart_on_any(events);
        let mut c = c;
        if c == b'\r' {
            if input.contains(Input::IGNCR) {
                return;
            }
            if input.contains(Input::ICRNL) {
                c = b'\n';
            }
        } else if c == b'\n' && input.contains(Input::INLCR) {
            c = b'\r';
        }
        if self.is_canonical() && self.edit(c, events) {
            return;
        }
        if self.local(Local::ECHO) {
            self.finish_erasing();
            if c == b'\n' {
                self.echo_raw(b'\n');
            } else {
                self.echo_line_start();
                self.echo_char(c);
            }
        }
        self.store(c);
    }

    fn receive_signal(&mut self, c: u8, event: Events, events: &mut Events) {
        self.raise(event, events);
        if self.termios.input.contains(Input::IXON) {
            *events |= self.start();
        }
        if self.local(Local::ECHO) {
            self.echo_char(c);
        }
    }

    /// Asks for a signal and, unless `NOFLSH`, empties the queues.
    fn raise(&mut self, event: Events, events: &mut Events) {
        *events |= event;
        if !self.local(Local::NOFLSH) {
            self.drop_echo();
            self.flush_input();
            *events |= Events::FLUSH_OUTPUT | Events::FLUSHED_INPUT;
        }
    }

    fn receive_break(&mut self, events: &mut Events) {
        let input = self.termios.input;
        if input.contains(Input::IGNBRK) {
            return;
        }
        if input.contains(Input::BRKINT) {
            self.raise(Events::INTERRUPT, events);
            return;
        }
        if input.contains(Input::PARMRK) {
            self.ring.put(0xff);
            self.ring.put(0);
        }
        self.ring.put(0);
    }

    fn receive_damaged(&mut self, c: u8, events: &mut Events) {
        let input = self.termios.input;
        if !input.contains(Input::INPCK) {
            self.receive_plain(c, events);
        } else if input.contains(Input::IGNPAR) {
            // Dropped.
        } else if input.contains(Input::PARMRK) {
            for c in [0xff, 0, c] {
                self.ring.put(c);
            }
        } else {
            self.ring.put(0);
        }
    }

    /// Line editing; whether the byte was used up.
    fn edit(&mut self, c: u8, events: &mut Events) -> bool {
        let extended = self.local(Local::IEXTEN);
        let echo = self.local(Local::ECHO);
        if self.is(c, Cc::Erase) {
            self.erase(Erase::Character);
        } else if self.is(c, Cc::Kill) {
            self.erase(Erase::Line);
        } else if extended && self.is(c, Cc::WordErase) {
            self.erase(Erase::Word);
        } else if extended && self.is(c, Cc::Lnext) {
            self.lnext = true;
            if echo {
                self.finish_erasing();
                if self.local(Local::ECHOCTL) {
                    self.echo_raw(b'^');
                    self.echo_raw(0x08);
                }
            }
        } else if extended && echo && self.is(c, Cc::Reprint) {
            self.finish_erasing();
            self.echo_char(c);
            self.echo_raw(b'\n');
            for back in (1..=self.ring.edited()).rev() {
                self.echo_char(self.ring.last(back));
            }
        } else if c == b'\n' {
            if echo || self.local(Local::ECHONL) {
                self.echo_raw(b'\n');
            }
            self.end_line(c, events);
        } else if self.is(c, Cc::Eof) {
            self.end_line(DISABLED, events);
        } else if self.is(c, Cc::Eol) || (extended && self.is(c, Cc::Eol2)) {
            if echo {
                self.echo_line_start();
                self.echo_char(c);
            }
            if c == 0xff && self.termios.input.contains(Input::PARMRK) {
                self.ring.put(c);
            }
            self.end_line(c, events);
        } else {
            return false;
        }
        true
    }

    fn end_line(&mut self, c: u8, events: &mut Events) {
        self.ring.put_end(c);
        *events |= Events::READABLE;
    }

    fn erase(&mut self, what: Erase) {
        if self.ring.edited() == 0 {
            return;
        }
        let echo = self.local(Local::ECHO);
        if what == Erase::Line {
            if !echo {
                self.ring.retract(self.ring.edited());
                return;
            }
            if !self.local(Local::ECHOK | Local::ECHOKE | Local::ECHOE) {
                self.ring.retract(self.ring.edited());
                self.finish_erasing();
                self.echo_char(self.char(Cc::Kill));
                if self.local(Local::ECHOK) {
                    self.echo_raw(b'\n');
                }
                return;
            }
        }
        let mut word_begun = false;
        while self.ring.edited() > 0 {
            // One character, which may be several bytes long.
            let mut len = 1;
            while self.is_continuation(self.ring.last(len)) && len < self.ring.edited() {
                len += 1;
            }
            let c = self.ring.last(len);
            if self.is_continuation(c) {
                break;
            }
            if what == Erase::Word {
                if is_alphanumeric(c) || c == b'_' {
                    word_begun = true;
                } else if word_begun {
                    break;
                }
            }
            if echo {
                self.echo_erased(c, len, what);
            } else {
                self.ring.retract(len);
            }
            if what == Erase::Character {
                break;
            }
        }
        if self.ring.edited() == 0 && echo {
            self.finish_erasing();
        }
    }

    /// Takes back the last character (`len` bytes, the first is `c`) and shows that.
    fn echo_erased(&mut self, c: u8, len: usize, what: Erase) {
        if self.local(Local::ECHOPRT) {
            if !core::mem::replace(&mut self.erasing, true) {
                self.echo_raw(b'\\');
            }
            self.echo_char(c);
            for back in (1..len).rev() {
                self.echo_raw(self.ring.last(back));
                self.echo_move_back();
            }
            self.ring.retract(len);
            return;
        }
        self.ring.retract(len);
        if what == Erase::Character && !self.local(Local::ECHOE) {
            self.echo_char(self.char(Cc::Erase));
        } else if c == b'\t' {
            let mut columns = 0;
            let mut after_tab = false;
            for back in 1..=self.ring.edited() {
                let c = self.ring.last(back);
                if c == b'\t' {
                    after_tab = true;
                    break;
                } else if is_control(c) {
                    columns += if self.local(Local::ECHOCTL) { 2 } else { 0 };
                } else if !self.is_continuation(c) {
                    columns += 1;
                }
            }
            self.echo_untab(columns, after_tab);
        } else if is_control(c) {
            if self.local(Local::ECHOCTL) {
                self.echo_wipe();
                self.echo_wipe();
            }
        } else {
            self.echo_wipe();
        }
    }
}

/// `isalnum` over Latin-1, as Linux's table has it.
const fn is_alphanumeric(c: u8) -> bool {
    c.is_ascii_alphanumeric() || (c >= 0xc0 && c != 0xd7 && c != 0xf7)
}
