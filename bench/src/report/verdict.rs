//! What a row says about NOS, and what all of them say together.

use std::collections::BTreeMap;

use crate::results::{Figure, Outcome, Ratio, Row};

/// What a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// NOS is better by every pair of samples.
    Better,
    /// Which is better depends on the samples one compares.
    Unclear,
    /// NOS is worse by every pair of samples.
    Worse,
    /// There is no ratio.
    Missing,
}

impl Verdict {
    /// What `ratio` says: anything but its whole spread on one side of 1 is unclear.
    pub fn of(ratio: Option<Ratio>) -> Self {
        match ratio {
            None => Self::Missing,
            Some(ratio) if ratio.high < 1.0 => Self::Better,
            Some(ratio) if ratio.low > 1.0 => Self::Worse,
            Some(_) => Self::Unclear,
        }
    }

    /// Its name, which is its class in the page too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Unclear => "unclear",
            Self::Worse => "worse",
            Self::Missing => "missing",
        }
    }
}

/// How many rows say what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Rows with NOS better.
    pub better: usize,
    /// Rows whose spread is on both sides of 1.
    pub unclear: usize,
    /// Rows with NOS worse.
    pub worse: usize,
    /// Rows without a ratio.
    pub missing: usize,
    /// The geometric mean of the ratios there are.
    pub geometric_mean: Option<f64>,
}

impl Summary {
    /// Counts `rows`.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut summary = Self::default();
        let (mut logarithms, mut ratios) = (0.0, 0_u32);
        for row in rows {
            let ratio = row.ratio();
            *match Verdict::of(ratio) {
                Verdict::Better => &mut summary.better,
                Verdict::Unclear => &mut summary.unclear,
                Verdict::Worse => &mut summary.worse,
                Verdict::Missing => &mut summary.missing,
            } += 1;
            if let Some(ratio) = ratio {
                logarithms += ratio.median.ln();
                ratios += 1;
            }
        }
        summary.geometric_mean = (ratios > 0).then(|| (logarithms / f64::from(ratios)).exp());
        summary
    }

    /// The rows with a ratio.
    pub fn measured(&self) -> usize {
        self.better + self.unclear + self.worse
    }
}

/// The rows by what was counted and the number of CPUs, each group in the order of the results.
pub fn groups(rows: &[Row]) -> BTreeMap<(Figure, u32), Vec<&Row>> {
    let mut groups: BTreeMap<_, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        groups.entry((row.figure, row.smp)).or_default().push(row);
    }
    groups
}

/// Rows that follow each other and belong to one suite.
pub fn suites<'a>(rows: &[&'a Row]) -> Vec<(&'a str, Vec<&'a Row>)> {
    let mut suites: Vec<(&str, Vec<&Row>)> = Vec::new();
    for row in rows {
        match suites.iter_mut().find(|(suite, _)| *suite == row.suite) {
            Some((_, of_suite)) => of_suite.push(row),
            None => suites.push((&row.suite, vec![row])),
        }
    }
    suites
}

/// Why a row has no ratio, kernel by kernel; empty if it has one.
pub fn reasons(nos: &Outcome, linux: &Outcome) -> String {
    let one = |kernel: &str, outcome: &Outcome| match outcome {
        Outcome::Missing { reason } => Some(format!("{kernel}: {reason}")),
        Outcome::Measured { .. } => None,
    };
    let (nos, linux) = (one("NOS", nos), one("Linux", linux));
    [nos, linux].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// A row's name with its parameters.
pub fn title(row: &Row) -> String {
    if row.label.is_empty() { row.name.clone() } else { format!("{} {}", row.name, row.label) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(low: f64, median: f64, high: f64) -> Verdict {
        Verdict::of(Some(Ratio { median, low, high }))
    }

    #[test]
    fn a_spread_on_both_sides_of_one_is_unclear() {
        assert_eq!(verdict(0.4, 0.5, 0.9), Verdict::Better);
        assert_eq!(verdict(0.4, 0.5, 1.1), Verdict::Unclear);
        assert_eq!(verdict(0.9, 1.3, 1.4), Verdict::Unclear);
        assert_eq!(verdict(1.1, 1.3, 1.4), Verdict::Worse);
        assert_eq!(Verdict::of(None), Verdict::Missing);
    }

    #[test]
    fn equal_figures_are_neither_better_nor_worse() {
        assert_eq!(verdict(1.0, 1.0, 1.0), Verdict::Unclear);
    }

    #[test]
    fn the_summary_counts_every_row_once_and_averages_the_ratios() {
        let rows = [
            crate::report::fixtures::row("half", &[1.0], &[2.0]),
            crate::report::fixtures::row("double", &[8.0], &[4.0]),
            crate::report::fixtures::row("half again", &[1.0], &[2.0]),
            crate::report::fixtures::row("gone", &[], &[2.0]),
        ];
        let summary = Summary::of(&rows);
        let counts = (summary.better, summary.unclear, summary.worse, summary.missing);
        assert_eq!(counts, (2, 0, 1, 1));
        assert_eq!(summary.measured(), 3);
        let mean = summary.geometric_mean.unwrap();
        assert!((mean - 0.5_f64.powf(1.0 / 3.0)).abs() < 1e-12, "{mean}");
        assert_eq!(Summary::of(&[]).geometric_mean, None);
    }
}
