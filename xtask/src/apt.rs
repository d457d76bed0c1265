//! Debian packages and source archives, without touching the machine's own package state.
//!
//! A private apt set-up lives in the cache: its own source list, package lists and archive folder.
//! It may name other suites than the machine uses; nothing from them is ever installed, only
//! downloaded and unpacked in the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{AtPath, Error, Result};
use crate::{paths, process, progress};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const DEFAULT_MIRROR: &str = "http://deb.debian.org/debian";
const BINARY_SUITES: [&str; 2] = ["bookworm", "bookworm-backports"];
const SOURCE_SUITES: [&str; 2] = ["trixie", "bookworm"];

/// A private apt set-up.
pub struct Apt {
    folder: PathBuf,
}

/// One version of a binary package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The packages it depends on: of alternatives, the first.
    pub dependencies: Vec<String>,
}

impl Apt {
    /// Opens the set-up for what NOS is built from and compared with, making it and fetching the package lists
    /// if need be.
    pub fn open() -> Result<Self> {
        Self::with_sources("apt", &source_list(&mirror()))
    }

    /// The same for the binary packages of one whole suite.
    pub fn suite(suite: &str, components: &str) -> Result<Self> {
        let sources = format!("deb [signed-by={KEYRING}] {} {suite} {components}\n", mirror());
        Self::with_sources(&format!("apt-{suite}"), &sources)
    }

    fn with_sources(name: &str, wanted: &str) -> Result<Self> {
        let folder = paths::created(paths::cache()?.join(name))?;
        let _lock = paths::lock(&folder)?;
        for part in ["lists/partial", "cache/archives/partial"] {
            paths::created(folder.join(part))?;
        }
        let apt = Self { folder };
        // Nothing is installed as far as this set-up is concerned: the machine's own packages are not on offer.
        let status = apt.folder.join("status");
        fs::write(&status, "").at(&status)?;
        let list = apt.folder.join("sources.list");
        let stamp = apt.folder.join("lists/fetched");
        if fs::read_to_string(&list).unwrap_or_default() != wanted {
            fs::write(&list, wanted).at(&list)?;
            _ = fs::remove_file(&stamp);
        }
        if !stamp.exists() {
            let _progress = progress::spinner("fetching Debian's package lists");
            let mut update = apt.command("apt-get");
            // Without this, lists that could not be fetched are a mere warning.
            update.args(["-o", "APT::Update::Error-Mode=any", "update"]);
            process::run_quietly(&mut update)
                .map_err(|error| download_error("Debian's package lists", &error))?;
            fs::write(&stamp, "").at(&stamp)?;
        }
        Ok(apt)
    }

    /// The newest version of a binary package that the configured suites have, and the packages
    /// that this version depends on.
    pub fn newest_dependencies(&self, package: &str) -> Result<Vec<String>> {
        let listing = process::stdout_of(self.command("apt-cache").args(["show", package]))
            .map_err(|error| download_error(package, &error))?;
        newest_stanza(&listing)
            .map(dependencies)
            .ok_or_else(|| missing(package, "the configured suites do not have it"))
    }

    /// The newest versions of binary packages; those that the suites do not have are left out.
    pub fn newest(&self, packages: &[String]) -> Result<Vec<Package>> {
        // One that is missing makes apt-cache fail after it has shown the others.
        let output = self
            .command("apt-cache")
            .arg("show")
            .args(packages)
            .output()
            .map_err(|source| Error::Start { program: "apt-cache".into(), source })?;
        let listing = String::from_utf8_lossy(&output.stdout);
        let mut found: Vec<Package> = Vec::new();
        for package in listing.split("\n\n").filter_map(package_of) {
            match found.iter_mut().find(|other| other.name == package.name) {
                Some(other) if version_key(&other.version) < version_key(&package.version) => {
                    *other = package;
                }
                Some(_) => {}
                None => found.push(package),
            }
        }
        Ok(found)
    }

    /// Downloads a binary package and unpacks it into `to`.
    pub fn unpack_package(&self, package: &str, to: &Path) -> Result<()> {
        let folder = tempfile::tempdir_in(&self.folder).at(&self.folder)?;
        self.unpack_packages(&[package], folder.path())?;
        let unpacked = folder.path().join(package);
        fs::rename(&unpacked, to).at(to)
    }

    /// Downloads binary packages and unpacks each into the folder of its name in `to`.
    pub fn unpack_packages(&self, packages: &[&str], to: &Path) -> Result<()> {
        let work = tempfile::tempdir_in(&self.folder).at(&self.folder)?;
        let what = packages.join(", ");
        {
            let _progress = progress::spinner(format!("downloading {what}"));
            let mut command = self.command("apt-get");
            process::run_quietly(command.current_dir(work.path()).arg("download").args(packages))
                .map_err(|error| download_error(&what, &error))?;
        }
        let _progress = progress::spinner(format!("unpacking {what}"));
        for package in packages {
            let archive = files(work.path(), "deb")
                .into_iter()
                .find(|path| package_in(path) == Some(package))
                .ok_or_else(|| missing(package, "apt-get did not download it"))?;
            let mut command = Command::new("dpkg");
            process::run_quietly(command.arg("-x").arg(archive).arg(to.join(package)))?;
        }
        Ok(())
    }

    /// Downloads a source package, unpacks and patches it into `to`, and returns its version.
    pub fn unpack_source(&self, package: &str, to: &Path) -> Result<String> {
        let work = tempfile::tempdir_in(&self.folder).at(&self.folder)?;
        {
            let _progress = progress::spinner(format!("downloading the source of {package}"));
            self.download_source(package, work.path())?;
        }
        let description = only_file(work.path(), "dsc")
            .ok_or_else(|| missing(package, "apt-get downloaded nothing"))?;
        paths::remove(to)?;
        let mut command = Command::new("dpkg-source");
        command.args(["--no-check", "-x"]).arg(&description).arg(to);
        process::run_quietly(&mut command)?;
        let text = fs::read_to_string(&description).at(&description)?;
        let version = text.lines().find_map(|line| line.strip_prefix("Version: "));
        Ok(version.unwrap_or("unknown").to_owned())
    }

    /// Downloads the newest version of a source package that the mirror really has.
    fn download_source(&self, package: &str, to: &Path) -> Result<()> {
        let listing = process::stdout_of(self.command("apt-cache").args(["showsrc", package]))
            .map_err(|error| download_error(package, &error))?;
        let mut versions: Vec<&str> =
            listing.lines().filter_map(|line| line.strip_prefix("Version: ")).collect();
        versions.sort_by_key(|version| version_key(version));
        let mut last = missing(package, "the configured suites do not have its source");
        for version in versions.into_iter().rev() {
            let mut command = self.command("apt-get");
            command.current_dir(to).args(["source", "--download-only"]);
            match process::run_quietly(command.arg(format!("{package}={version}"))) {
                Ok(()) => return Ok(()),
                Err(error) => last = download_error(&format!("{package} {version}"), &error),
            }
        }
        Err(last)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (key, value) in [
            ("Dir::Etc::sourcelist", self.folder.join("sources.list")),
            ("Dir::Etc::sourceparts", PathBuf::from("/dev/null")),
            ("Dir::State::lists", self.folder.join("lists")),
            ("Dir::State::status", self.folder.join("status")),
            ("Dir::Cache", self.folder.join("cache")),
            ("APT::Sandbox::User", PathBuf::from("root")),
            ("Acquire::Languages", PathBuf::from("none")),
            ("Acquire::Retries", PathBuf::from("3")),
        ] {
            command.arg("-o").arg(format!("{key}={}", value.display()));
        }
        command.arg("-q").env("LC_ALL", "C");
        command
    }
}

fn missing(what: &str, why: &str) -> Error {
    Error::Download { what: what.into(), why: why.into() }
}

fn download_error(what: &str, error: &Error) -> Error {
    missing(what, &error.to_string())
}

fn source_list(mirror: &str) -> String {
    let line =
        |kind: &str, suite: &str| format!("{kind} [signed-by={KEYRING}] {mirror} {suite} main\n");
    let binaries = BINARY_SUITES.iter().map(|suite| line("deb", suite));
    let sources = SOURCE_SUITES.iter().map(|suite| line("deb-src", suite));
    binaries.chain(sources).collect()
}

/// The mirror that the machine itself uses, so that a local one is respected.
fn mirror() -> String {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    files.sort();
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    texts.filter_map(|text| debian_mirror(&text)).next().unwrap_or_else(|| DEFAULT_MIRROR.into())
}

/// The first address in an apt source list, of either form, that ends in `/debian`.
fn debian_mirror(text: &str) -> Option<String> {
    text.lines()
        .filter(|line| line.starts_with("deb ") || line.starts_with("URIs:"))
        .flat_map(str::split_whitespace)
        .find(|word| word.contains("://") && word.trim_end_matches('/').ends_with("/debian"))
        .map(|word| word.trim_end_matches('/').to_owned())
}

/// The stanza with the highest version in `apt-cache show`'s output.
fn newest_stanza(listing: &str) -> Option<&str> {
    let version = |stanza: &&str| {
        let line = stanza.lines().find_map(|line| line.strip_prefix("Version: ")).unwrap_or("");
        version_key(line)
    };
    listing.split("\n\n").filter(|stanza| stanza.contains("Version: ")).max_by_key(version)
}

/// The numbers in a version, which order kernel versions well enough.
fn version_key(version: &str) -> Vec<u64> {
    version
        .split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

fn package_of(stanza: &str) -> Option<Package> {
    let field = |key: &str| stanza.lines().find_map(|line| line.strip_prefix(key));
    Some(Package {
        name: field("Package: ")?.into(),
        version: field("Version: ")?.into(),
        dependencies: dependencies(stanza),
    })
}

fn dependencies(stanza: &str) -> Vec<String> {
    let lines = stanza.lines().filter_map(|line| {
        line.strip_prefix("Depends: ").or_else(|| line.strip_prefix("Pre-Depends: "))
    });
    lines
        .flat_map(|line| line.split(','))
        .filter_map(|entry| entry.split_whitespace().next())
        .map(|name| name.split(':').next().unwrap_or(name).to_owned())
        .collect()
}

fn only_file(folder: &Path, extension: &str) -> Option<PathBuf> {
    files(folder, extension).pop()
}

/// The files of a folder whose names end so.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// The package in an archive called `NAME_VERSION_ARCHITECTURE.deb`.
fn package_in(archive: &Path) -> Option<&str> {
    archive.file_name()?.to_str()?.split('_').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_mirror_is_found_in_both_forms() {
        let one_line = "# deb http://no.example/debian x main\ndeb http://a.example/debian/ x main";
        assert_eq!(debian_mirror(one_line).as_deref(), Some("http://a.example/debian"));
        let deb822 = "Types: deb\nURIs: http://b.example/debian\nSuites: x\n";
        assert_eq!(debian_mirror(deb822).as_deref(), Some("http://b.example/debian"));
        assert_eq!(debian_mirror("URIs: http://c.example/debian-security\n"), None);
    }

    #[test]
    fn the_newest_stanza_wins() {
        let listing = "Package: l\nVersion: 6.1.9-1\nDepends: l-6.1.0-9-cloud (= 6.1.9-1)\n\n\
                       Package: l\nVersion: 6.12.5-1~bpo\nDepends: l-6.12.5-cloud (= 6.12.5-1~bpo)\n";
        assert_eq!(dependencies(newest_stanza(listing).unwrap()), ["l-6.12.5-cloud"]);
    }

    #[test]
    fn a_stanza_names_its_package_and_what_it_needs() {
        let stanza = "Package: p\nVersion: 1-2\nPre-Depends: libc6 (>= 2)\n\
                      Depends: a | b, python3:any (>= 3), c\n";
        let package = package_of(stanza).unwrap();
        assert_eq!((package.name.as_str(), package.version.as_str()), ("p", "1-2"));
        assert_eq!(package.dependencies, ["libc6", "a", "python3", "c"]);
    }
}
