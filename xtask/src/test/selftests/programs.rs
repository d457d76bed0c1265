//! Building the self-tests: the source from Debian's package, the programs static, both in the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::list::Program;
use crate::apt::Apt;
use crate::error::{AtPath, Error, Result};
use crate::{paths, process, progress, rootfs};

/// Debian's package with the source of Linux.
const PACKAGE: &str = "linux-source-6.1";
/// Libraries that some of the programs are linked with.
const LIBRARIES: [&str; 3] = ["libcap-dev", "libcap-ng-dev", "libpopt-dev"];
/// What is needed of the source.
const FOLDERS: [&str; 3] = [SELFTESTS, "tools/include", "arch/x86/include/asm"];
const SELFTESTS: &str = "tools/testing/selftests";
/// How every program is compiled. It is their own code, so warnings are of no use.
const SWITCHES: [&str; 5] = ["-O2", "-s", "-w", "-pthread", "-D_GNU_SOURCE="];
/// Where the programs are in the guest.
pub const GUEST_FOLDER: &str = "/run/nos/selftests";

/// The built programs.
pub struct Built {
    /// The folder to lay over the root file system.
    pub overlay: PathBuf,
    /// The programs that do not compile here, and what the compiler said.
    pub broken: Vec<(String, String)>,
    /// Names the source, the way of building, and the compiler.
    pub key: String,
}

/// Builds the programs of the list, or finds them in the cache.
pub fn build(list: &[Program]) -> Result<Built> {
    let cache = paths::created(paths::cache()?.join("selftests"))?;
    let _lock = paths::lock(&cache)?;
    let source = Source::open(&cache)?;
    let compiler = process::stdout_of(Command::new("gcc").arg("-dumpfullversion"))?;
    let recipe: Vec<_> = list
        .iter()
        .map(|program| {
            (&program.path, &program.sources, &program.switches, &program.edit, &program.make)
        })
        .collect();
    let recipe = format!("{SWITCHES:?} {recipe:?} {compiler}");
    let key = format!("{}-{:016x}", source.version, rootfs::hash(recipe.as_bytes()));
    let folder = cache.join(&key);
    let record = folder.join("broken.json");
    if !record.exists() {
        paths::remove(&folder)?;
        let broken = compile(list, &source, &folder.join("overlay"))?;
        let text = serde_json::to_string(&broken)
            .map_err(|error| Error::Format(format!("{}: {error}", record.display())))?;
        fs::write(&record, text).at(&record)?;
    }
    let text = fs::read_to_string(&record).at(&record)?;
    let broken = serde_json::from_str(&text)
        .map_err(|error| Error::Format(format!("{}: {error}", record.display())))?;
    Ok(Built { overlay: folder.join("overlay"), broken, key })
}

/// The unpacked sources and libraries.
struct Source {
    tree: PathBuf,
    /// The folder below which each of the libraries' packages is unpacked.
    libraries: PathBuf,
    version: String,
}

impl Source {
    /// The source in the cache, downloaded if it is not there.
    fn open(cache: &Path) -> Result<Self> {
        let folder = cache.join("source");
        let mark = folder.join("version");
        if !mark.exists() {
            paths::remove(&folder)?;
            let version = unpack(&folder)?;
            fs::write(&mark, version).at(&mark)?;
        }
        Ok(Self {
            tree: folder.join(PACKAGE),
            libraries: folder.join("libraries"),
            version: fs::read_to_string(&mark).at(&mark)?,
        })
    }

    fn include_folders(&self) -> Vec<PathBuf> {
        let headers = LIBRARIES.map(|name| self.libraries.join(name).join("usr/include"));
        std::iter::once(self.tree.join(SELFTESTS)).chain(headers).collect()
    }

    fn link_folders(&self) -> [PathBuf; LIBRARIES.len()] {
        LIBRARIES.map(|name| self.libraries.join(name).join("usr/lib/x86_64-linux-gnu"))
    }
}

/// Downloads the packages and unpacks what is needed of them; returns the version of the source.
fn unpack(folder: &Path) -> Result<String> {
    let apt = Apt::open()?;
    let version = apt
        .newest(&[PACKAGE.to_owned()])?
        .pop()
        .ok_or_else(|| Error::Format(format!("the configured suites do not have {PACKAGE}")))?
        .version;
    let libraries = paths::created(folder.join("libraries"))?;
    apt.unpack_packages(&LIBRARIES, &libraries)?;
    let packed = folder.join("packed");
    apt.unpack_package(PACKAGE, &packed)?;
    let _progress = progress::spinner(format!("unpacking {PACKAGE} {version}"));
    let archive = packed.join(format!("usr/src/{PACKAGE}.tar.xz"));
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(&archive).arg("-C").arg(folder);
    tar.args(FOLDERS.map(|name| format!("{PACKAGE}/{name}")));
    process::run_quietly(&mut tar)?;
    paths::remove(&packed)?;
    Ok(version)
}

/// Compiles everything into an overlay; returns what does not compile.
fn compile(list: &[Program], source: &Source, overlay: &Path) -> Result<Vec<(String, String)>> {
    let to = overlay.join(GUEST_FOLDER.trim_start_matches('/'));
    for program in list {
        paths::created(to.join(program.folder()))?;
    }
    let _progress = progress::spinner(format!("compiling {} self-tests", list.len()));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let compile_share = |share: &[Program]| -> Result<Vec<(String, String)>> {
        let mut broken = Vec::new();
        for program in share {
            match compile_one(program, source, &to) {
                Ok(()) => {}
                Err(Error::Failed { detail, .. }) => broken.push((program.path.clone(), detail)),
                Err(error) => return Err(error),
            }
        }
        Ok(broken)
    };
    let compile_share = &compile_share;
    let shares = thread::scope(|scope| {
        let start = |share| scope.spawn(move || compile_share(share));
        let handles: Vec<_> = list.chunks(list.len().div_ceil(workers).max(1)).map(start).collect();
        let ended = |handle: thread::ScopedJoinHandle<'_, Result<_>>| {
            handle.join().unwrap_or_else(|_| Err(Error::Format("a compiling thread died".into())))
        };
        handles.into_iter().map(ended).collect::<Result<Vec<_>>>()
    })?;
    Ok(shares.into_iter().flatten().collect())
}

fn compile_one(program: &Program, source: &Source, to: &Path) -> Result<()> {
    if !program.sources.is_empty() {
        compile_sources(program, source, to)?;
    }
    let Some(make) = &program.make else { return Ok(()) };
    let mut shell = Command::new("sh");
    process::run_quietly(shell.current_dir(to.join(program.folder())).args(["-ec", make]))
}

fn compile_sources(program: &Program, source: &Source, to: &Path) -> Result<()> {
    let folder = source.tree.join(SELFTESTS).join(program.folder());
    let edited = to.join(format!("{}.edited.c", program.path));
    let mut sources: Vec<PathBuf> = program.sources.iter().map(PathBuf::from).collect();
    if let (Some(edit), Some(first)) = (&program.edit, sources.first_mut()) {
        let mut sed = Command::new("sed");
        sed.current_dir(&folder).args(["-e", edit]).arg(&*first);
        fs::write(&edited, process::stdout_of(&mut sed)?).at(&edited)?;
        first.clone_from(&edited);
    }
    let mut command = Command::new("gcc");
    command.current_dir(&folder).args(SWITCHES);
    if !program.switches.iter().any(|switch| switch == "-static-pie") {
        command.arg("-static");
    }
    command.args(["-I.", "-I../include"]);
    for include in source.include_folders() {
        command.arg("-I").arg(include);
    }
    for library in source.link_folders() {
        command.arg("-L").arg(library);
    }
    // Libraries have to come after what needs them.
    command.arg("-o").arg(to.join(&program.path)).args(&sources);
    process::run_quietly(command.args(&program.switches).args(["-lrt", "-lm"]))?;
    if program.edit.is_some() { fs::remove_file(&edited).at(&edited) } else { Ok(()) }
}
