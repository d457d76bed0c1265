//! The curves of costs as things become many.

use maud::{Markup, PreEscaped, html};
use xtask::error::Result;

use crate::growth::describe;
use crate::report::verdict::reasons;
use crate::report::{number, plots};
use crate::results::{Growth, Outcome};

/// A picture for each operation, with what it is, how far it grew, and why sizes are missing.
pub fn curves(growth: &[Growth]) -> Result<Markup> {
    let mut pictures = Vec::new();
    for one in growth {
        pictures.push((one, plots::growth::curves(one)?));
    }
    Ok(html! {
        p.note {
            "What one operation costs as there are more processes, threads, descriptors, files, mappings or timers. Both axes are "
            "logarithmic; a cross is a size that the kernel did not reach."
        }
        div.curves {
            @for (one, picture) in pictures {
                figure {
                    figcaption { (describe(&one.name).unwrap_or(&one.name)) small { (summary(one)) } }
                    (PreEscaped(picture))
                    (missing(one))
                }
            }
        }
    })
}

/// How many times the cost at the least size each kernel has at its greatest, and where NOS costs more than Linux.
fn summary(growth: &Growth) -> Markup {
    let of = |name: &str, outcomes: &[Outcome]| {
        let (least, greatest, factor) = factor(&growth.sizes, outcomes)?;
        let sizes = format!("{} to {}", number::count(least), number::count(greatest));
        Some((factor, format!("{name} × {} from {sizes}", number::ratio(factor))))
    };
    let above = above(growth);
    html! {
        @if let Some((factor, text)) = of("NOS", &growth.nos) {
            span.worse[factor > FLAT] { (text) } " · "
        }
        @if let Some((_, text)) = of("Linux", &growth.linux) { (text) }
        @if !above.is_empty() { " · " span.worse { "NOS above Linux at " (above.join(", ")) } }
    }
}

/// A cost that grows by more is marked.
const FLAT: f64 = 1.5;

/// The sizes at which NOS costs more than Linux.
fn above(growth: &Growth) -> Vec<String> {
    let costs = growth.nos.iter().zip(&growth.linux);
    let is_above = |(nos, linux): (&Outcome, &Outcome)| {
        nos.median() > linux.median() && linux.median().is_some()
    };
    growth
        .sizes
        .iter()
        .zip(costs)
        .filter(|(_, costs)| is_above(*costs))
        .map(|(size, _)| number::count(f64::from(*size)))
        .collect()
}

/// The least and the greatest size with a figure, and the ratio of their costs.
fn factor(sizes: &[u32], outcomes: &[Outcome]) -> Option<(f64, f64, f64)> {
    let mut measured = sizes
        .iter()
        .zip(outcomes)
        .filter_map(|(size, outcome)| Some((f64::from(*size), outcome.median()?)));
    let (least, first) = measured.next()?;
    let (greatest, last) = measured.next_back()?;
    Some((least, greatest, last / first))
}

/// The sizes without a figure by reason.
fn missing(growth: &Growth) -> Markup {
    let mut by_reason: Vec<(String, Vec<String>)> = Vec::new();
    for (size, (nos, linux)) in growth.sizes.iter().zip(growth.nos.iter().zip(&growth.linux)) {
        let (reason, size) = (reasons(nos, linux), number::count(f64::from(*size)));
        match by_reason.last_mut() {
            _ if reason.is_empty() => {}
            Some((last, sizes)) if *last == reason => sizes.push(size),
            _ => by_reason.push((reason, vec![size])),
        }
    }
    html! {
        @if !by_reason.is_empty() {
            ul.reasons {
                @for (reason, sizes) in by_reason { li { (sizes.join(", ")) ": " (reason) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn growth_is_told_between_the_sizes_that_were_reached() {
        let text = summary(&fixtures::growth("fork")).into_string();
        let nos = "<span class=\"\">NOS × 1.20 from 10 to 1k</span>";
        assert_eq!(text, format!("{nos} · Linux × 3.00 from 10 to 100k"));
    }

    #[test]
    fn what_grows_or_costs_more_than_on_linux_is_marked() {
        let mut steep = fixtures::growth("fork");
        steep.nos[1] = Outcome::measured([700.0]);
        let text = summary(&steep).into_string();
        assert!(text.contains("<span class=\"worse\">NOS × 7.00 from 10 to 1k</span>"), "{text}");
        assert!(text.contains("<span class=\"worse\">NOS above Linux at 1k</span>"), "{text}");
    }

    #[test]
    fn sizes_that_are_missing_for_the_same_reason_share_a_line() {
        let mut gone = fixtures::growth("fork");
        gone.nos = vec![Outcome::missing("hung"); 3];
        assert!(missing(&gone).into_string().contains("<li>10, 1k, 100k: NOS: hung</li>"));
    }

    #[test]
    fn one_size_alone_has_no_growth() {
        assert_eq!(factor(&[10, 100], &[Outcome::measured([1.0]), Outcome::missing("x")]), None);
    }
}
