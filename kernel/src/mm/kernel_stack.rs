//! Kernel stacks: pooled, with an unmapped guard page below.
//!
//! A stack that is given back stays mapped and goes to this CPU's few, or to the pool that all share; when memory is short their memory is
//! freed, and only the addresses are kept.

use super::{
    PAGE_SIZE,
    kernel_map::{self, FreeAddresses},
    node,
    page::{PageKind, page},
    reclaim,
};
use crate::{
    arch::{cpu, paging},
    sync::{SpinLock, class},
};
use abi::Result;
use arrayvec::ArrayVec;

/// Bytes in a kernel stack.
pub const STACK_SIZE: usize = 32 * 1024;

const PAGES: usize = STACK_SIZE / PAGE_SIZE;
/// More stacks than this in the pool are trimmed, as processes end and by idle CPUs.
const POOL_TARGET: usize = 64;
/// Stacks whose memory is freed with one round of calls to the other CPUs.
const GROUP: usize = 16;

struct Pool {
    /// The first of the stacks that are ready for use: the lowest word of each links to the next, 0 ends the list.
    ready: usize,
    len: usize,
    /// Bottoms of stacks without memory.
    holes: FreeAddresses,
}

static POOL: SpinLock<Pool> =
    SpinLock::new(&class::FRAME, Pool { ready: 0, len: 0, holes: FreeAddresses::new() });

impl Pool {
    fn push(&mut self, bottom: usize) {
        // SAFETY: the stack is mapped, and nobody uses it.
        unsafe { *(bottom as *mut usize) = self.ready };
        self.ready = bottom;
        self.len += 1;
    }

    fn pop(&mut self) -> Option<usize> {
        if self.ready == 0 {
            return None;
        }
        let bottom = self.ready;
        // SAFETY: a stack on the list is mapped and ours, and holds a link.
        self.ready = unsafe { *(bottom as *const usize) };
        self.len -= 1;
        Some(bottom)
    }
}

/// Stacks that a CPU keeps for itself.
const LOCAL_SIZE: usize = 8;

/// Each CPU's own: a lock that others take only when memory is short.
static LOCAL: [SpinLock<ArrayVec<usize, LOCAL_SIZE>>; cpu::MAX_CPUS] =
    [const { SpinLock::new(&class::FRAME, ArrayVec::new_const()) }; cpu::MAX_CPUS];

/// A kernel stack; goes back to the pool when dropped.
pub struct KernelStack {
    bottom: usize,
}

impl KernelStack {
    /// Takes one from the pool.
    pub fn new() -> Result<KernelStack> {
        if let Some(bottom) = LOCAL[cpu::id()].lock().pop() {
            return Ok(KernelStack { bottom });
        }
        let hole = {
            let mut pool = POOL.lock();
            match pool.pop() {
                Some(bottom) => return Ok(KernelStack { bottom }),
                None => pool.holes.pop(),
            }
        };
        let bottom = match hole {
            Some(bottom) => bottom,
            None => kernel_map::reserve(STACK_SIZE)?,
        };
        match map_stack(bottom) {
            Ok(()) => Ok(KernelStack { bottom }),
            Err(errno) => {
                // SAFETY: the addresses were reserved for a stack, and what was mapped of it is no more.
                unsafe { POOL.lock().holes.push(bottom) };
                Err(errno)
            }
        }
    }

    /// The address just above it, 16-byte aligned.
    pub fn top(&self) -> usize {
        self.bottom + STACK_SIZE
    }
}

impl Drop for KernelStack {
    fn drop(&mut self) {
        // Nothing that waits: a stack may be given up anywhere.
        if LOCAL[cpu::id()].lock().try_push(self.bottom).is_err() {
            POOL.lock().push(self.bottom);
        }
    }
}

fn map_stack(bottom: usize) -> Result<()> {
    let mut frames = ArrayVec::<u32, PAGES>::new();
    let mapped = (|| {
        for _ in 0..PAGES {
            let frame = reclaim::obtain(node::alloc_page)?;
            page(frame).use_as(PageKind::KernelStack);
            frames.push(frame);
        }
        // SAFETY: the addresses are a stack's that has no memory; the frames are new.
        unsafe { kernel_map::map(bottom, &frames) }
    })();
    if let Err(errno) = mapped {
        // SAFETY: nobody knows the addresses.
        unsafe { kernel_map::unmap(bottom, PAGES, |_| {}) };
        for frame in frames {
            node::free_page(frame);
        }
        return Err(errno);
    }
    Ok(())
}

/// Frees the memory of stacks that nobody uses, at most a group of them. Every CPU forgets their translations before the frames go.
fn release(bottoms: &[usize]) {
    let mut frames = ArrayVec::<u32, { PAGES * GROUP }>::new();
    for &bottom in bottoms {
        // SAFETY: nobody uses the stack.
        unsafe { kernel_map::unmap(bottom, PAGES, |frame| frames.push(frame)) };
    }
    let flush = || {
        for &bottom in bottoms {
            (0..PAGES).for_each(|n| paging::flush_page(bottom + n * PAGE_SIZE));
        }
    };
    flush();
    cpu::call_on(cpu::CpuMask(u64::MAX), &flush);
    for frame in frames {
        node::free_page(frame);
    }
    let mut pool = POOL.lock();
    for &bottom in bottoms {
        // SAFETY: as above, and every CPU has forgotten it.
        unsafe { pool.holes.push(bottom) };
    }
}

/// Frees pooled stacks until `target` are left, a group at most; how many pages that were. The caller may sleep.
fn release_down_to(target: usize) -> usize {
    let mut group = ArrayVec::<usize, GROUP>::new();
    {
        let mut pool = POOL.lock();
        while pool.len > target && !group.is_full() {
            let Some(bottom) = pool.pop() else { break };
            group.push(bottom);
        }
    }
    if !group.is_empty() {
        release(&group);
    }
    group.len() * PAGES
}

/// Gives back some of the memory of a pool that has grown large; whether there was any. Interrupts are on, and no spin lock is held.
pub(super) fn trim() -> bool {
    release_down_to(POOL_TARGET) > 0
}

/// Frees the pool's memory; how many pages that were. The caller may sleep.
pub(super) fn shrink() -> usize {
    let mut freed = 0;
    for local in &LOCAL {
        let ready = core::mem::take(&mut *local.lock());
        if !ready.is_empty() {
            release(&ready);
        }
        freed += ready.len() * PAGES;
    }
    loop {
        match release_down_to(0) {
            0 => return freed,
            pages => freed += pages,
        }
    }
}
