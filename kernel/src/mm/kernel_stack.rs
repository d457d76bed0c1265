//! Kernel stacks: pooled, with an unmapped guard page below.
//!
//! A stack that is given back stays mapped and goes to the pool, which is a list through the stacks themselves; under pressure the
//! pool's memory is freed, and only the addresses are kept.

use super::{
    PAGE_SIZE, kernel_map,
    node::{self, Purpose},
    page::{PageKind, page},
    reclaim,
    stats::Counter,
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
/// Most stacks in the pool.
const POOL_SIZE: usize = 256;
/// Most addresses kept without memory behind them; beyond, they are lost (there are 2^24 of them).
const HOLES: usize = 1024;

struct Pool {
    /// Bottoms of stacks that are ready for use.
    ready: ArrayVec<usize, POOL_SIZE>,
    /// Bottoms of stacks without memory.
    holes: ArrayVec<usize, HOLES>,
}

static POOL: SpinLock<Pool> = SpinLock::new(
    &class::PAGE,
    Pool { ready: ArrayVec::new_const(), holes: ArrayVec::new_const() },
);

/// A kernel stack; goes back to the pool when dropped.
pub struct KernelStack {
    bottom: usize,
}

impl KernelStack {
    /// Takes one from the pool.
    pub fn new() -> Result<KernelStack> {
        let (ready, hole) = {
            let mut pool = POOL.lock();
            match pool.ready.pop() {
                Some(bottom) => (Some(bottom), None),
                None => (None, pool.holes.pop()),
            }
        };
        if let Some(bottom) = ready {
            return Ok(KernelStack { bottom });
        }
        let bottom = match hole {
            Some(bottom) => bottom,
            None => kernel_map::reserve(STACK_SIZE)?,
        };
        match map_stack(bottom) {
            Ok(()) => Ok(KernelStack { bottom }),
            Err(errno) => {
                let _ = POOL.lock().holes.try_push(bottom);
                Err(errno)
            }
        }
    }

    /// The address just above it, 16-byte aligned.
    pub fn top(&self) -> usize {
        self.bottom + STACK_SIZE
    }

    /// The lowest address in it; below is the guard page.
    pub fn bottom(&self) -> usize {
        self.bottom
    }
}

impl Drop for KernelStack {
    fn drop(&mut self) {
        let full = POOL.lock().ready.try_push(self.bottom).is_err();
        if full {
            release(&[self.bottom]);
        }
    }
}

fn map_stack(bottom: usize) -> Result<()> {
    let mut frames = ArrayVec::<u32, PAGES>::new();
    let mapped = (|| {
        for _ in 0..PAGES {
            let frame = reclaim::obtain(node::alloc_page)?;
            page(frame).set_kind(PageKind::Kernel);
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
    Counter::KernelStacks.add(PAGES as isize);
    Ok(())
}

/// Frees the memory of stacks that nobody uses. Every CPU forgets their translations before the frames go.
fn release(bottoms: &[usize]) {
    let mut frames = ArrayVec::<u32, { PAGES * 16 }>::new();
    for group in bottoms.chunks(16) {
        for &bottom in group {
            // SAFETY: nobody uses the stack.
            unsafe { kernel_map::unmap(bottom, PAGES, |frame| frames.push(frame)) };
        }
        let flush = || {
            for &bottom in group {
                (0..PAGES).for_each(|n| paging::flush_page(bottom + n * PAGE_SIZE));
            }
        };
        flush();
        cpu::call_on(cpu::CpuMask(u64::MAX), &flush);
        Counter::KernelStacks.add(-(frames.len() as isize));
        for frame in frames.drain(..) {
            node::free_page(frame);
        }
        let mut pool = POOL.lock();
        for &bottom in group {
            let _ = pool.holes.try_push(bottom);
        }
    }
}

/// Frees the pool's memory; how many pages that were. The caller may sleep.
pub(super) fn shrink() -> usize {
    let ready = core::mem::take(&mut POOL.lock().ready);
    release(&ready);
    ready.len() * PAGES
}
