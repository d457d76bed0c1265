//! busybox's own tests, on NOS and on Linux: what passes there has to pass here.
//!
//! Linux's results are kept in the cache, since neither the kernel nor the programs change.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::results::{Case, Verdict};
use crate::error::{AtPath, Error, Result};
use crate::linux::Linux;

use crate::vm::{self, Ending, Kernel, Options};
use crate::{paths, process, progress, rootfs};

const DRIVER: &str = "tests-ltp/busybox-suite.sh";
/// The time limit of the tests of one applet, in seconds.
const APPLET_LIMIT: u64 = 45;
/// The time limit of the whole machine, in seconds.
const MACHINE_LIMIT: u64 = 1200;

/// How often a case that only NOS lost is repeated there, to see whether it loses always.
const ROUNDS_ON_NOS: usize = 6;
/// How often one that NOS won then is repeated on Linux, at most, to see whether it ever loses.
const ROUNDS_ON_LINUX: usize = 200;

/// Cases whose own processes race each other, as reading them shows: to win some of their repetitions on NOS is all that is asked.
///
/// - `exitcode_trap6`: a child sends a signal to its shell while that starts another. Linux loses one in twenty with two CPUs, half with one.
/// - `bash_procsub`: a shell reads a file that a `tee` in the background is to have created; on Linux it spends milliseconds on a `sync` before.
const RACES: [&str; 2] = ["ash-misc/exitcode_trap6", "ash-psubst/bash_procsub"];

/// How one case of the suite ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Status {
    Passed,
    Failed(String),
    Skipped,
}

/// All cases by name; a name that occurs more than once is numbered.
type Results = BTreeMap<String, Status>;

/// Runs the suite on NOS (or `on` alone) and compares it with Linux.
pub fn run(on: Option<Kernel>, applets: &[String], base: &Options) -> Result<Vec<Case>> {
    match on {
        Some(Kernel::Linux) => {
            let results = fresh_reference(applets, base)?;
            Ok(results.into_iter().map(|(name, result)| plain(name, result)).collect())
        }
        _ => {
            let linux = reference(applets, base)?;
            let nos = run_on(Kernel::Nos, applets, base)?;
            let lost = lost(&linux, &nos);
            let mut cases = compare(&linux, &nos);
            if !lost.is_empty() {
                let races = races(&lost, &linux, base)?;
                for case in &mut cases {
                    if races.iter().any(|name| case.name == format!("busybox/{name}")) {
                        eprintln!("{}: a race between its own processes", case.name);
                        case.verdict = Verdict::Skipped;
                    }
                }
            }
            Ok(cases)
        }
    }
}

/// The cases that pass on Linux and did not on NOS.
fn lost(linux: &Results, nos: &Results) -> Vec<String> {
    let passes = |results: &Results, name: &String| results.get(name) == Some(&Status::Passed);
    linux.keys().filter(|name| passes(linux, name) && !passes(nos, name)).cloned().collect()
}

/// Which of the cases that NOS lost are decided by which of two processes comes first: repeated, NOS wins some of them; and they are known for it ([`RACES`]),
/// or Linux loses one as well.
fn races(lost: &[String], linux: &Results, base: &Options) -> Result<Vec<String>> {
    let mut left = lost.to_vec();
    let repeated = repeat(Kernel::Nos, Until::Rounds(ROUNDS_ON_NOS), &left, base)?;
    left.retain(|name| unexpected(&repeated, linux, name).0);
    let (mut races, left): (Vec<String>, Vec<String>) =
        left.into_iter().partition(|name| RACES.contains(&unnumbered(name)));
    if !left.is_empty() {
        let repeated = repeat(Kernel::Linux, Until::Lost(ROUNDS_ON_LINUX), &left, base)?;
        races.extend(left.into_iter().filter(|name| unexpected(&repeated, linux, name).1));
    }
    Ok(races)
}

/// Repeats what holds these cases.
fn repeat(kernel: Kernel, until: Until, cases: &[String], base: &Options) -> Result<Results> {
    let mut parts: Vec<String> = cases.iter().map(|name| repeatable(name).into()).collect();
    parts.dedup();
    let (Until::Rounds(rounds) | Until::Lost(rounds)) = until;
    eprintln!("up to {rounds} times more on {}: {}", kernel.name(), parts.join(", "));
    run_repeatedly(kernel, until, &parts, base)
}

/// Whether a repeated case was won in some round, and lost in some; cases of the same name that Linux loses anyway apart.
fn unexpected(repeated: &Results, linux: &Results, name: &str) -> (bool, bool) {
    let rounds = count(repeated, name, |_| true) / count(linux, name, |_| true).max(1);
    let failed = |results| count(results, name, |status| matches!(status, Status::Failed(_)));
    let extra = failed(repeated).saturating_sub(rounds * failed(linux));
    (extra < rounds, extra > 0)
}

/// The part of the suite that is run to repeat a case: the case, where the driver can, or its applet.
fn repeatable(name: &str) -> &str {
    if name.starts_with("ash-") { unnumbered(name) } else { name.split('/').next().unwrap_or(name) }
}

/// How many of the cases called `name` ended as `wanted`.
fn count(results: &Results, name: &str, wanted: impl Fn(&Status) -> bool) -> usize {
    let same = |other: &str| unnumbered(other) == unnumbered(name);
    results.iter().filter(|(other, status)| same(other) && wanted(status)).count()
}

/// A case's name without the number that tells it from others of that name.
fn unnumbered(name: &str) -> &str {
    match name.rsplit_once(" #") {
        Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => name,
    }
}

fn plain(name: String, result: Status) -> Case {
    let name = format!("busybox/{name}");
    match result {
        Status::Passed => Case::new(name, Verdict::Passed),
        Status::Skipped => Case::new(name, Verdict::Skipped),
        Status::Failed(output) => {
            Case { name, verdict: Verdict::Failed("fails on this kernel".into()), output }
        }
    }
}

/// One case for every case that passes on Linux; the others say nothing about NOS.
fn compare(linux: &Results, nos: &Results) -> Vec<Case> {
    let compare_one = |(name, expected): (&String, &Status)| {
        let name = format!("busybox/{}", name);
        if *expected != Status::Passed {
            return Case::new(name, Verdict::Skipped);
        }
        match nos.get(name.trim_start_matches("busybox/")) {
            Some(Status::Passed) => Case::new(name, Verdict::Passed),
            Some(Status::Skipped) => {
                Case::new(name, Verdict::Failed("passes on Linux, skipped on NOS".into()))
            }
            Some(Status::Failed(output)) => {
                let verdict = Verdict::Failed("passes on Linux, fails on NOS".into());
                Case { name, verdict, output: output.clone() }
            }
            None => Case::new(name, Verdict::Failed("passes on Linux, did not run on NOS".into())),
        }
    };
    linux.iter().map(compare_one).collect()
}

/// Linux's results, from the cache where they are there.
fn reference(applets: &[String], base: &Options) -> Result<Results> {
    let path = reference_path(applets)?;
    let kept = fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str(&text).ok());
    kept.map_or_else(|| fresh_reference(applets, base), Ok)
}

/// Linux's results from a new run, which the cache keeps.
fn fresh_reference(applets: &[String], base: &Options) -> Result<Results> {
    let path = reference_path(applets)?;
    let results = run_on(Kernel::Linux, applets, base)?;
    let text = serde_json::to_string(&results)
        .map_err(|error| Error::Format(format!("{}: {error}", path.display())))?;
    fs::write(&path, text).at(&path)?;
    Ok(results)
}

/// Where the results are kept: named after all that they depend on.
fn reference_path(applets: &[String]) -> Result<PathBuf> {
    let driver = paths::root().join(DRIVER);
    let mut key = fs::read(&driver).at(&driver)?;
    key.extend_from_slice(Linux::open()?.release.as_bytes());
    key.extend_from_slice(rootfs::program("busybox")?.version.as_bytes());
    key.extend_from_slice(applets.join(" ").as_bytes());
    let folder = paths::created(paths::cache()?.join("reference"))?;
    Ok(folder.join(format!("busybox-{:016x}.json", rootfs::hash(&key))))
}

fn run_on(kernel: Kernel, applets: &[String], base: &Options) -> Result<Results> {
    run_repeatedly(kernel, Until::Rounds(1), applets, base)
}

/// How often the driver runs each part of the suite.
#[derive(Clone, Copy)]
enum Until {
    /// So many times.
    Rounds(usize),
    /// Until a case fails, but at most so many times.
    Lost(usize),
}

/// Runs `parts` of the suite; all of it if none are named.
fn run_repeatedly(
    kernel: Kernel,
    until: Until,
    parts: &[String],
    base: &Options,
) -> Result<Results> {
    let (rounds, stop) = match until {
        Until::Rounds(rounds) => (rounds, "never"),
        Until::Lost(rounds) => (rounds, "lost"),
    };
    let mut options = Options { on: kernel, overlay: vec![overlay()?], ..base.clone() };
    options.timeout = Some(MACHINE_LIMIT);
    let limit = APPLET_LIMIT.to_string();
    options.command = ["sh", "/run/nos/busybox/suite.sh", &limit, &rounds.to_string(), stop]
        .into_iter()
        .map(Into::into)
        .chain(parts.iter().cloned())
        .collect();
    let _progress = progress::spinner(format!("busybox's tests on {}", kernel.name()));
    let copy = paths::log(&format!("busybox-{}.txt", kernel.name()))?;
    let outcome = vm::run_logged(&options, &copy)?;
    let text = String::from_utf8_lossy(&outcome.output);
    let results = parse(&text);
    if kernel == Kernel::Linux && outcome.ending != Ending::Status(0) {
        return Err(Error::Format(format!(
            "the suite did not finish on Linux: {}",
            copy.display()
        )));
    }
    if outcome.ending != Ending::Status(0) {
        eprintln!("the suite did not finish on NOS ({:?}):", outcome.ending);
        eprintln!("{}", process::last_lines(&text, 10));
        eprintln!("{}", outcome.last_words());
    }
    Ok(results)
}

/// The suite where its driver expects it.
fn overlay() -> Result<PathBuf> {
    let overlay = paths::target()?.join("busybox-overlay");
    paths::remove(&overlay)?;
    let folder = overlay.join("run/nos/busybox");
    paths::created(overlay.join("run/nos"))?;
    let tests = rootfs::program("busybox")?.tests;
    process::run(std::process::Command::new("cp").arg("-a").arg(&tests).arg(&folder))?;
    let link = folder.join("busybox");
    std::os::unix::fs::symlink("/bin/busybox", &link).at(&link)?;
    let driver = paths::root().join(DRIVER);
    fs::copy(&driver, folder.join("suite.sh")).at(&driver)?;
    Ok(overlay)
}

/// Reads the suite's output: `APPLET: a`, then `PASS: name`, `FAIL: name` and so on, with what a
/// failed case said before or after its line.
fn parse(text: &str) -> Results {
    let mut results = Results::new();
    let mut applet = "";
    let mut said = String::new();
    let mut add = |applet: &str, name: &str, result: Status| {
        let base = format!("{applet}/{name}");
        let mut name = base.clone();
        let mut number = 1;
        while results.contains_key(&name) {
            number += 1;
            name = format!("{base} #{number}");
        }
        results.insert(name, result);
    };
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("APPLET: ") {
            applet = name;
        } else if let Some(name) = line.strip_prefix("PASS: ") {
            add(applet, name, Status::Passed);
        } else if let Some(name) = line.strip_prefix("FAIL: ") {
            add(applet, name, Status::Failed(said.clone()));
        } else if let Some(name) =
            line.strip_prefix("SKIPPED: ").or_else(|| line.strip_prefix("UNTESTED: "))
        {
            add(applet, name, Status::Skipped);
        } else {
            said.push_str(line);
            said.push('\n');
            continue;
        }
        said.clear();
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_case_is_a_race_if_it_is_won_and_lost() {
        let linux = parse("APPLET: ash-misc\nPASS: a\nPASS: b\nFAIL: b\n");
        let round = |a, b| format!("APPLET: ash-misc\n{a}: a\n{b}: b\nFAIL: b\n");
        let repeated = parse(&(round("PASS", "PASS") + &round("FAIL", "PASS")));
        assert_eq!(unexpected(&repeated, &linux, "ash-misc/a"), (true, true));
        assert_eq!(unexpected(&repeated, &linux, "ash-misc/b"), (true, false));
        let repeated = parse(&(round("FAIL", "FAIL") + &round("FAIL", "FAIL")));
        assert_eq!(unexpected(&repeated, &linux, "ash-misc/a"), (false, true));
        assert_eq!(unexpected(&repeated, &linux, "ash-misc/b"), (false, true));
        assert_eq!(unexpected(&Results::new(), &linux, "ash-misc/a"), (false, false));
        assert_eq!(repeatable("ash-misc/b #2"), "ash-misc/b");
        assert_eq!(repeatable("cp/cp - #1 of 2 #2"), "cp");
    }

    #[test]
    fn only_what_passes_on_linux_is_asked_of_nos() {
        let linux = parse("APPLET: cp\nPASS: a\nFAIL: b\nPASS: c\nPASS: c\nSKIPPED: d\n");
        assert_eq!(linux.len(), 5);
        let nos = parse("APPLET: cp\nPASS: a\nFAIL: b\nPASS: c\nFAIL: c\n");
        let failed: Vec<_> = compare(&linux, &nos)
            .into_iter()
            .filter(|case| matches!(case.verdict, Verdict::Failed(_)))
            .map(|case| case.name)
            .collect();
        assert_eq!(failed, ["busybox/cp/c #2"]);
    }
}
