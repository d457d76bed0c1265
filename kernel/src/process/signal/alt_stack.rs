//! The alternate signal stack (`sigaltstack(2)`).

use super::state::TaskSignals;
use abi::{Errno, Result};
use core::sync::atomic::Ordering;
use zerocopy::{FromBytes, Immutable, IntoBytes};

const SS_ONSTACK: u32 = 1;
const SS_DISABLE: u32 = 2;
const SS_AUTODISARM: u32 = 1 << 31;
/// The smallest stack that is taken.
const MINSIGSTKSZ: usize = 2048;

/// `stack_t`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, Immutable)]
pub struct UserStack {
    sp: usize,
    flags: u32,
    pad: u32,
    size: usize,
}

/// The stack of a task, as registered.
#[derive(Clone, Copy)]
struct AltStack {
    base: usize,
    size: usize,
    flags: u32,
}

impl AltStack {
    /// Whether `sp` lies in the range.
    fn covers(&self, sp: usize) -> bool {
        sp > self.base && sp - self.base <= self.size
    }

    /// Whether `sp` says that the stack is in use. One that disarms itself never is: it may be taken again.
    fn in_use(&self, sp: usize) -> bool {
        self.flags & SS_AUTODISARM == 0 && self.covers(sp)
    }
}

/// Where a handler's frame goes.
pub(super) struct FramePlace {
    /// The top, before alignment.
    pub sp: usize,
    /// Whether the frame must fit the alternate stack.
    on_alt_stack: bool,
}

impl TaskSignals {
    fn alt_stack(&self) -> AltStack {
        let [base, size, flags] = &self.alt_stack.0;
        AltStack {
            base: base.load(Ordering::Relaxed),
            size: size.load(Ordering::Relaxed),
            flags: flags.load(Ordering::Relaxed) as u32,
        }
    }

    fn set_alt_stack(&self, stack: AltStack) {
        let [base, size, flags] = &self.alt_stack.0;
        base.store(stack.base, Ordering::Relaxed);
        size.store(stack.size, Ordering::Relaxed);
        flags.store(stack.flags as usize, Ordering::Relaxed);
    }

    /// What `sigaltstack(2)` reports while the stack pointer is `sp`.
    pub fn describe_alt_stack(&self, sp: usize) -> UserStack {
        let stack = self.alt_stack();
        let state = match stack.size {
            0 => SS_DISABLE,
            _ if stack.in_use(sp) => SS_ONSTACK,
            _ => 0,
        };
        let flags = state | stack.flags & SS_AUTODISARM;
        UserStack { sp: stack.base, flags, pad: 0, size: stack.size }
    }

    /// Registers another one: `EPERM` while in use, `EINVAL` for unknown flags, `ENOMEM` when too small.
    pub fn change_alt_stack(&self, new: UserStack, sp: usize) -> Result<()> {
        if self.alt_stack().in_use(sp) {
            return Err(Errno::EPERM);
        }
        let mode = new.flags & !SS_AUTODISARM;
        if !matches!(mode, 0 | SS_ONSTACK | SS_DISABLE) {
            return Err(Errno::EINVAL);
        }
        let (base, size) = match mode {
            SS_DISABLE => (0, 0),
            _ if new.size < MINSIGSTKSZ => return Err(Errno::ENOMEM),
            _ => (new.sp, new.size),
        };
        self.set_alt_stack(AltStack { base, size, flags: new.flags });
        Ok(())
    }

    /// As [`TaskSignals::describe_alt_stack`], but as a frame keeps it: the flags as they were given.
    pub(super) fn alt_stack_for_frame(&self) -> UserStack {
        let stack = self.alt_stack();
        UserStack { sp: stack.base, flags: stack.flags, pad: 0, size: stack.size }
    }

    /// Where the frame of a handler that wants (`SA_ONSTACK`) the alternate stack or not goes, with the stack pointer at `sp`.
    pub(super) fn frame_place(&self, sp: usize, wants_alt_stack: bool) -> FramePlace {
        let stack = self.alt_stack();
        // The System V ABI lets a leaf function use 128 bytes below the stack pointer.
        let below = sp.wrapping_sub(128);
        if wants_alt_stack && stack.size != 0 && !stack.in_use(sp) {
            return FramePlace { sp: stack.base.wrapping_add(stack.size), on_alt_stack: true };
        }
        FramePlace { sp: below, on_alt_stack: stack.size != 0 && stack.in_use(sp) }
    }

    /// Whether a frame that begins at `sp` still is on the stack that was chosen.
    pub(super) fn frame_fits(&self, place: &FramePlace, sp: usize) -> bool {
        !place.on_alt_stack || self.alt_stack().covers(sp)
    }

    /// A handler's frame is set up: a stack that disarms itself is gone until the handler returns.
    pub(super) fn frame_delivered(&self) {
        if self.alt_stack().flags & SS_AUTODISARM != 0 {
            self.set_alt_stack(AltStack { base: 0, size: 0, flags: SS_DISABLE });
        }
    }
}
