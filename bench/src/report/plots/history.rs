//! A ratio over past results.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use xtask::error::Result;

use super::{FAINT, GRID, INK, LogAxis, NOS, picture, range, style};
use crate::report::history::Line;
use crate::report::number;

const SIZE: (i32, i32) = (480, 200);
const LEFT: i32 = 48;
const RIGHT: i32 = 48;
const TOP: i32 = 14;
const BOTTOM: i32 = 40;
/// The axis shows at least this.
const LEAST_RANGE: (f64, f64) = (0.4, 1.1);
/// Labels that fit below.
const MOST_LABELS: usize = 4;

/// The curve of one line; `labels` name the results, oldest first.
pub fn curve(line: &Line, labels: &[String]) -> Result<String> {
    let (width, height) = SIZE;
    picture((width.unsigned_abs(), height.unsigned_abs()), |area| {
        let (right, bottom) = (width - RIGHT, height - BOTTOM);
        let values = range(line.ratios.iter().flatten().copied(), LEAST_RANGE);
        let y = LogAxis { values, pixels: (bottom, TOP) };
        for mark in y.marks() {
            let at = y.at(mark);
            area.draw(&PathElement::new(vec![(LEFT, at), (right, at)], GRID.stroke_width(1)))?;
            let place = (LEFT - 8, at);
            area.draw(&Text::new(format!("{mark}"), place, style(15, FAINT, HPos::Right)))?;
        }
        let one = y.at(1.0);
        area.draw(&PathElement::new(vec![(LEFT, one), (right, one)], INK.stroke_width(1)))?;

        let steps = i32::try_from(labels.len().max(2) - 1).unwrap_or(i32::MAX);
        let x = |index: i32| LEFT + (right - LEFT) * index / steps;
        let every = labels.len().div_ceil(MOST_LABELS).max(1);
        // The newest is always labelled.
        for (index, label) in (0..steps + 1).zip(labels).rev().step_by(every) {
            let place = (x(index), bottom + 16);
            area.draw(&Text::new(label.clone(), place, style(14, FAINT, HPos::Center)))?;
        }
        // A result without the row interrupts the curve.
        for pair in (0..).zip(&line.ratios).collect::<Vec<_>>().windows(2) {
            if let [(first, Some(from)), (second, Some(to))] = pair {
                let points = vec![(x(*first), y.at(*from)), (x(*second), y.at(*to))];
                area.draw(&PathElement::new(points, NOS.stroke_width(2)))?;
            }
        }
        let mut last = None;
        for (index, ratio) in (0..).zip(&line.ratios) {
            if let Some(ratio) = ratio {
                let point = (x(index), y.at(*ratio));
                area.draw(&Circle::new(point, 3, NOS.filled()))?;
                last = Some((point, *ratio));
            }
        }
        if let Some((point, ratio)) = last {
            let place = (point.0 + 8, point.1);
            area.draw(&Text::new(number::ratio(ratio), place, style(15, NOS, HPos::Left)))?;
        }
        Ok(())
    })
}
