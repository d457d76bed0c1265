//! Running other programs: a thin layer over `std::process::Command` with typed errors.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::error::{Error, Result};

/// The last lines of a program's output that an error message quotes.
const QUOTED_LINES: usize = 25;

/// Runs `command` with its output on this terminal; an exit status other than 0 is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|source| start_error(command, source))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed { program: describe(command), status, detail: String::new() })
}

/// Runs `command` silently; its output is quoted in the error if it fails.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    capture(command).map(drop)
}

/// Runs `command` and returns what it printed on standard output.
pub fn stdout_of(command: &mut Command) -> Result<String> {
    capture(command).map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether `program` is in the search path.
pub fn is_available(program: &str) -> bool {
    find(program).is_some()
}

/// The full path of `program`, looked up in `PATH` and the system's own program folders.
pub fn find(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(|folder| Path::new(folder).to_path_buf()))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

fn capture(command: &mut Command) -> Result<Output> {
    let output =
        command.stdin(Stdio::null()).output().map_err(|source| start_error(command, source))?;
    if output.status.success() {
        return Ok(output);
    }
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    let detail = last_lines(&said, QUOTED_LINES);
    Err(Error::Failed { program: describe(command), status: output.status, detail })
}

fn start_error(command: &Command, source: std::io::Error) -> Error {
    Error::Start { program: command.get_program().to_string_lossy().into_owned(), source }
}

fn describe(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    let options_end = |text: &&std::ffi::OsStr| !text.to_string_lossy().contains(['-', '=']);
    if let Some(first) = command.get_args().find(options_end) {
        text.push(' ');
        text.push_str(&first.to_string_lossy());
    }
    text
}

/// The last `count` lines of `text`, without trailing blank space.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines_keeps_the_end() {
        assert_eq!(last_lines("a\nb\nc\n\n", 2), "b\nc");
        assert_eq!(last_lines("", 2), "");
    }

    #[test]
    fn a_failing_program_is_quoted() {
        let error = run_quietly(Command::new("sh").args(["-c", "echo why >&2; exit 3"]));
        assert!(error.unwrap_err().to_string().contains("why"));
    }
}
