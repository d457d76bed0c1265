//! Cost against the number of things there are, NOS and Linux, both axes logarithmic.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use xtask::error::Result;

use super::{Area, Drawn, FAINT, GRID, LINUX, LogAxis, NOS, picture, range, style};
use crate::report::number;
use crate::results::{Growth, Outcome};

const SIZE: (i32, i32) = (500, 270);
const LEFT: i32 = 62;
const RIGHT: i32 = 100;
const TOP: i32 = 26;
const BOTTOM: i32 = 40;
/// Costs are shown over at least this range around their middle, so that what is flat looks flat.
const LEAST_RANGE: f64 = 30.0;

/// What is drawn of a kernel.
struct Kernel<'a> {
    name: &'static str,
    outcomes: &'a [Outcome],
    colour: RGBColor,
    /// How far above the axis its crosses are.
    cross: i32,
}

/// Both curves of one operation.
pub fn curves(growth: &Growth) -> Result<String> {
    let costs = || growth.nos.iter().chain(&growth.linux).filter_map(Outcome::median);
    let (low, high) = range(costs(), (f64::MAX, f64::MIN_POSITIVE));
    let sizes = growth.sizes.iter().map(|size| f64::from(*size));
    let sizes = range(sizes, (f64::MAX, f64::MIN_POSITIVE));
    let (width, height) = SIZE;
    picture((width.unsigned_abs(), height.unsigned_abs()), |area| {
        let (right, bottom) = (width - RIGHT, height - BOTTOM);
        if low > high {
            let place = (width / 2, height / 2);
            let style = style(16, FAINT, HPos::Center);
            return Ok(area.draw(&Text::new("no size could be measured", place, style))?);
        }
        let room = (LEAST_RANGE * low / high).sqrt().max(1.0);
        let x = LogAxis { values: sizes, pixels: (LEFT, right) };
        let y = LogAxis { values: (low / room, high * room), pixels: (bottom, TOP) };
        frame(area, x, y, growth)?;
        let kernels = [
            Kernel { name: "Linux", outcomes: &growth.linux, colour: LINUX, cross: 9 },
            Kernel { name: "NOS", outcomes: &growth.nos, colour: NOS, cross: 24 },
        ];
        for kernel in &kernels {
            curve(area, x, y, growth, kernel)?;
        }
        labels(area, x, y, growth, &kernels)
    })
}

fn frame(area: &Area, x: LogAxis, y: LogAxis, growth: &Growth) -> Drawn {
    let (left, right) = x.pixels;
    let (bottom, top) = y.pixels;
    for mark in y.marks() {
        let at = y.at(mark);
        area.draw(&PathElement::new(vec![(left, at), (right, at)], GRID.stroke_width(1)))?;
        let place = (left - 8, at);
        area.draw(&Text::new(number::count(mark), place, style(15, FAINT, HPos::Right)))?;
    }
    for size in growth.sizes.iter().map(|size| f64::from(*size)) {
        let at = x.at(size);
        area.draw(&PathElement::new(vec![(at, top), (at, bottom)], GRID.stroke_width(1)))?;
        let place = (at, bottom + 14);
        area.draw(&Text::new(number::count(size), place, style(15, FAINT, HPos::Center)))?;
    }
    let unit = Text::new(growth.unit.clone(), (left, top - 14), style(15, FAINT, HPos::Left));
    Ok(area.draw(&unit)?)
}

/// One kernel's curve, with a cross on the axis for every size without a figure; where it ends.
fn curve(area: &Area, x: LogAxis, y: LogAxis, growth: &Growth, kernel: &Kernel) -> Drawn {
    let mut points = Vec::new();
    let mut missing = false;
    let crosses = y.pixels.0 - kernel.cross;
    for (size, outcome) in growth.sizes.iter().zip(kernel.outcomes) {
        let at = x.at(f64::from(*size));
        match outcome.median() {
            Some(cost) => points.push((at, y.at(cost))),
            None => {
                missing = true;
                area.draw(&Cross::new((at, crosses), 4, kernel.colour.stroke_width(2)))?;
            }
        }
    }
    if missing {
        let place = (x.pixels.1 + 12, crosses);
        let text = format!("{} missing", kernel.name);
        area.draw(&Text::new(text, place, style(14, kernel.colour, HPos::Left)))?;
    }
    area.draw(&PathElement::new(points.clone(), kernel.colour.stroke_width(2)))?;
    for point in &points {
        area.draw(&Circle::new(*point, 3, kernel.colour.filled()))?;
    }
    Ok(())
}

/// The last figure of each kernel beside its curve's end, apart from each other.
fn labels(area: &Area, x: LogAxis, y: LogAxis, growth: &Growth, kernels: &[Kernel; 2]) -> Drawn {
    const LINE: i32 = 15;
    let end = |kernel: &Kernel| {
        let figures = growth.sizes.iter().zip(kernel.outcomes);
        let mut measured =
            figures.filter_map(|(size, outcome)| Some((f64::from(*size), outcome.median()?)));
        measured.next_back().map(|(size, cost)| (x.at(size), y.at(cost), cost))
    };
    let mut ends = kernels.each_ref().map(end);
    if let [Some(one), Some(other)] = &mut ends
        && (one.0 - other.0).abs() < x.pixels.1 / 4
        && (one.1 - other.1).abs() < LINE
    {
        let middle = i32::midpoint(one.1, other.1);
        let (upper, lower) = if one.1 <= other.1 { (one, other) } else { (other, one) };
        (upper.1, lower.1) = (middle - LINE / 2 - 1, middle + LINE / 2);
    }
    for (kernel, end) in kernels.iter().zip(ends) {
        if let Some((at, height, cost)) = end {
            let text = format!("{} {}", kernel.name, number::count(rounded(cost)));
            let place = (at + 10, height);
            area.draw(&Text::new(text, place, style(15, kernel.colour, HPos::Left)))?;
        }
    }
    Ok(())
}

/// Three significant digits, or all before the point.
fn rounded(cost: f64) -> f64 {
    let unit = super::tenfold((super::decade(cost) - 2).max(0));
    (cost / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::growth;

    #[test]
    fn a_size_that_a_kernel_did_not_reach_is_marked() {
        let svg = curves(&growth("fork")).unwrap();
        assert_eq!(svg.matches("NOS missing").count(), 1);
        assert!(!svg.contains("Linux missing"), "{svg}");
    }

    #[test]
    fn without_any_figure_the_picture_says_so() {
        let mut none = growth("fork");
        none.nos = vec![Outcome::missing("no"); none.sizes.len()];
        none.linux = none.nos.clone();
        assert!(curves(&none).unwrap().contains("no size could be measured"));
    }

    #[test]
    fn labels_keep_three_digits() {
        assert_eq!(number::count(rounded(71_937.4)), "71.9k");
        assert_eq!(number::count(rounded(904.5)), "905");
        assert_eq!(number::count(rounded(7.4)), "7");
    }
}
