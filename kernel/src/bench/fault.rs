//! First touches of private memory in one address space, by CPUs that each have a mapping of their own: page, zeros, entry, and a share of taking them out again.
//!
//! What a program's page fault is, without the exception: under an emulator that may be most of the time, and may be had by one CPU at a time
//! (docs/memory.md).

use super::harness::{Measurement, Work, cpu_counts};
use crate::{
    arch::irq,
    mm::{
        AddressSpace, Advice, MapKind, MapRequest, MmapFlags, PAGE_SIZE, Prot,
        fault::{FaultCode, handle_simple},
    },
};
use alloc::{boxed::Box, sync::Arc};

/// Pages that are touched before they are given up: what a CPU has in its second-level cache, mostly.
const PAGES: usize = 256;
const LEN: usize = PAGES * PAGE_SIZE;

pub(super) fn measure() {
    for cpus in cpu_counts() {
        let space = AddressSpace::new().expect("no memory for a benchmark");
        Measurement::short("page fault", cpus).run(move || touch_pages(Arc::clone(&space)));
    }
}

/// Touches the pages of a mapping in turn. Ends with other tables loaded than before, as a thread of the kernel may.
fn touch_pages(space: Arc<AddressSpace>) -> Work {
    let request = MapRequest {
        addr: 0,
        len: LEN,
        prot: Prot::READ | Prot::WRITE,
        flags: MmapFlags::PRIVATE | MmapFlags::ANONYMOUS,
        kind: MapKind::Anonymous,
    };
    let start = space.map(request).expect("a new space has room").0;
    let end = start + LEN;
    space.advise(start, LEN, Advice::NoHugePage).expect("it is mapped");
    space.activate();
    let mut addr = end;
    Box::new(move |count| {
        for _ in 0..count {
            if addr == end {
                addr = start;
                space.advise(start, LEN, Advice::DontNeed).expect("it is mapped");
            }
            let state = irq::save_and_disable();
            let done = handle_simple(addr, FaultCode::WRITE | FaultCode::USER);
            irq::restore(state);
            if !done {
                // As the first of a mapping, or one that met the other's change.
                space.advise(addr, PAGE_SIZE, Advice::PopulateWrite).expect("memory is there");
            }
            addr += PAGE_SIZE;
        }
    })
}
