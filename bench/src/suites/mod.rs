//! What is measured: one file for every suite, most of programs that somebody else wrote.
//!
//! A suite is a list of [`Case`]s: a command for the guest's shell, and the figures to read off what it
//! prints. The programs are Debian's packages, unchanged; a suite knows how to call them and how to read them.

mod fio;
mod lmbench;
mod network;
mod programs;
mod rt_tests;
mod stress_ng;
mod sysbench;
mod threads;
mod virtio;

use std::time::Duration;

use crate::guest::{Done, End, Ran};
use crate::results::{Better, Figure};

/// Programs that belong together.
pub struct Suite {
    /// Its name in results.
    pub name: &'static str,
    /// The Debian packages it comes from.
    pub packages: &'static [&'static str],
    /// The recipes of the root file system's programs that it needs besides.
    pub recipes: &'static [&'static str],
    /// Whether its machine has a disk and a network card (`crate::devices`).
    pub devices: bool,
    /// What is run.
    pub cases: Vec<Case>,
}

/// One command, from whose output one or more figures are read.
pub struct Case {
    /// The line for the guest's shell.
    pub command: String,
    /// The seconds it may take, on the guest's clock.
    pub limit: u32,
    /// Whether more CPUs change what it shows.
    pub scales: Scales,
    /// What is read off its output.
    pub rows: Vec<Reading>,
}

/// Whether more CPUs change what a command shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scales {
    /// It is one thread, or a latency: measured with the least number of CPUs.
    No,
    /// Measured with every number of CPUs.
    Yes,
}

/// One figure in a command's output.
pub struct Reading {
    /// The row's name.
    pub name: String,
    /// The row's parameters.
    pub label: String,
    /// Whether `--quick` measures it.
    pub headline: bool,
    /// What it is.
    pub quantity: Quantity,
    /// Finds it.
    pub read: fn(&Ran) -> Option<f64>,
}

/// What a figure is, and so what it means on a clock that counts instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Nanoseconds.
    Time,
    /// So many of these a second.
    Rate(&'static str),
}

/// All suites, in the order in which they run.
pub fn all() -> Vec<Suite> {
    vec![
        lmbench::suite(),
        rt_tests::suite(),
        stress_ng::suite(),
        sysbench::suite(),
        threads::suite(),
        fio::suite(),
        network::iperf3(),
        network::netperf(),
        virtio::suite(),
        programs::suite(),
    ]
}

impl Case {
    /// A command with one figure that is counted both ways on one CPU.
    fn new(name: &str, label: &str, command: impl Into<String>) -> Self {
        let reading = Reading {
            name: name.into(),
            label: label.into(),
            headline: false,
            quantity: Quantity::Time,
            read: elapsed,
        };
        Self { command: command.into(), limit: 30, scales: Scales::No, rows: vec![reading] }
    }

    /// Read as nanoseconds.
    fn time(mut self, read: fn(&Ran) -> Option<f64>) -> Self {
        for row in &mut self.rows {
            (row.quantity, row.read) = (Quantity::Time, read);
        }
        self
    }

    /// Read as a number of `things` a second.
    fn rate(mut self, things: &'static str, read: fn(&Ran) -> Option<f64>) -> Self {
        for row in &mut self.rows {
            (row.quantity, row.read) = (Quantity::Rate(things), read);
        }
        self
    }

    /// Among those that `--quick` measures.
    fn headline(mut self) -> Self {
        for row in &mut self.rows {
            row.headline = true;
        }
        self
    }
}

impl Reading {
    /// The row's unit for a figure, and which way is better.
    pub fn unit(&self, figure: Figure) -> (String, Better) {
        match (figure, self.quantity) {
            (Figure::Instructions, Quantity::Time) => ("instructions".into(), Better::Lower),
            (Figure::Instructions, Quantity::Rate(things)) => {
                (format!("instructions/{things}"), Better::Lower)
            }
            (Figure::WallClock, Quantity::Time) => ("µs".into(), Better::Lower),
            (Figure::WallClock, Quantity::Rate(things)) => (format!("{things}/s"), Better::Higher),
        }
    }

    /// The figure in the row's unit; the error says why there is none.
    pub fn value(&self, figure: Figure, done: &Done) -> Result<f64, String> {
        let ran = done.as_ref().map_err(Clone::clone)?;
        match ran.end {
            End::Exit(0) => {}
            End::Exit(status) => return Err(format!("exit status {status}{}", said(ran))),
            End::Signal(number) => return Err(format!("killed by signal {number}{}", said(ran))),
            End::Limit => {
                let seconds = ran.elapsed.as_secs();
                return Err(format!("no end in sight after {seconds} s{}", said(ran)));
            }
        }
        let found = (self.read)(ran)
            .filter(|value| value.is_finite() && *value > 0.0)
            .ok_or_else(|| format!("no figure in its output{}", said(ran)))?;
        Ok(match (figure, self.quantity) {
            (Figure::Instructions, Quantity::Time) | (Figure::WallClock, Quantity::Rate(_)) => {
                found
            }
            (Figure::WallClock, Quantity::Time) => found / 1000.0,
            (Figure::Instructions, Quantity::Rate(_)) => 1e9 / found,
        })
    }
}

/// The end of what a command said, for a reason.
fn said(ran: &Ran) -> String {
    let lines: Vec<&str> =
        ran.output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.as_slice() {
        [] => String::new(),
        [.., before, last] => format!(": {before} | {last}"),
        [only] => format!(": {only}"),
    }
}

/// All the time a command took, shell and all.
fn elapsed(ran: &Ran) -> Option<f64> {
    Some(nanoseconds(ran.elapsed))
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// The number in front of the first of these words.
fn number_before(text: &str, word: &str) -> Option<f64> {
    let at = text.find(word)?;
    text[..at].split_whitespace().next_back()?.parse().ok()
}

/// The number behind the first of these words.
fn number_after(text: &str, word: &str) -> Option<f64> {
    let (_, rest) = text.split_once(word)?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xtask::fairness;

    /// Suites that are not called by a benchmark's name: everyday programs, what goes through devices, and a program of our own.
    const NO_BENCHMARKS: [&str; 3] = ["programs", "threads", "virtio"];

    fn ran(output: &str, end: End) -> Done {
        Ok(Ran { output: output.into(), end, elapsed: Duration::from_nanos(2500) })
    }

    #[test]
    fn a_time_is_instructions_or_microseconds() {
        let case = Case::new("n", "l", "c").time(elapsed);
        let value = |figure| case.rows[0].value(figure, &ran("", End::Exit(0))).unwrap();
        assert_eq!(value(Figure::Instructions), 2500.0);
        assert_eq!(value(Figure::WallClock), 2.5);
    }

    #[test]
    fn a_rate_is_instructions_for_one_or_so_many_a_second() {
        let case = Case::new("n", "l", "c").rate("MB", |ran| number_before(&ran.output, "MB/s"));
        let value = |figure| case.rows[0].value(figure, &ran("at 50 MB/s", End::Exit(0))).unwrap();
        assert_eq!(value(Figure::WallClock), 50.0);
        assert_eq!(value(Figure::Instructions), 2e7);
        assert_eq!(case.rows[0].unit(Figure::Instructions).0, "instructions/MB");
    }

    #[test]
    fn a_command_that_fails_says_why() {
        let case = Case::new("n", "l", "c");
        let why = |done: &Done| case.rows[0].value(Figure::WallClock, done).unwrap_err();
        let failed = ran("socket: Address family not supported\n\n", End::Exit(1));
        assert_eq!(why(&failed), "exit status 1: socket: Address family not supported");
        assert_eq!(why(&ran("", End::Signal(11))), "killed by signal 11");
        assert_eq!(why(&ran("x", End::Limit)), "no end in sight after 0 s: x");
        assert_eq!(why(&Err("the guest hung".into())), "the guest hung");
        let silent = Case::new("n", "l", "c").time(|ran| number_before(&ran.output, "ns"));
        let reason = silent.rows[0].value(Figure::WallClock, &ran("nothing", End::Exit(0)));
        assert_eq!(reason.unwrap_err(), "no figure in its output: nothing");
    }

    #[test]
    fn the_fairness_check_knows_all_that_is_run() {
        for suite in all() {
            let is_known = |name: &str| fairness::NAMES.contains(&name);
            let is_none = NO_BENCHMARKS.contains(&suite.name);
            assert!(is_known(suite.name) || is_none, "{}", suite.name);
            for row in suite.cases.iter().flat_map(|case| &case.rows) {
                assert!(!row.name.contains('_') || is_known(&row.name), "{}", row.name);
            }
        }
    }

    #[test]
    fn rows_are_told_apart_by_suite_name_and_label() {
        let mut seen = std::collections::BTreeSet::new();
        for suite in all() {
            for row in suite.cases.iter().flat_map(|case| &case.rows) {
                assert!(seen.insert((suite.name, row.name.clone(), row.label.clone())));
            }
        }
    }
}
