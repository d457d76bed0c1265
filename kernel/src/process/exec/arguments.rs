//! The strings of a new program: path, environment, arguments, packed downwards from the top of its stack.
//!
//! They are kept in page frames, charged like user memory, so that megabytes of arguments cost no kernel heap; the frames
//! become the stack's when the program is mapped.

use super::image::Layout;
use crate::{
    mm::{Frame, PAGE_SIZE, PageKind, UserAddr, user},
    process::Resource,
    sched,
};
use abi::{Errno, Result};
use alloc::vec::Vec;

/// The longest string, its NUL included (`MAX_ARG_STRLEN`).
const STRING_LIMIT: usize = 32 * PAGE_SIZE;

/// What all strings and pointers may take at least (`ARG_MAX`) and at most (three quarters of `_STK_LIM`).
const TOTAL_MIN: usize = 128 * 1024;
const TOTAL_MAX: usize = 6 << 20;

/// The most strings in one list (`MAX_ARG_STRINGS`).
const COUNT_LIMIT: usize = 0x7fff_ffff;

/// A list of strings.
pub enum Strings<'a> {
    /// A null-terminated array of pointers in user memory; a null address is an empty list.
    User(UserAddr),
    /// The kernel's own, for the first program.
    Kernel(&'a [Vec<u8>]),
}

/// The strings of a new program.
pub struct Arguments {
    /// The address above the highest string.
    top: usize,
    /// Pages from `top`'s downwards.
    frames: Vec<Frame>,
    /// Bytes used, from `top` downwards.
    used: usize,
    /// Bytes that may be used.
    limit: usize,
    /// `argc`.
    pub argc: usize,
    /// `envc`.
    pub envc: usize,
    /// Where the path is (`AT_EXECFN`).
    pub path_address: usize,
    /// Where the environment's strings end and the path begins.
    pub environment_end: usize,
    /// Where the arguments' strings end and the environment's begin.
    pub arguments_end: usize,
}

impl Arguments {
    /// Copies the strings. `E2BIG` when one or all are too long, `EFAULT`, `ENOMEM`.
    pub fn new(
        layout: &Layout,
        path: &[u8],
        argv: Strings<'_>,
        envp: Strings<'_>,
    ) -> Result<Arguments> {
        let (argv, envp) = (argv.collect()?, envp.collect()?);
        let mut this = Arguments {
            // A null word ends the stack.
            top: layout.stack_top - size_of::<usize>(),
            frames: Vec::new(),
            used: 0,
            limit: string_limit(argv.len().max(1) + envp.len())?,
            argc: argv.len(),
            envc: envp.len(),
            path_address: 0,
            environment_end: 0,
            arguments_end: 0,
        };
        this.push(path)?;
        this.path_address = this.bottom();
        this.environment_end = this.bottom();
        for string in envp.iter().rev() {
            this.push_from(string)?;
        }
        this.arguments_end = this.bottom();
        for string in argv.iter().rev() {
            this.push_from(string)?;
        }
        if this.argc == 0 {
            // Programs trust in having a name: an empty list becomes one empty string.
            this.push(b"")?;
            this.argc = 1;
        }
        Ok(this)
    }

    /// The address of the lowest string.
    pub fn bottom(&self) -> usize {
        self.top - self.used
    }

    /// Puts a string (and its NUL) below the others.
    pub fn push(&mut self, string: &[u8]) -> Result<()> {
        if string.len() >= STRING_LIMIT {
            return Err(Errno::E2BIG);
        }
        self.push_bytes(&[0])?;
        self.push_bytes(string)
    }

    /// Puts one more argument before the others.
    pub fn push_argument(&mut self, string: &[u8]) -> Result<()> {
        self.push(string)?;
        self.argc += 1;
        Ok(())
    }

    /// Takes the first argument away.
    pub fn remove_first(&mut self) {
        let len = self.lengths(self.bottom(), 1).next().unwrap_or(0);
        self.used -= len;
        self.argc -= 1;
    }

    fn push_from(&mut self, string: &StringRef<'_>) -> Result<()> {
        match string {
            StringRef::User(addr) => {
                let bytes = user::read_cstr(*addr, STRING_LIMIT, Errno::E2BIG)?;
                self.push(&bytes)
            }
            StringRef::Kernel(bytes) => self.push(bytes),
        }
    }

    fn push_bytes(&mut self, mut bytes: &[u8]) -> Result<()> {
        if bytes.len() > self.limit - self.used {
            return Err(Errno::E2BIG);
        }
        while !bytes.is_empty() {
            let end = self.bottom();
            // The page that holds the byte below `end`, and how much of it is free.
            let page = (end - 1) & !(PAGE_SIZE - 1);
            let index = (self.top_page() - page) / PAGE_SIZE;
            if index == self.frames.len() {
                self.frames.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                self.frames.push(Frame::alloc_zeroed(PageKind::Anonymous)?);
            }
            let len = bytes.len().min(end - page);
            let (rest, last) = bytes.split_at(bytes.len() - len);
            self.frames[index].write(end - page - len, last);
            self.used += len;
            bytes = rest;
        }
        Ok(())
    }

    /// The base of the highest page.
    fn top_page(&self) -> usize {
        (self.top - 1) & !(PAGE_SIZE - 1)
    }

    /// Takes the pages out, each with its address, from the highest down.
    pub fn take_pages(&mut self) -> impl Iterator<Item = (usize, Frame)> + use<> {
        let top = self.top_page();
        let frames = core::mem::take(&mut self.frames);
        (0..).map(move |index| top - index * PAGE_SIZE).zip(frames)
    }

    /// The address of each argument.
    pub fn argument_addresses(&self) -> Result<Vec<u64>> {
        self.addresses(self.bottom(), self.argc)
    }

    /// The address of each string of the environment.
    pub fn environment_addresses(&self) -> Result<Vec<u64>> {
        self.addresses(self.arguments_end, self.envc)
    }

    fn addresses(&self, from: usize, count: usize) -> Result<Vec<u64>> {
        let mut addresses = Vec::new();
        addresses.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
        let mut next = from;
        for len in self.lengths(from, count) {
            addresses.push(next as u64);
            next += len;
        }
        Ok(addresses)
    }

    /// The lengths, NULs included, of `count` strings that lie one behind the other from `addr` on.
    fn lengths(&self, addr: usize, count: usize) -> impl Iterator<Item = usize> {
        let mut next = addr;
        (0..count).map(move |_| {
            let start = next;
            let mut page = [0; 256];
            loop {
                let chunk = self.read(next, &mut page);
                if let Some(nul) = chunk.iter().position(|&byte| byte == 0) {
                    next += nul + 1;
                    return next - start;
                }
                if chunk.is_empty() {
                    return next - start;
                }
                next += chunk.len();
            }
        })
    }

    /// Bytes at `addr`, at most to the end of their page or of the strings.
    fn read<'a>(&self, addr: usize, buffer: &'a mut [u8]) -> &'a [u8] {
        let page = addr & !(PAGE_SIZE - 1);
        let Some(frame) = self.frames.get((self.top_page().saturating_sub(page)) / PAGE_SIZE)
        else {
            return &[];
        };
        let len = buffer.len().min(page + PAGE_SIZE - addr).min(self.top.saturating_sub(addr));
        frame.read(addr - page, &mut buffer[..len]);
        &buffer[..len]
    }
}

/// How many bytes strings may take when there are `count` of them: a quarter of the stack's limit, less the pointers.
fn string_limit(count: usize) -> Result<usize> {
    let stack = sched::current().process.limits().soft(Resource::Stack);
    let quarter = usize::try_from(stack / 4).unwrap_or(usize::MAX);
    let total = quarter.clamp(TOTAL_MIN, TOTAL_MAX);
    let pointers = count.checked_mul(size_of::<usize>()).ok_or(Errno::E2BIG)?;
    total.checked_sub(pointers).filter(|&left| left != 0).ok_or(Errno::E2BIG)
}

/// One string, not yet copied.
enum StringRef<'a> {
    User(UserAddr),
    Kernel(&'a [u8]),
}

impl<'a> Strings<'a> {
    /// The pointers of the list. More than could ever fit into the limit are refused before they are all read.
    fn collect(self) -> Result<Vec<StringRef<'a>>> {
        let mut list = Vec::new();
        match self {
            Strings::Kernel(strings) => {
                list.extend(strings.iter().map(|string| StringRef::Kernel(string)));
            }
            Strings::User(addr) if addr.is_null() => {}
            Strings::User(addr) => {
                const { assert!(TOTAL_MAX / size_of::<usize>() < COUNT_LIMIT) };
                loop {
                    let pointer: usize = user::read(addr.add(list.len() * size_of::<usize>()))?;
                    if pointer == 0 {
                        break;
                    }
                    if list.len() >= TOTAL_MAX / size_of::<usize>() {
                        return Err(Errno::E2BIG);
                    }
                    list.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                    list.push(StringRef::User(UserAddr(pointer)));
                }
            }
        }
        Ok(list)
    }
}
