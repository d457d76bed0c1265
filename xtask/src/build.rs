//! `cargo xtask build`: the kernel and the loader, with whichever Rust can build them here.
//!
//! Two tool-chains can: one that has the `x86_64-unknown-none` target installed (rustup), and
//! Debian's `rustc-web`, whose `rust-web-src` lets cargo build `core` and `alloc` itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{AtPath, Error, Result};
use crate::{paths, process};

const TARGET: &str = "x86_64-unknown-none";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Which cargo profile the kernel is built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Optimised, as it is run and measured.
    Kernel,
    /// The same with debug assertions and lock checks.
    KernelDebug,
}

impl Profile {
    /// The profile for the `--debug` switch.
    pub fn from_debug_switch(debug: bool) -> Self {
        if debug { Self::KernelDebug } else { Self::Kernel }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::KernelDebug => "kernel-debug",
        }
    }
}

/// What a build leaves behind.
#[derive(Debug)]
pub struct Built {
    /// The kernel with debug information, for gdb.
    pub kernel_with_symbols: PathBuf,
    /// The kernel as it is booted: symbol table kept, debug information stripped.
    pub kernel: PathBuf,
    /// The direct-boot loader.
    pub loader: PathBuf,
}

/// How the kernel can be compiled on this machine.
enum Toolchain {
    /// The default `rustc` has the bare-metal target.
    TargetInstalled,
    /// Debian's compiler with the library sources.
    DebianWithSources,
}

impl Toolchain {
    fn choose() -> Result<Self> {
        if has_target("rustc") {
            return Ok(Self::TargetInstalled);
        }
        if Path::new(DEBIAN_RUSTC).exists() && has_library_sources(DEBIAN_RUSTC) {
            return Ok(Self::DebianWithSources);
        }
        Err(Error::Usage(format!(
            "no Rust here can build for {TARGET}: run `rustup target add {TARGET}`, or install \
             Debian's rustc-web and rust-web-src (`make setup` does)"
        )))
    }

    fn describe(&self) -> String {
        match self {
            Self::TargetInstalled => format!("the installed {TARGET} target"),
            Self::DebianWithSources => "Debian's rustc-web and rust-web-src".into(),
        }
    }

    fn configure(&self, cargo: &mut Command) {
        if let Self::DebianWithSources = self {
            cargo
                .env("RUSTC", DEBIAN_RUSTC)
                // The library sources are only usable with the unstable switch below.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_X86_64_UNKNOWN_NONE_LINKER", "ld.lld")
                .arg("-Zbuild-std=core,alloc,compiler_builtins")
                .arg("-Zbuild-std-features=compiler-builtins-mem");
        }
    }
}

/// Builds the kernel and the loader.
pub fn build(profile: Profile) -> Result<Built> {
    let toolchain = Toolchain::choose()?;
    eprintln!("building the kernel ({}) with {}", profile.name(), toolchain.describe());
    let target_folder = paths::root().join("target/kernel");
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(paths::root())
        .args(["build", "--package", "kernel", "--package", "loader", "--target", TARGET])
        .args(["--profile", profile.name(), "--target-dir"])
        .arg(&target_folder);
    toolchain.configure(&mut cargo);
    process::run(&mut cargo)?;

    let output = target_folder.join(TARGET).join(profile.name());
    let kernel_with_symbols = output.join("nos");
    let kernel = paths::target()?.join(format!("{}.elf", profile.name()));
    strip_debug(&kernel_with_symbols, &kernel)?;
    Ok(Built { kernel_with_symbols, kernel, loader: output.join("loader") })
}

/// What the last build left behind, as it is.
pub fn previous(profile: Profile) -> Result<Built> {
    let output = paths::root().join("target/kernel").join(TARGET).join(profile.name());
    let kernel = paths::target()?.join(format!("{}.elf", profile.name()));
    let loader = output.join("loader");
    if !kernel.exists() || !loader.exists() {
        return Err(Error::Usage("nothing has been built yet: run `cargo xtask build`".into()));
    }
    Ok(Built { kernel_with_symbols: output.join("nos"), kernel, loader })
}

/// Copies an ELF file without its debug sections but with its symbol table, which back-traces use.
fn strip_debug(from: &Path, to: &Path) -> Result<()> {
    if process::is_available("objcopy") {
        return process::run_quietly(
            Command::new("objcopy").arg("--strip-debug").arg(from).arg(to),
        );
    }
    fs::copy(from, to).at(to).map(drop)
}

fn has_target(rustc: &str) -> bool {
    let mut command = Command::new(rustc);
    command.args(["--print", "target-libdir", "--target", TARGET]);
    process::stdout_of(&mut command).is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

fn has_library_sources(rustc: &str) -> bool {
    process::stdout_of(Command::new(rustc).args(["--print", "sysroot"])).is_ok_and(|sysroot| {
        Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core").is_dir()
    })
}
