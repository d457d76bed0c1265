//! What the figures were measured on: host, QEMU, kernels and their command lines.

use std::fs;
use std::process::Command;

use xtask::error::Result;
use xtask::vm::{self, Kernel, Options};
use xtask::{paths, process};

use crate::results::{KernelInfo, Kernels, Machine};

/// The guest's memory, the same for every kernel.
pub const MEMORY: &str = "1G";
/// What Debian's kernel does for safety at the cost of speed, and NOS does not do: without these
/// words Linux would be slower than it can be.
const FASTEST: &str = "init_on_alloc=0 apparmor=0 audit=0";
/// Keeps Linux from testing its ciphers in the background of the first seconds, in which everything is measured: the
/// tests take half of a CPU.
const QUIET: &str = "cryptomgr.notests";

/// A kernel as it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// Ours.
    Nos,
    /// Linux at its fastest: the reference.
    Linux,
    /// Linux as its distribution starts it.
    StockLinux,
}

impl System {
    /// The name in messages and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nos => "nos",
            Self::Linux => "linux",
            Self::StockLinux => "linux-stock",
        }
    }

    /// The virtual machine for it, before a command and what it needs are added.
    pub fn options(self) -> Options {
        let kernel = if self == Self::Nos { Kernel::Nos } else { Kernel::Linux };
        Options {
            mem: MEMORY.into(),
            stock: self == Self::StockLinux,
            append: match self {
                Self::Nos => String::new(),
                Self::Linux => format!("{FASTEST} {QUIET}"),
                Self::StockLinux => QUIET.into(),
            },
            no_build: true,
            quiet: true,
            ..Options::for_command(kernel, &[])
        }
    }

    fn info(self) -> Result<KernelInfo> {
        let mut options = self.options();
        options.command = vec!["uname".into(), "-r".into()];
        options.timeout = Some(120);
        let said = vm::run(&options)?.output;
        Ok(KernelInfo {
            version: String::from_utf8_lossy(&said).trim().to_owned(),
            command_line: options.command_line(),
        })
    }
}

/// The machine, its kernels asked for their versions.
pub fn describe(with_stock: bool) -> Result<Machine> {
    let options = Options { smp: 2, ..System::Nos.options() };
    let (accelerator, cpu_model) = options.processor();
    let version = process::stdout_of(Command::new("qemu-system-x86_64").arg("--version"))?;
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Machine {
        host_cpu: host_cpu().unwrap_or_else(|| "unknown".into()),
        host_cpus: u32::try_from(cpus).unwrap_or(u32::MAX),
        qemu_version: version.lines().next().unwrap_or_default().to_owned(),
        accelerator: accelerator.into(),
        cpu_model,
        guest_memory: MEMORY.into(),
        kernels: Kernels {
            nos: System::Nos.info()?,
            linux: System::Linux.info()?,
            linux_stock: with_stock.then(|| System::StockLinux.info()).transpose()?,
        },
    })
}

fn host_cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The commit of NOS, with `+` behind it if files differ from it.
pub fn commit() -> Result<String> {
    let root = paths::root();
    let git =
        |words: &[&str]| process::stdout_of(Command::new("git").current_dir(&root).args(words));
    let mut commit = git(&["rev-parse", "--short", "HEAD"])?.trim().to_owned();
    if !git(&["status", "--porcelain", "--untracked-files=no"])?.trim().is_empty() {
        commit.push('+');
    }
    Ok(commit)
}
