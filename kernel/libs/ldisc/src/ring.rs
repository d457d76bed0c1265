//! The bytes between the driver and the reader: a ring with a mark on each byte that ends a line.
//!
//! `tail ≤ canon_head ≤ head`; what lies before `canon_head` are finished lines, what lies behind is being edited.
//! The counters run on and wrap; their difference is what counts.

use crate::termios::DISABLED;
use alloc::{boxed::Box, vec};

/// Bytes in the ring: also the longest line, its newline included.
pub const SIZE: usize = 4096;

const MASK: usize = SIZE - 1;

pub struct Ring {
    bytes: Box<[u8]>,
    /// One bit a byte: it ends a line. A marked [`DISABLED`] byte is an end of file and is never delivered.
    marks: [u64; SIZE / 64],
    tail: usize,
    canon_head: usize,
    head: usize,
    /// The finished line before `canon_head` was cut by a change of mode, not by an end of line.
    pushed: bool,
}

impl Ring {
    pub fn new() -> Ring {
        Ring {
            bytes: vec![0; SIZE].into_boxed_slice(),
            marks: [0; SIZE / 64],
            tail: 0,
            canon_head: 0,
            head: 0,
            pushed: false,
        }
    }

    pub fn len(&self) -> usize {
        self.head.wrapping_sub(self.tail)
    }

    pub fn is_empty(&self) -> bool {
        self.head == self.tail
    }

    pub fn room(&self) -> usize {
        SIZE - self.len()
    }

    pub fn has_line(&self) -> bool {
        self.canon_head != self.tail
    }

    /// Bytes in the unfinished line.
    pub fn edited(&self) -> usize {
        self.head.wrapping_sub(self.canon_head)
    }

    /// The byte `back` places before the head; 1 is the last.
    pub fn last(&self, back: usize) -> u8 {
        self.bytes[self.head.wrapping_sub(back) & MASK]
    }

    /// The first unread byte (anything when empty).
    pub fn front(&self) -> u8 {
        self.bytes[self.tail & MASK]
    }

    /// Appends a byte. In a full ring it takes the place of the last byte of the unfinished line, so that a line that is too
    /// long can still be ended.
    pub fn put(&mut self, c: u8) {
        if self.room() == 0 {
            if self.edited() == 0 {
                return;
            }
            self.head = self.head.wrapping_sub(1);
        }
        let at = self.head & MASK;
        self.bytes[at] = c;
        self.marks[at / 64] &= !(1 << (at % 64));
        self.head = self.head.wrapping_add(1);
    }

    /// Appends what ends a line.
    pub fn put_end(&mut self, c: u8) {
        self.put(c);
        self.mark(self.head.wrapping_sub(1) & MASK);
        self.canon_head = self.head;
    }

    /// Takes back the last `n` bytes of the unfinished line.
    pub fn retract(&mut self, n: usize) {
        debug_assert!(n <= self.edited());
        self.head = self.head.wrapping_sub(n);
    }

    pub fn clear(&mut self) {
        self.tail = self.head;
        self.canon_head = self.head;
        self.marks = [0; SIZE / 64];
        self.pushed = false;
    }

    /// Lines begin or cease to matter.
    pub fn change_mode(&mut self, canonical: bool) {
        self.marks = [0; SIZE / 64];
        if canonical && !self.is_empty() {
            self.mark(self.head.wrapping_sub(1) & MASK);
            self.canon_head = self.head;
            self.pushed = true;
        } else {
            self.canon_head = self.tail;
            self.pushed = false;
        }
    }

    fn mark(&mut self, at: usize) {
        self.marks[at / 64] |= 1 << (at % 64);
    }

    fn is_marked(&self, at: usize) -> bool {
        self.marks[(at & MASK) / 64] & (1 << (at & MASK & 63)) != 0
    }

    /// Whether the byte at `at` stands for an end of file.
    fn is_eof(&self, at: usize) -> bool {
        self.is_marked(at) && self.bytes[at & MASK] == DISABLED && !self.pushed
    }

    fn copy_out(&self, dst: &mut [u8]) {
        let at = self.tail & MASK;
        let first = dst.len().min(SIZE - at);
        dst[..first].copy_from_slice(&self.bytes[at..at + first]);
        let rest = dst.len() - first;
        dst[first..].copy_from_slice(&self.bytes[..rest]);
    }

    /// Takes bytes without regard to lines.
    pub fn read(&mut self, dst: &mut [u8]) -> usize {
        let n = dst.len().min(self.len());
        self.copy_out(&mut dst[..n]);
        let canon_used = self.canon_head.wrapping_sub(self.tail);
        self.tail = self.tail.wrapping_add(n);
        if n > canon_used {
            self.canon_head = self.tail;
        }
        n
    }

    /// Takes bytes of the first finished line: how many, and whether that was its end.
    pub fn read_line(&mut self, dst: &mut [u8]) -> Option<(usize, bool)> {
        if !self.has_line() {
            return None;
        }
        let limit = dst.len().min(self.canon_head.wrapping_sub(self.tail));
        let end = (0..limit).find(|i| self.is_marked(self.tail.wrapping_add(*i)));
        let Some(end) = end else {
            self.copy_out(&mut dst[..limit]);
            self.tail = self.tail.wrapping_add(limit);
            return Some((limit, false));
        };
        let at = self.tail.wrapping_add(end);
        let n = if self.is_eof(at) { end } else { end + 1 };
        self.copy_out(&mut dst[..n]);
        self.unmark(at);
        self.tail = at.wrapping_add(1);
        self.pushed = false;
        Some((n, true))
    }

    pub fn skip_eof(&mut self) {
        if self.has_line() && self.is_eof(self.tail) {
            self.unmark(self.tail);
            self.tail = self.tail.wrapping_add(1);
        }
    }

    fn unmark(&mut self, at: usize) {
        self.marks[(at & MASK) / 64] &= !(1 << (at & MASK & 63));
    }

    /// Bytes in finished lines, less the ends of file.
    pub fn line_bytes(&self) -> usize {
        let count = self.canon_head.wrapping_sub(self.tail);
        count - (0..count).filter(|i| self.is_eof(self.tail.wrapping_add(*i))).count()
    }
}
