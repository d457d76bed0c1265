//! Debian's binary packages as overlays for the guest: the benchmarks, unchanged, and their libraries.
//!
//! Every package is unpacked once, in the cache, under its name and version. Libraries that a package
//! depends on (`lib*`) come along by themselves; anything else that is wanted has to be named. Manuals,
//! translations and the like are left out, because the guest holds all files in memory.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use xtask::apt::{Apt, Package};
use xtask::error::{AtPath, Error, Result};
use xtask::paths;

/// The suite that all packages come from, so that they go together.
const SUITE: &str = "trixie";
const COMPONENTS: &str = "main contrib non-free";
/// What no benchmark reads.
const LEFT_OUT: [&str; 13] = [
    "etc/init.d",
    "usr/include",
    "usr/lib/debug",
    "usr/lib/systemd",
    "usr/lib/x86_64-linux-gnu/gconv",
    "usr/share/bash-completion",
    "usr/share/doc",
    "usr/share/gdb",
    "usr/share/i18n",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
];

/// The overlays with these packages and their libraries; the error says what is missing.
pub fn overlays(names: &[&str]) -> Result<Vec<PathBuf>> {
    let apt = Apt::suite(SUITE, COMPONENTS)?;
    let cache = paths::created(paths::cache()?.join("packages"))?;
    let _lock = paths::lock(&cache)?;
    let packages = closure(&apt, names)?;
    unpack_missing(&apt, &packages, &cache)?;
    let folders = packages.iter().map(|package| folder(package, &cache));
    Ok(std::iter::once(merged_usr(&cache)?).chain(folders).collect())
}

/// The named packages, which have to be there, and all libraries they need, in name order.
fn closure(apt: &Apt, names: &[&str]) -> Result<Vec<Package>> {
    let mut found: Vec<Package> = Vec::new();
    let mut asked: BTreeSet<String> = BTreeSet::new();
    let mut wanted: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    while !wanted.is_empty() {
        let fresh: Vec<String> =
            wanted.drain(..).filter(|name| asked.insert(name.clone())).collect();
        if fresh.is_empty() {
            break;
        }
        for package in apt.newest(&fresh)? {
            wanted.extend(package.dependencies.iter().filter(|name| is_library(name)).cloned());
            found.push(package);
        }
    }
    let absent = names.iter().find(|name| found.iter().all(|package| package.name != **name));
    if let Some(name) = absent {
        let why = format!("Debian's {SUITE} does not have it");
        return Err(Error::Download { what: (*name).into(), why });
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// Whether a package is there to be linked with when programs run.
fn is_library(name: &str) -> bool {
    name == "zlib1g" || name.starts_with("lib") && !name.contains("-dev")
}

/// Where a package is in the cache.
fn folder(package: &Package, cache: &Path) -> PathBuf {
    cache.join(format!("{}_{}", package.name, package.version))
}

/// Downloads those packages that are not in the cache.
fn unpack_missing(apt: &Apt, packages: &[Package], cache: &Path) -> Result<()> {
    let missing: Vec<&Package> =
        packages.iter().filter(|package| !folder(package, cache).is_dir()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let work = tempfile::tempdir_in(cache).at(cache)?;
    let names: Vec<&str> = missing.iter().map(|package| package.name.as_str()).collect();
    apt.unpack_packages(&names, work.path())?;
    for package in missing {
        let unpacked = work.path().join(&package.name);
        for path in LEFT_OUT {
            paths::remove(&unpacked.join(path))?;
        }
        let to = folder(package, cache);
        fs::rename(&unpacked, &to).at(&to)?;
    }
    Ok(())
}

/// The links that Debian's packages expect: `/lib` and `/lib64` are in `/usr`.
fn merged_usr(cache: &Path) -> Result<PathBuf> {
    let folder = paths::created(cache.join("merged-usr"))?;
    for name in ["lib", "lib64"] {
        let link = folder.join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(format!("usr/{name}"), &link).at(&link)?;
        }
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::is_library;

    #[test]
    fn libraries_come_along_and_compilers_do_not() {
        assert!(is_library("libc6"));
        assert!(is_library("zlib1g"));
        assert!(!is_library("libc6-dev"));
        assert!(!is_library("libc-dev-bin"));
        assert!(!is_library("perl-base"));
    }
}
