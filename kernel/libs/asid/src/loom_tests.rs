//! A change of a space against CPUs that come and go: `RUSTFLAGS="--cfg loom" cargo test -p asid --release`

use super::*;
use loom::{
    cell::UnsafeCell,
    sync::{
        Arc, Mutex,
        atomic::Ordering::{Acquire, Release},
    },
    thread,
};

/// What an entry maps at first.
const OLD: u64 = 0;
const NEW: u64 = 1;

/// One space with an entry for each of `N` pages, and a CPU. Each entry is written once, and what it led to is freed after; loom reports a
/// CPU that still uses it.
struct World<const N: usize> {
    space: Space,
    entries: [AtomicU64; N],
    old: [UnsafeCell<()>; N],
    /// Held: the CPU's interrupts are off, or it answers a call.
    machine: Mutex<Machine<N>>,
}

struct Machine<const N: usize> {
    cpu: Cpu,
    is_loaded: bool,
    /// What is remembered under the space's number.
    tlb: [Option<u64>; N],
}

// SAFETY: the accesses to `old` are what the tests are about; loom checks them.
unsafe impl<const N: usize> Sync for World<N> {}
// SAFETY: as above.
unsafe impl<const N: usize> Send for World<N> {}

impl<const N: usize> World<N> {
    fn new() -> Arc<World<N>> {
        let cpu = Cpu::new();
        Arc::new(World {
            space: Space::new(cpu.new_id(0)),
            entries: core::array::from_fn(|_| AtomicU64::new(OLD)),
            old: core::array::from_fn(|_| UnsafeCell::new(())),
            machine: Mutex::new(Machine { cpu, is_loaded: false, tlb: [None; N] }),
        })
    }

    fn enter(&self) {
        let mut machine = self.machine.lock().unwrap();
        self.space.users.join(0);
        if machine.cpu.enter(&self.space).old == Old::Forget {
            machine.tlb = [None; N];
        }
        machine.is_loaded = true;
    }

    fn leave(&self) {
        let mut machine = self.machine.lock().unwrap();
        machine.is_loaded = false;
        self.space.users.leave(0);
    }

    fn access(&self, page: usize) {
        let mut machine = self.machine.lock().unwrap();
        // The CPU's walk of the tables is ordered by nothing of its own.
        let seen = *machine.tlb[page].get_or_insert_with(|| self.entries[page].load(Relaxed));
        if seen == OLD {
            self.old[page].with(|_| ());
        }
    }

    fn change(&self, page: usize) {
        self.entries[page].store(NEW, Release);
        let change = self.space.change();
        if self.space.users.get() & 1 != 0 {
            let mut machine = self.machine.lock().unwrap();
            if machine.is_loaded {
                match machine.cpu.catch_up(&self.space, change) {
                    Forget::Nothing => {}
                    Forget::Changed => machine.tlb[page] = None,
                    Forget::Everything => machine.tlb = [None; N],
                }
            }
        }
        self.old[page].with_mut(|_| ());
    }
}

#[test]
fn a_cpu_that_comes_back_sees_a_change_or_is_called() {
    loom::model(|| {
        let world = World::<1>::new();
        world.enter();
        world.access(0);
        world.leave();
        let changer = world.clone();
        let changer = thread::spawn(move || changer.change(0));
        world.enter();
        world.access(0);
        world.leave();
        world.enter();
        world.access(0);
        changer.join().unwrap();
        assert_eq!(world.machine.lock().unwrap().tlb[0].unwrap_or(NEW), NEW);
        assert_eq!(world.entries[0].load(Acquire), NEW);
    });
}

#[test]
fn two_changes_at_once_are_both_forgotten() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let world = World::<2>::new();
        world.enter();
        world.access(0);
        world.access(1);
        world.leave();
        let changers = [0, 1].map(|page| {
            let world = world.clone();
            thread::spawn(move || world.change(page))
        });
        world.enter();
        world.access(0);
        world.access(1);
        for changer in changers {
            changer.join().unwrap();
        }
        world.access(0);
        world.access(1);
    });
}
