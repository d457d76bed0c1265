//! What programs showed: bars by suite, and a table of everything.

use maud::{Markup, PreEscaped, html};
use xtask::error::Result;

use crate::report::verdict::{Verdict, groups, reasons, suites, title};
use crate::report::{cpus, figure_name, number, plots};
use crate::results::{Better, Outcome, Ratio, Report, Row};

use super::value;

/// Bars of all rows, by what was counted, the number of CPUs and suite.
pub fn bars(report: &Report) -> Result<Markup> {
    let range = plots::ratios::common_range(&report.rows);
    let mut pictures = Vec::new();
    for ((figure, smp), rows) in groups(&report.rows) {
        for (suite, rows) in suites(&rows) {
            let heading = format!("{suite}: {}, {}", figure_name(figure).to_lowercase(), cpus(smp));
            pictures.push((heading, plots::ratios::bars(&rows, range)?));
        }
    }
    Ok(html! {
        p.note {
            "NOS/Linux on a logarithmic axis: half and double are equally far from 1. The thin line is the spread: from NOS's best sample "
            "against Linux's worst to the opposite."
        }
        @for (heading, picture) in pictures {
            h3 { (heading) }
            div.wide { (PreEscaped(picture)) }
        }
    })
}

/// A table of all rows for each figure and number of CPUs.
pub fn tables(report: &Report) -> Markup {
    let stock = report.machine.kernels.linux_stock.is_some();
    html! {
        p.note { "Medians, with the least and the greatest sample below them." }
        @for ((figure, smp), rows) in groups(&report.rows) {
            h3 { (figure_name(figure)) ", " (cpus(smp)) }
            div.wide { table {
                thead { tr {
                    th { "suite" } th { "row" } th { "unit" }
                    th.n { "NOS" } th.n { "Linux" } th.n { "NOS/Linux" }
                    @if stock { th.n { "Linux, stock" } th.n { "NOS/stock" } }
                    th { "" }
                } }
                tbody { @for row in rows { (line(row, stock)) } }
            } }
        }
    }
}

fn line(row: &Row, stock: bool) -> Markup {
    let verdict = Verdict::of(row.ratio());
    html! {
        tr class=(verdict.name()) {
            td { (row.suite) }
            td.name { (title(row)) }
            td { (row.unit) @if row.better == Better::Higher { br; small { "more is better" } } }
            td.n { (value(&row.nos)) }
            td.n { (value(&row.linux)) }
            td.n { (ratio(row.ratio())) }
            @if stock {
                td.n { @if let Some(outcome) = &row.linux_stock { (value(outcome)) } }
                td.n { (ratio(row.stock_ratio())) }
            }
            td.reason { (notes(row)) }
        }
    }
}

fn ratio(ratio: Option<Ratio>) -> Markup {
    let verdict = Verdict::of(ratio);
    html! {
        span class=(verdict.name()) {
            @match ratio {
                Some(ratio) => {
                    (number::ratio(ratio.median))
                    @if ratio.low < ratio.high {
                        br; small { (number::ratio(ratio.low)) "–" (number::ratio(ratio.high)) }
                    }
                },
                None => "missing",
            }
        }
    }
}

/// Why a row is missing, or why some of its rounds are.
fn notes(row: &Row) -> String {
    let missing = reasons(&row.nos, &row.linux);
    let failed = |kernel: &str, outcome: &Outcome| match outcome {
        Outcome::Measured { samples, failures } if !failures.is_empty() => {
            let rounds = samples.len() + failures.len();
            let failures = failures.join("; ");
            Some(format!("{kernel}: {} of {rounds} rounds: {failures}", rounds - samples.len()))
        }
        _ => None,
    };
    let failed = [failed("NOS", &row.nos), failed("Linux", &row.linux)];
    let notes = [Some(missing).filter(|reason| !reason.is_empty())].into_iter().chain(failed);
    notes.flatten().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn rounds_that_failed_are_told_beside_those_that_did_not() {
        let mut row = fixtures::row("a", &[1.0, 2.0], &[1.0]);
        assert_eq!(notes(&row), "");
        row.nos = Outcome::Measured { samples: vec![1.0, 2.0], failures: vec!["hung".into()] };
        assert_eq!(notes(&row), "NOS: 1 of 3 rounds: hung");
    }

    #[test]
    fn a_line_has_the_class_of_its_verdict() {
        let class = |nos: &[f64], linux: &[f64]| {
            let text = line(&fixtures::row("a", nos, linux), false).into_string();
            text.split('"').nth(1).unwrap().to_owned()
        };
        assert_eq!(class(&[1.0], &[2.0]), "better");
        assert_eq!(class(&[2.0], &[1.0]), "worse");
        assert_eq!(class(&[1.0, 3.0], &[2.0]), "unclear");
        assert_eq!(class(&[], &[2.0]), "missing");
    }
}
