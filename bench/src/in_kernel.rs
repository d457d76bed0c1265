//! What NOS measures of itself: machines that are started with `kbench` on the kernel's command line, and print a line for every
//! measurement (`kernel/src/bench`).
//!
//! Instructions come from a machine that counts them, with one CPU; times from machines with every number of CPUs that was asked for, of
//! which the measurements count that all CPUs of the machine had to do with.

use std::collections::HashMap;
use std::fs;

use serde::{Deserialize, Serialize};
use xtask::error::{AtPath, Result};
use xtask::progress;
use xtask::vm::{self, Ending};

use crate::journal::Journal;
use crate::machine::System;
use crate::results::{Figure, InKernel, Outcome, Settings};

/// What makes the kernel measure itself.
const SWITCH: &str = "kbench";
/// What comes before every measurement on the console, behind the time.
const MARK: &str = "kbench: ";
/// What the kernel says when it has measured all.
const DONE: &str = "done";
const LIMIT_SECONDS: u64 = 300;

/// Measures everything that is `wanted`, by its name; instructions so many times.
pub fn measure(
    settings: &Settings,
    figures: &[Figure],
    counts: u32,
    wanted: impl Fn(&str) -> bool,
    journal: &Journal,
) -> Result<Vec<InKernel>> {
    let mut table = Table::default();
    if figures.contains(&Figure::Instructions) {
        for round in 1..=counts {
            table.add(1, Figure::Instructions, boot(1, Figure::Instructions, round, journal)?);
        }
    }
    if figures.contains(&Figure::WallClock) {
        for round in 1..=settings.rounds {
            for &cpus in &settings.smp {
                table.add(cpus, Figure::WallClock, boot(cpus, Figure::WallClock, round, journal)?);
            }
        }
    }
    Ok(table.rows().into_iter().filter(|row| wanted(&row.name)).collect())
}

/// What one machine said, and why it stopped early if it did.
#[derive(Serialize, Deserialize)]
struct Said {
    lines: Vec<Line>,
    failure: Option<String>,
}

/// One measurement.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    name: String,
    cpus: u32,
    ns: f64,
    ticks: Option<f64>,
    share: Option<f64>,
}

fn boot(cpus: u32, figure: Figure, round: u32, journal: &Journal) -> Result<Said> {
    let mut options = System::Nos.options();
    options.smp = cpus;
    options.icount = figure == Figure::Instructions;
    options.append = SWITCH.into();
    options.timeout = Some(LIMIT_SECONDS);
    let name = format!("kernel-{figure:?}-smp{cpus}-round{round}");
    journal.part(&name, &format!("{options:?}"), || {
        let _progress = progress::spinner(format!("NOS measures itself, {cpus} CPUs, {figure:?}"));
        said(&vm::run_kernel(&options)?)
    })
}

fn said(outcome: &vm::Outcome) -> Result<Said> {
    let text = fs::read(&outcome.log).at(&outcome.log)?;
    let (lines, done) = parse(&String::from_utf8_lossy(&text));
    let failure = match outcome.ending {
        Ending::Status(0) if done => None,
        Ending::TimedOut => Some(format!("not done within {LIMIT_SECONDS} s")),
        _ => Some(format!("the kernel stopped: {}", outcome.last_words())),
    };
    Ok(Said { lines, failure })
}

/// The measurements on a console, and whether they are all.
fn parse(console: &str) -> (Vec<Line>, bool) {
    let marked = || {
        console.lines().filter(|line| line.starts_with('[')).filter_map(|line| {
            let (_, text) = line.split_once("] ")?;
            text.strip_prefix(MARK)
        })
    };
    (marked().filter_map(parse_line).collect(), marked().any(|text| text.trim_end() == DONE))
}

/// `cpus=2 ns=104.250 ticks=260.625 share=0.981 NAME`, of which only the first two figures are always there.
fn parse_line(text: &str) -> Option<Line> {
    let mut line = Line { name: String::new(), cpus: 0, ns: f64::NAN, ticks: None, share: None };
    let mut rest = text.trim_end();
    while let Some((word, others)) = rest.split_once(' ') {
        match word.split_once('=') {
            Some(("cpus", value)) => line.cpus = value.parse().ok()?,
            Some(("ns", value)) => line.ns = value.parse().ok()?,
            Some(("ticks", value)) => line.ticks = Some(value.parse().ok()?),
            Some(("share", value)) => line.share = Some(value.parse().ok()?),
            _ => break,
        }
        rest = others;
    }
    line.name = rest.to_owned();
    (line.cpus > 0 && line.ns.is_finite() && !line.name.is_empty()).then_some(line)
}

/// Samples by operation and number of CPUs, in the order in which they came.
#[derive(Default)]
struct Table {
    order: Vec<(String, u32)>,
    samples: HashMap<(String, u32), Samples>,
    failures: Vec<InKernel>,
}

#[derive(Default)]
struct Samples {
    ns: Vec<f64>,
    instructions: Vec<f64>,
    shares: Vec<f64>,
}

impl Table {
    fn add(&mut self, cpus: u32, figure: Figure, said: Said) {
        for line in said.lines.into_iter().filter(|line| line.cpus == cpus) {
            let key = (line.name, cpus);
            if !self.samples.contains_key(&key) {
                self.order.push(key.clone());
            }
            let samples = self.samples.entry(key).or_default();
            match figure {
                // A tick of the counter is an instruction there; who idles does not say how many it took.
                Figure::Instructions => samples.instructions.extend(line.ticks),
                Figure::WallClock => {
                    samples.ns.push(line.ns);
                    samples.shares.extend(line.share);
                }
            }
        }
        if let Some(reason) = said.failure {
            let name = format!("{SWITCH} as a whole");
            let missing = InKernel {
                name,
                cpus,
                ns: None,
                instructions: None,
                repeat_difference: None,
                share: None,
                missing: Some(reason),
            };
            self.failures.push(missing);
        }
    }

    fn rows(mut self) -> Vec<InKernel> {
        let row = |(name, cpus): (String, u32)| {
            let samples = self.samples.remove(&(name.clone(), cpus)).unwrap_or_default();
            let instructions = Outcome::measured(samples.instructions);
            InKernel {
                name,
                cpus,
                ns: Outcome::measured(samples.ns).median(),
                instructions: instructions.median(),
                repeat_difference: Outcome::worst_difference([&instructions]),
                share: Outcome::measured(samples.shares).median(),
                missing: None,
            }
        };
        let mut rows: Vec<InKernel> = self.order.into_iter().map(row).collect();
        rows.retain(|row| row.ns.is_some() || row.instructions.is_some());
        rows.extend(self.failures);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE: &str = "[    0.000000] command line: console=ttyS0 kbench\r\n\
        [    0.427166] kbench: cpus=1 ns=41.871 ticks=104.425 alloc 16 B\r\n\
        [    2.268772] kbench: cpus=2 ns=42.944 ticks=105.106 share=0.950 alloc 16 B\r\n\
        [    5.330909] kbench: cpus=2 ns=8448573.012 RCU grace period\r\n\
        kbench: cpus=1 ns=1.000 not the kernel's\r\n\
        [    5.694327] kbench: done\r\n";

    #[test]
    fn lines_of_the_console_are_read() {
        let (lines, done) = parse(CONSOLE);
        assert!(done);
        let names: Vec<_> = lines.iter().map(|line| (line.name.as_str(), line.cpus)).collect();
        assert_eq!(names, [("alloc 16 B", 1), ("alloc 16 B", 2), ("RCU grace period", 2)]);
        assert_eq!(
            (lines[1].ns, lines[1].ticks, lines[1].share),
            (42.944, Some(105.106), Some(0.95))
        );
        assert_eq!((lines[2].ticks, lines[2].share), (None, None));
    }

    #[test]
    fn what_is_no_measurement_is_passed_over() {
        for text in [
            "done",
            "there is no group x",
            "cpus=1 a",
            "cpus=x ns=1.0 a",
            "ns=1.0 a",
            "cpus=1 ns=1.0 ",
        ] {
            assert_eq!(parse_line(text), None, "{text}");
        }
    }

    #[test]
    fn a_machine_counts_for_what_all_its_cpus_did() {
        let mut table = Table::default();
        for _ in 0..3 {
            let (lines, _) = parse(CONSOLE);
            table.add(2, Figure::WallClock, Said { lines, failure: None });
        }
        let (lines, _) = parse(CONSOLE);
        table.add(1, Figure::Instructions, Said { lines, failure: Some("it hung".into()) });
        let rows = table.rows();
        let of = |index: usize| (rows[index].name.as_str(), rows[index].cpus);
        assert_eq!([of(0), of(1)], [("alloc 16 B", 2), ("RCU grace period", 2)]);
        assert_eq!(
            (rows[0].ns, rows[0].instructions, rows[0].share),
            (Some(42.944), None, Some(0.95))
        );
        assert_eq!(
            (of(2), rows[2].ns, rows[2].instructions),
            (("alloc 16 B", 1), None, Some(104.425))
        );
        assert_eq!(rows[3].missing.as_deref(), Some("it hung"));
        assert_eq!(rows.len(), 4);
    }
}
