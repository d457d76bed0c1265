//! `signalfd(2)`: pending signals of the reader, as records from a descriptor.
//!
//! The file holds a set only. Whoever reads or polls it is asked about its own signals, as on Linux.

use crate::{
    fs::{File, FileOps, IoSink, OpenFlags},
    process::signal::{self, SigInfo, Signal, SignalSet},
    sched,
    sync::{PollEvents, PollTable},
};
use abi::{Errno, Result};
use alloc::{string::String, sync::Arc};
use core::{
    fmt::{self, Write},
    sync::atomic::{AtomicU64, Ordering},
};
use zerocopy::{Immutable, IntoBytes};

/// `struct signalfd_siginfo`, less the padding at its end.
#[repr(C)]
#[derive(Default, IntoBytes, Immutable)]
struct Record {
    signo: u32,
    errno: i32,
    code: i32,
    pid: u32,
    uid: u32,
    fd: i32,
    tid: u32,
    band: u32,
    overrun: u32,
    trapno: u32,
    status: i32,
    int: i32,
    ptr: u64,
    utime: u64,
    stime: u64,
    addr: u64,
    unused: [u64; 6],
}

const _: () = assert!(size_of::<Record>() == 128);

/// The halves of a word of the union.
fn halves(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

impl Record {
    /// Which fields of the union a signal fills follows from its code and, for the kernel's own, its number.
    fn new(info: &SigInfo) -> Record {
        let [first, second, third, fourth] = info.payload;
        let mut record = Record {
            signo: u32::from(info.signal.0),
            errno: info.errno,
            code: info.code,
            ..Record::default()
        };
        let (low, high) = halves(first);
        match (info.code, info.signal) {
            (signal::code::SI_TIMER, _) => {
                (record.tid, record.overrun) = (low, high);
                (record.ptr, record.int) = (second, halves(second).0 as i32);
            }
            (..=0 | signal::code::SI_KERNEL, _) => {
                (record.pid, record.uid) = (low, high);
                if info.code < 0 {
                    (record.ptr, record.int) = (second, halves(second).0 as i32);
                }
            }
            (_, Signal::SIGCHLD) => {
                (record.pid, record.uid) = (low, high);
                record.status = halves(second).0 as i32;
                (record.utime, record.stime) = (third, fourth);
            }
            (_, Signal::SIGIO) => (record.band, record.fd) = (low, halves(second).0 as i32),
            _ => record.addr = first,
        }
        record
    }
}

/// A set of signals behind a descriptor.
pub struct SignalFd {
    set: AtomicU64,
}

impl SignalFd {
    fn set(&self) -> SignalSet {
        SignalSet(self.set.load(Ordering::Relaxed))
    }
}

impl FileOps for SignalFd {
    fn read(&self, _file: &File, dst: &mut IoSink<'_>, _offset: &mut u64) -> Result<usize> {
        if dst.remaining() < size_of::<Record>() {
            return Err(Errno::EINVAL);
        }
        let current = sched::current();
        let mut done = 0;
        while dst.remaining() >= size_of::<Record>() {
            let Some(info) = signal::dequeue(&current, self.set()) else { break };
            match dst.write(Record::new(&info).as_bytes()) {
                Ok(n) => done += n,
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        if done == 0 { Err(Errno::EAGAIN) } else { Ok(done) }
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        let current = sched::current();
        table.register(current.process.signals.signalfd_queue());
        let pending = current.signals.pending_set().union(current.process.signals.pending_set());
        match pending.intersection(self.set()) {
            SignalSet::EMPTY => PollEvents::empty(),
            _ => PollEvents::IN | PollEvents::RDNORM,
        }
    }

    fn show_info(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "sigmask:\t{:016x}", self.set().0)
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// Makes a signal file for `set`.
pub fn new_signalfd(set: SignalSet, status: OpenFlags) -> Result<Arc<File>> {
    let set = set.difference(SignalSet::KERNEL_ONLY);
    let file = SignalFd { set: AtomicU64::new(set.0) };
    File::anonymous("[signalfd]", OpenFlags::RDWR | status, Arc::new(file))
}

/// Changes the set of an existing file; `EINVAL` when it is no signal file.
pub fn change(file: &File, set: SignalSet) -> Result<()> {
    let signalfd = file.ops().as_any().downcast_ref::<SignalFd>().ok_or(Errno::EINVAL)?;
    signalfd.set.store(set.difference(SignalSet::KERNEL_ONLY).0, Ordering::Relaxed);
    // Who waits for what is in the new set only has to look again.
    sched::current().process.signals.signalfd_queue().wake_all();
    Ok(())
}
