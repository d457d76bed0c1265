//! The conformance cases under `tests-ltp/cases`: compiled here, run in the guest by its runner.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use super::results::{Case, Verdict};
use super::runner::{self, Machine};
use crate::error::{AtPath, Error, Result};
use crate::vm::{Kernel, Options};
use crate::{paths, progress, rootfs};

/// Where the overlay puts the cases.
const GUEST_FOLDER: &str = "/run/nos/cases";
/// The time limit of one case in the guest, in seconds.
const CASE_LIMIT: u64 = 20;
/// The time limit of a machine that runs all cases, in seconds.
const MACHINE_LIMIT: u64 = 600;

/// Runs the cases whose names match `only` on `kernel`.
pub fn run(kernel: Kernel, only: Option<&str>, base: &Options) -> Result<Vec<Case>> {
    let names: Vec<String> = case_names()?
        .into_iter()
        .filter(|name| only.is_none_or(|pattern| super::matches(pattern, name)))
        .collect();
    if names.is_empty() {
        return Err(Error::Usage("no guest case has such a name".into()));
    }
    let (overlay, mut cases) = compile(&names)?;
    let broken = |name: &String| cases.iter().any(|case| case.name == *name);
    let names: Vec<String> = names.into_iter().filter(|name| !broken(name)).collect();
    let machine = Machine {
        overlays: vec![overlay],
        folder: GUEST_FOLDER,
        case_limit: CASE_LIMIT,
        machine_limit: MACHINE_LIMIT,
        log: format!("guest-{}.tap", kernel.name()),
        base: Options { on: kernel, ..base.clone() },
    };
    let mut ran = machine.run(names)?;
    if kernel == Kernel::Linux {
        repeat_failed(&machine, &mut ran)?;
    }
    cases.extend(ran);
    for case in &mut cases {
        case.name = format!("guest/{}/{}", kernel.name(), case.name);
    }
    Ok(cases)
}

/// Runs what failed on Linux once more. A case that is wrong fails again; Linux itself, late on a busy host or dead under an emulator, is not what
/// is tested here.
fn repeat_failed(machine: &Machine, cases: &mut [Case]) -> Result<()> {
    let has_failed = |case: &&Case| matches!(case.verdict, Verdict::Failed(_));
    let failed: Vec<String> =
        cases.iter().filter(has_failed).map(|case| case.name.clone()).collect();
    if failed.is_empty() {
        return Ok(());
    }
    for again in machine.run(failed)? {
        if let Some(case) = cases.iter_mut().find(|case| case.name == again.name) {
            *case = again;
        }
    }
    Ok(())
}

fn cases_folder() -> PathBuf {
    paths::root().join("tests-ltp/cases")
}

fn case_names() -> Result<Vec<String>> {
    let sources = files(&cases_folder())?.into_iter();
    let sources = sources.filter(|path| path.extension().is_some_and(|extension| extension == "c"));
    let mut names: Vec<String> = sources
        .filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    fs::read_dir(folder).at(folder)?.map(|entry| Ok(entry.at(folder)?.path())).collect()
}

/// Compiles the runner and the cases into a folder to lay over the root file system; the cases that
/// do not compile have failed.
fn compile(names: &[String]) -> Result<(PathBuf, Vec<Case>)> {
    let root = paths::root().join("tests-ltp");
    let built = paths::created(paths::target()?.join("cases"))?;
    let overlay = paths::target()?.join("cases-overlay");
    paths::remove(&overlay)?;
    let folder = paths::created(overlay.join("run/nos/cases"))?;
    // A change of one that several share makes all anew: nobody says which they are.
    let headers = files(&root.join("include"))?;
    let _progress = progress::spinner("compiling the guest cases");
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let share = names.len().div_ceil(workers).max(1);
    let compile_share = |share: &[String]| -> Result<Vec<Case>> {
        let mut broken = Vec::new();
        for name in share {
            let source = cases_folder().join(format!("{name}.c"));
            let program = built.join(name);
            match rootfs::compile(&[source], &headers, &program) {
                Ok(()) => fs::copy(&program, folder.join(name)).at(&program).map(drop)?,
                Err(Error::Failed { detail: output, .. }) => {
                    let verdict = Verdict::Failed("does not compile".into());
                    broken.push(Case { name: name.clone(), verdict, output });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(broken)
    };
    let compile_share = &compile_share;
    let broken = thread::scope(|scope| {
        let start = |share| scope.spawn(move || compile_share(share));
        let handles: Vec<_> = names.chunks(share).map(start).collect();
        let ended = |handle: thread::ScopedJoinHandle<'_, Result<Vec<Case>>>| {
            handle.join().unwrap_or_else(|_| Err(Error::Format("a compiling thread died".into())))
        };
        handles.into_iter().map(ended).collect::<Vec<_>>().into_iter().collect::<Result<Vec<_>>>()
    })?;
    runner::install(&overlay)?;
    Ok((overlay, broken.into_iter().flatten().collect()))
}
