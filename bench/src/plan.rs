//! Which case runs where and how often, and the table of rows that comes of it.
//!
//! Kernels take turns, round by round (A B A B), so that whatever else the host does meets both alike. Time is
//! measured in several rounds, for every number of CPUs; instructions, which are deterministic, once, or twice
//! to prove that they are. A case that cost its guest the life or its time on a kernel is not run there again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use xtask::error::{Error, Result};
use xtask::{paths, rootfs, test};

use crate::guest::{self, Command, Done, End};
use crate::machine::System;
use crate::packages;
use crate::results::{Figure, Outcome, Row, Settings};
use crate::suites::{self, Case, Reading, Scales, Suite};

/// What to measure.
pub struct Plan {
    /// Rounds and CPUs.
    pub settings: Settings,
    /// The only suites; empty for all.
    pub suites: Vec<String>,
    /// The only rows: names, or names with parameters, with `*` for anything, separated by commas.
    pub only: Option<String>,
    /// What is counted.
    pub figures: Vec<Figure>,
    /// The kernels, in the order of a round.
    pub systems: Vec<System>,
    /// Count instructions twice and say how far the two are apart.
    pub verify: bool,
    /// The folder for all that the programs print.
    pub raw: PathBuf,
}

/// Runs of the cases of a suite with one kind of figure and one number of CPUs.
#[derive(Clone, Copy)]
struct Pass {
    figure: Figure,
    smp: u32,
    rounds: u32,
}

/// Measures, and returns a row for every figure that was asked for.
pub fn measure(plan: &Plan) -> Result<Vec<Row>> {
    let all = suites::all();
    let known = |name: &&String| all.iter().all(|suite| suite.name != name.as_str());
    if let Some(name) = plan.suites.iter().find(known) {
        let names: Vec<&str> = all.iter().map(|suite| suite.name).collect();
        let names = names.join(", ");
        return Err(Error::Usage(format!("no suite is called {name}; there are: {names}")));
    }
    let chosen: Vec<Suite> = all
        .into_iter()
        .filter(|suite| plan.suites.is_empty() || plan.suites.iter().any(|name| name == suite.name))
        .filter_map(|suite| plan.choose(suite))
        .collect();
    let progress = progress(chosen.iter().map(|suite| plan.commands(suite)).sum());
    let mut rows = Vec::new();
    for suite in &chosen {
        rows.extend(plan.suite(suite, &progress)?);
    }
    progress.finish_and_clear();
    Ok(rows)
}

impl Plan {
    /// How often instructions are counted.
    pub fn counts(&self) -> u32 {
        if self.verify { 2 } else { 1 }
    }

    /// The suite with those of its rows that are wanted; `None` if there are none.
    fn choose(&self, mut suite: Suite) -> Option<Suite> {
        for case in &mut suite.cases {
            case.rows.retain(|row| {
                let wanted = |patterns: &String| {
                    test::matches(patterns, &row.name)
                        || test::matches(patterns, &format!("{} {}", row.name, row.label))
                };
                (!self.settings.quick || row.headline) && self.only.as_ref().is_none_or(wanted)
            });
        }
        suite.cases.retain(|case| !case.rows.is_empty());
        (!suite.cases.is_empty()).then_some(suite)
    }

    fn passes(&self) -> Vec<Pass> {
        let mut passes = Vec::new();
        if self.figures.contains(&Figure::Instructions) {
            passes.push(Pass { figure: Figure::Instructions, smp: 1, rounds: self.counts() });
        }
        if self.figures.contains(&Figure::WallClock) {
            let rounds = self.settings.rounds;
            let pass = |smp: &u32| Pass { figure: Figure::WallClock, smp: *smp, rounds };
            passes.extend(self.settings.smp.iter().map(pass));
        }
        passes
    }

    /// Whether a case belongs into a pass.
    fn includes(&self, pass: Pass, case: &Case) -> bool {
        match pass.figure {
            Figure::Instructions => true,
            Figure::WallClock => {
                case.scales == Scales::Yes || Some(&pass.smp) == self.settings.smp.iter().min()
            }
        }
    }

    /// The number of commands that a suite runs in all.
    fn commands(&self, suite: &Suite) -> u64 {
        let of_pass = |pass: Pass| {
            let cases = suite.cases.iter().filter(|case| self.includes(pass, case)).count();
            (cases * self.systems.len()) as u64 * u64::from(pass.rounds)
        };
        self.passes().into_iter().map(of_pass).sum()
    }

    fn suite(&self, suite: &Suite, progress: &ProgressBar) -> Result<Vec<Row>> {
        let overlays = overlays(suite);
        let mut rows = Vec::new();
        for pass in self.passes() {
            let cases: Vec<&Case> =
                suite.cases.iter().filter(|case| self.includes(pass, case)).collect();
            if cases.is_empty() {
                continue;
            }
            let mut table = Table::default();
            match &overlays {
                Ok(overlays) => {
                    for round in 0..pass.rounds {
                        for system in &self.systems {
                            let run = Run { suite, pass, round, system: *system, overlays };
                            self.boot(&run, &cases, &mut table, progress)?;
                        }
                    }
                }
                Err(error) => table.download_failed = Some(error.to_string()),
            }
            for (index, case) in cases.iter().enumerate() {
                rows.extend(case.rows.iter().map(|row| self.row(suite, pass, index, row, &table)));
            }
        }
        Ok(rows)
    }

    /// Runs the cases once on one kernel.
    fn boot(
        &self,
        run: &Run<'_>,
        cases: &[&Case],
        table: &mut Table,
        progress: &ProgressBar,
    ) -> Result<()> {
        let indices: Vec<usize> = (0..cases.len())
            .filter(|index| !table.given_up.contains(&(*index, run.system)))
            .collect();
        progress.inc((cases.len() - indices.len()) as u64);
        let commands: Vec<Command> = indices
            .iter()
            .map(|index| Command {
                shell: cases[*index].command.clone(),
                limit: cases[*index].limit,
            })
            .collect();
        let mut options = run.system.options();
        options.smp = run.pass.smp;
        options.icount = run.pass.figure == Figure::Instructions;
        options.overlay = run.overlays.to_vec();
        let title = run.title();
        if progress.is_hidden() {
            eprintln!("{title} …");
        }
        let mut before = 0;
        let results = guest::run(&options, &commands, &run.raw(&self.raw)?, |index| {
            let row = &cases[indices[index]].rows[0];
            progress.inc(index as u64 - before);
            before = index as u64;
            progress.set_message(format!("{title}: {} {}", row.name, row.label));
        })?;
        progress.inc(commands.len() as u64 - before);
        for (index, done) in indices.into_iter().zip(results) {
            if !matches!(&done, Ok(ran) if ran.end != End::Limit) {
                table.given_up.insert((index, run.system));
            }
            table.results.entry((index, run.system)).or_default().push(done);
        }
        Ok(())
    }

    fn row(&self, suite: &Suite, pass: Pass, case: usize, row: &Reading, table: &Table) -> Row {
        let (unit, better) = row.unit(pass.figure);
        let outcome = |system| table.outcome(case, system, row, pass.figure);
        let (nos, linux) = (outcome(System::Nos), outcome(System::Linux));
        let repeats = self.verify && pass.figure == Figure::Instructions;
        Row {
            suite: suite.name.into(),
            name: row.name.clone(),
            label: row.label.clone(),
            unit,
            better,
            smp: pass.smp,
            figure: pass.figure,
            repeat_difference: if repeats {
                Outcome::worst_difference([&nos, &linux])
            } else {
                None
            },
            linux_stock: self
                .systems
                .contains(&System::StockLinux)
                .then(|| outcome(System::StockLinux)),
            nos,
            linux,
        }
    }
}

/// What a suite adds to the root file system.
fn overlays(suite: &Suite) -> Result<Vec<PathBuf>> {
    let mut overlays = packages::overlays(suite.packages)?;
    for recipe in suite.recipes {
        overlays.push(rootfs::program(recipe)?.root);
    }
    Ok(overlays)
}

/// One boot of one kernel for one suite.
struct Run<'a> {
    suite: &'a Suite,
    pass: Pass,
    round: u32,
    system: System,
    overlays: &'a [PathBuf],
}

impl Run<'_> {
    fn title(&self) -> String {
        let Pass { figure, smp, rounds } = self.pass;
        let what = match figure {
            Figure::Instructions => "instructions".to_owned(),
            Figure::WallClock => format!("time, {smp} CPU{}", if smp == 1 { "" } else { "s" }),
        };
        let (suite, system, round) = (self.suite.name, self.system.name(), self.round + 1);
        format!("{suite} on {system}: {what}, round {round} of {rounds}")
    }

    /// The file for what its commands print.
    fn raw(&self, folder: &Path) -> Result<PathBuf> {
        let Pass { figure, smp, .. } = self.pass;
        let figure = match figure {
            Figure::Instructions => "instructions".to_owned(),
            Figure::WallClock => format!("time-smp{smp}"),
        };
        let (suite, system, round) = (self.suite.name, self.system.name(), self.round + 1);
        let name = format!("{suite}-{figure}-round{round}-{system}.txt");
        Ok(paths::created(folder.to_path_buf())?.join(name))
    }
}

/// What the commands of one pass gave.
#[derive(Default)]
struct Table {
    results: BTreeMap<(usize, System), Vec<Done>>,
    /// Not run again.
    given_up: BTreeSet<(usize, System)>,
    download_failed: Option<String>,
}

impl Table {
    fn outcome(&self, case: usize, system: System, row: &Reading, figure: Figure) -> Outcome {
        if let Some(reason) = &self.download_failed {
            return Outcome::missing(reason);
        }
        let rounds = self.results.get(&(case, system)).map_or(&[][..], Vec::as_slice);
        Outcome::of_rounds(rounds.iter().map(|done| row.value(figure, done)))
    }
}

fn progress(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} (about {eta} left) {wide_msg}")
    {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(quick: bool, only: Option<&str>) -> Plan {
        Plan {
            settings: Settings { rounds: 3, smp: vec![2, 4], quick },
            suites: Vec::new(),
            only: only.map(Into::into),
            figures: vec![Figure::Instructions, Figure::WallClock],
            systems: vec![System::Linux, System::Nos],
            verify: true,
            raw: PathBuf::new(),
        }
    }

    fn lmbench() -> Suite {
        suites::all().into_iter().find(|suite| suite.name == "lmbench").unwrap()
    }

    #[test]
    fn only_picks_rows_by_name_or_name_and_parameters() {
        let rows = |only| {
            let suite = plan(false, Some(only)).choose(lmbench());
            suite.map_or(0, |suite| suite.cases.iter().flat_map(|case| &case.rows).count())
        };
        assert_eq!(rows("lat_pipe"), 1);
        assert_eq!(rows("lat_syscall stat"), 1);
        assert_eq!(rows("lat_syscall *"), 6);
        assert_eq!(rows("nothing"), 0);
    }

    #[test]
    fn quick_keeps_headlines_alone() {
        let suite = plan(true, None).choose(lmbench()).unwrap();
        assert!(suite.cases.iter().flat_map(|case| &case.rows).all(|row| row.headline));
    }

    #[test]
    fn latencies_run_with_the_least_number_of_cpus_and_throughput_with_all() {
        let plan = plan(false, None);
        let suite = lmbench();
        let pass = |smp| Pass { figure: Figure::WallClock, smp, rounds: 1 };
        let case = |name| suite.cases.iter().find(|case| case.rows[0].name == name).unwrap();
        assert!(plan.includes(pass(2), case("lat_pipe")));
        assert!(!plan.includes(pass(4), case("lat_pipe")));
        assert!(plan.includes(pass(2), case("bw_pipe")));
        assert!(plan.includes(pass(4), case("bw_pipe")));
    }
}
