//! The frame of a plot: margins for labels, grid lines, ticks. Axes are drawn before the data, so that data lies on the grid.

use super::{
    bar::value_labels,
    data::{Domain, MILLIS_PER_DAY},
    font,
    page::Page,
    palette,
    scale::{Scale, Ticks},
    scene::{Anchor, Point, Rect},
    time_ticks::TimeAxis,
};
use crate::format;

/// Where the data goes.
pub(crate) struct Plot {
    pub area: Rect,
    pub x: Scale,
    pub y: Scale,
    /// Of the second axis.
    pub right: Option<Scale>,
}

/// What is to be laid out.
pub(crate) struct Frame<'a> {
    pub domain: &'a Domain,
    /// Places at the left and right edge.
    pub places: (f64, f64),
    /// Least distance of neighbouring places.
    pub finest: f64,
    /// Where the tick of a place stands: at the place itself, or in the middle of its bar.
    pub tick_at: &'a dyn Fn(f64) -> f64,
    /// Pixels between the edges of the area and the first and last place.
    pub inset: f32,
    /// Words at the right end of the x axis; empty for dates, which say what they are.
    pub x_name: &'a str,
    /// Whether values are logarithms to base 10, which the labels turn back.
    pub log: bool,
    /// Whether all values are whole numbers, between which there are no ticks.
    pub whole: bool,
    /// Range of a second axis of values, on the right.
    pub right: Option<(f64, f64)>,
}

/// A tick on the x axis: its middle in pixels, and up to two lines.
struct XTick {
    middle: f32,
    lines: Vec<String>,
}

/// A plot with values upwards.
pub(crate) fn upright(page: &mut Page, frame: &Frame<'_>, values: (f64, f64)) -> Plot {
    let bottom = page.free.bottom - x_axis_height(page, frame);
    let top = page.free.top + page.label.size * 0.6;
    let most = ((bottom - top) / (page.label.size * 3.2)) as usize;
    let ticks = Labelled::around(values, most.clamp(2, 8), frame.log, frame.whole);
    let right = frame.right.map(|range| Labelled::around(range, most.clamp(2, 8), false, false));
    let right_width = right.as_ref().map_or(0.0, |right| right.width(page) + page.gap());
    let left = page.free.left + ticks.width(page) + page.gap();
    let area = Rect { left, top, right: page.free.right - right_width, bottom }.snapped();
    let y = Scale { values: ticks.range, pixels: (area.bottom, area.top) };
    let (values, labels): (Vec<f64>, Vec<String>) = ticks.ticks.into_iter().unzip();
    for (value, label) in values.into_iter().zip(page.numerals(labels)) {
        let at = y.at(value).round();
        rule(page, area, at);
        let place = Point { x: area.left - page.gap(), y: at };
        page.label(label, place, Anchor::End, palette::MUTED);
    }
    let right = right.map(|right| {
        let scale = Scale { values: right.range, pixels: y.pixels };
        for (value, label) in right.ticks {
            let place = Point { x: area.right + page.gap(), y: scale.at(value).round() };
            page.label(label, place, Anchor::Start, palette::MUTED);
        }
        scale
    });
    let x = x_axis(page, frame, area);
    Plot { area, x, y, right }
}

/// Ticks with their labels.
struct Labelled {
    ticks: Vec<(f64, String)>,
    range: (f64, f64),
}

impl Labelled {
    fn around((low, high): (f64, f64), most: usize, log: bool, whole: bool) -> Self {
        if log {
            return Self::of_powers(low, high, most);
        }
        let ticks = if whole { Ticks::whole(low, high, most) } else { Ticks::around(low, high, most) };
        let labels = ticks.labels();
        Self { range: ticks.range, ticks: ticks.values.into_iter().zip(labels).collect() }
    }

    /// Powers of ten, all or every so many; between them 2 and 5 times, where that gives few ticks otherwise.
    fn of_powers(low: f64, high: f64, most: usize) -> Self {
        let (first, last) = (low.floor() as i32, high.ceil() as i32);
        let every = ((last - first) as usize).div_ceil(most.max(1)).max(1);
        let dense: &'static [f64] = if (high - low) * 3.0 <= most as f64 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let tick = |(power, factor): (i32, f64)| {
            let at = f64::from(power) + factor.log10();
            let label = |value: f64| match usize::try_from(-power) {
                _ if format::needs_exponent(value) => format::scientific(value, 0),
                decimals => format::decimal(value, decimals.unwrap_or(0)),
            };
            ((low - 1e-9..=high + 1e-9).contains(&at)).then(|| (at, label(factor * 10_f64.powi(power))))
        };
        let ticks = |(every, factors): (usize, &'static [f64])| -> Vec<(f64, String)> {
            let powers = (first..=last).step_by(every);
            powers.flat_map(|power| factors.iter().map(move |factor| (power, *factor))).filter_map(tick).collect()
        };
        // Where the powers that were chosen lie beside the values, others do not.
        let candidates = std::iter::once((every, dense)).chain((1..every).rev().map(|every| (every, dense)));
        let found = candidates.chain([(1, &[1.0, 3.0][..])]).map(ticks).find(|ticks| ticks.len() >= 2);
        found.map_or_else(|| Self::between_powers(low, high, most), |ticks| Self { ticks, range: (low, high) })
    }

    /// Ticks at equal distances of the values themselves, for an axis on which no two powers of ten lie.
    fn between_powers(low: f64, high: f64, most: usize) -> Self {
        let ticks = Ticks::around(10_f64.powf(low), 10_f64.powf(high), most);
        let labels = ticks.labels();
        let (first, last) = ticks.range;
        // An axis of logarithms reaches no zero.
        let range = (if first > 0.0 { first.log10().min(low) } else { low }, last.log10().max(high));
        let ticks = ticks.values.into_iter().zip(labels).filter(|(value, _)| *value > 0.0);
        let ticks = ticks.map(|(value, label)| (value.log10(), label)).filter(|(at, _)| *at >= range.0 - 1e-9);
        Self { ticks: ticks.collect(), range }
    }

    fn width(&self, page: &Page) -> f32 {
        font::widest(self.ticks.iter().map(|(_, label)| label.as_str()), page.label)
    }
}

/// A plot whose rows have names: one label per row, left of the area, ascending from the bottom.
pub(crate) fn rows(page: &mut Page, frame: &Frame<'_>, names: &[String]) -> Plot {
    let bottom = page.free.bottom - x_axis_height(page, frame);
    let longest = page.free.width() * 0.35;
    let labels_width = font::widest(names.iter().map(String::as_str), page.label).min(longest);
    let area =
        Rect { left: page.free.left + labels_width + page.gap(), top: page.free.top, right: page.free.right, bottom }
            .snapped();
    let y = Scale { values: (0.0, names.len() as f64), pixels: (area.bottom, area.top) };
    let row_height = area.height() / names.len().max(1) as f32;
    let every = (page.line_height() * 0.85 / row_height).ceil().max(1.0) as usize;
    for (row, name) in names.iter().enumerate().step_by(every) {
        let place = Point { x: area.left - page.gap(), y: y.at(row as f64 + 0.5) };
        page.label(font::shortened(name, page.label, longest), place, Anchor::End, palette::MUTED);
    }
    let x = x_axis(page, frame, area);
    Plot { area, x, y, right: None }
}

/// The line that bars stand on, over the grid.
pub(crate) fn baseline(page: &mut Page, plot: &Plot) {
    let at = plot.y.at(0.0).round();
    let line = Rect { left: plot.area.left, top: at, right: plot.area.right, bottom: at + 1.0 };
    page.scene.rect(line, palette::BASELINE);
}

fn rule(page: &mut Page, area: Rect, at: f32) {
    page.scene.rect(Rect { left: area.left, top: at, right: area.right, bottom: at + 1.0 }, palette::GRID);
}

fn x_axis_height(page: &Page, frame: &Frame<'_>) -> f32 {
    let two_lines = match frame.domain {
        // Years need no second line. The labels of the y axis take little of the width, so it may stand for that of the area.
        Domain::Time { .. } => {
            let width = Scale { values: frame.places, pixels: (page.free.left, page.free.right) };
            time_ticks(page, frame, &width).iter().any(|tick| tick.lines.len() > 1)
        }
        _ => !frame.x_name.is_empty(),
    };
    page.gap() + if two_lines { 2.0 } else { 1.0 } * page.line_height()
}

fn x_axis(page: &mut Page, frame: &Frame<'_>, area: Rect) -> Scale {
    let scale = Scale { values: frame.places, pixels: (area.left + frame.inset, area.right - frame.inset) };
    let ticks = match frame.domain {
        Domain::Time { .. } => time_ticks(page, frame, &scale),
        Domain::Number => number_ticks(page, frame, &scale),
        Domain::Category(names) => category_ticks(page, frame, &scale, names),
    };
    let first_line = area.bottom + page.gap() + page.line_height() / 2.0;
    for tick in ticks {
        tick_mark(page, tick.middle, area.bottom);
        for (line, text) in tick.lines.into_iter().enumerate() {
            let y = first_line + line as f32 * page.line_height();
            // A label at the end of the axis stays on the page, even if it is not quite below its tick.
            let half = page.width(&text) / 2.0;
            let x = tick.middle.min(page.scene.width as f32 - 2.0 - half).max(2.0 + half);
            page.label(text, Point { x, y }, Anchor::Middle, palette::MUTED);
        }
    }
    if !frame.x_name.is_empty() && !matches!(frame.domain, Domain::Time { .. }) {
        let place = Point { x: area.right, y: first_line + page.line_height() };
        page.label(frame.x_name.to_owned(), place, Anchor::End, palette::MUTED);
    }
    scale
}

fn tick_mark(page: &mut Page, x: f32, top: f32) {
    let left = x.round();
    page.scene.rect(Rect { left, top, right: left + 1.0, bottom: top + 4.0 }, palette::BASELINE);
}

fn time_ticks(page: &Page, frame: &Frame<'_>, scale: &Scale) -> Vec<XTick> {
    // Dates have no hours between them, however few there are.
    let least = if matches!(frame.domain, Domain::Time { days: true }) { MILLIS_PER_DAY } else { 0 };
    let axis = TimeAxis {
        range: (frame.places.0 as i64, frame.places.1 as i64),
        length: scale.pixels.1 - scale.pixels.0,
        finest: (frame.finest as i64).max(least),
        width: &|text| page.width(text),
        gap: page.label.size,
    };
    let ticks = axis.ticks().into_iter();
    // A bar that would start at the right edge is not there.
    let placed = ticks.map(|tick| ((frame.tick_at)(tick.at as f64), tick));
    placed
        .filter(|(place, _)| *place <= frame.places.1)
        .map(|(place, tick)| XTick {
            middle: scale.at(place),
            lines: std::iter::once(tick.label).chain(tick.period).collect(),
        })
        .collect()
}

fn number_ticks(page: &Page, frame: &Frame<'_>, scale: &Scale) -> Vec<XTick> {
    let (low, high) = frame.places;
    if low == high {
        return vec![XTick {
            middle: scale.at((frame.tick_at)(low)),
            lines: along_axis(value_labels(&[low]), low, high),
        }];
    }
    let length = scale.pixels.1 - scale.pixels.0;
    let inside = |most: usize| {
        let ticks = Ticks::around(low, high, most);
        let labels = along_axis(ticks.labels(), low, high);
        let all = ticks.values.into_iter().zip(labels);
        let shifted = all.map(|(value, label)| ((frame.tick_at)(value), label));
        // The end of a bar, a sum, may miss its tick, a product, by a rounding.
        let rounding = (high - low) * 1e-9;
        shifted.filter(|(value, _)| (low - rounding..=high + rounding).contains(value)).collect::<Vec<_>>()
    };
    let fits = |ticks: &[(f64, String)]| {
        let widest = font::widest(ticks.iter().map(|(_, label)| label.as_str()), page.label);
        let dense = ticks.windows(2).any(|pair| scale.at(pair[1].0) - scale.at(pair[0].0) < widest + page.gap());
        let finer = ticks.windows(2).any(|pair| pair[1].0 - pair[0].0 < frame.finest * 0.999);
        !dense && !finer
    };
    let most = (length / (page.label.size * 2.0)) as usize;
    let ticks = (1..=most.clamp(1, 40)).rev().map(inside).find(|ticks| fits(ticks)).unwrap_or_default();
    ticks.into_iter().map(|(value, label)| XTick { middle: scale.at(value), lines: vec![label] }).collect()
}

/// Numbers below an axis that could be years have no separators.
fn along_axis(labels: Vec<String>, low: f64, high: f64) -> Vec<String> {
    match low >= 1_000.0 && high < 3_000.0 {
        true => labels.into_iter().map(|label| label.replace(',', "")).collect(),
        false => labels,
    }
}

/// Every name, shortened, where they have room for a few letters each; otherwise every so many.
fn category_ticks(page: &Page, frame: &Frame<'_>, scale: &Scale, names: &[String]) -> Vec<XTick> {
    let band = (scale.at(1.0) - scale.at(0.0)).max(1.0);
    let readable = page.label.size * 5.0;
    let widest = font::widest(names.iter().map(String::as_str), page.label);
    let every = (widest.min(readable) / (band - page.gap()).max(1.0)).ceil().max(1.0) as usize;
    let room = band * every as f32 - page.gap();
    let tick = |(place, name): (usize, &String)| XTick {
        middle: scale.at((frame.tick_at)(place as f64)),
        lines: vec![font::shortened(name, page.label, room)],
    };
    names.iter().enumerate().step_by(every).map(tick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logarithmic_axis_has_ticks_among_its_values() {
        for (low, high) in [
            (300.0, 340.0),
            (30.0, 45.0),
            (6.0, 9.0),
            (8.0, 12.0),
            (1.5, 90.0),
            (7.0, 7.0),
            (1.0, 1e6),
            (1e-14, 3e-9),
            (1e300, 3e303),
        ] {
            let (low, high): (f64, f64) = (low, high);
            for most in 2..=8 {
                let axis = Labelled::around((low.log10(), high.log10()), most, true, false);
                assert!(
                    axis.range.0 <= low.log10() && high.log10() <= axis.range.1,
                    "{low} to {high}: {:?}",
                    axis.range
                );
                assert!((2..=most + 2).contains(&axis.ticks.len()), "{low} to {high}, {most}: {:?}", axis.ticks);
                for (at, label) in axis.ticks {
                    let value: f64 = label.replace(',', "").parse().expect("a number");
                    assert!((value.log10() - at).abs() < 1e-6, "{label} at {at}");
                    assert!((axis.range.0 - 1e-6..=axis.range.1 + 1e-6).contains(&at), "{label} of {low} to {high}");
                }
            }
        }
    }
}
