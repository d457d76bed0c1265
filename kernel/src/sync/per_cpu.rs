//! One value for each CPU.

use crate::arch::{
    cpu::{self, MAX_CPUS},
    irq,
};
use core::marker::PhantomData;
use crossbeam_utils::CachePadded;

/// Preemption is off on this CPU as long as this lives.
#[must_use]
pub struct PreemptGuard(PhantomData<*const ()>);

impl PreemptGuard {
    /// Turns preemption off.
    #[inline]
    pub fn new() -> Self {
        irq::preempt_disable();
        Self(PhantomData)
    }
    /// The CPU it pins us to.
    #[inline]
    pub fn cpu(&self) -> usize {
        cpu::id()
    }
}
impl Drop for PreemptGuard {
    #[inline]
    fn drop(&mut self) {
        irq::preempt_enable();
    }
}

/// A value for each CPU, each on its own cache line. `T` is `Sync` (atomics or locks inside), so that
/// other CPUs may read it.
pub struct PerCpu<T>([CachePadded<T>; MAX_CPUS]);

/// A `PerCpu` in a static: the constant expression is evaluated once for each CPU.
macro_rules! per_cpu {
    ($value:expr) => {
        $crate::sync::PerCpu::from_array(
            [const { $crate::sync::padded($value) }; $crate::arch::cpu::MAX_CPUS],
        )
    };
}
pub(crate) use per_cpu;

/// For [`per_cpu!`].
pub const fn padded<T>(value: T) -> CachePadded<T> {
    CachePadded::new(value)
}

impl<T> PerCpu<T> {
    /// For [`per_cpu!`].
    pub const fn from_array(values: [CachePadded<T>; MAX_CPUS]) -> Self {
        Self(values)
    }
}

impl<T: Sync> PerCpu<T> {
    /// This CPU's value, while `guard` keeps us here.
    #[inline]
    pub fn here<'a>(&'a self, guard: &'a PreemptGuard) -> &'a T {
        &self.0[guard.cpu()]
    }
    /// The value of the CPU that this ran on a moment ago: for callers with preemption or interrupts off, and for
    /// statistics that may go to a neighbour.
    #[inline]
    pub fn here_unguarded(&self) -> &T {
        &self.0[cpu::id()]
    }
    /// Some CPU's value.
    #[inline]
    pub fn on(&self, cpu: usize) -> &T {
        &self.0[cpu]
    }
    /// Every CPU's value in turn, those that are not online too.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|value| &**value)
    }
}
