//! SVG pictures, drawn with plotters, to be put into the page as they are.
//!
//! * [`ratios`]: a bar a row, from 1 to the ratio, with its spread
//! * [`growth`]: cost against the number of things, both kernels
//! * [`history`]: ratios over past results
//!
//! Axes of ratios and costs are logarithmic: half and double are equally far from 1.

pub mod growth;
pub mod history;
pub mod ratios;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use xtask::error::{Error, Result};

use super::verdict::Verdict;

const NOS: RGBColor = RGBColor(0x1f, 0x5f, 0xbf);
const LINUX: RGBColor = RGBColor(0xd9, 0x82, 0x1b);
const BETTER: RGBColor = RGBColor(0x2a, 0x7f, 0x9e);
const WORSE: RGBColor = RGBColor(0xc8, 0x3e, 0x4d);
const UNCLEAR: RGBColor = RGBColor(0x9a, 0x9f, 0xa8);
/// Behind the reason of a row without a figure.
const NOTHING: RGBColor = RGBColor(0xf1, 0xf2, 0xf4);
const INK: RGBColor = RGBColor(0x20, 0x24, 0x2b);
const FAINT: RGBColor = RGBColor(0x6b, 0x72, 0x80);
const GRID: RGBColor = RGBColor(0xe3, 0xe6, 0xea);

const FONT: &str = "system-ui, sans-serif";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

/// A picture of `size` pixels as SVG text.
fn picture(size: (u32, u32), draw: impl FnOnce(&Area) -> Drawn) -> Result<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&area)
            .and_then(|()| Ok(area.present()?))
            .map_err(|error| Error::Format(format!("a picture could not be drawn: {error}")))?;
    }
    Ok(text)
}

/// The colour of a row.
fn colour(verdict: Verdict) -> RGBColor {
    match verdict {
        Verdict::Better => BETTER,
        Verdict::Worse => WORSE,
        Verdict::Unclear | Verdict::Missing => UNCLEAR,
    }
}

fn style(size: u32, colour: RGBColor, horizontal: HPos) -> TextStyle<'static> {
    let position = Pos::new(horizontal, VPos::Center);
    let plain = TextStyle::from((FONT, size).into_font()).pos(position);
    TextStyle { color: colour.to_backend_color(), ..plain }
}

/// A logarithmic axis: a range of values laid out over a range of pixels.
#[derive(Clone, Copy, Debug)]
struct LogAxis {
    values: (f64, f64),
    pixels: (i32, i32),
}

impl LogAxis {
    /// Where `value` is; what lies outside the range is at its end.
    fn at(self, value: f64) -> i32 {
        let (low, high) = (self.values.0.ln(), self.values.1.ln());
        let part = ((value.ln() - low) / (high - low)).clamp(0.0, 1.0);
        let (start, end) = (f64::from(self.pixels.0), f64::from(self.pixels.1));
        pixel(start + part * (end - start))
    }

    /// Round values to mark: powers of ten, and 2 and 5 times these if that is not too many.
    fn marks(self) -> Vec<f64> {
        let (low, high) = self.values;
        let decades = decade(low)..=decade(high);
        let marks = |factors: &[f64]| {
            let of_decade = |power: i32| factors.iter().map(move |factor| factor * tenfold(power));
            decades
                .clone()
                .flat_map(of_decade)
                .filter(|mark| (low..=high).contains(mark))
                .collect::<Vec<_>>()
        };
        let many = marks(&[1.0, 2.0, 5.0]);
        if many.len() > MOST_MARKS { marks(&[1.0]) } else { many }
    }
}

const MOST_MARKS: usize = 9;

/// The power of ten at or below `value`.
fn decade(value: f64) -> i32 {
    value.log10().floor() as i32
}

/// Ten to the power; exact for negative ones too, unlike `powi`.
fn tenfold(power: i32) -> f64 {
    if power < 0 { 1.0 / 10_f64.powi(-power) } else { 10_f64.powi(power) }
}

fn pixel(value: f64) -> i32 {
    value.round() as i32
}

/// The range of positive `values`, at least from `least.0` to `least.1`, with some room around.
fn range(values: impl IntoIterator<Item = f64>, least: (f64, f64)) -> (f64, f64) {
    const ROOM: f64 = 1.15;
    let (low, high) = values
        .into_iter()
        .filter(|value| value.is_finite() && *value > 0.0)
        .fold(least, |(low, high), value| (low.min(value), high.max(value)));
    (low / ROOM, high * ROOM)
}

/// `text`, cut to `most` characters.
fn cut(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= most && line.len() == text.len() {
        return line.to_owned();
    }
    let kept: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_and_double_are_equally_far_from_one() {
        let axis = LogAxis { values: (0.1, 10.0), pixels: (0, 1000) };
        assert_eq!(axis.at(1.0), 500);
        assert_eq!(500 - axis.at(0.5), axis.at(2.0) - 500);
        assert_eq!((axis.at(0.001), axis.at(1e6)), (0, 1000));
    }

    #[test]
    fn marks_are_round_and_not_too_many() {
        let axis = LogAxis { values: (0.2, 10.0), pixels: (0, 1) };
        assert_eq!(axis.marks(), [0.2, 0.5, 1.0, 2.0, 5.0, 10.0]);
        let wide = LogAxis { values: (0.01, 1e4), pixels: (0, 1) };
        assert_eq!(wide.marks(), [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0]);
    }

    #[test]
    fn long_texts_and_further_lines_are_cut_with_a_sign() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "long…");
        assert_eq!(cut("one\ntwo", 10), "one…");
        assert_eq!(cut("ääääää", 3), "ää…");
    }

    #[test]
    fn text_in_a_picture_is_escaped() {
        let svg = picture((100, 100), |area| {
            Ok(area.draw(&Text::new("<b>&", (1, 1), style(10, INK, HPos::Left)))?)
        })
        .unwrap();
        assert!(svg.contains("&lt;b&gt;&amp;") && !svg.contains("<b>"), "{svg}");
    }
}
