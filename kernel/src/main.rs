//! NOS: the boot order, as a list one can read.
#![no_std]
#![no_main]
#![expect(
    dead_code,
    unused_imports,
    reason = "the interface between subsystems lands before its users"
)]

extern crate alloc;

#[macro_use]
mod klog;

mod arch;
mod drivers;
mod fs;
mod mm;
mod net;
mod panic;
mod params;
mod process;
mod random;
mod sched;
mod sync;
mod syscall;
mod syslog;
mod time;
mod tty;

use alloc::boxed::Box;

use drivers::{acpi, serial};

/// The first CPU, on its boot stack, with its own descriptor tables and nothing else.
fn start() -> ! {
    serial::init();
    klog::init();
    pr_info!("NOS {}", env!("CARGO_PKG_VERSION"));
    pr_info!("command line: {}", arch::boot::info().command_line());
    for region in &arch::boot::info().regions {
        pr_info!("memory: {:012x}-{:012x} {:?}", region.range.start, region.range.end, region.kind);
    }
    arch::init_memory();
    acpi::init();
    arch::init_interrupts();
    pr_info!("TSC: {} kHz", arch::clock::tsc_hz() / 1000);
    time::init();
    sched::init_this_cpu();
    arch::cpu::set_online();
    // Processes are started by a thread, as starting may sleep; this context becomes the idle task.
    sched::spawn_kthread("init", Box::new(start_rest)).expect("no memory for the first thread");
    sched::idle_loop()
}

/// The first thread: the other CPUs, then the first process.
fn start_rest() {
    arch::smp::start_others(params::get().max_cpus.unwrap_or(usize::MAX));
    pr_info!("smp: {} CPUs", arch::cpu::online_count());
    mount_root();
    panic!("nothing more to start");
}

/// Unpacks the initramfs into the root file system.
fn mount_root() {
    let (archive, at) = arch::boot::initramfs();
    let outcome = fs::init_root(archive, at);
    pr_info!(
        "initramfs: {} entries, {} pages used in place",
        outcome.entries,
        outcome.pages_in_place
    );
    match outcome.error {
        Some(cpio::Error::Compressed(at)) => {
            pr_err!("initramfs: compressed at byte {at}: only uncompressed newc archives are read")
        }
        Some(error) => pr_err!("initramfs: {error:?}"),
        None => {}
    }
    if outcome.skipped > 0 {
        pr_err!("initramfs: {} entries could not be made", outcome.skipped);
    }
}

/// Every other CPU, on its idle task's stack.
fn start_secondary() -> ! {
    sched::init_this_cpu();
    arch::cpu::set_online();
    sched::idle_loop()
}

#[global_allocator]
static HEAP: mm::heap::KernelHeap = mm::heap::KernelHeap;
