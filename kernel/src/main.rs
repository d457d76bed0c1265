//! NOS: the boot order, as a list one can read.
#![no_std]
#![no_main]

extern crate alloc;

#[macro_use]
mod klog;

mod arch;
mod bench;
mod drivers;
mod fs;
mod init;
mod ipc;
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
    arch::map_memory();
    acpi::init();
    arch::init_memory();
    arch::init_interrupts();
    pr_info!("TSC: {} kHz", arch::clock::tsc_hz() / 1000);
    time::init();
    sched::init_this_cpu();
    arch::cpu::set_online();
    // Processes are started by a thread, as starting may sleep; this context becomes the idle task.
    sched::spawn_kthread("init", Box::new(start_rest)).expect("no memory for the first thread");
    sched::idle_loop()
}

/// The first thread: what is fastest here, the other CPUs, then the first process.
fn start_rest() {
    mm::choose_copy_routines();
    arch::choose_user_copy_routine();
    arch::pcid::init();
    arch::smp::start_others(params::get().max_cpus.unwrap_or(usize::MAX));
    pr_info!("smp: {} CPUs", arch::cpu::online_count());
    mm::count_by_node();
    for cpu in 0..arch::cpu::online_count() {
        sync::rcu::start_thread(cpu).expect("no memory for the first threads");
    }
    mm::reclaim_task::start().expect("no memory for the first threads");
    mm::khugepaged::start().expect("no memory for the first threads");
    init::run();
}

/// What the first program needs of file systems and terminals, once there is a root directory.
fn start_file_systems() {
    ipc::init();
    net::device::init();
    time::rtc_device::init();
    // "ttyS0,115200n8": the last one named is the console, its speed is what it is.
    let console = params::get().consoles.last().copied().unwrap_or("ttyS0");
    let console = console.split(',').next().unwrap_or(console);
    for (what, outcome) in [("terminals", tty::init(console)), ("devices", fs::init_special())] {
        if let Err(error) = outcome {
            panic!("cannot start {what}: {error:?}");
        }
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
