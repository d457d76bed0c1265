//! The host program behind the Makefile: the command line of the `xtask` library.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};

use xtask::build::{self, Profile};
use xtask::error::{AtPath, Error, Result};
use xtask::{initrd, iso, paths, rootfs, syscalls, test, vm};

/// Builds, boots and tests NOS.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the kernel and the loader.
    Build {
        /// With debug assertions and lock checks.
        #[arg(long)]
        debug: bool,
    },
    /// Build the root file system as a cpio archive.
    Rootfs {
        /// Where the archive goes.
        #[arg(long, default_value = "target/nos/rootfs.cpio")]
        output: PathBuf,
    },
    /// Boot a kernel in QEMU and run a command, or a shell.
    Vm(vm::Options),
    /// Run all tests, or one stage of them.
    Test(test::Arguments),
    /// Measure NOS against Linux; `bench --help` lists the switches.
    #[command(disable_help_flag = true)]
    Bench {
        /// What the benchmark program is given.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Check format and lint, and that generated pages are up to date.
    Check,
    /// Generate docs/syscalls.md from the kernel's system call table.
    Syscalls {
        /// Only compare it with what is there.
        #[arg(long)]
        check: bool,
    },
    /// Pack a bootable image for BIOS and UEFI.
    Iso {
        /// The folder of a Limine binary release; by default `$LIMINE_DIR`.
        #[arg(long)]
        limine: Option<PathBuf>,
        /// Where the image goes.
        #[arg(long, default_value = "nos.iso")]
        output: PathBuf,
        /// The kernel's command line.
        #[arg(long, default_value = "console=ttyS0")]
        append: String,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX)),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does one task and returns the status to exit with.
fn run(task: Task) -> Result<i32> {
    match task {
        Task::Build { debug } => {
            let built = build::build(Profile::from_debug_switch(debug))?;
            eprintln!("kernel: {}", built.kernel_with_symbols.display());
            eprintln!("loader: {}", built.loader.display());
        }
        Task::Rootfs { output } => {
            std::fs::write(&output, rootfs::archive()?).at(&output)?;
            eprintln!("root file system: {}", output.display());
        }
        Task::Vm(options) => return vm::vm(&options),
        Task::Test(arguments) => return test::run(&arguments),
        Task::Bench { arguments } => return bench(&arguments),
        Task::Check => return test::check(),
        Task::Syscalls { check } => syscalls::page(check)?,
        Task::Iso { limine, output, append } => {
            let built = build::build(Profile::Kernel)?;
            let initrd = paths::target()?.join("rootfs.cpio");
            initrd::write(&initrd, &[rootfs::archive()?])?;
            iso::pack(&built.kernel, &initrd, &append, limine.as_deref(), &output)?;
            eprintln!("image: {}", output.display());
        }
    }
    Ok(0)
}

/// Builds and runs the benchmark program, which is a package of its own for its dependencies' sake.
fn bench(arguments: &[OsString]) -> Result<i32> {
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--quiet", "--package", "bench", "--"]).args(arguments);
    let status =
        cargo.status().map_err(|source| Error::Start { program: "cargo".into(), source })?;
    Ok(status.code().unwrap_or(1))
}
