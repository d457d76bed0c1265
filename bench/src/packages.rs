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
    let mut overlays = vec![merged_usr(&cache)?];
    for package in closure(&apt, names)? {
        overlays.push(unpacked(&apt, &package, &cache)?);
    }
    Ok(overlays)
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
    name.starts_with("lib") && !name.contains("-dev")
}

/// The package in the cache, downloaded if it is not there.
fn unpacked(apt: &Apt, package: &Package, cache: &Path) -> Result<PathBuf> {
    let folder = cache.join(format!("{}_{}", package.name, package.version));
    if folder.is_dir() {
        return Ok(folder);
    }
    let partial = cache.join("partial");
    paths::remove(&partial)?;
    apt.unpack_package(&package.name, &paths::created(partial.clone())?)?;
    for path in LEFT_OUT {
        paths::remove(&partial.join(path))?;
    }
    fs::rename(&partial, &folder).at(&folder)?;
    Ok(folder)
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
        assert!(!is_library("libc6-dev"));
        assert!(!is_library("libc-dev-bin"));
        assert!(!is_library("perl-base"));
    }
}
