//! One value for each CPU.

/// Preemption is off on this CPU as long as this lives.
pub struct PreemptGuard(core::marker::PhantomData<*const ()>);

impl PreemptGuard {
    /// Turns preemption off.
    pub fn new() -> Self {
        todo!()
    }
    /// The CPU it pins us to.
    pub fn cpu(&self) -> usize {
        crate::arch::cpu::id()
    }
}
impl Drop for PreemptGuard {
    fn drop(&mut self) {
        todo!()
    }
}

/// A value for each CPU, each on its own cache line. `T` is `Sync` (atomics or locks inside), so that
/// other CPUs may read it.
pub struct PerCpu<T>(core::marker::PhantomData<T>);

impl<T: Sync> PerCpu<T> {
    /// This CPU's value, while `guard` keeps us here.
    pub fn here<'a>(&'a self, _guard: &'a PreemptGuard) -> &'a T {
        todo!()
    }
    /// Some CPU's value.
    pub fn on(&self, _cpu: usize) -> &T {
        todo!()
    }
}
