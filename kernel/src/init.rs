//! The first process: the root file system, the console, and the program that everything else descends from.
//!
//! Runs once, in a kernel thread, when the machine and all CPUs are up. The thread borrows a root directory and a descriptor
//! table for the time; both become the first process's.
#![forbid(unsafe_code)]

use crate::{
    arch, bench,
    fs::{self, FdTable, FsContext, OpenFlags, OpenHow},
    mm::MemoryStats,
    params, process, sched,
    sync::rcu_torture,
};
use abi::{Errno, Result};
use alloc::{format, string::String, sync::Arc, vec, vec::Vec};

/// Programs to try when none is named, in Linux's order; the first is the initramfs's own.
const CANDIDATES: [&str; 5] = ["/init", "/sbin/init", "/etc/init", "/bin/init", "/bin/sh"];

/// Mounts the root and starts the first program. Panics when there is none.
pub fn run() {
    process::scale_to_memory(MemoryStats::now().total);
    mount_root();
    let current = sched::current();
    current.fs.replace(Some(FsContext::initial()));
    match FdTable::new() {
        Ok(files) => drop(current.files.replace(Some(files))),
        Err(error) => panic!("no descriptor table for init: {error}"),
    }
    crate::start_file_systems();
    open_console();
    if let Some(wanted) = params::get().kbench {
        bench::run(wanted);
    }
    if let Some(seconds) = params::get().rcu_torture {
        rcu_torture::start(seconds);
    }
    start_first_program();
    drop(current.files.replace(None));
    drop(current.fs.replace(None));
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

/// Descriptors 0 to 2.
fn open_console() {
    let open = || -> Result<()> {
        let how = OpenHow::flags(OpenFlags::RDWR | OpenFlags::NOCTTY);
        let console = fs::open(fs::AT_FDCWD, b"/dev/console", &how)?;
        let files = sched::current();
        for _ in 0..3 {
            files.files.borrow().install(Arc::clone(&console), false, 0)?;
        }
        Ok(())
    };
    if let Err(error) = open() {
        pr_warn!("unable to open an initial console: {error}");
    }
}

fn start_first_program() {
    let params = params::get();
    if let Some(init) = params.init {
        match start(init) {
            Ok(()) => return,
            Err(error) => panic!("Requested init {init} failed (error {}).", -error.code()),
        }
    }
    for candidate in CANDIDATES {
        match start(candidate) {
            Ok(()) => return,
            Err(Errno::ENOENT) => {}
            Err(error) => {
                pr_err!(
                    "Starting init: {candidate} exists but couldn't execute it (error {})",
                    -error.code()
                );
            }
        }
    }
    panic!("No working init found. Try passing init= option to kernel.");
}

/// Runs `program` with what the command line had for it.
fn start(program: &str) -> Result<()> {
    let params = params::get();
    let bytes = |text: &str| text.as_bytes().to_vec();
    let mut argv = vec![bytes(program)];
    argv.extend(params.init_arguments.iter().map(|text| bytes(text)));
    let defaults = [("HOME", "/"), ("TERM", "linux")];
    let given = &params.init_environment;
    let is_given = |name: &str| given.iter().any(|text| text.split('=').next() == Some(name));
    let mut envp: Vec<Vec<u8>> = defaults
        .into_iter()
        .filter(|(name, _)| !is_given(name))
        .map(|(name, value)| format!("{name}={value}"))
        .map(String::into_bytes)
        .collect();
    envp.extend(given.iter().map(|text| bytes(text)));
    process::start_first(bytes(program), &argv, &envp)?;
    pr_info!("Run {program} as init process");
    Ok(())
}
