//! `cargo xtask test`: every test there is, or one stage of them.
//!
//! * [`host`]: format, lint, unit and property tests, loom models
//! * [`guest`]: the conformance cases on NOS and on Linux
//! * [`busybox`]: busybox's own suite, NOS against Linux
//! * [`selftests`]: Linux's own self-tests, NOS against Linux
//! * [`script`]: a long shell script whose output has to be the same on both
//! * [`smoke`]: whole machines: CPU counts, exit statuses, hostile loads
//! * [`runner`]: running programs in the guest
//! * [`results`], [`tap`]: what they report

mod busybox;
mod full;
mod guest;
mod host;
mod results;
mod runner;
mod script;
mod selftests;
mod smoke;
mod tap;

use std::{panic, thread};

use crate::build::{self, Profile};
use crate::error::Result;
use crate::vm::{Kernel, Options};
use results::Report;

/// A part of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Stage {
    /// Format and lint.
    Check,
    /// Unit and property tests on the host.
    Host,
    /// Loom models of what is lock-free.
    Loom,
    /// The allocators' tests under AddressSanitizer.
    Sanitizer,
    /// The conformance cases.
    Guest,
    /// busybox's own suite.
    Busybox,
    /// Linux's own self-tests.
    Selftests,
    /// Whole machines: CPU counts, exit statuses, hostile loads.
    Smoke,
    /// A script whose output must be Linux's.
    Script,
}

/// What to test.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The stage; all of them by default.
    #[arg(value_enum)]
    stage: Option<Stage>,
    /// The kernel for the stages that boot one; both by default.
    #[arg(long, value_enum)]
    on: Option<Kernel>,
    /// Guest cases or self-tests (a pattern with `*`), or busybox applets, separated by commas.
    #[arg(long, value_name = "NAMES")]
    only: Option<String>,
    /// The number of CPUs of the machine.
    #[arg(long, default_value_t = 2)]
    smp: u32,
    /// The number of its NUMA nodes.
    #[arg(long, default_value_t = 1)]
    nodes: u32,
    /// Build the kernel with debug assertions.
    #[arg(long)]
    debug: bool,
    /// Words to add to the kernel's command line.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    append: String,
    /// Test what was built last, without looking whether it is up to date.
    #[arg(long)]
    no_build: bool,
}

/// Runs the stages; the status is 1 if a case failed.
pub fn run(arguments: &Arguments) -> Result<i32> {
    let mut report = Report::new();
    let base = Options {
        smp: arguments.smp,
        nodes: arguments.nodes,
        debug: arguments.debug,
        append: arguments.append.clone(),
        no_build: arguments.no_build,
        quiet: true,
        ..Options::for_command(Kernel::Nos, &[])
    };
    let wanted = |stage| arguments.stage.is_none_or(|only| only == stage);
    if arguments.stage.is_none() && !arguments.no_build {
        host_stages_and_build(arguments.debug, &mut report)?;
    } else {
        host_stages(wanted, &mut report)?;
    }
    if wanted(Stage::Guest) {
        for kernel in [Kernel::Linux, Kernel::Nos] {
            if arguments.on.is_none_or(|only| only == kernel) {
                let cases = guest::run(kernel, arguments.only.as_deref(), &base)?;
                report.stage(&format!("guest cases on {}", kernel.name()), cases);
            }
        }
    }
    if wanted(Stage::Smoke) {
        for kernel in [Kernel::Linux, Kernel::Nos] {
            if arguments.on.is_none_or(|only| only == kernel) {
                let cases = smoke::run(kernel, arguments.only.as_deref(), &base)?;
                report.stage(&format!("whole machines on {}", kernel.name()), cases);
            }
        }
    }
    if wanted(Stage::Smoke) && arguments.on.is_none() && arguments.only.is_none() {
        report.stage("boot time", smoke::boot_time(&base)?);
    }
    if wanted(Stage::Busybox) {
        let applets: Vec<String> = match (&arguments.only, arguments.stage) {
            (Some(names), Some(Stage::Busybox)) => names.split(',').map(Into::into).collect(),
            _ => Vec::new(),
        };
        report.stage("busybox's tests", busybox::run(arguments.on, &applets, &base)?);
    }
    if wanted(Stage::Selftests) {
        let only = arguments.only.as_deref().filter(|_| arguments.stage.is_some());
        report.stage("Linux's self-tests", selftests::run(arguments.on, only, &base)?);
    }
    if wanted(Stage::Script) {
        report.stage("shell script", script::run(&base)?);
    }
    println!("{report}");
    Ok(i32::from(!report.is_clean()))
}

fn host_stages(wanted: impl Fn(Stage) -> bool, report: &mut Report) -> Result<()> {
    if wanted(Stage::Check) {
        report.stage("format and lint", host::check()?);
    }
    if wanted(Stage::Host) {
        report.stage("host tests", host::unit()?);
    }
    if wanted(Stage::Loom) {
        report.stage("loom models", host::loom()?);
    }
    if wanted(Stage::Sanitizer) {
        report.stage("address sanitizer", host::sanitizer()?);
    }
    Ok(())
}

/// The stages that need no machine, and beside them the kernel for those that follow: most of its build is one thread's.
fn host_stages_and_build(debug: bool, report: &mut Report) -> Result<()> {
    thread::scope(|scope| {
        let build = scope.spawn(|| build::build(Profile::from_debug_switch(debug)));
        host_stages(|_| true, report)?;
        build.join().unwrap_or_else(|panic| panic::resume_unwind(panic)).map(drop)
    })
}

/// Format and lint alone.
pub fn check() -> Result<i32> {
    let mut report = Report::new();
    report.stage("format and lint", host::check()?);
    println!("{report}");
    Ok(i32::from(!report.is_clean()))
}

/// Whether one of the comma-separated patterns, in which `*` stands for anything, matches `name`.
pub fn matches(patterns: &str, name: &str) -> bool {
    patterns.split(',').any(|pattern| matches_one(pattern, name))
}

fn matches_one(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            (0..=name.len()).any(|at| name.is_char_boundary(at) && matches_one(rest, &name[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_like_a_shells() {
        assert!(matches("fork*", "fork_copies"));
        assert!(matches("*pipe*", "big_pipe_write"));
        assert!(matches("a,b*c", "bxc"));
        assert!(!matches("fork", "forks"));
        assert!(!matches("*x", "y"));
    }
}
