//! Hands the linker the kernel's script when it builds for the bare machine, and makes the vDSO.
//!
//! The vDSO is the crate `libs/vdso` once more, as a shared object for user mode that needs nothing: compiled for this machine (where the
//! compiler has its `core`, whichever compiler it is), linked by lld with a script of its own.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    println!("cargo:rerun-if-changed=linker.ld");
    println!("cargo:rerun-if-changed=libs/vdso");
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    let dir = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    if env::var_os("CARGO_CFG_TARGET_OS").is_some_and(|os| os == "none") {
        println!("cargo:rustc-link-arg-bins=-T{}/linker.ld", dir.display());
        println!("cargo:rustc-link-arg-bins=--no-dynamic-linker");
        println!("cargo:rustc-link-arg-bins=-zmax-page-size=4096");
    }
    make_vdso(&dir.join("libs/vdso"), &PathBuf::from(variable("OUT_DIR")));
}

fn make_vdso(source: &Path, out: &Path) {
    let (object, image) = (out.join("vdso.o"), out.join("vdso.so"));
    run(Command::new(variable("RUSTC"))
        .args(["--crate-name=vdso", "--crate-type=lib", "--edition=2024", "--emit=obj"])
        .args(["--cfg=vdso_image", "-Copt-level=3", "-Cpanic=abort", "-Ccodegen-units=1"])
        // Debuggers and unwinders pass through it.
        .args(["-Crelocation-model=pic", "-Cforce-unwind-tables=yes", "--target"])
        .arg(variable("HOST"))
        .arg(source.join("src/lib.rs"))
        .arg("-o")
        .arg(&object));
    run(Command::new(linker())
        .args(["-flavor", "gnu", "-shared", "-Bsymbolic", "--no-undefined", "--strip-all"])
        // Old C libraries know only one kind of hash table, new ones prefer the other.
        .args(["--hash-style=both", "--build-id=sha1", "--eh-frame-hdr", "--gc-sections"])
        .args(["-zrodynamic", "-zmax-page-size=4096", "-soname=linux-vdso.so.1", "-T"])
        .arg(source.join("vdso.lds"))
        .arg(&object)
        .arg("-o")
        .arg(&image));
}

/// lld: what links the kernel, if that is said; else what came with the compiler; else the system's.
fn linker() -> OsString {
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        return linker;
    }
    let sysroot = Command::new(variable("RUSTC")).args(["--print", "sysroot"]).output();
    let sysroot = sysroot.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let bundled = PathBuf::from(sysroot.unwrap_or_default())
        .join("lib/rustlib")
        .join(variable("HOST"))
        .join("bin/rust-lld");
    if bundled.exists() { bundled.into() } else { "ld.lld".into() }
}

fn variable(name: &str) -> OsString {
    env::var_os(name).unwrap_or_else(|| panic!("cargo did not set {name}"))
}

fn run(command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        outcome => panic!("{command:?}: {outcome:?}"),
    }
}
