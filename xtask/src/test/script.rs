//! The shell scripts under `tests-ltp/scripts`: what they print on NOS has to be what they print on
//! Linux, byte for byte.
//!
//! A script prints `## NAME` or `# NUMBER` before each command, so that a difference is a case with a name.

use std::fs;
use std::path::Path;

use super::results::{Case, Verdict};
use crate::error::{AtPath, Result};
use crate::vm::{self, Ending, Kernel, Options};
use crate::{paths, progress};

const FOLDER: &str = "tests-ltp/scripts";
/// The time limit of the whole machine, in seconds.
const MACHINE_LIMIT: u64 = 600;

/// Runs every script on both kernels and compares it section by section.
pub fn run(base: &Options) -> Result<Vec<Case>> {
    let folder = paths::root().join(FOLDER);
    let mut scripts: Vec<_> = fs::read_dir(&folder)
        .at(&folder)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sh"))
        .collect();
    scripts.sort();
    let mut cases = Vec::new();
    for script in scripts {
        let name = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let linux = output_on(Kernel::Linux, &script, base)?;
        let nos = output_on(Kernel::Nos, &script, base)?;
        cases.extend(compare(&name, &linux, &nos));
    }
    Ok(cases)
}

fn output_on(kernel: Kernel, script: &Path, base: &Options) -> Result<String> {
    let overlay = tempfile::tempdir().at(std::env::temp_dir())?;
    let folder = paths::created(overlay.path().join("run/nos"))?;
    fs::copy(script, folder.join("script.sh")).at(script)?;
    let mut options =
        Options { on: kernel, overlay: vec![overlay.path().to_path_buf()], ..base.clone() };
    options.timeout = Some(MACHINE_LIMIT);
    options.command = ["sh", "/run/nos/script.sh"].map(String::from).to_vec();
    let name = script.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let _progress = progress::spinner(format!("{name} on {}", kernel.name()));
    let copy = paths::log(&format!("{name}-{}.txt", kernel.name()))?;
    let outcome = vm::run_logged(&options, &copy)?;
    let mut text = String::from_utf8_lossy(&outcome.output).into_owned();
    if !matches!(outcome.ending, Ending::Status(0)) {
        text.push_str(&format!("\n## end\n{:?}\n", outcome.ending));
    }
    Ok(text)
}

/// The sections of a script's output: name and text.
fn sections(text: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        match heading(line) {
            Some(name) => sections.push((name.to_owned(), String::new())),
            None => {
                if let Some((_, text)) = sections.last_mut() {
                    text.push_str(line);
                }
            }
        }
    }
    sections
}

/// `## NAME`, or `# NUMBER`.
fn heading(line: &str) -> Option<&str> {
    let name = line.trim_end();
    let number = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_prefix("## ").or_else(|| name.strip_prefix("# ").filter(number))
}

fn compare(script: &str, linux: &str, nos: &str) -> Vec<Case> {
    let ours: std::collections::HashMap<_, _> = sections(nos).into_iter().collect();
    let case = |(name, expected): (String, String)| {
        let verdict = match ours.get(&name) {
            Some(text) if *text == expected => Verdict::Passed,
            Some(_) => Verdict::Failed("prints something else than on Linux".into()),
            None => Verdict::Failed("did not run on NOS".into()),
        };
        let output = match (&verdict, ours.get(&name)) {
            (Verdict::Failed(_), Some(text)) => format!("Linux:\n{expected}NOS:\n{text}"),
            _ => String::new(),
        };
        Case { name: format!("script/{script}/{name}"), verdict, output }
    };
    let mut cases: Vec<_> = sections(linux).into_iter().map(case).collect();
    if let Some(text) = ours.get("end") {
        let verdict = Verdict::Failed("did not end as on Linux".into());
        cases.push(Case { name: format!("script/{script}"), verdict, output: text.clone() });
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_compared_one_by_one() {
        let cases = compare("s", "## a\n1\n## b\n2\n## c\n", "## a\n1\n## b\n3\n");
        let verdicts: Vec<_> = cases.iter().map(|case| case.verdict == Verdict::Passed).collect();
        assert_eq!(verdicts, [true, false, false]);
        assert!(cases[1].output.contains("NOS:\n3"));
    }
}
