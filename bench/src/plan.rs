//! Which case runs where and how often, and the table of rows that comes of it.
//!
//! Time is measured in several rounds, for every number of CPUs. Kernels take turns, round by round (A B A B), so that whatever
//! else the host does meets both alike; one boot measures all suites that can share a machine. Instructions, which are deterministic, are counted
//! once, or twice to prove that they are, and by as many machines at once as the host has processors. A case that cost its guest the life on a kernel is
//! not run there again. Of a case that has no figure on a kernel in the first round, no time is taken again on any: there is nothing to compare.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use xtask::error::{Error, Result};
use xtask::vm::Options;
use xtask::{rootfs, test};

use crate::devices::Devices;
use crate::guest::{self, Command, Done};
use crate::journal::Journal;
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
    /// Where all that the programs print goes, and what is done.
    pub journal: Journal,
}

/// Runs of the cases of a suite with one kind of figure and one number of CPUs.
#[derive(Clone, Copy)]
struct Pass {
    figure: Figure,
    smp: u32,
    rounds: u32,
}

/// A suite, and what it adds to the root file system if that could be had.
struct Chosen {
    suite: Suite,
    overlays: Result<Vec<PathBuf>>,
}

/// Runs of cases that share a machine in one pass.
struct Step<'a> {
    /// Its name in messages and file names.
    name: &'static str,
    pass: Pass,
    cases: Vec<(&'a Suite, &'a Case)>,
    /// What the suites add to the root file system, or why a suite's part could not be had.
    overlays: std::result::Result<Vec<PathBuf>, String>,
}

/// Measures, and returns a row for every figure that was asked for.
pub fn measure(plan: &Plan) -> Result<Vec<Row>> {
    let chosen: Vec<Chosen> = plan
        .chosen()?
        .into_iter()
        .map(|suite| Chosen { overlays: overlays(&suite), suite })
        .collect();
    let steps = plan.steps(&chosen);
    let progress = progress(steps.iter().map(|step| plan.commands(step)).sum());
    // Before machines run side by side, which would compile them at the same time.
    guest::programs()?;
    // What else the host does makes no difference to counts: they take all its processors.
    let counts: Vec<(usize, System)> = (0..steps.len())
        .filter(|step| steps[*step].pass.figure == Figure::Instructions)
        .flat_map(|step| plan.systems.iter().map(move |system| (step, *system)))
        .collect();
    let counted = counts
        .into_par_iter()
        .with_max_len(1)
        .map(|(step, system)| Ok((step, plan.table(&steps[step], &[system], &progress)?)))
        .collect::<Result<Vec<_>>>()?;
    let mut tables: Vec<Table> = steps.iter().map(|_| Table::default()).collect();
    for (step, table) in counted {
        tables[step].merge(table);
    }
    for (step, table) in steps.iter().zip(&mut tables) {
        if step.pass.figure == Figure::WallClock {
            *table = plan.table(step, &plan.systems, &progress)?;
        }
    }
    progress.finish_and_clear();
    let rows = steps.iter().zip(&tables).flat_map(|(step, table)| plan.rows(step, table));
    Ok(in_order(&chosen, rows.collect()))
}

/// The rows suite by suite, whatever machines they come from.
fn in_order(chosen: &[Chosen], mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_key(|row| chosen.iter().position(|one| one.suite.name == row.suite));
    rows
}

impl Plan {
    /// How often instructions are counted.
    pub fn counts(&self) -> u32 {
        if self.verify { 2 } else { 1 }
    }

    /// The suites with those of their rows that are wanted.
    fn chosen(&self) -> Result<Vec<Suite>> {
        let all = suites::all();
        let known = |name: &&String| all.iter().all(|suite| suite.name != name.as_str());
        if let Some(name) = self.suites.iter().find(known) {
            let names: Vec<&str> = all.iter().map(|suite| suite.name).collect();
            let names = names.join(", ");
            return Err(Error::Usage(format!("no suite is called {name}; there are: {names}")));
        }
        let wanted = |suite: &Suite| {
            self.suites.is_empty() || self.suites.iter().any(|name| name == suite.name)
        };
        Ok(all.into_iter().filter(wanted).filter_map(|suite| self.choose(suite)).collect())
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

    fn steps<'a>(&self, chosen: &'a [Chosen]) -> Vec<Step<'a>> {
        let mut steps = Vec::new();
        for pass in self.passes() {
            for machine in machines(pass, chosen) {
                let of_suite = |one: &&'a Chosen| {
                    let suite = &one.suite;
                    let cases = suite.cases.iter().filter(|case| self.includes(pass, suite, case));
                    cases.map(|case| (suite, case)).collect::<Vec<_>>()
                };
                let cases: Vec<_> = machine.iter().flat_map(of_suite).collect();
                if !cases.is_empty() {
                    let name = match machine.as_slice() {
                        [one] => one.suite.name,
                        _ => "all",
                    };
                    steps.push(Step { name, pass, cases, overlays: all_overlays(&machine) });
                }
            }
        }
        steps
    }

    /// Whether a case belongs into a pass.
    fn includes(&self, pass: Pass, suite: &Suite, case: &Case) -> bool {
        match pass.figure {
            // How long devices take is the host's affair, and no two runs are the same.
            Figure::Instructions => !suite.devices,
            Figure::WallClock => {
                case.scales == Scales::Yes || Some(&pass.smp) == self.settings.smp.iter().min()
            }
        }
    }

    /// The number of commands that a step runs in all.
    fn commands(&self, step: &Step<'_>) -> u64 {
        (step.cases.len() * self.systems.len()) as u64 * u64::from(step.pass.rounds)
    }

    /// All rounds of a step on these kernels, in turn.
    fn table(&self, step: &Step<'_>, systems: &[System], progress: &ProgressBar) -> Result<Table> {
        let mut table = Table::default();
        match &step.overlays {
            Ok(overlays) => {
                for round in 0..step.pass.rounds {
                    for system in systems {
                        let run = Run { step, round, system: *system, overlays };
                        self.boot(&run, &mut table, progress)?;
                    }
                }
            }
            Err(error) => table.download_failed = Some(error.clone()),
        }
        Ok(table)
    }

    /// Runs the cases once on one kernel.
    fn boot(&self, run: &Run<'_>, table: &mut Table, progress: &ProgressBar) -> Result<()> {
        let cases = &run.step.cases;
        let indices: Vec<usize> = (0..cases.len())
            .filter(|index| !table.given_up.contains(&(*index, run.system)))
            .collect();
        progress.inc((cases.len() - indices.len()) as u64);
        let commands: Vec<Command> = indices
            .iter()
            .map(|index| Command {
                shell: cases[*index].1.command.clone(),
                limit: cases[*index].1.limit,
            })
            .collect();
        let options = run.options();
        let title = run.title();
        let input = format!("{options:?} {commands:?}");
        let mut before = 0;
        let results = self.journal.part(&run.file_name(), &input, || {
            if progress.is_hidden() {
                eprintln!("{title} …");
            }
            let devices = Devices::start(cases[0].0, run.overlays)?;
            let options = devices.attached_to(options);
            let raw = self.journal.file(&format!("{}.txt", run.file_name()))?;
            guest::run(&options, &commands, &raw, |index| {
                let row = &cases[indices[index]].1.rows[0];
                progress.inc(index as u64 - before);
                before = index as u64;
                progress.set_message(format!("{title}: {} {}", row.name, row.label));
            })
        })?;
        progress.inc(commands.len() as u64 - before);
        for (index, done) in indices.into_iter().zip(results) {
            let rows = &cases[index].1.rows;
            let has_figure = rows.iter().any(|row| row.value(run.step.pass.figure, &done).is_ok());
            // The second count of the same machine has the same commands: anything else would move all that follows.
            let counts = run.step.pass.figure == Figure::Instructions;
            match &done {
                Err(_) => table.give_up(index, &[run.system]),
                Ok(_) if !counts && !has_figure => table.give_up(index, &self.systems),
                Ok(_) => {}
            }
            table.results.entry((index, run.system)).or_default().push(done);
        }
        Ok(())
    }

    /// The rows of a step.
    fn rows(&self, step: &Step<'_>, table: &Table) -> Vec<Row> {
        let of_case = |(index, (suite, case)): (usize, &(&Suite, &Case))| -> Vec<Row> {
            case.rows.iter().map(|row| self.row(step.pass, suite, index, row, table)).collect()
        };
        step.cases.iter().enumerate().flat_map(of_case).collect()
    }

    fn row(&self, pass: Pass, suite: &Suite, case: usize, row: &Reading, table: &Table) -> Row {
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

/// The suites by the machines that a pass measures them in. Counts take a machine a suite, to run side by side; times are taken in one for all
/// that want no devices.
fn machines(pass: Pass, chosen: &[Chosen]) -> Vec<Vec<&Chosen>> {
    let shares = |one: &&Chosen| {
        pass.figure == Figure::WallClock && !one.suite.devices && one.overlays.is_ok()
    };
    let (together, alone): (Vec<_>, Vec<_>) = chosen.iter().partition(shares);
    std::iter::once(together).chain(alone.into_iter().map(|one| vec![one])).collect()
}

/// What the suites of a machine add to the root file system, each part once.
fn all_overlays(machine: &[&Chosen]) -> std::result::Result<Vec<PathBuf>, String> {
    let mut all: Vec<PathBuf> = Vec::new();
    for one in machine {
        let overlays = one.overlays.as_ref().map_err(ToString::to_string)?;
        all.extend(
            overlays.iter().filter(|overlay| !all.contains(overlay)).cloned().collect::<Vec<_>>(),
        );
    }
    Ok(all)
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
    step: &'a Step<'a>,
    round: u32,
    system: System,
    overlays: &'a [PathBuf],
}

impl Run<'_> {
    fn title(&self) -> String {
        let Pass { figure, smp, rounds } = self.step.pass;
        let what = match figure {
            Figure::Instructions => "instructions".to_owned(),
            Figure::WallClock => format!("time, {smp} CPU{}", if smp == 1 { "" } else { "s" }),
        };
        let (step, system, round) = (self.step.name, self.system.name(), self.round + 1);
        format!("{step} on {system}: {what}, round {round} of {rounds}")
    }

    /// The name of the files about it, without what comes behind the dot.
    fn file_name(&self) -> String {
        let Pass { figure, smp, .. } = self.step.pass;
        let figure = match figure {
            Figure::Instructions => "instructions".to_owned(),
            Figure::WallClock => format!("time-smp{smp}"),
        };
        let (step, system, round) = (self.step.name, self.system.name(), self.round + 1);
        format!("{step}-{figure}-round{round}-{system}")
    }

    fn options(&self) -> Options {
        let mut options = self.system.options();
        options.smp = self.step.pass.smp;
        options.icount = self.step.pass.figure == Figure::Instructions;
        options.overlay = self.overlays.to_vec();
        options
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
    fn give_up(&mut self, case: usize, systems: &[System]) {
        self.given_up.extend(systems.iter().map(|system| (case, *system)));
    }

    /// Takes in what another table has of other kernels.
    fn merge(&mut self, other: Self) {
        self.results.extend(other.results);
        self.given_up.extend(other.given_up);
        self.download_failed = self.download_failed.take().or(other.download_failed);
    }

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
            journal: Journal::new(PathBuf::new()),
        }
    }

    fn chosen() -> Vec<Chosen> {
        suites::all().into_iter().map(|suite| Chosen { suite, overlays: Ok(Vec::new()) }).collect()
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
        assert!(plan.includes(pass(2), &suite, case("lat_pipe")));
        assert!(!plan.includes(pass(4), &suite, case("lat_pipe")));
        assert!(plan.includes(pass(2), &suite, case("bw_pipe")));
        assert!(plan.includes(pass(4), &suite, case("bw_pipe")));
    }

    #[test]
    fn what_depends_on_the_hosts_devices_is_not_counted() {
        let chosen = chosen();
        for step in plan(false, None).steps(&chosen) {
            let devices = step.cases.iter().any(|(suite, _)| suite.devices);
            assert!(!devices || step.pass.figure == Figure::WallClock, "{}", step.name);
        }
    }

    #[test]
    fn times_are_taken_in_one_machine_for_all_that_can_share_it() {
        let mut chosen = chosen();
        chosen[1].overlays = Err(Error::Format("no such package".into()));
        let plan = plan(false, None);
        let steps = plan.steps(&chosen);
        let times: Vec<_> = steps
            .iter()
            .filter(|s| s.pass.figure == Figure::WallClock && s.pass.smp == 2)
            .collect();
        let of = |step: &Step<'_>| -> Vec<&str> {
            let mut names: Vec<_> = step.cases.iter().map(|(suite, _)| suite.name).collect();
            names.dedup();
            names
        };
        assert!(of(times[0]).len() > 3 && !of(times[0]).contains(&chosen[1].suite.name));
        assert_eq!(of(times[1]), [chosen[1].suite.name]);
        assert!(times[1].overlays.is_err());
    }

    #[test]
    fn rows_stand_suite_by_suite() {
        let chosen = chosen();
        let plan = plan(false, None);
        let steps = plan.steps(&chosen);
        let rows = steps.iter().flat_map(|step| plan.rows(step, &Table::default())).collect();
        let mut order: Vec<String> =
            in_order(&chosen, rows).into_iter().map(|row| row.suite).collect();
        order.dedup();
        let suites: Vec<_> = chosen.iter().map(|one| one.suite.name).collect();
        assert_eq!(order, suites);
    }

    #[test]
    fn kernels_that_were_counted_apart_meet_in_one_table() {
        let done = |text: &str| -> Done { Err(text.to_owned()) };
        let mut table = Table::default();
        for system in [System::Linux, System::Nos] {
            let mut of_one = Table::default();
            of_one.results.insert((0, system), vec![done(system.name())]);
            of_one.given_up.insert((0, system));
            table.merge(of_one);
        }
        assert_eq!(table.results[&(0, System::Nos)], [done("nos")]);
        assert_eq!(table.results[&(0, System::Linux)], [done("linux")]);
        assert_eq!(table.given_up.len(), 2);
    }
}
