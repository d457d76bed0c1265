//! The page: self-contained, with its style and its pictures inside; it loads nothing and runs nothing.
//!
//! * [`rows`]: what programs showed, as bars and as tables
//! * [`growth`]: the curves
//! * [`facts`]: start, size, the kernel's own measurements, repeatability, the machine
//!
//! maud escapes all text; the pictures' text is escaped by plotters.

mod facts;
mod growth;
mod rows;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use xtask::error::Result;

use super::history::History;
use super::plots;
use super::verdict::{Summary, Verdict, groups, title};
use super::{cpus, figure_name, number};
use crate::results::{Outcome, Report};

const STYLE: &str = include_str!("style.css");

/// The page about `report`.
pub fn page(report: &Report, history: &History) -> Result<String> {
    let sections = [
        Some(("summary", "Summary", summary(report))),
        Some(("rows", "Programs", rows::bars(report)?)),
        some(report.growth.is_empty(), "growth", "Growth", || growth::curves(&report.growth))?,
        Some(("start", "Start and size", facts::start(report))),
        some(report.kernel.is_empty(), "kernel", "Inside the kernel", || {
            Ok(facts::kernel(&report.kernel))
        })?,
        some(history.labels.len() < 2, "history", "History", || past(history))?,
        Some(("all", "Every row", rows::tables(report))),
        Some(("repeat", "Repeatability", facts::repeatability(report))),
        Some(("machine", "Machine", facts::machine(report))),
    ];
    let sections = || sections.iter().flatten();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "NOS against Linux, " (day(report)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { div {
                    h1 { "NOS against Linux" }
                    p {
                        (day(report)) " · NOS at " code { (report.git) } " · Linux "
                        (report.machine.kernels.linux.version)
                        @if report.settings.quick { " · headline rows alone" }
                    }
                } }
                nav { ul {
                    @for (id, name, _) in sections() { li { a href={ "#" (id) } { (name) } } }
                } }
                main {
                    @for (id, name, body) in sections() {
                        section id=(id) { h2 { (name) } (body) }
                    }
                    footer {
                        "Same virtual machine, same files, same programs, in turn. How, and why it is fair: "
                        code { "docs/benchmarking.md" } "."
                    }
                }
            }
        }
    };
    Ok(page.into_string())
}

type Section = (&'static str, &'static str, Markup);

/// A section, unless there is nothing for it.
fn some(
    is_empty: bool,
    id: &'static str,
    name: &'static str,
    body: impl FnOnce() -> Result<Markup>,
) -> Result<Option<Section>> {
    if is_empty { Ok(None) } else { Ok(Some((id, name, body()?))) }
}

fn day(report: &Report) -> &str {
    report.date.split('T').next().unwrap_or_default()
}

fn summary(report: &Report) -> Markup {
    html! {
        p.note {
            "All figures are ratios NOS/Linux, turned so that below 1 NOS is better. A row counts as better or worse only if its whole "
            "spread is on that side of 1, and as missing if one of the kernels gave no figure. Linux runs at its fastest, without what its "
            "distribution adds for safety."
        }
        div.tiles {
            @for ((figure, smp), rows) in groups(&report.rows) {
                (tile(&format!("{}, {}", figure_name(figure), cpus(smp)), &Summary::of(rows)))
            }
        }
        @if report.rows.is_empty() { p { "No program was run." } } @else { (worse(report)) }
    }
}

/// The rows that are worse on NOS, the worst first.
fn worse(report: &Report) -> Markup {
    let mut rows: Vec<_> = report
        .rows
        .iter()
        .filter_map(|row| row.ratio().map(|ratio| (row, ratio)))
        .filter(|(_, ratio)| Verdict::of(Some(*ratio)) == Verdict::Worse)
        .collect();
    rows.sort_by(|(_, one), (_, other)| other.median.total_cmp(&one.median));
    html! {
        h3 { "Where NOS is worse" }
        @if rows.is_empty() { p.note { "In no row of this run." } } @else {
            div.wide { table { tbody {
                @for (row, ratio) in rows {
                    tr.worse {
                        td { (row.suite) " " (title(row)) }
                        td { (figure_name(row.figure).to_lowercase()) ", " (cpus(row.smp)) }
                        td.n { span.worse { (number::ratio(ratio.median)) } }
                    }
                }
            } } }
        }
    }
}

fn tile(name: &str, summary: &Summary) -> Markup {
    html! {
        div.tile {
            h3 { (name) }
            @match summary.geometric_mean {
                Some(mean) => strong.worse[mean > 1.0].better[mean < 1.0] { (number::ratio(mean)) },
                None => strong { "–" },
            }
            small { "geometric mean of " (summary.measured()) " rows" }
            div.share {
                @for (class, count) in shares(summary) {
                    @if count > 0 { i class=(class) style={ "flex:" (count) } {} }
                }
            }
            div.counts {
                @for (class, count) in shares(summary) { span class=(class) { (count) " " (class) } }
            }
        }
    }
}

fn shares(summary: &Summary) -> [(&'static str, usize); 4] {
    [
        ("better", summary.better),
        ("unclear", summary.unclear),
        ("worse", summary.worse),
        ("missing", summary.missing),
    ]
}

fn past(history: &History) -> Result<Markup> {
    let mut pictures = Vec::new();
    for line in &history.lines {
        pictures.push((&line.title, plots::history::curve(line, &history.labels)?));
    }
    Ok(html! {
        p.note {
            "Instructions, NOS/Linux, over the results that were kept, the oldest first."
            @if history.left_out > 0 {
                " " (history.left_out) " results were made with another QEMU, whose instructions do not compare, and are left out."
            }
        }
        div.curves {
            @for (title, picture) in pictures {
                figure { figcaption { (title) } (PreEscaped(picture)) }
            }
        }
    })
}

/// A median, with its spread if it has one.
fn value(outcome: &Outcome) -> Markup {
    html! {
        @match (outcome.median(), outcome.spread()) {
            (Some(median), Some((low, high))) if low < high => {
                (number::figure(median)) br; small { (number::figure(low)) "–" (number::figure(high)) }
            },
            (Some(median), _) => { (number::figure(median)) },
            _ => span.missing { "missing" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Headlines, fixtures};

    fn of(report: &Report) -> String {
        let mut before = fixtures::report();
        before.date = "2025-12-31T00:00:00Z".into();
        page(report, &History::of(report, &[before], &Headlines::all())).unwrap()
    }

    #[test]
    fn text_from_outside_is_escaped_everywhere() {
        let mut report = fixtures::report();
        report.git = "<img src=x>".into();
        report.machine.kernels.linux.command_line = "quiet <script>alert(1)</script>".into();
        report.kernel[0].name = "<script>".into();
        report.growth[0].name = "<script>".into();
        let page = of(&report);
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    }

    #[test]
    fn the_page_loads_nothing() {
        let page = of(&fixtures::report());
        let outside = page.replace("http://www.w3.org/2000/svg", "");
        for word in ["http://", "https://", "<script", "<link", "@import", "url("] {
            assert!(!outside.contains(word), "{word}");
        }
    }

    #[test]
    fn every_section_is_there_and_reached_from_the_top() {
        let page = of(&fixtures::report());
        for id in
            ["summary", "rows", "growth", "start", "kernel", "history", "all", "repeat", "machine"]
        {
            assert_eq!(page.matches(&format!("<section id=\"{id}\">")).count(), 1, "{id}");
            assert_eq!(page.matches(&format!("href=\"#{id}\"")).count(), 1, "{id}");
        }
    }

    #[test]
    fn an_empty_report_is_still_a_page() {
        let mut report = fixtures::report();
        (report.rows, report.growth, report.kernel) = (Vec::new(), Vec::new(), Vec::new());
        let page = page(&report, &History::of(&report, &[], &Headlines::all())).unwrap();
        assert!(page.contains("No program was run."));
        assert!(!page.contains("id=\"growth\"") && !page.contains("id=\"history\""));
    }

    #[test]
    fn missing_rows_come_with_their_reasons() {
        let page = of(&fixtures::report());
        assert!(page.contains("NOS: socket: &quot;not supported&quot; &lt;here&gt;"));
        assert!(page.contains("100k: NOS: clone: &lt;EAGAIN&gt;"), "{page}");
    }
}
