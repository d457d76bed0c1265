//! Running programs in the guest one after the other, by the runner of `tests-ltp`.
//!
//! A kernel that dies takes only the case down that was running: the machine boots again and goes on
//! with the next one.

use std::path::{Path, PathBuf};

use super::results::{Case, Verdict};
use super::tap;
use crate::error::Result;
use crate::vm::{self, Ending, Options, Outcome};
use crate::{paths, progress, rootfs};

/// Where the runner is in an overlay.
const RUNNER: &str = "run/nos/runner";
/// How many machines may die before the rest is given up.
const MOST_DEATHS: usize = 12;

/// The machine that runs cases.
pub struct Machine {
    /// What is laid over the root file system: the programs, and the runner ([`install`]).
    pub overlays: Vec<PathBuf>,
    /// Where the programs are in the guest.
    pub folder: &'static str,
    /// The time limit of one case, in seconds.
    pub case_limit: u64,
    /// The time limit of the machine, in seconds.
    pub machine_limit: u64,
    /// The log file for the runner's output.
    pub log: String,
    /// The kernel and the machine.
    pub base: Options,
}

/// Puts the runner into an overlay.
pub fn install(overlay: &Path) -> Result<()> {
    paths::created(overlay.join("run/nos"))?;
    rootfs::compile(&[paths::root().join("tests-ltp/runner.c")], &[], &overlay.join(RUNNER))
}

impl Machine {
    /// Runs the programs of these names, each with its arguments if the name has blanks.
    pub fn run(&self, mut left: Vec<String>) -> Result<Vec<Case>> {
        let mut cases = Vec::new();
        let mut deaths = 0;
        while !left.is_empty() && deaths < MOST_DEATHS {
            let mut options = Options { overlay: self.overlays.clone(), ..self.base.clone() };
            options.timeout = Some(self.machine_limit);
            options.command = [&format!("/{RUNNER}"), self.folder, &self.case_limit.to_string()]
                .into_iter()
                .map(Into::into)
                .chain(left.iter().cloned())
                .collect();
            let kernel = options.on.name();
            let _progress = progress::spinner(format!("{} cases on {kernel}", left.len()));
            let outcome = vm::run_logged(&options, &paths::log(&self.log)?)?;
            let tap = tap::parse(&String::from_utf8_lossy(&outcome.output));
            let finished = tap.cases.len();
            cases.extend(tap.cases);
            if tap.complete {
                left.clear();
                break;
            }
            deaths += 1;
            let name = tap.unfinished.unwrap_or_else(|| left[finished.min(left.len() - 1)].clone());
            left = left.split_off(left.iter().position(|one| *one == name).map_or(1, |at| at + 1));
            cases.push(dead(name, &outcome));
        }
        for name in left {
            let verdict = Verdict::Failed("not run: the kernel died too often".into());
            cases.push(Case::new(name, verdict));
        }
        Ok(cases)
    }
}

/// The case that was running when the machine stopped.
fn dead(name: String, outcome: &Outcome) -> Case {
    let why = match outcome.ending {
        Ending::TimedOut => "the machine ran out of time",
        Ending::Panicked => "the kernel stopped",
        Ending::Status(_) => "the runner ended early",
    };
    Case { name, verdict: Verdict::Failed(why.into()), output: outcome.last_words() }
}
