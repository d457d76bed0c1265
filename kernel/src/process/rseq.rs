//! Restartable sequences (`rseq(2)`): short pieces of user code on per-CPU data that start over elsewhere when they are
//! interrupted, and the CPU's number in the thread's own memory.
//!
//! A thread registers a `struct rseq`. Whenever it has been off its CPU, and before a signal's handler runs, the way back to user mode
//! ([`before_return`], by the work flag `RSEQ`) looks whether the thread is within the sequence that the structure names, sends it to
//! the sequence's abort handler if so, and brings the numbers in the structure up to date.
//!
//! The concurrency id (`mm_cid`) is the lowest that no other running thread of the address space has. A thread takes it on its way to
//! user mode and gives it back when it leaves its CPU, so there are no more ids than CPUs or threads.
//!
//! No locks: the fields are the thread's own. The switch, which gives the id back, runs as that thread, too.

use crate::{
    arch::{TrapFrame, cpu, thread::WorkFlags},
    mm::{USER_END, UserAddr, user},
    process::Task,
    sched,
    sync::PreemptGuard,
};
use abi::{Errno, Result};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The structure's size in its first version; larger ones have more fields.
const FIRST_SIZE: u32 = 32;
/// Its size as far as it has fields (`AT_RSEQ_FEATURE_SIZE`).
pub const FEATURE_SIZE: u32 = 28;
/// Its alignment (`AT_RSEQ_ALIGN`).
pub const ALIGN: u32 = 32;

/// `cpu_id` of a thread that is not registered any more.
const CPU_UNINITIALIZED: u32 = u32::MAX;
/// No concurrency id.
const NO_ID: u32 = u32::MAX;

/// `struct rseq`.
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable)]
struct Area {
    numbers: Numbers,
    sequence: u64,
    flags: u32,
    places: Places,
    pad: u32,
}

/// The CPU, for a sequence's start and for its test.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
struct Numbers {
    cpu_id_start: u32,
    cpu_id: u32,
}

/// The memory node and the concurrency id.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
struct Places {
    node_id: u32,
    mm_cid: u32,
}

const SEQUENCE_OFFSET: usize = core::mem::offset_of!(Area, sequence);
const PLACES_OFFSET: usize = core::mem::offset_of!(Area, places);

const _: () = assert!(size_of::<Area>() == FIRST_SIZE as usize);
const _: () = assert!(SEQUENCE_OFFSET == 8 && PLACES_OFFSET == 20);

/// `struct rseq_cs`: one sequence.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct Sequence {
    version: u32,
    flags: u32,
    start: u64,
    length: u64,
    abort: u64,
}

/// A thread's registration.
pub struct Rseq {
    /// The structure; 0: there is none.
    address: AtomicUsize,
    length: AtomicU32,
    signature: AtomicU32,
    /// The concurrency id that it has now.
    id: AtomicU32,
}

impl Rseq {
    /// Not registered.
    pub const fn new() -> Rseq {
        Rseq {
            address: AtomicUsize::new(0),
            length: AtomicU32::new(0),
            signature: AtomicU32::new(0),
            id: AtomicU32::new(NO_ID),
        }
    }

    /// Whether there is a structure.
    #[inline]
    fn is_registered(&self) -> bool {
        self.address.load(Relaxed) != 0
    }

    fn set(&self, address: usize, length: u32, signature: u32) {
        self.length.store(length, Relaxed);
        self.signature.store(signature, Relaxed);
        self.address.store(address, Relaxed);
    }
}

/// A forked process's thread is registered as its parent is: its memory is a copy.
pub fn fork(parent: &Task, child: &Task) {
    let from = &parent.rseq;
    if from.is_registered() {
        let (length, signature) = (from.length.load(Relaxed), from.signature.load(Relaxed));
        child.rseq.set(from.address.load(Relaxed), length, signature);
        child.thread.set_work(WorkFlags::RSEQ);
    }
}

/// `rseq(2)` to register the current thread. `EINVAL`, `EPERM` and `EBUSY` for one that is registered, `EFAULT`.
pub fn register(addr: UserAddr, length: u32, signature: u32) -> Result<()> {
    let task = sched::current();
    if task.rseq.is_registered() {
        check_same(&task, addr, length, signature)?;
        return Err(Errno::EBUSY);
    }
    let first = length == FIRST_SIZE;
    let align = if first { FIRST_SIZE } else { ALIGN };
    if length < FIRST_SIZE || !addr.0.is_multiple_of(align as usize) {
        return Err(Errno::EINVAL);
    }
    if addr.0.checked_add(length as usize).is_none_or(|end| end > USER_END) {
        return Err(Errno::EFAULT);
    }
    task.rseq.set(addr.0, length, signature);
    task.thread.set_work(WorkFlags::RSEQ);
    Ok(())
}

/// `rseq(2)` to end the registration. `EINVAL`, `EPERM` when it is another, `EFAULT`.
pub fn unregister(addr: UserAddr, length: u32, signature: u32) -> Result<()> {
    let task = sched::current();
    if addr.is_null() {
        return Err(Errno::EINVAL);
    }
    check_same(&task, addr, length, signature)?;
    user::write(addr, &Numbers { cpu_id_start: 0, cpu_id: CPU_UNINITIALIZED })?;
    user::write(addr.add(PLACES_OFFSET), &Places::default())?;
    forget(&task);
    Ok(())
}

fn check_same(task: &Task, addr: UserAddr, length: u32, signature: u32) -> Result<()> {
    let rseq = &task.rseq;
    if addr.0 != rseq.address.load(Relaxed) || length != rseq.length.load(Relaxed) {
        return Err(Errno::EINVAL);
    }
    if signature != rseq.signature.load(Relaxed) { Err(Errno::EPERM) } else { Ok(()) }
}

/// Ends the current thread's registration: it leaves its address space.
pub fn forget(task: &Task) {
    task.rseq.set(0, 0, 0);
    let _pinned = PreemptGuard::new();
    give_id_back(task);
}

/// The current task, `task`, leaves its CPU. Interrupts are off.
#[inline]
pub fn leave_cpu(task: &Task) {
    if task.rseq.is_registered() {
        give_id_back(task);
        restart(task);
    }
}

/// Has the current thread look at its sequence before it runs user code again. Callable from interrupts.
pub fn restart(task: &Task) {
    if task.rseq.is_registered() {
        task.thread.set_work(WorkFlags::RSEQ);
    }
}

/// Gives the concurrency id back. Preemption is off.
fn give_id_back(task: &Task) {
    let id = task.rseq.id.load(Relaxed);
    if id != NO_ID
        && let Some(space) = task.mm.try_borrow()
    {
        task.rseq.id.store(NO_ID, Relaxed);
        space.release_concurrency_id(id);
    }
}

/// What the structure is to say now.
fn current_numbers(task: &Task) -> (Numbers, Places) {
    // A switch after this section raises the work flag, and this is done again.
    let _pinned = PreemptGuard::new();
    if task.rseq.id.load(Relaxed) == NO_ID {
        task.rseq.id.store(task.mm.borrow().take_concurrency_id(), Relaxed);
    }
    let cpu = cpu::id() as u32;
    (
        Numbers { cpu_id_start: cpu, cpu_id: cpu },
        // There is one memory node.
        Places { node_id: 0, mm_cid: task.rseq.id.load(Relaxed) },
    )
}

/// The way back to user mode after the thread was off its CPU, or before a signal's handler: aborts the sequence that `registers` are
/// within, and updates the structure. An error is a SIGSEGV.
pub fn before_return(task: &Task, registers: &mut TrapFrame) -> Result<()> {
    task.thread.clear_work(WorkFlags::RSEQ);
    let at = UserAddr(task.rseq.address.load(Relaxed));
    if at.is_null() {
        return Ok(());
    }
    let area: Area = user::read(at)?;
    if area.sequence != 0 {
        abort_sequence(task, at, &area, registers)?;
    }
    let (numbers, places) = current_numbers(task);
    // Mostly nothing has changed.
    if area.numbers != numbers {
        user::write(at, &numbers)?;
    }
    if area.places != places {
        user::write(at.add(PLACES_OFFSET), &places)?;
    }
    Ok(())
}

/// Leaves the sequence that the structure at `at` names: for its abort handler if the thread is within it.
fn abort_sequence(task: &Task, at: UserAddr, area: &Area, registers: &mut TrapFrame) -> Result<()> {
    let sequence = read_sequence(task, area.sequence)?;
    let within = (registers.rip as u64).wrapping_sub(sequence.start) < sequence.length;
    // The flags that once forbade restarts are errors, as are unknown ones.
    if within && (sequence.flags != 0 || area.flags != 0) {
        return Err(Errno::EINVAL);
    }
    user::write(at.add(SEQUENCE_OFFSET), &0u64)?;
    if within {
        registers.rip = sequence.abort as usize;
    }
    Ok(())
}

/// Reads and checks a sequence: its bounds, and the signature in front of its abort handler, which keeps an attacker from
/// choosing any code.
fn read_sequence(task: &Task, address: u64) -> Result<Sequence> {
    let end = USER_END as u64;
    if address >= end {
        return Err(Errno::EINVAL);
    }
    let sequence: Sequence = user::read(UserAddr(address as usize))?;
    let post_commit = sequence.start.checked_add(sequence.length).ok_or(Errno::EINVAL)?;
    if sequence.start >= end
        || post_commit >= end
        || sequence.abort >= end
        || sequence.version != 0
        || sequence.abort.wrapping_sub(sequence.start) < sequence.length
    {
        return Err(Errno::EINVAL);
    }
    let before_abort = UserAddr((sequence.abort as usize).wrapping_sub(size_of::<u32>()));
    let signature: u32 = user::read(before_abort)?;
    if signature == task.rseq.signature.load(Relaxed) { Ok(sequence) } else { Err(Errno::EINVAL) }
}
