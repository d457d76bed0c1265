//! The stages that run on the host: format and lint, unit and property tests, loom.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::results::{Case, Verdict};
use crate::error::{AtPath, Error, Result};
use crate::{paths, process};

/// Format and lint.
pub fn check() -> Result<Vec<Case>> {
    let mut lint = cargo();
    lint.args(["clippy", "--quiet", "--workspace", "--all-targets"]);
    lint.args(["--exclude", "kernel", "--exclude", "loader", "--", "-D", "warnings"]);
    // Apart from the rest, whose features would bring the standard library along.
    // As it is shipped: without debug assertions, whose code `--debug` builds.
    let mut lint_kernel = cargo();
    lint_kernel.args([
        "clippy",
        "--quiet",
        "--package",
        "kernel",
        "--release",
        "--",
        "-D",
        "warnings",
    ]);
    let mut lint_loader = cargo();
    lint_loader.args(["clippy", "--quiet", "--package", "loader", "--", "-D", "warnings"]);
    let mut format = cargo();
    format.args(["fmt", "--all", "--check"]);
    let pages = match crate::syscalls::page(true) {
        Ok(()) => Verdict::Passed,
        Err(error) => Verdict::Failed(error.to_string()),
    };
    let named = crate::fairness::findings()?;
    let fair = if named.is_empty() {
        Verdict::Passed
    } else {
        Verdict::Failed(format!("benchmarks are named: {}", named.join(", ")))
    };
    Ok(vec![
        whole("check/format", &mut format)?,
        whole("check/lint", &mut lint)?,
        whole("check/lint-kernel", &mut lint_kernel)?,
        whole("check/lint-loader", &mut lint_loader)?,
        Case::new("check/generated-pages", pages),
        Case::new("check/fairness", fair),
    ])
}

/// The unit and property tests of everything that runs on the host.
pub fn unit() -> Result<Vec<Case>> {
    let mut command = cargo();
    command.args(["test", "--quiet", "--workspace", "--no-fail-fast"]);
    command.args(["--exclude", "kernel", "--exclude", "loader"]);
    libtest("host", &mut command)
}

/// The crates that hand out memory or keep track of it.
const SANITIZED: [&str; 5] = ["buddy", "lists", "rcu-collections", "slab", "vma_tree"];

/// The unit and property tests of [`SANITIZED`] under AddressSanitizer.
pub fn sanitizer() -> Result<Vec<Case>> {
    let mut ask = Command::new("rustc");
    ask.args(["+nightly", "--print", "target-libdir"]);
    let runtime = process::stdout_of(&mut ask).is_ok_and(|folder| {
        let rustlib = Path::new(folder.trim()).join("librustc-nightly_rt.asan.a");
        rustlib.exists()
    });
    if !runtime {
        return Ok(vec![Case::new("sanitizer", Verdict::Skipped)]);
    }
    let mut command = Command::new("cargo");
    command.current_dir(paths::root()).env("CARGO_TERM_COLOR", "never");
    command.env("RUSTFLAGS", "-Zsanitizer=address");
    command.args(["+nightly", "test", "--quiet", "--lib", "--no-fail-fast"]);
    // With a target of its own, build scripts and macros go without.
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    command.args(["--target", &target, "--target-dir", "target/sanitizer"]);
    for package in SANITIZED {
        command.args(["--package", package]);
    }
    libtest("sanitizer", &mut command)
}

/// The loom models: the tests in modules named `loom` of the crates that depend on it.
pub fn loom() -> Result<Vec<Case>> {
    let folder = paths::root().join("kernel/libs");
    let mut cases = Vec::new();
    let mut crates = Vec::new();
    for entry in fs::read_dir(&folder).at(&folder)? {
        let path = entry.at(&folder)?.path();
        let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap_or_default();
        if manifest.contains("loom") {
            crates.extend(package_name(&manifest));
        }
    }
    crates.sort();
    for package in crates {
        let mut command = cargo();
        command.env("RUSTFLAGS", "--cfg loom").args(["test", "--quiet", "--release", "--lib"]);
        command.args(["--package", &package, "--target-dir", "target/loom", "--", "loom"]);
        cases.extend(libtest(&format!("loom/{package}"), &mut command)?);
    }
    Ok(cases)
}

fn package_name(manifest: &str) -> Option<String> {
    let line = manifest.lines().find_map(|line| line.strip_prefix("name = \""))?;
    line.strip_suffix('"').map(Into::into)
}

fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(paths::root()).env("CARGO_TERM_COLOR", "never");
    command
}

/// A program that passes or fails as a whole.
fn whole(name: &str, command: &mut Command) -> Result<Case> {
    match process::run_quietly(command) {
        Ok(()) => Ok(Case::new(name, Verdict::Passed)),
        Err(Error::Failed { status, detail, .. }) => {
            let verdict = Verdict::Failed(status.to_string());
            Ok(Case { name: name.into(), verdict, output: detail })
        }
        Err(error) => Err(error),
    }
}

/// Runs `cargo test` and counts what libtest reports.
fn libtest(stage: &str, command: &mut Command) -> Result<Vec<Case>> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::Start { program: "cargo".into(), source })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut cases = libtest_cases(stage, &text);
    let failures = cases.iter().any(|case| case.verdict != Verdict::Passed);
    if !output.status.success() && !failures {
        // It did not even build, or a test ended the whole process.
        let verdict = Verdict::Failed(output.status.to_string());
        let output = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
        cases.push(Case { name: stage.into(), verdict, output });
    }
    Ok(cases)
}

/// Reads libtest's quiet form: the failures by name, the passed ones from the sum of every binary.
fn libtest_cases(stage: &str, text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut panics = std::collections::HashMap::<String, String>::new();
    let mut section = None;
    for line in text.lines() {
        let header = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"));
        if let Some(name) = header {
            section = Some(name.to_owned());
        } else if line == "failures:" || line.starts_with("test result: ") {
            section = None;
        } else if let Some(name) = &section {
            let text = panics.entry(name.clone()).or_default();
            text.push_str(line);
            text.push('\n');
        }
        if let Some(sum) = line.strip_prefix("test result: ") {
            for _ in 0..count(sum, " passed") {
                cases.push(Case::new(stage, Verdict::Passed));
            }
        }
    }
    for (name, output) in panics {
        let verdict = Verdict::Failed("panicked".into());
        cases.push(Case { name: format!("{stage}/{name}"), verdict, output });
    }
    cases
}

/// The number in front of `word`.
fn count(sum: &str, word: &str) -> usize {
    sum.split([';', '.'])
        .find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtest_sums_and_failures_are_read() {
        let text = "\nrunning 3 tests\n.F.\nfailures:\n\n---- a::b stdout ----\nthread panicked\n\n\n\
                    failures:\n    a::b\n\ntest result: FAILED. 2 passed; 1 failed; 0 ignored\n";
        let cases = libtest_cases("host", text);
        let passed = cases.iter().filter(|case| case.verdict == Verdict::Passed).count();
        assert_eq!(passed, 2);
        let failed: Vec<_> = cases.iter().filter(|case| case.verdict != Verdict::Passed).collect();
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].name, "host/a::b");
        assert!(failed[0].output.contains("thread panicked"));
    }

    #[test]
    fn a_manifest_names_its_package() {
        assert_eq!(package_name("[package]\nname = \"rcu\"\n").as_deref(), Some("rcu"));
    }
}
