//! How costs grow: the programs under `bench/guest/growth`, each run by both kernels with ever more processes, threads, descriptors,
//! files, mappings or timers around.
//!
//! They are counted in instructions: a machine a program and kernel, one CPU. A program prints a line for every size
//! (`bench/guest/growth/growth.h` says how), so that one that dies takes only the sizes down that it had not come to.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use xtask::error::Result;
use xtask::vm::{self, Ending};
use xtask::{paths, progress, rootfs};

use crate::journal::Journal;
use crate::machine::System;
use crate::results::{Figure, Growth, Outcome};

/// Where the overlay puts the programs.
const GUEST_FOLDER: &str = "/run/nos/growth";
/// The time limit of a program in seconds: a hundred thousand processes take Linux minutes.
const LIMIT_SECONDS: u64 = 900;

const ALL: &[u32] = &[10, 100, 1_000, 10_000, 100_000];
/// A path has room for two thousand components.
const DEEP: &[u32] = &[10, 100, 1_000];

/// Enough for all but crowds.
const MEMORY: &str = "4G";
/// A hundred thousand kernel stacks take an eighth of this, which is what both kernels let them take.
const MEMORY_FOR_CROWDS: &str = "14G";

/// A program under `bench/guest/growth`.
struct Program {
    name: &'static str,
    /// What it measures: the name it prints, and what that is for people.
    operations: &'static [(&'static str, &'static str)],
    sizes: &'static [u32],
    memory: &'static str,
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "pid_lookup",
        operations: &[
            ("pid_lookup", "getpgid of one of N processes"),
            ("kill_zero", "kill(pid, 0) of one of N processes"),
        ],
        sizes: ALL,
        memory: MEMORY_FOR_CROWDS,
    },
    Program {
        name: "fork",
        operations: &[("fork", "fork, exit and wait beside N processes")],
        sizes: ALL,
        memory: MEMORY_FOR_CROWDS,
    },
    Program {
        name: "thread",
        operations: &[("thread_create", "pthread_create and join in a process of N threads")],
        sizes: ALL,
        memory: MEMORY_FOR_CROWDS,
    },
    Program {
        name: "wake_pipe",
        operations: &[("wake_pipe", "round trip through pipes beside N sleeping processes")],
        sizes: ALL,
        memory: MEMORY_FOR_CROWDS,
    },
    Program {
        name: "wake_futex",
        operations: &[("wake_futex", "round trip by futexes beside N futex waiters")],
        sizes: ALL,
        memory: MEMORY_FOR_CROWDS,
    },
    Program {
        name: "sched_pick",
        operations: &[("sched_yield", "sched_yield with N runnable threads")],
        sizes: ALL,
        memory: MEMORY_FOR_CROWDS,
    },
    Program {
        name: "fd",
        operations: &[
            ("fd_lookup", "fcntl(F_GETFD) on one of N descriptors"),
            ("fd_lowest", "dup and close with N descriptors open"),
        ],
        sizes: ALL,
        memory: MEMORY,
    },
    Program {
        name: "folder",
        operations: &[
            ("path_lookup", "stat of one of N files of a folder"),
            ("path_miss", "stat of a name that none of N files has"),
            ("path_create", "create, close and unlink in a folder of N files"),
        ],
        sizes: ALL,
        memory: MEMORY,
    },
    Program {
        name: "depth",
        operations: &[("path_depth", "stat of a path of N components, for each component")],
        sizes: DEEP,
        memory: MEMORY,
    },
    Program {
        name: "map",
        operations: &[
            ("mmap", "mmap and munmap among N mappings with holes too small"),
            ("page_fault", "first write to a page of one of N mappings"),
        ],
        sizes: ALL,
        memory: MEMORY,
    },
    Program {
        name: "timer",
        operations: &[
            ("timer_posix", "timer_settime on one of N armed timers"),
            ("timer_fd", "timerfd_settime on one of N armed timers"),
        ],
        sizes: ALL,
        memory: MEMORY,
    },
];

/// What an operation of [`measure`] is, for people.
pub fn describe(operation: &str) -> Option<&'static str> {
    let mut operations = PROGRAMS.iter().flat_map(|program| program.operations);
    operations.find(|(name, _)| *name == operation).map(|(_, description)| *description)
}

/// Measures every `wanted` operation at every size on both kernels, so many times.
pub fn measure(
    wanted: impl Fn(&str) -> bool,
    rounds: u32,
    journal: &Journal,
) -> Result<Vec<Growth>> {
    let overlay = compile()?;
    let mut found = Vec::new();
    for program in PROGRAMS {
        let operations = || program.operations.iter().filter(|(name, _)| wanted(name));
        if operations().next().is_none() {
            continue;
        }
        let _progress = progress::spinner(format!("growth: {}", program.name));
        let of_rounds = |system: System| -> Result<Vec<Run>> {
            (1..=rounds).map(|round| run(program, system, round, &overlay, journal)).collect()
        };
        // Counts do not depend on what else the host does; crowds on both kernels are as much as it has memory for.
        let (linux, nos) = rayon::join(|| of_rounds(System::Linux), || of_rounds(System::Nos));
        let runs = [linux?, nos?];
        for (operation, _) in operations() {
            let of = |runs: &[Run]| -> Vec<Outcome> {
                let at = |size: &u32| {
                    Outcome::of_rounds(runs.iter().map(|run| run.cost(operation, *size)))
                };
                program.sizes.iter().map(at).collect()
            };
            let mut growth = Growth {
                name: (*operation).to_owned(),
                unit: "instructions".to_owned(),
                sizes: program.sizes.to_vec(),
                figure: Figure::Instructions,
                linux: of(&runs[0]),
                nos: of(&runs[1]),
                repeat_difference: None,
            };
            growth.repeat_difference = growth.difference();
            found.push(growth);
        }
    }
    Ok(found)
}

/// Compiles the programs into a folder to lay over the root file system.
fn compile() -> Result<PathBuf> {
    let sources = paths::root().join("bench/guest/growth");
    let header = sources.join("growth.h");
    let overlay = paths::target()?.join("growth-overlay");
    let folder = paths::created(overlay.join(GUEST_FOLDER.trim_start_matches('/')))?;
    for program in PROGRAMS {
        let source = sources.join(program.name).with_extension("c");
        rootfs::compile(&[source], std::slice::from_ref(&header), &folder.join(program.name))?;
    }
    Ok(overlay)
}

/// What an operation costs at a size, or why that is not known.
type Cost = std::result::Result<f64, String>;

/// What one program printed on one kernel.
struct Run {
    costs: HashMap<(String, u32), Cost>,
    /// Why sizes have no line.
    ending: String,
}

impl Run {
    fn cost(&self, operation: &str, size: u32) -> Cost {
        let key = (operation.to_owned(), size);
        self.costs.get(&key).cloned().unwrap_or_else(|| Err(self.ending.clone()))
    }
}

/// What a program printed, and why sizes have no line.
type Printed = (String, String);

fn run(
    program: &Program,
    system: System,
    round: u32,
    overlay: &Path,
    journal: &Journal,
) -> Result<Run> {
    let mut options = system.options();
    options.icount = true;
    options.mem = program.memory.into();
    options.overlay = vec![overlay.to_path_buf()];
    options.timeout = Some(LIMIT_SECONDS);
    options.command = std::iter::once(format!("{GUEST_FOLDER}/{}", program.name))
        .chain(program.sizes.iter().map(u32::to_string))
        .collect();
    let name = format!("growth-{}-round{round}-{}", program.name, system.name());
    let (output, ending): Printed = journal.part(&name, &format!("{options:?}"), || {
        let log = journal.file(&format!("{name}.txt"))?;
        let outcome = vm::run_logged(&options, &log)?;
        let output = String::from_utf8_lossy(&outcome.output).into_owned();
        let ending = why_no_more(&outcome, &output);
        Ok((output, ending))
    })?;
    Ok(Run { costs: parse(&output), ending })
}

/// Why a program that ended so has no figure for a size.
fn why_no_more(outcome: &vm::Outcome, output: &str) -> String {
    match outcome.ending {
        Ending::Status(0) => "the program printed no such figure".to_owned(),
        Ending::Status(status) => match last_complaint(output) {
            Some(complaint) => format!("ended with status {status}: {complaint}"),
            None => format!("ended with status {status}"),
        },
        Ending::TimedOut => format!("not reached within {LIMIT_SECONDS} s"),
        Ending::Panicked => format!("the kernel stopped: {}", outcome.last_words()),
    }
}

/// The figures among the lines that a program printed.
fn parse(output: &str) -> HashMap<(String, u32), Cost> {
    output.lines().filter_map(parse_line).collect()
}

/// `NAME SIZE NANOSECONDS` or `NAME SIZE missing REASON`.
fn parse_line(line: &str) -> Option<((String, u32), Cost)> {
    let (name, rest) = line.split_once(' ')?;
    let (size, figure) = rest.split_once(' ')?;
    let cost = match figure.strip_prefix("missing ") {
        Some(reason) => Err(reason.to_owned()),
        None => Ok(figure.parse().ok()?),
    };
    Some(((name.to_owned(), size.parse().ok()?), cost))
}

/// The last line that is not a figure.
fn last_complaint(output: &str) -> Option<&str> {
    output.lines().rev().find(|line| !line.is_empty() && parse_line(line).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_a_source_and_every_source_is_run() {
        let mut sources = Vec::new();
        for entry in std::fs::read_dir(paths::root().join("bench/guest/growth")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "c") {
                sources.push(path.file_stem().unwrap().to_string_lossy().into_owned());
            }
        }
        let mut programs: Vec<_> = PROGRAMS.iter().map(|program| program.name).collect();
        sources.sort();
        programs.sort_unstable();
        assert_eq!(sources, programs);
    }

    #[test]
    fn lines_become_figures_and_reasons() {
        let costs = parse("fork 10 71937.4\nfork 100 missing clone: Out of memory\nclone: no\n");
        assert_eq!(costs.len(), 2);
        assert_eq!(costs[&("fork".into(), 10)], Ok(71937.4));
        assert_eq!(costs[&("fork".into(), 100)], Err("clone: Out of memory".into()));
    }

    #[test]
    fn sizes_without_a_line_say_how_the_program_ended() {
        let run = Run { costs: parse("fork 10 1.5\n"), ending: "not reached".into() };
        assert_eq!(run.cost("fork", 10), Ok(1.5));
        assert_eq!(run.cost("fork", 100), Err("not reached".into()));
    }

    #[test]
    fn the_complaint_is_the_last_line_that_is_no_figure() {
        assert_eq!(last_complaint("a 1 2.0\nstat: gone\na 2 3.0\n\n"), Some("stat: gone"));
        assert_eq!(last_complaint("a 1 2.0\n"), None);
    }
}
