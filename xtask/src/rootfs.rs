//! The root file system: static programs built from Debian source packages with musl, the files
//! under `rootfs/files`, and our init.
//!
//! A recipe is `rootfs/recipes/NAME.sh`, run by `sh -e` in the unpacked source whose package its
//! first line names (`# source: PACKAGE`). It installs under `$OUT`; what only tests need goes under
//! `$TESTS`. `$CC` makes static-capable musl programs, `$JOBS` is the number of CPUs. A result is
//! kept in the cache under the hash of its recipe, so a changed recipe builds anew.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::apt::Apt;
use crate::cpio::Archive;
use crate::error::{AtPath, Error, Result};
use crate::{paths, process, progress};

/// Kernel headers that musl does not bring; all that a program may include besides libc's.
const KERNEL_HEADERS: [&str; 8] =
    ["asm-generic", "linux", "misc", "mtd", "rdma", "sound", "video", "xen"];
/// The recipes of the base image.
const BASE: [&str; 1] = ["busybox"];

/// A built recipe.
pub struct Program {
    /// What belongs into the root file system.
    pub root: PathBuf,
    /// What its tests need.
    pub tests: PathBuf,
    /// The version of its source package.
    pub version: String,
}

/// The whole root file system as one cpio archive; built on first use.
pub fn archive() -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    for (path, permissions) in [
        ("dev", 0o755),
        ("proc", 0o555),
        ("sys", 0o555),
        ("tmp", 0o1777),
        ("run", 0o755),
        ("run/nos", 0o755),
        ("root", 0o700),
        ("home", 0o755),
        ("mnt", 0o755),
        ("etc", 0o755),
        ("var", 0o755),
        ("var/log", 0o755),
        ("var/tmp", 0o1777),
    ] {
        archive.folder(path, permissions)?;
    }
    archive.char_device("dev/console", 0o600, (5, 1))?;
    archive.char_device("dev/null", 0o666, (1, 3))?;
    archive.symlink("var/run", "/run")?;
    archive.symlink("etc/mtab", "/proc/self/mounts")?;
    let init = init()?;
    archive.file("init", 0o755, &fs::read(&init).at(&init)?)?;
    for recipe in BASE {
        archive.tree(&program(recipe)?.root)?;
    }
    archive.tree(&paths::root().join("rootfs/files"))?;
    archive.finish()
}

/// Builds a recipe, or finds its result in the cache.
pub fn program(recipe: &str) -> Result<Program> {
    let script = paths::root().join(format!("rootfs/recipes/{recipe}.sh"));
    let text = fs::read_to_string(&script).at(&script)?;
    let cache = paths::created(paths::cache()?.join("built"))?;
    let _lock = paths::lock(&cache)?;
    let folder = cache.join(format!("{recipe}-{:016x}", hash(text.as_bytes())));
    let version = folder.join("version");
    if !version.exists() {
        build(recipe, &script, &text, &folder)?;
    }
    Ok(Program {
        root: folder.join("root"),
        tests: folder.join("tests"),
        version: fs::read_to_string(&version).at(&version)?.trim().to_owned(),
    })
}

/// Compiles a static program from C sources with musl into the build folder, if it is out of date.
pub fn compile(sources: &[PathBuf], includes: &[PathBuf], to: &Path) -> Result<()> {
    let modified = |path: &PathBuf| fs::metadata(path).and_then(|found| found.modified()).ok();
    let newest = sources.iter().chain(includes).filter_map(modified).max();
    if modified(&to.to_path_buf()).is_some_and(|built| Some(built) > newest) {
        return Ok(());
    }
    let mut command = Command::new(compiler()?);
    command.args(["-static", "-O2", "-s", "-Wall", "-Wextra", "-Wno-unused-result", "-pthread"]);
    for include in includes {
        command.arg("-I").arg(include.parent().unwrap_or(include));
    }
    process::run_quietly(command.arg("-o").arg(to).args(sources))
}

fn init() -> Result<PathBuf> {
    let to = paths::target()?.join("init");
    compile(&[paths::root().join("rootfs/init/init.c")], &[], &to)?;
    Ok(to)
}

fn build(recipe: &str, script: &Path, text: &str, folder: &Path) -> Result<()> {
    let package = text
        .lines()
        .find_map(|line| line.strip_prefix("# source: "))
        .ok_or_else(|| Error::Format(format!("{}: no `# source:` line", script.display())))?;
    paths::remove(folder)?;
    let source = folder.join("source");
    paths::created(folder.to_path_buf())?;
    let version = Apt::open()?.unpack_source(package.trim(), &source)?;
    let log_path = folder.join("build.log");
    let log = fs::File::create(&log_path).at(&log_path)?;
    let errors = log.try_clone().at(&log_path)?;
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let spinner = progress::spinner(format!("building {recipe} {version}"));
    let mut command = Command::new("sh");
    command
        .arg("-e")
        .arg(script)
        .current_dir(&source)
        .env("CC", compiler()?)
        .env("OUT", paths::created(folder.join("root"))?)
        .env("TESTS", paths::created(folder.join("tests"))?)
        .env("JOBS", jobs.to_string())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors);
    let status =
        command.status().map_err(|source| Error::Start { program: "sh".into(), source })?;
    drop(spinner);
    if !status.success() {
        let said = fs::read(&log_path).at(&log_path)?;
        let detail = process::last_lines(&String::from_utf8_lossy(&said), 25);
        return Err(Error::Failed { program: format!("recipe {recipe}"), status, detail });
    }
    paths::remove(&source)?;
    let mark = folder.join("version");
    fs::write(&mark, version).at(&mark)
}

/// `musl-gcc` with the kernel's headers, searched last.
fn compiler() -> Result<PathBuf> {
    if !process::is_available("musl-gcc") {
        return Err(Error::Usage(
            "musl-gcc is missing: install Debian's musl-tools (`make setup` does)".into(),
        ));
    }
    let folder = paths::created(paths::cache()?.join("cc"))?;
    let headers = paths::created(folder.join("include"))?;
    for name in KERNEL_HEADERS {
        link(&Path::new("/usr/include").join(name), &headers.join(name))?;
    }
    link(Path::new("/usr/include/x86_64-linux-gnu/asm"), &headers.join("asm"))?;
    let wrapper = folder.join("nos-cc");
    let text = format!("#!/bin/sh\nexec musl-gcc -idirafter {} \"$@\"\n", headers.display());
    if fs::read_to_string(&wrapper).unwrap_or_default() != text {
        let new = folder.join(format!("nos-cc.{}", std::process::id()));
        fs::write(&new, text).at(&new)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).at(&new)?;
        fs::rename(&new, &wrapper).at(&wrapper)?;
    }
    Ok(wrapper)
}

fn link(to: &Path, path: &Path) -> Result<()> {
    if to.exists() && fs::symlink_metadata(path).is_err() {
        symlink(to, path).at(path)?;
    }
    Ok(())
}

/// FNV-1a, 64 bits: names cache entries, guards nothing.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_fnv_1a() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
