//! Values to pixels, and the round numbers between which a scale runs.

use crate::format;

/// A straight line from a range of values to a range of pixels; either may run backwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    pub values: (f64, f64),
    pub pixels: (f32, f32),
}

impl Scale {
    /// Where `value` lies; the middle where all values are the same.
    pub fn at(&self, value: f64) -> f32 {
        let span = self.values.1 - self.values.0;
        let share = if span == 0.0 { 0.5 } else { (value - self.values.0) / span };
        self.pixels.0 + share as f32 * (self.pixels.1 - self.pixels.0)
    }
}

/// Round numbers around some values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ticks {
    /// Ascending.
    pub values: Vec<f64>,
    /// Where the axis begins and ends: at a tick, unless that would leave much of the axis empty.
    pub range: (f64, f64),
    step: f64,
}

/// Part of a step that may stay empty at an end of the axis.
const MOST_EMPTY: f64 = 0.6;
/// Room beyond the last value where the axis ends between two ticks, as a part of all values' span.
const HEADROOM: f64 = 0.05;

impl Ticks {
    /// At most `most` steps of 1, 2 or 5 times a power of ten around the values from `min` to `max`.
    pub fn around(min: f64, max: f64, most: usize) -> Self {
        let (min, max) = widened(min, max);
        let step = round_step(max - min, most.max(1));
        let (mut first, mut last) = ((min / step).floor(), (max / step).ceil());
        let mut range = (first * step, last * step);
        let room = HEADROOM * (max - min);
        if last * step - max > MOST_EMPTY * step && last - first > 1.0 {
            last -= 1.0;
            range.1 = max + room;
        }
        if min - first * step > MOST_EMPTY * step && last - first > 1.0 {
            first += 1.0;
            range.0 = min - room;
        }
        let values = (0..=(last - first) as usize).map(|position| (first + position as f64) * step).collect();
        Self { values, range, step }
    }

    /// One label per tick, all with as many decimals as the step needs.
    pub fn labels(&self) -> Vec<String> {
        let (low, high) = self.range;
        let (unit, suffix) = match low.abs().max(high.abs()) {
            largest if largest >= 1e10 => (1e9, " bn"),
            largest if largest >= 1e7 => (1e6, " M"),
            _ => (1.0, ""),
        };
        let decimals = decimals(self.step / unit);
        self.values.iter().map(|value| format!("{}{suffix}", format::decimal(value / unit, decimals))).collect()
    }
}

/// Decimals that tell multiples of `step` apart.
fn decimals(step: f64) -> usize {
    (-step.log10().floor()).clamp(0.0, 12.0) as usize
}

/// A range with some width: a single value lies in the middle of it.
fn widened(min: f64, max: f64) -> (f64, f64) {
    if min < max {
        return (min, max);
    }
    let margin = if min == 0.0 { 1.0 } else { min.abs() * 0.1 };
    (min - margin, max + margin)
}

fn round_step(span: f64, most: usize) -> f64 {
    let rough = span / most as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let fits = |factor: &&f64| **factor * power >= rough * (1.0 - 1e-9);
    let factor = [1.0, 2.0, 5.0].iter().find(fits).copied().unwrap_or(10.0);
    factor * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_round() {
        let cases: [((f64, f64), usize, &[&str]); 6] = [
            ((0.0, 9_500.0), 5, &["0", "2,000", "4,000", "6,000", "8,000", "10,000"]),
            ((5.2, 7.9), 4, &["5", "6", "7", "8"]),
            ((0.1, 0.3), 4, &["0.10", "0.15", "0.20", "0.25", "0.30"]),
            ((-30.0, 10.0), 4, &["-30", "-20", "-10", "0", "10"]),
            ((0.0, 4e7), 4, &["0 M", "10 M", "20 M", "30 M", "40 M"]),
            ((0.0, 3e10), 3, &["0 bn", "10 bn", "20 bn", "30 bn"]),
        ];
        for ((min, max), most, labels) in cases {
            let ticks = Ticks::around(min, max, most);
            assert_eq!(ticks.labels(), labels, "{min} to {max}");
            assert!(ticks.range.0 <= min && max <= ticks.range.1, "{:?}", ticks.range);
        }
    }

    #[test]
    fn an_axis_ends_between_ticks_rather_than_stay_empty() {
        let ticks = Ticks::around(0.0, 11_000.0, 4);
        assert_eq!(
            (ticks.labels(), ticks.range),
            (vec!["0".to_owned(), "5,000".into(), "10,000".into()], (0.0, 11_550.0))
        );
    }

    #[test]
    fn one_value_gets_room_on_both_sides() {
        for value in [0.0, 7.0, -3.5, 1e12] {
            let (low, high) = Ticks::around(value, value, 5).range;
            assert!(low < value && value < high, "{low} {value} {high}");
        }
    }

    #[test]
    fn a_scale_may_run_backwards_and_may_have_no_width() {
        let scale = Scale { values: (0.0, 10.0), pixels: (100.0, 0.0) };
        assert_eq!((scale.at(0.0), scale.at(2.5), scale.at(10.0)), (100.0, 75.0, 0.0));
        assert_eq!(Scale { values: (3.0, 3.0), pixels: (0.0, 10.0) }.at(3.0), 5.0);
    }
}
