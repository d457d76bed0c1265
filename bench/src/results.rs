//! What a run of the benchmarks found: the model that is written as JSON, reported and compared.
//!
//! Measuring and reporting meet here and nowhere else. Fields are added, never renamed: old results stay
//! readable, which is what history and comparison live from.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use xtask::error::{AtPath, Error, Result};

/// The version of the model that this program writes.
pub const SCHEMA: u32 = 1;

/// One run of the benchmarks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`] at the time of writing.
    pub schema: u32,
    /// Where it was measured.
    pub machine: Machine,
    /// When it was measured, as RFC 3339 has it.
    pub date: String,
    /// The commit of NOS, with `+` behind it if files differed from it.
    pub git: String,
    /// How it was measured.
    pub settings: Settings,
    /// Programs run on both kernels.
    pub rows: Vec<Row>,
    /// Costs as things become many.
    pub growth: Vec<Growth>,
    /// Measurements inside NOS.
    pub kernel: Vec<InKernel>,
    /// Start and size.
    pub boot: Boot,
}

/// The machine that a figure means nothing without.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The host's processor.
    pub host_cpu: String,
    /// The host's number of CPUs.
    pub host_cpus: u32,
    /// The version of QEMU.
    pub qemu_version: String,
    /// What executes the guest in wall-clock rows, in QEMU's words; instruction rows always have TCG.
    pub accelerator: String,
    /// QEMU's CPU model in wall-clock rows.
    pub cpu_model: String,
    /// The guest's memory, in QEMU's words.
    pub guest_memory: String,
    /// The kernels.
    pub kernels: Kernels,
}

/// The kernels that were compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernels {
    /// Ours.
    pub nos: KernelInfo,
    /// The reference, at its fastest.
    pub linux: KernelInfo,
    /// The reference as its distribution starts it, if it was measured too.
    pub linux_stock: Option<KernelInfo>,
}

/// One kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelInfo {
    /// Its release.
    pub version: String,
    /// The command line in wall-clock rows.
    pub command_line: String,
}

/// How it was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The rounds of wall-clock figures.
    pub rounds: u32,
    /// The numbers of CPUs.
    pub smp: Vec<u32>,
    /// Headline rows alone.
    pub quick: bool,
}

/// One figure of one program on the kernels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Whose program it is: `lmbench`.
    pub suite: String,
    /// Its name within the suite: `lat_pipe`.
    pub name: String,
    /// Its parameters, for people; empty if the name says all.
    pub label: String,
    /// The unit of the samples.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
    /// The number of CPUs.
    pub smp: u32,
    /// What was counted.
    pub figure: Figure,
    /// On NOS.
    pub nos: Outcome,
    /// On Linux at its fastest.
    pub linux: Outcome,
    /// On Linux as distributed, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux_stock: Option<Outcome>,
    /// Instruction rows measured twice: how far the two are apart on the worse kernel, 0.001 being 0.1 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_difference: Option<f64>,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Times and counts.
    Lower,
    /// Throughput.
    Higher,
}

/// What was counted.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// The guest's instructions: deterministic, one CPU.
    Instructions,
    /// What passed on the host's clock.
    WallClock,
}

/// What came of one figure on one kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// At least one round gave a number.
    Measured {
        /// One a round.
        samples: Vec<f64>,
        /// Why further rounds gave none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        failures: Vec<String>,
    },
    /// No round gave a number.
    Missing {
        /// Why: what the program, the kernel or the download said.
        reason: String,
    },
}

/// How a cost grows with the number of things there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// The operation.
    pub name: String,
    /// The unit of the samples.
    pub unit: String,
    /// The numbers of things.
    pub sizes: Vec<u32>,
    /// What was counted.
    pub figure: Figure,
    /// On NOS, one for each size.
    pub nos: Vec<Outcome>,
    /// On Linux, one for each size.
    pub linux: Vec<Outcome>,
    /// Measured twice: how far the two are apart at the worst size of the worse kernel, 0.001 being 0.1 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_difference: Option<f64>,
}

impl Growth {
    /// How far two runs are apart, over the sizes that the kernels reached; `None` unless all of them were measured twice.
    pub fn difference(&self) -> Option<f64> {
        let reached = |outcome: &&Outcome| matches!(outcome, Outcome::Measured { .. });
        Outcome::worst_difference(self.nos.iter().chain(&self.linux).filter(reached))
    }
}

/// A measurement that NOS makes of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InKernel {
    /// The operation.
    pub name: String,
    /// The CPUs that do it at once.
    pub cpus: u32,
    /// Nanoseconds that an operation takes one of them; nothing if that was not asked for.
    pub ns: Option<f64>,
    /// Instructions an operation.
    pub instructions: Option<f64>,
    /// Instructions counted twice: how far the two are apart, 0.001 being 0.1 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_difference: Option<f64>,
    /// Where several CPUs compete: how much of the busiest one's operations the least busy one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Why figures are not there, if the kernel failed to measure them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// Start and size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Boot {
    /// Milliseconds from the machine's start to the first instruction of init's command.
    pub first_user_instruction: Pair,
    /// KiB in use when nothing but a shell runs.
    pub idle_memory: Pair,
    /// Bytes of the kernel's image as it is booted.
    pub image_size: Pair,
}

/// One figure on both kernels; lower is better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// On NOS.
    pub nos: Outcome,
    /// On Linux.
    pub linux: Outcome,
}

/// NOS against Linux: below 1, NOS is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The medians' ratio.
    pub median: f64,
    /// NOS's best sample against Linux's worst.
    pub low: f64,
    /// NOS's worst sample against Linux's best.
    pub high: f64,
}

impl Report {
    /// Reads a report.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).at(path)?;
        serde_json::from_slice(&text)
            .map_err(|error| Error::Format(format!("{}: {error}", path.display())))
    }

    /// Writes the report: a line for every row, so that results are small and their versions compare well.
    pub fn write(&self, path: &Path) -> Result<()> {
        let wrong = |error| Error::Format(format!("{}: {error}", path.display()));
        fs::write(path, self.to_json().map_err(wrong)?).at(path)
    }

    fn to_json(&self) -> serde_json::Result<String> {
        let Self { schema, machine, date, git, settings, rows, growth, kernel, boot } = self;
        let fields = [
            ("schema", serde_json::to_string(schema)?),
            ("machine", serde_json::to_string(machine)?),
            ("date", serde_json::to_string(date)?),
            ("git", serde_json::to_string(git)?),
            ("settings", serde_json::to_string(settings)?),
            ("rows", lines(rows)?),
            ("growth", lines(growth)?),
            ("kernel", lines(kernel)?),
            ("boot", serde_json::to_string(boot)?),
        ];
        let fields = fields.map(|(name, value)| format!("\"{name}\": {value}"));
        Ok(format!("{{\n{}\n}}\n", fields.join(",\n")))
    }
}

/// An array with a line for every element.
fn lines<T: Serialize>(elements: &[T]) -> serde_json::Result<String> {
    let lines: Vec<String> =
        elements.iter().map(serde_json::to_string).collect::<serde_json::Result<_>>()?;
    Ok(if lines.is_empty() { "[]".into() } else { format!("[\n{}\n]", lines.join(",\n")) })
}

impl Row {
    /// NOS against Linux at its fastest; `None` if either is missing.
    pub fn ratio(&self) -> Option<Ratio> {
        Ratio::of(self.nos.samples(), self.linux.samples(), self.better)
    }

    /// NOS against Linux as distributed; `None` if either is missing.
    pub fn stock_ratio(&self) -> Option<Ratio> {
        Ratio::of(self.nos.samples(), self.linux_stock.as_ref()?.samples(), self.better)
    }

    /// What tells this row from all others, in this run and in others.
    pub fn key(&self) -> (&str, &str, &str, u32, Figure) {
        (&self.suite, &self.name, &self.label, self.smp, self.figure)
    }
}

impl Pair {
    /// NOS against Linux; `None` if either is missing.
    pub fn ratio(&self) -> Option<Ratio> {
        Ratio::of(self.nos.samples(), self.linux.samples(), Better::Lower)
    }
}

impl Ratio {
    fn of(nos: &[f64], linux: &[f64], better: Better) -> Option<Self> {
        let ((nos_low, nos_high), (linux_low, linux_high)) = (spread(nos)?, spread(linux)?);
        let (nos, linux) = (median(nos)?, median(linux)?);
        let positive = |value: f64| value.is_finite() && value > 0.0;
        if ![nos, linux, nos_low, linux_low].into_iter().all(positive) {
            return None;
        }
        Some(match better {
            Better::Lower => {
                Self { median: nos / linux, low: nos_low / linux_high, high: nos_high / linux_low }
            }
            Better::Higher => {
                Self { median: linux / nos, low: linux_low / nos_high, high: linux_high / nos_low }
            }
        })
    }
}

impl Outcome {
    /// Figures without failures.
    pub fn measured(samples: impl Into<Vec<f64>>) -> Self {
        Self::Measured { samples: samples.into(), failures: Vec::new() }
    }

    /// No figure, and why.
    pub fn missing(reason: impl Into<String>) -> Self {
        Self::Missing { reason: reason.into() }
    }

    /// All rounds in one: [`Self::Measured`] if any of them was.
    pub fn of_rounds(rounds: impl IntoIterator<Item = std::result::Result<f64, String>>) -> Self {
        let (mut samples, mut failures) = (Vec::new(), Vec::new());
        for round in rounds {
            match round {
                Ok(sample) => samples.push(sample),
                Err(reason) => failures.push(reason),
            }
        }
        if samples.is_empty() {
            let never = || "it was never run".to_owned();
            return Self::Missing { reason: failures.into_iter().next().unwrap_or_else(never) };
        }
        Self::Measured { samples, failures }
    }

    /// The samples; none if it is missing.
    pub fn samples(&self) -> &[f64] {
        match self {
            Self::Measured { samples, .. } => samples,
            Self::Missing { .. } => &[],
        }
    }

    /// The median of the samples.
    pub fn median(&self) -> Option<f64> {
        median(self.samples())
    }

    /// How far the samples of the worst outcome are apart, 0.001 being 0.1 %; `None` unless each has two.
    pub fn worst_difference<'a>(outcomes: impl IntoIterator<Item = &'a Self>) -> Option<f64> {
        let difference = |outcome: &Self| {
            let (least, greatest) = outcome.spread()?;
            (outcome.samples().len() >= 2).then_some((greatest - least) / least)
        };
        let differences: Option<Vec<f64>> = outcomes.into_iter().map(difference).collect();
        differences?.into_iter().max_by(f64::total_cmp)
    }

    /// The least and the greatest sample.
    pub fn spread(&self) -> Option<(f64, f64)> {
        spread(self.samples())
    }
}

fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 { upper } else { f64::midpoint(sorted[middle - 1], upper) })
}

fn spread(samples: &[f64]) -> Option<(f64, f64)> {
    let least = samples.iter().copied().min_by(f64::total_cmp)?;
    let greatest = samples.iter().copied().max_by(f64::total_cmp)?;
    Some((least, greatest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(better: Better, nos: &[f64], linux: &[f64]) -> Row {
        Row {
            suite: "suite".into(),
            name: "name".into(),
            label: "label".into(),
            unit: "µs".into(),
            better,
            smp: 1,
            figure: Figure::WallClock,
            nos: Outcome::measured(nos),
            linux: Outcome::measured(linux),
            linux_stock: None,
            repeat_difference: None,
        }
    }

    #[test]
    fn median_is_the_middle_or_the_mean_of_the_two_middle_ones() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn spread_is_from_the_least_to_the_greatest() {
        assert_eq!(Outcome::measured([2.0, 5.0, 1.0]).spread(), Some((1.0, 5.0)));
        assert_eq!(Outcome::missing("why").spread(), None);
    }

    #[test]
    fn a_ratio_below_one_says_that_nos_is_better_whichever_way_is_better() {
        let lower = row(Better::Lower, &[1.0, 2.0, 3.0], &[4.0, 4.0, 5.0]).ratio().unwrap();
        assert_eq!(lower, Ratio { median: 0.5, low: 0.2, high: 0.75 });
        let higher = row(Better::Higher, &[4.0, 4.0, 5.0], &[1.0, 2.0, 3.0]).ratio().unwrap();
        assert_eq!(higher, lower);
    }

    #[test]
    fn there_is_no_ratio_of_what_is_missing_or_nought() {
        assert_eq!(row(Better::Lower, &[], &[1.0]).ratio(), None);
        assert_eq!(row(Better::Lower, &[1.0], &[0.0]).ratio(), None);
        assert_eq!(row(Better::Higher, &[1.0], &[f64::NAN]).ratio(), None);
        assert_eq!(row(Better::Lower, &[1.0], &[1.0]).stock_ratio(), None);
    }

    #[test]
    fn a_round_that_fails_does_not_hide_the_others() {
        let mixed = Outcome::of_rounds([Ok(1.0), Err("hung".to_owned())]);
        assert_eq!(mixed, Outcome::Measured { samples: vec![1.0], failures: vec!["hung".into()] });
        let none = Outcome::of_rounds([Err("first".to_owned()), Err("second".to_owned())]);
        assert_eq!(none, Outcome::missing("first"));
    }

    #[test]
    fn the_worst_difference_needs_two_samples_of_each() {
        let (equal, apart) = (Outcome::measured([2.0, 2.0]), Outcome::measured([100.0, 101.0]));
        assert_eq!(Outcome::worst_difference([&equal, &apart]), Some(0.01));
        assert_eq!(Outcome::worst_difference([&equal, &Outcome::measured([1.0])]), None);
        assert_eq!(Outcome::worst_difference([&equal, &Outcome::missing("why")]), None);
    }

    #[test]
    fn sizes_that_a_kernel_does_not_reach_say_nothing_of_how_curves_repeat() {
        let mut growth = Growth {
            name: "fork".into(),
            unit: "instructions".into(),
            sizes: vec![10, 100],
            figure: Figure::Instructions,
            nos: vec![Outcome::measured([2.0, 2.0]), Outcome::missing("why")],
            linux: vec![Outcome::measured([100.0, 101.0]), Outcome::measured([5.0, 5.0])],
            repeat_difference: None,
        };
        assert_eq!(growth.difference(), Some(0.01));
        growth.linux[1] = Outcome::measured([5.0]);
        assert_eq!(growth.difference(), None);
    }

    #[test]
    fn a_report_is_read_back_as_it_was_written() {
        let pair = || Pair { nos: Outcome::measured([1.0]), linux: Outcome::missing("why") };
        let report = Report {
            schema: SCHEMA,
            machine: Machine::default(),
            date: "2026-01-01T00:00:00Z".into(),
            git: "0123456".into(),
            settings: Settings { rounds: 5, smp: vec![1, 2], quick: false },
            rows: vec![row(Better::Higher, &[1.5], &[])],
            growth: Vec::new(),
            kernel: Vec::new(),
            boot: Boot { first_user_instruction: pair(), idle_memory: pair(), image_size: pair() },
        };
        let text = report.to_json().unwrap();
        assert_eq!(text.lines().filter(|line| line.starts_with("{\"suite\"")).count(), 1);
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
