//! Histograms: how many values lie in each of some equal ranges.

use polars::prelude::DataFrame;

use super::{
    ChartError,
    bar::{self, Arrangement, Slots, TickAt},
    data::{self, Domain},
    page::Page,
    palette::CATEGORIES,
    series::{Series, SeriesSet},
    shared::Extent,
};

const MOST_BINS: f64 = 60.0;
/// A value that is less than this part of a bin below an edge lies on it.
const NEAR_EDGE: f64 = 1e-9;
/// Widths between which the edges of all bins are numbers.
const LEAST_STEP: f64 = 1e-300;
const GREATEST_STEP: f64 = 1e307;

/// The counts of a column's values as bars, a bar per bin.
pub(crate) struct Bins {
    pub set: SeriesSet,
    step: Step,
}

/// What a bin holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    width: f64,
    /// Whether all values of a bin are the same whole number.
    whole: bool,
}

impl Step {
    /// The number of a value's bin, which holds its lower edge.
    fn bin(self, value: f64) -> f64 {
        let quotient = value / self.width;
        // 0.6 over 0.2 is a little less than 3, and yet 0.6 is the edge at which the third bin ends. Of large quotients the last
        // digits say nothing, of small ones a billionth of a bin is what sums of fractions are off by.
        let rounding = NEAR_EDGE.max(4.0 * f64::EPSILON * quotient.abs());
        let nearest = quotient.round();
        if (quotient - nearest).abs() <= rounding { nearest } else { quotient.floor() }
    }
}

/// Draws a bar per bin, with ticks between them; a tick below each where a bin is one number.
pub(crate) fn draw(page: &mut Page, bins: &Bins, x_name: &str) {
    let slots = Slots::of_length(&bins.set.places(), bins.step.width);
    let tick_at = if bins.step.whole { TickAt::Middle } else { TickAt::Edge };
    bar::draw_in(page, &bins.set, Arrangement::Stacked, x_name, &slots, tick_at);
}

/// The bins that suit a column.
pub(crate) fn step_of(frame: &DataFrame, column: &str) -> Result<Step, ChartError> {
    Ok(step(&ascending(frame, column)?))
}

/// Counts the values of a column, in the bins that suit it unless they are given.
pub(crate) fn bins(frame: &DataFrame, column: &str, given: Option<Step>) -> Result<Bins, ChartError> {
    let values = ascending(frame, column)?;
    let step = given.unwrap_or_else(|| step(&values));
    let bin = |value: f64| step.bin(value);
    let (first, last) = (bin(values[0]), bin(values[values.len() - 1]));
    let mut counts = vec![0.0; (last - first) as usize + 1];
    values.iter().for_each(|value| counts[(bin(*value) - first) as usize] += 1.0);
    let edge = |place: usize| ((first + place as f64) * step.width).clamp(f64::MIN, f64::MAX);
    let points = counts.into_iter().enumerate().map(|(place, count)| (edge(place), Some(count)));
    let series = Series { name: String::new(), color: CATEGORIES[0], points: points.collect() };
    let set = SeriesSet {
        domain: Domain::Number,
        null: None,
        series: vec![series],
        others: Vec::new(),
        extent: Extent::default(),
    };
    Ok(Bins { set, step })
}

fn ascending(frame: &DataFrame, column: &str) -> Result<Vec<f64>, ChartError> {
    if frame.height() == 0 {
        return Err(ChartError::NoRows);
    }
    let mut values: Vec<f64> = data::numbers(frame, column, "x")?.into_iter().flatten().collect();
    values.sort_by(f64::total_cmp);
    Ok(values)
}

fn step(values: &[f64]) -> Step {
    let width = width(values);
    Step { width, whole: width == 1.0 && values.iter().all(|value| value.fract() == 0.0) }
}

/// The width of a bin of these ascending values, 1, 2 or 5 times a power of ten: after Freedman and Diaconis, "On the histogram
/// as a density estimator" (1981), twice the distance of the quartiles over the cube root of the count. Few whole numbers get a
/// bin each.
fn width(values: &[f64]) -> f64 {
    let (least, greatest) = (values[0], values[values.len() - 1]);
    let span = greatest - least;
    if span == 0.0 {
        let power = 10_f64.powf(least.abs().log10().floor());
        return if least == 0.0 { 1.0 } else { power.clamp(LEAST_STEP, GREATEST_STEP) };
    }
    if span < MOST_BINS && values.iter().all(|value| value.fract() == 0.0) {
        return 1.0;
    }
    let quartile = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
    let wanted = 2.0 * (quartile(0.75) - quartile(0.25)) / (values.len() as f64).cbrt();
    let rough = wanted.max(greatest / MOST_BINS - least / MOST_BINS).clamp(LEAST_STEP, GREATEST_STEP);
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::scene::{Anchor, Rect, Shape};
    use polars::prelude::df;

    fn counts(values: Vec<f64>) -> Vec<(f64, Option<f64>)> {
        bins(&df!("x" => values).expect("a frame"), "x", None).expect("bins").set.series.remove(0).points
    }

    /// What stands below the axis, and how far from its start, in parts of its length.
    fn ticks(values: Vec<f64>) -> Vec<(String, f32)> {
        let mut page = Page::new(400, 260, "", "");
        draw(&mut page, &bins(&df!("x" => values).expect("a frame"), "x", None).expect("bins"), "");
        let bars = page.scene.shapes.iter().filter_map(|shape| match shape {
            Shape::Rect { area, fill } if *fill == CATEGORIES[0] => Some(*area),
            _ => None,
        });
        let bars: Vec<Rect> = bars.collect();
        let slot = (bars[bars.len() - 1].left - bars[0].left) / (bars.len() - 1) as f32;
        let middle = |bar: &Rect| (bar.left + bar.right) / 2.0;
        let (left, right) = (middle(&bars[0]) - slot / 2.0, middle(&bars[bars.len() - 1]) + slot / 2.0);
        let labels = page.scene.shapes.iter().filter_map(|shape| match shape {
            Shape::Label(label) if label.anchor == Anchor::Middle && label.at.y > bars[0].bottom => {
                Some((label.text.clone(), (label.at.x - left) / (right - left)))
            }
            _ => None,
        });
        labels.collect()
    }

    #[test]
    fn a_tick_stands_where_a_bin_starts_and_below_a_whole_number() {
        let near = |found: Option<&(String, f32)>, text: &str, share: f32| {
            assert!(found.is_some_and(|tick| tick.0 == text && (tick.1 - share).abs() < 0.02), "{found:?}");
        };
        let wide = ticks((0..1_000).map(|value| 50.0 + f64::from(value) / 20.0).collect());
        near(wide.first(), "50", 0.0);
        near(wide.last(), "100", 1.0);
        let dice = ticks((0..600).map(|value| f64::from(value % 6 + 1)).collect());
        near(dice.first(), "1", 1.0 / 12.0);
        near(dice.last(), "6", 11.0 / 12.0);
    }

    #[test]
    fn every_value_is_counted_once_in_bins_of_round_width() {
        let values: Vec<f64> = (0..10_000).map(|value| f64::from(value * value % 7_919) / 100.0).collect();
        let points = counts(values);
        assert_eq!(points.iter().filter_map(|point| point.1).sum::<f64>(), 10_000.0);
        assert!(points.len() > 5 && points.len() <= 61, "{}", points.len());
        assert_eq!(
            counts(vec![1.0, 3.0, 3.0, -1.0]),
            [(-1.0, 1.0), (0.0, 0.0), (1.0, 1.0), (2.0, 0.0), (3.0, 2.0)].map(|(x, y)| (x, Some(y)))
        );
    }

    #[test]
    fn a_decimal_at_the_edge_of_a_bin_lies_in_the_bin_that_begins_there() {
        let tenths = (0..90).map(|row| f64::from(row % 9 + 1) / 10.0).collect();
        let found: Vec<Option<f64>> = counts(tenths).into_iter().map(|(_, count)| count).collect();
        assert_eq!(found, [10.0, 20.0, 20.0, 20.0, 20.0].map(Some), "bins of 0.2 from 0");
        let step = Step { width: 0.2, whole: false };
        assert_eq!(
            [0.6, -0.6, 0.1 + 0.2 + 0.3, 0.599, -0.601].map(|value| step.bin(value)),
            [3.0, -3.0, 3.0, 2.0, -4.0]
        );
        // Seconds since 1970 have digits for a bin of half a second.
        let step = Step { width: 0.5, whole: false };
        assert_eq!([0.0, 0.4, 0.5].map(|more| step.bin(1.6e9 + more)), [3.2e9, 3.2e9, 3.2e9 + 1.0]);
    }

    #[test]
    fn one_value_and_far_apart_values_have_bins_too() {
        assert_eq!(counts(vec![7.5; 3]), [(7.0, Some(3.0))]);
        assert_eq!(counts(vec![0.0]), [(0.0, Some(1.0))]);
        assert!(counts(vec![0.001, 1e12]).len() <= 62);
        assert_eq!(counts(vec![-5e-324, 5e-324, 0.0]), [(0.0, Some(3.0))], "within a rounding of zero");
        assert_eq!(counts(vec![-1e-301, 5e-324, 0.0]), [(-1e-300, Some(1.0)), (0.0, Some(2.0))]);
        let far = counts(vec![f64::MIN, f64::MIN, f64::MAX, f64::MAX]);
        assert!(far.len() < 62 && far.iter().filter_map(|point| point.1).sum::<f64>() == 4.0, "{far:?}");
        assert!(counts(vec![f64::NAN, 1.0, f64::INFINITY]).len() == 1);
    }
}
