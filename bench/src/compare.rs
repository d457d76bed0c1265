//! `--compare`: what became worse on NOS between two results, in instructions alone, for those are deterministic.
//!
//! Rows, growth curves size by size, and the kernel's own measurements are compared. What had a figure and has none any more
//! counts as worse; what a quick run does not measure is only counted.

use std::collections::BTreeMap;
use std::fmt;

use crate::results::{Better, Figure, Outcome, Report};

/// By how much a figure may become worse.
pub const TOLERANCE: f64 = 0.05;

/// What changed between two results.
#[derive(Debug, Default, PartialEq)]
pub struct Comparison {
    /// Figures that became worse by more than [`TOLERANCE`], the worst first.
    pub worse: Vec<Change>,
    /// Figures that became better by more than that, the best first.
    pub better: Vec<Change>,
    /// Figures that are gone, and why.
    pub gone: Vec<(String, String)>,
    /// Figures that the newer run, being quick, did not measure.
    pub not_measured: usize,
    /// Figures that both have.
    pub compared: usize,
}

/// One figure, then and now.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What it is of.
    pub name: String,
    /// How many times worse it is now.
    pub times: f64,
    /// What it was.
    pub old: f64,
    /// What it is.
    pub new: f64,
    /// The unit of both.
    pub unit: String,
}

/// A figure of NOS.
struct Count {
    outcome: Outcome,
    better: Better,
    unit: String,
}

impl Comparison {
    /// Compares what NOS did in `new` with what it did in `old`.
    pub fn of(old: &Report, new: &Report) -> Self {
        let (before, after) = (counts(old), counts(new));
        let mut comparison = Self::default();
        for (name, count) in before {
            let Some(old_median) = count.outcome.median() else { continue };
            match after.get(&name).map(|count| &count.outcome) {
                None if new.settings.quick && !old.settings.quick => comparison.not_measured += 1,
                None => comparison.gone.push((name, "the newer result lacks it".into())),
                Some(Outcome::Missing { reason }) => comparison.gone.push((name, reason.clone())),
                Some(now @ Outcome::Measured { .. }) => {
                    comparison.compared += 1;
                    let new_median = now.median().unwrap_or(f64::NAN);
                    let times = match count.better {
                        Better::Lower => new_median / old_median,
                        Better::Higher => old_median / new_median,
                    };
                    let (old, new) = (old_median, new_median);
                    let change = Change { name, times, old, new, unit: count.unit };
                    if times < 1.0 / (1.0 + TOLERANCE) {
                        comparison.better.push(change);
                    } else if times > 1.0 + TOLERANCE || !times.is_finite() {
                        comparison.worse.push(change);
                    }
                }
            }
        }
        comparison.worse.sort_by(|one, other| other.times.total_cmp(&one.times));
        comparison.better.sort_by(|one, other| one.times.total_cmp(&other.times));
        comparison
    }

    /// Whether nothing became worse and nothing is gone.
    pub fn is_good(&self) -> bool {
        self.worse.is_empty() && self.gone.is_empty()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = TOLERANCE * 100.0;
        writeln!(formatter, "{} figures compared, in instructions", self.compared)?;
        if self.not_measured > 0 {
            writeln!(formatter, "{} more are not part of the newer, quick run", self.not_measured)?;
        }
        let list = |formatter: &mut fmt::Formatter<'_>, changes: &[Change]| {
            changes.iter().try_for_each(|one| {
                let change = (one.times - 1.0) * 100.0;
                let Change { name, old, new, unit, .. } = one;
                writeln!(formatter, "  {name}: {old:.1} → {new:.1} {unit} ({change:+.1} %)")
            })
        };
        if !self.better.is_empty() {
            writeln!(formatter, "more than {percent} % better:")?;
            list(formatter, &self.better)?;
        }
        if !self.worse.is_empty() {
            writeln!(formatter, "more than {percent} % worse:")?;
            list(formatter, &self.worse)?;
        }
        if !self.gone.is_empty() {
            writeln!(formatter, "gone:")?;
            self.gone.iter().try_for_each(|(name, reason)| {
                writeln!(formatter, "  {name}: {}", reason.lines().next().unwrap_or_default())
            })?;
        }
        if self.is_good() {
            writeln!(formatter, "nothing became more than {percent} % worse")?;
        }
        Ok(())
    }
}

/// NOS's figures in instructions by name.
fn counts(report: &Report) -> BTreeMap<String, Count> {
    let mut counts = BTreeMap::new();
    for row in report.rows.iter().filter(|row| row.figure == Figure::Instructions) {
        let name = [&row.suite, &row.name, &row.label].map(String::as_str).join(" ");
        let count = Count { outcome: row.nos.clone(), better: row.better, unit: row.unit.clone() };
        counts.insert(name.trim_end().to_owned(), count);
    }
    for growth in report.growth.iter().filter(|growth| growth.figure == Figure::Instructions) {
        for (size, outcome) in growth.sizes.iter().zip(&growth.nos) {
            let count = Count {
                outcome: outcome.clone(),
                better: Better::Lower,
                unit: growth.unit.clone(),
            };
            counts.insert(format!("growth {} at {size}", growth.name), count);
        }
    }
    for one in &report.kernel {
        if let Some(instructions) = one.instructions {
            let count = Count {
                outcome: Outcome::measured([instructions]),
                better: Better::Lower,
                unit: "instructions".into(),
            };
            counts.insert(format!("kernel {} on {} CPUs", one.name, one.cpus), count);
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{report, row};
    use crate::results::Row;

    fn with(rows: Vec<Row>) -> Report {
        Report { rows, growth: Vec::new(), kernel: Vec::new(), ..report() }
    }

    fn compare(old: &[f64], new: &[f64]) -> Comparison {
        Comparison::of(&with(vec![row("a", old, &[9.0])]), &with(vec![row("a", new, &[1.0])]))
    }

    #[test]
    fn five_per_cent_more_is_let_pass_and_six_is_not() {
        assert!(compare(&[100.0], &[105.0]).is_good());
        let worse = compare(&[100.0], &[106.0]);
        assert!(!worse.is_good());
        assert_eq!(worse.worse[0].name, "lmbench a");
        assert!(worse.to_string().contains("lmbench a: 100.0 → 106.0 instructions (+6.0 %)"));
    }

    #[test]
    fn what_linux_does_changes_nothing() {
        let old = with(vec![row("a", &[100.0], &[1000.0])]);
        let new = with(vec![row("a", &[100.0], &[1.0])]);
        assert_eq!(Comparison::of(&old, &new), Comparison { compared: 1, ..Default::default() });
    }

    #[test]
    fn where_more_is_better_less_is_worse() {
        let higher = |value: f64| Row { better: Better::Higher, ..row("a", &[value], &[1.0]) };
        let (high, low) = (with(vec![higher(100.0)]), with(vec![higher(50.0)]));
        assert_eq!(Comparison::of(&high, &low).worse.len(), 1);
        assert!(Comparison::of(&low, &high).is_good());
        assert_eq!(Comparison::of(&low, &high).better.len(), 1);
    }

    #[test]
    fn a_row_that_is_gone_or_missing_counts_as_worse() {
        let old = with(vec![row("a", &[1.0], &[1.0]), row("b", &[1.0], &[1.0])]);
        let mut lost = row("b", &[], &[1.0]);
        lost.nos = Outcome::missing("panicked\nat once");
        let found = Comparison::of(&old, &with(vec![lost]));
        assert!(!found.is_good());
        let text = found.to_string();
        assert!(text.contains("  lmbench a: the newer result lacks it\n"), "{text}");
        assert!(text.contains("  lmbench b: panicked\n"), "{text}");
    }

    #[test]
    fn what_was_missing_before_is_not_missed() {
        assert!(compare(&[], &[]).is_good());
        assert!(compare(&[], &[1.0]).is_good());
    }

    #[test]
    fn a_quick_run_is_not_blamed_for_what_it_does_not_measure() {
        let old = with(vec![row("a", &[1.0], &[1.0])]);
        let mut new = with(Vec::new());
        new.settings.quick = true;
        let found = Comparison::of(&old, &new);
        assert!(found.is_good());
        assert_eq!(found.not_measured, 1);
        let mut quick = old.clone();
        quick.settings.quick = true;
        assert!(!Comparison::of(&quick, &new).is_good());
    }

    #[test]
    fn wall_clock_rows_are_not_compared() {
        let wall = |value: f64| Row { figure: Figure::WallClock, ..row("a", &[value], &[1.0]) };
        let found = Comparison::of(&with(vec![wall(1.0)]), &with(vec![wall(9.0)]));
        assert_eq!(found, Comparison::default());
    }

    #[test]
    fn growth_is_compared_size_by_size_and_so_is_the_kernel() {
        let old = report();
        let mut new = report();
        new.growth[0].nos[1] = Outcome::measured([240.0]);
        new.kernel[0].instructions = Some(80.0);
        let names: Vec<_> =
            Comparison::of(&old, &new).worse.into_iter().map(|change| change.name).collect();
        assert_eq!(names, ["growth fork at 1000", "kernel alloc 16 B on 2 CPUs"]);
    }
}
