//! Past results: a folder of them, kept small, and what the chosen rows were in each.

use std::fs;
use std::path::{Path, PathBuf};

use xtask::error::{AtPath, Result};

use super::Headlines;
use super::verdict::{Summary, title};
use crate::results::{Figure, Report, Row};

/// Results of each kind, whole and quick ones, that are kept.
pub const KEPT: usize = 12;

/// The chosen rows over results, oldest first.
#[derive(Debug, PartialEq)]
pub struct History {
    /// What names a result: its day and commit.
    pub labels: Vec<String>,
    /// The geometric mean first, then a line a row.
    pub lines: Vec<Line>,
    /// Results that were made with another QEMU, whose instructions do not compare.
    pub left_out: usize,
}

/// One row over results.
#[derive(Debug, PartialEq)]
pub struct Line {
    /// The row.
    pub title: String,
    /// NOS/Linux in instructions; `None` where a result lacks it.
    pub ratios: Vec<Option<f64>>,
}

impl History {
    /// The headline rows in `newest` and the results before it.
    pub fn of(newest: &Report, others: &[Report], headlines: &Headlines) -> Self {
        let (mut results, left_out): (Vec<&Report>, Vec<&Report>) = others
            .iter()
            .filter(|other| other.date < newest.date)
            .filter(|other| counted(other).any(|row| headlines.contains(row)))
            .partition(|other| other.machine.qemu_version == newest.machine.qemu_version);
        results.sort_by(|one, other| one.date.cmp(&other.date));
        results.push(newest);

        let chosen: Vec<&Row> = counted(newest).filter(|row| headlines.contains(row)).collect();
        let found = |report: &'_ Report, row: &Row| {
            counted(report).find(|other| other.key() == row.key()).and_then(Row::ratio)
        };
        // The mean means the same in every result: of rows that all of them have.
        let in_all: Vec<&Row> = chosen
            .iter()
            .copied()
            .filter(|row| results.iter().all(|report| found(report, row).is_some()))
            .collect();
        let mean = |report: &Report| {
            let of_report = |row: &&Row| counted(report).find(|other| other.key() == row.key());
            Summary::of(in_all.iter().filter_map(of_report)).geometric_mean
        };
        let mut lines = vec![Line {
            title: format!("geometric mean of the {} headline rows in all results", in_all.len()),
            ratios: results.iter().map(|report| mean(report)).collect(),
        }];
        lines.extend(chosen.iter().map(|row| Line {
            title: format!("{} {}", row.suite, title(row)),
            ratios:
                results.iter().map(|report| found(report, row).map(|ratio| ratio.median)).collect(),
        }));
        lines.retain(|line| line.ratios.iter().any(Option::is_some));
        let labels = results.iter().map(|report| label(report)).collect();
        Self { labels, lines, left_out: left_out.len() }
    }
}

/// The rows that are counted in instructions.
fn counted(report: &Report) -> impl Iterator<Item = &Row> {
    report.rows.iter().filter(|row| row.figure == Figure::Instructions)
}

/// `01-31 0123456`.
fn label(report: &Report) -> String {
    let day = report.date.split('T').next().unwrap_or_default();
    let day = day.split_once('-').map_or(day, |(_, day)| day);
    format!("{day} {}", report.git)
}

/// All results in `folder`, oldest first; none if there is no such folder.
pub fn read(folder: &Path) -> Result<Vec<(PathBuf, Report)>> {
    let mut results = Vec::new();
    if !folder.exists() {
        return Ok(results);
    }
    for entry in fs::read_dir(folder).at(folder)? {
        let path = entry.at(folder)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            results.push((path.clone(), Report::read(&path)?));
        }
    }
    results.sort_by(|(_, one), (_, other)| one.date.cmp(&other.date));
    Ok(results)
}

/// Removes all but the newest [`KEPT`] whole and [`KEPT`] quick results; which ones.
pub fn prune(folder: &Path) -> Result<Vec<PathBuf>> {
    let results = read(folder)?;
    let mut removed = Vec::new();
    for quick in [false, true] {
        let of_kind: Vec<_> =
            results.iter().filter(|(_, report)| report.settings.quick == quick).collect();
        for (path, _) in of_kind.iter().rev().skip(KEPT) {
            fs::remove_file(path).at(path)?;
            removed.push(path.clone());
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{report, row};

    fn dated(day: u32, rows: Vec<Row>) -> Report {
        Report { date: format!("2026-01-{day:02}T00:00:00Z"), rows, ..report() }
    }

    #[test]
    fn lines_follow_rows_over_results_and_leave_gaps_where_one_lacks_them() {
        let first = dated(1, vec![row("a", &[1.0], &[2.0])]);
        let second = dated(2, vec![row("a", &[1.0], &[4.0]), row("b", &[3.0], &[1.0])]);
        let newest = dated(3, vec![row("a", &[1.0], &[1.0]), row("b", &[1.0], &[1.0])]);
        let later = dated(4, Vec::new());
        let history = History::of(&newest, &[second, first, later], &Headlines::all());
        assert_eq!(history.labels, ["01-01 0123456", "01-02 0123456", "01-03 0123456"]);
        let ratios: Vec<_> = history.lines.iter().map(|line| line.ratios.clone()).collect();
        assert_eq!(ratios[1], [Some(0.5), Some(0.25), Some(1.0)]);
        assert_eq!(ratios[2], [None, Some(3.0), Some(1.0)]);
        let mean: Vec<f64> = ratios[0].iter().map(|ratio| ratio.unwrap()).collect();
        assert!(mean.iter().zip([0.5, 0.25, 1.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{mean:?}");
    }

    #[test]
    fn results_without_a_headline_row_are_not_part_of_it() {
        let newest = dated(2, vec![row("a", &[1.0], &[2.0])]);
        let history = History::of(&newest, &[dated(1, Vec::new())], &Headlines::all());
        assert_eq!((history.labels.len(), history.left_out), (1, 0));
    }

    #[test]
    fn results_of_another_qemu_are_left_out_and_counted() {
        let mut other = dated(1, vec![row("a", &[1.0], &[2.0])]);
        other.machine.qemu_version = "QEMU 1".into();
        let newest = dated(2, vec![row("a", &[1.0], &[2.0])]);
        let history = History::of(&newest, &[other], &Headlines::all());
        assert_eq!((history.labels.len(), history.left_out), (1, 1));
    }

    #[test]
    fn a_row_that_no_result_has_a_ratio_of_has_no_line() {
        let newest = dated(1, vec![row("a", &[1.0], &[2.0]), row("b", &[], &[2.0])]);
        let history = History::of(&newest, &[], &Headlines::all());
        let titles: Vec<_> = history.lines.iter().skip(1).map(|line| &line.title).collect();
        assert_eq!(titles, ["lmbench a"]);
    }

    #[test]
    fn only_headline_rows_are_drawn() {
        let newest = dated(1, vec![row("a", &[1.0], &[2.0]), row("b", &[1.0], &[2.0])]);
        let headlines = Headlines::new([("lmbench".into(), "b".into(), String::new())]);
        let history = History::of(&newest, &[], &headlines);
        let titles: Vec<_> = history.lines.iter().skip(1).map(|line| &line.title).collect();
        assert_eq!(titles, ["lmbench b"]);
    }

    #[test]
    fn pruning_keeps_the_newest_of_each_kind() {
        let folder = tempfile::tempdir().unwrap();
        for day in 1..=14 {
            for quick in [false, true] {
                let mut report = dated(day, Vec::new());
                report.settings.quick = quick;
                report.write(&folder.path().join(format!("{day}-{quick}.json"))).unwrap();
            }
        }
        let mut removed: Vec<_> = prune(folder.path())
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        removed.sort();
        assert_eq!(removed, ["1-false.json", "1-true.json", "2-false.json", "2-true.json"]);
        assert_eq!(read(folder.path()).unwrap().len(), 2 * KEPT);
    }
}
