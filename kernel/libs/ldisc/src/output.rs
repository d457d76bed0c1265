//! Output processing (`OPOST`) with the cursor's column, which tabs and `ONOCR` need.

use crate::{
    LineDiscipline, Sink,
    termios::{Input, Output},
};

/// A control character in ASCII.
pub(crate) const fn is_control(c: u8) -> bool {
    c < 0x20 || c == 0x7f
}

impl LineDiscipline {
    /// Processes a program's output; how many bytes of `src` went. Waiting echo goes first.
    pub fn write(&mut self, src: &[u8], out: &mut dyn Sink) -> usize {
        if self.stopped || !self.flush_echo(out) {
            return 0;
        }
        if !self.termios.output.contains(Output::OPOST) {
            let n = src.len().min(out.room());
            if n > 0 {
                out.push(&src[..n]);
            }
            return n;
        }
        let mut done = 0;
        while done < src.len() {
            let plain = self.plain_prefix(&src[done..]);
            if plain > 0 {
                let n = plain.min(out.room());
                if n == 0 {
                    break;
                }
                let run = &src[done..done + n];
                self.column += run.iter().filter(|c| !self.is_continuation(**c)).count();
                out.push(run);
                done += n;
            } else if self.put_processed(src[done], out) {
                done += 1;
            } else {
                break;
            }
        }
        done
    }

    /// How many bytes at the front go out as they are.
    fn plain_prefix(&self, src: &[u8]) -> usize {
        if self.termios.output.contains(Output::OLCUC) {
            return 0;
        }
        src.iter().position(|c| is_control(*c)).unwrap_or(src.len())
    }

    /// One byte through `OPOST`; false when there is no room for what it becomes.
    pub(crate) fn put_processed(&mut self, c: u8, out: &mut dyn Sink) -> bool {
        let flags = self.termios.output;
        let room = out.room();
        let mut c = c;
        match c {
            b'\n' => {
                if flags.contains(Output::ONLRET) {
                    self.column = 0;
                }
                if flags.contains(Output::ONLCR) {
                    if room < 2 {
                        return false;
                    }
                    self.column = 0;
                    self.canon_column = 0;
                    out.push(b"\r\n");
                    return true;
                }
                self.canon_column = self.column;
            }
            b'\r' => {
                if flags.contains(Output::ONOCR) && self.column == 0 {
                    return true;
                }
                if flags.contains(Output::OCRNL) {
                    c = b'\n';
                    if flags.contains(Output::ONLRET) {
                        self.column = 0;
                        self.canon_column = 0;
                    }
                } else {
                    self.column = 0;
                    self.canon_column = 0;
                }
            }
            b'\t' => {
                let spaces = 8 - (self.column & 7);
                if flags.contains(Output::XTABS) {
                    if room < spaces {
                        return false;
                    }
                    self.column += spaces;
                    out.push(&b"        "[..spaces]);
                    return true;
                }
                if room == 0 {
                    return false;
                }
                self.column += spaces;
            }
            0x08 => {
                if room == 0 {
                    return false;
                }
                self.column = self.column.saturating_sub(1);
            }
            _ if !is_control(c) => {
                if room == 0 {
                    return false;
                }
                if flags.contains(Output::OLCUC) {
                    c = c.to_ascii_uppercase();
                }
                if !self.is_continuation(c) {
                    self.column += 1;
                }
            }
            _ => {}
        }
        if room == 0 {
            return false;
        }
        out.push(&[c]);
        true
    }

    /// Whether `c` continues a UTF-8 character (only with `IUTF8`).
    pub(crate) fn is_continuation(&self, c: u8) -> bool {
        self.termios.input.contains(Input::IUTF8) && c & 0xc0 == 0x80
    }
}
