//! A bar a row: from 1 to NOS/Linux, to the left where NOS is better, with a line for the spread.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use xtask::error::Result;

use super::{
    Area, BETTER, Drawn, FAINT, GRID, INK, LogAxis, NOTHING, WORSE, colour, cut, picture, range,
    style,
};
use crate::report::number;
use crate::report::verdict::{Verdict, reasons, title};
use crate::results::{Ratio, Row};

const WIDTH: i32 = 980;
const LABELS: i32 = 270;
const FIGURES: i32 = 165;
const ROW: i32 = 24;
const HEAD: i32 = 30;
const FOOT: i32 = 24;
const LONGEST_LABEL: usize = 38;
const LONGEST_REASON: usize = 76;
/// The axis shows at least this.
const LEAST_RANGE: (f64, f64) = (0.25, 2.0);

/// The axis that all pictures of a report share, so that their bars compare.
pub fn common_range<'a>(rows: impl IntoIterator<Item = &'a Row>) -> (f64, f64) {
    let ratios = rows.into_iter().filter_map(Row::ratio);
    range(ratios.flat_map(|ratio| [ratio.low, ratio.median, ratio.high]), LEAST_RANGE)
}

/// The bars of `rows` over `range`.
pub fn bars(rows: &[&Row], range: (f64, f64)) -> Result<String> {
    let count = i32::try_from(rows.len()).unwrap_or(i32::MAX / ROW / 2);
    let height = HEAD + ROW * count + FOOT;
    picture((WIDTH.unsigned_abs(), height.unsigned_abs()), |area| {
        let axis = LogAxis { values: range, pixels: (LABELS, WIDTH - FIGURES) };
        frame(area, axis, HEAD + ROW * count)?;
        for (index, row) in (0..).zip(rows) {
            let middle = HEAD + ROW * index + ROW / 2;
            let label = cut(&title(row), LONGEST_LABEL);
            let place = (LABELS - 12, middle);
            area.draw(&Text::new(label, place, style(16, INK, HPos::Right)))?;
            match row.ratio() {
                Some(ratio) => bar(area, axis, middle, ratio)?,
                None => missing(area, axis, middle, row)?,
            }
        }
        Ok(())
    })
}

fn frame(area: &Area, axis: LogAxis, bottom: i32) -> Drawn {
    for mark in axis.marks() {
        let x = axis.at(mark);
        area.draw(&PathElement::new(vec![(x, HEAD), (x, bottom)], GRID.stroke_width(1)))?;
        let text = Text::new(format!("{mark}"), (x, bottom + 13), style(15, FAINT, HPos::Center));
        area.draw(&text)?;
    }
    let one = axis.at(1.0);
    area.draw(&PathElement::new(vec![(one, HEAD - 4), (one, bottom + 4)], INK.stroke_width(1)))?;
    let better = Text::new("← NOS better", (one - 10, 14), style(15, BETTER, HPos::Right));
    let worse = Text::new("NOS worse →", (one + 10, 14), style(15, WORSE, HPos::Left));
    area.draw(&better)?;
    Ok(area.draw(&worse)?)
}

fn bar(area: &Area, axis: LogAxis, middle: i32, ratio: Ratio) -> Drawn {
    const HALF: i32 = 7;
    let verdict = Verdict::of(Some(ratio));
    let (one, end) = (axis.at(1.0), axis.at(ratio.median));
    // One pixel where there is no difference: the row was measured.
    let (left, right) = (one.min(end), one.max(end).max(one.min(end) + 1));
    let corners = [(left, middle - HALF), (right, middle + HALF)];
    area.draw(&Rectangle::new(corners, colour(verdict).filled()))?;
    if ratio.low < ratio.high {
        let (low, high) = (axis.at(ratio.low), axis.at(ratio.high));
        for line in [
            [(low, middle), (high, middle)],
            [(low, middle - 3), (low, middle + 3)],
            [(high, middle - 3), (high, middle + 3)],
        ] {
            area.draw(&PathElement::new(line.to_vec(), INK.stroke_width(1)))?;
        }
    }
    let mut text = number::ratio(ratio.median);
    if ratio.low < ratio.high {
        text += &format!(" ({}–{})", number::ratio(ratio.low), number::ratio(ratio.high));
    }
    let ink = if verdict == Verdict::Unclear { FAINT } else { colour(verdict) };
    Ok(area.draw(&Text::new(text, (WIDTH - FIGURES + 12, middle), style(16, ink, HPos::Left)))?)
}

fn missing(area: &Area, axis: LogAxis, middle: i32, row: &Row) -> Drawn {
    let corners = [(axis.pixels.0 + 2, middle - 9), (axis.pixels.1, middle + 9)];
    area.draw(&Rectangle::new(corners, NOTHING.filled()))?;
    let reason = cut(&reasons(&row.nos, &row.linux), LONGEST_REASON);
    let place = (axis.pixels.0 + 10, middle);
    area.draw(&Text::new(reason, place, style(15, FAINT, HPos::Left)))?;
    let place = (WIDTH - FIGURES + 12, middle);
    Ok(area.draw(&Text::new("missing", place, style(16, FAINT, HPos::Left)))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::row;

    #[test]
    fn better_and_worse_rows_point_away_from_one_in_their_colours() {
        let (better, worse) = (row("a", &[1.0], &[2.0]), row("b", &[2.0], &[1.0]));
        let range = common_range([&better, &worse]);
        let axis = LogAxis { values: range, pixels: (LABELS, WIDTH - FIGURES) };
        let svg = bars(&[&better, &worse], range).unwrap();
        let bar = |colour: &str| {
            let rectangle =
                svg.lines().find(|line| line.contains("<rect") && line.contains(colour));
            let rectangle = rectangle.unwrap_or_else(|| panic!("no {colour} bar in {svg}"));
            let number = |name: &str| -> i32 {
                let after = rectangle.split_once(&format!(" {name}=\"")).unwrap().1;
                after.split('"').next().unwrap().parse().unwrap()
            };
            (number("x"), number("x") + number("width"))
        };
        assert_eq!(bar("#2A7F9E"), (axis.at(0.5), axis.at(1.0)));
        assert_eq!(bar("#C83E4D"), (axis.at(1.0), axis.at(2.0)));
    }

    #[test]
    fn a_missing_row_is_drawn_with_its_reason() {
        let gone = row("gone", &[], &[1.0]);
        let svg = bars(&[&gone], common_range([&gone])).unwrap();
        assert!(svg.contains("NOS: no sample") && svg.contains("missing"), "{svg}");
    }
}
