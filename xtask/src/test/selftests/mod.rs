//! Linux's own self-tests, on NOS and on Linux: what passes there has to pass here.
//!
//! A program's exit status counts, and, if it prints TAP, every case of it. What the list calls a known gap
//! is reported as such, and has failed once it passes. Linux's results are kept in the cache, since neither
//! the kernel nor the programs change.
//!
//! * [`list`]: what is built and run
//! * [`programs`]: source and programs
//! * [`outcome`]: reading what a program printed, and comparing it

mod list;
mod outcome;
mod programs;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use self::list::Program;
use self::outcome::Outcome;
use self::programs::Built;
use super::results::{Case, Verdict};
use super::runner::{self, Machine};
use crate::error::{AtPath, Error, Result};
use crate::linux::Linux;
use crate::vm::{Kernel, Options};
use crate::{paths, rootfs};

const LIST: &str = "tests-ltp/selftests.txt";
/// The time limit of one program, in seconds.
const PROGRAM_LIMIT: u64 = 60;
/// The time limit of the whole machine, in seconds.
const MACHINE_LIMIT: u64 = 900;
/// The machine's memory: the programs, which are static, are in it too.
const MEMORY: &str = "2G";

/// How often a command is tried on Linux until it passes.
const ATTEMPTS: usize = 3;

/// How every command of the list ended.
type Outcomes = BTreeMap<String, Outcome>;

/// Runs the programs whose names match `only` on NOS (or `on` alone) and compares them with Linux.
pub fn run(on: Option<Kernel>, only: Option<&str>, base: &Options) -> Result<Vec<Case>> {
    let path = paths::root().join(LIST);
    let list = list::parse(&fs::read_to_string(&path).at(&path)?)?;
    let built = programs::build(&list)?;
    let wanted = |program: &&Program| only.is_none_or(|only| super::matches(only, &program.path));
    let mut cases: Vec<Case> = built.broken.iter().map(broken).collect();
    if on == Some(Kernel::Linux) {
        let results = fresh_reference(&list, &built, only, base)?;
        cases.extend(list.iter().filter(wanted).flat_map(|program| shown(program, &results)));
        return Ok(cases);
    }
    let linux = reference(&list, &built, base)?;
    let passes = |command: &str| linux.get(command).is_some_and(Outcome::shows_something);
    let programs: Vec<&Program> = list.iter().filter(wanted).collect();
    let nos = run_on(Kernel::Nos, &programs, passes, &built, base)?;
    for program in programs {
        cases.extend(outcome::compare(program, &linux, &nos));
    }
    Ok(cases)
}

fn broken((path, output): &(String, String)) -> Case {
    let verdict = Verdict::Failed("does not compile".into());
    Case { name: format!("selftests/{path}"), verdict, output: output.clone() }
}

/// Linux's results as they are: what fails there is only skipped, but named.
fn shown(program: &Program, results: &Outcomes) -> Vec<Case> {
    let case = |command: String| {
        let passed = results.get(&command).is_some_and(|outcome| outcome.failure.is_none());
        if !passed {
            eprintln!("{command} does not pass on Linux");
        }
        let verdict = if passed { Verdict::Passed } else { Verdict::Skipped };
        Case::new(format!("selftests/{command}"), verdict)
    };
    program.commands().map(case).collect()
}

/// Linux's results, from the cache where they are there.
fn reference(list: &[Program], built: &Built, base: &Options) -> Result<Outcomes> {
    let path = reference_path(list, built)?;
    let kept = fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str(&text).ok());
    kept.map_or_else(|| fresh_reference(list, built, None, base), Ok)
}

/// Linux's results from a new run, which the cache keeps if it is of everything.
fn fresh_reference(
    list: &[Program],
    built: &Built,
    only: Option<&str>,
    base: &Options,
) -> Result<Outcomes> {
    let wanted = |program: &&Program| only.is_none_or(|only| super::matches(only, &program.path));
    let programs: Vec<&Program> = list.iter().filter(wanted).collect();
    let mut results = run_on(Kernel::Linux, &programs, |_| true, built, base)?;
    // Some depend on how quick the machine is, and a busy host makes them fail: what passes once can pass.
    for _ in 1..ATTEMPTS {
        let failed = |command: &str| results.get(command).is_none_or(|one| one.failure.is_some());
        let again = run_on(Kernel::Linux, &programs, failed, built, base)?;
        results.extend(again.into_iter().filter(|(_, outcome)| outcome.failure.is_none()));
    }
    if only.is_none() {
        let path = reference_path(list, built)?;
        let text = serde_json::to_string(&results)
            .map_err(|error| Error::Format(format!("{}: {error}", path.display())))?;
        fs::write(&path, text).at(&path)?;
    }
    Ok(results)
}

/// Where the results are kept: named after all that they depend on.
fn reference_path(list: &[Program], built: &Built) -> Result<PathBuf> {
    let runner = paths::root().join("tests-ltp/runner.c");
    let mut key = fs::read(&runner).at(&runner)?;
    key.extend_from_slice(built.key.as_bytes());
    key.extend_from_slice(Linux::open()?.release.as_bytes());
    for program in list {
        key.push(u8::from(program.counted));
        program.commands().for_each(|command| key.extend_from_slice(command.as_bytes()));
    }
    let folder = paths::created(paths::cache()?.join("reference"))?;
    Ok(folder.join(format!("selftests-{:016x}.json", rootfs::hash(&key))))
}

/// Runs the commands of `programs` that are `wanted`: the counted ones on a machine of their own.
fn run_on(
    kernel: Kernel,
    programs: &[&Program],
    wanted: impl Fn(&str) -> bool,
    built: &Built,
    base: &Options,
) -> Result<Outcomes> {
    let overlay = paths::target()?.join("selftests-overlay");
    paths::remove(&overlay)?;
    runner::install(&overlay)?;
    let mut outcomes = Outcomes::new();
    for counted in [false, true] {
        let kind = if counted { "-icount" } else { "" };
        let machine = Machine {
            overlays: vec![built.overlay.clone(), overlay.clone()],
            folder: programs::GUEST_FOLDER,
            case_limit: PROGRAM_LIMIT,
            machine_limit: MACHINE_LIMIT,
            log: format!("selftests-{}{kind}.tap", kernel.name()),
            base: Options { on: kernel, mem: MEMORY.into(), icount: counted, ..base.clone() },
        };
        let programs = programs.iter().filter(|program| program.counted == counted);
        let commands = programs.flat_map(|program| program.commands());
        let cases = machine.run(commands.filter(|command| wanted(command)).collect())?;
        outcomes.extend(cases.into_iter().map(|case| (case.name.clone(), Outcome::from(case))));
    }
    Ok(outcomes)
}
