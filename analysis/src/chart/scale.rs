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
        let (first, last) = self.values;
        let share = match last - first {
            0.0 => 0.5,
            span if span.is_finite() => (value - first) / span,
            _ => (value / 4.0 - first / 4.0) / (last / 4.0 - first / 4.0),
        };
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
/// The shortest axis: powers of ten below its steps are no longer numbers.
const LEAST_SPAN: f64 = 1e-300;
/// The shortest axis as a part of its values, of which numbers have not many more digits.
const LEAST_PART: f64 = 1e-14;
/// Beyond this, steps around the values could be infinite.
const GREATEST: f64 = 1e300;

impl Ticks {
    /// At most `most` steps of 1, 2 or 5 times a power of ten around the values from `min` to `max`.
    pub fn around(min: f64, max: f64, most: usize) -> Self {
        let (min, max) = (min.clamp(f64::MIN, f64::MAX), max.clamp(f64::MIN, f64::MAX));
        if min.abs().max(max.abs()) > GREATEST {
            return Self::around(min / GREATEST, max / GREATEST, most).times(GREATEST);
        }
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

    /// As [`around`](Self::around), with ticks at whole numbers only.
    pub fn whole(min: f64, max: f64, most: usize) -> Self {
        let ticks = (1..=most.max(1)).rev().map(|most| Self::around(min, max, most)).find(|ticks| ticks.step >= 1.0);
        ticks.unwrap_or_else(|| Self::around(min.floor(), max.ceil().max(min.floor() + 1.0), 1))
    }

    /// These ticks so many times farther from zero, as far as there are numbers.
    fn times(self, factor: f64) -> Self {
        let number = |value: f64| (value * factor).clamp(f64::MIN, f64::MAX);
        let values = self.values.into_iter().map(|value| value * factor).filter(|value| value.is_finite()).collect();
        Self { values, range: (number(self.range.0), number(self.range.1)), step: number(self.step) }
    }

    /// With as many digits as tell it from its neighbours.
    fn with_exponent(&self, value: f64) -> String {
        if value.abs() < self.step / 2.0 {
            return "0".to_owned();
        }
        let digits = format::magnitude(value) - format::magnitude(self.step * (1.0 + 1e-9));
        format::scientific(value, digits.clamp(0, MOST_DECIMALS as i32) as usize)
    }

    /// One label per tick, all with as many decimals as the step needs.
    pub fn labels(&self) -> Vec<String> {
        let (low, high) = self.range;
        if format::needs_exponent(low.abs().max(high.abs())) {
            return self.values.iter().map(|value| self.with_exponent(*value)).collect();
        }
        let (unit, suffix) = match low.abs().max(high.abs()) {
            largest if largest >= 1e10 => (1e9, " bn"),
            largest if largest >= 1e7 => (1e6, " M"),
            _ => (1.0, ""),
        };
        let decimals = decimals(self.step / unit);
        self.values.iter().map(|value| format!("{}{suffix}", format::decimal(value / unit, decimals))).collect()
    }
}

/// More than a number has.
const MOST_DECIMALS: f64 = 20.0;

/// Decimals that tell multiples of `step` apart.
fn decimals(step: f64) -> usize {
    (-step.log10().floor()).clamp(0.0, MOST_DECIMALS) as usize
}

/// A range with some width: a single value lies in the middle of it, and so do values that are too close to be told apart.
fn widened(min: f64, max: f64) -> (f64, f64) {
    let least = LEAST_SPAN.max(min.abs().max(max.abs()) * LEAST_PART);
    if max - min >= least {
        return (min, max);
    }
    let margin = match min {
        _ if min < max => least,
        0.0 => 1.0,
        _ => (min.abs() * 0.1).max(least),
    };
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
        let cases: [((f64, f64), usize, &[&str]); 10] = [
            ((0.0, 9_500.0), 5, &["0", "2,000", "4,000", "6,000", "8,000", "10,000"]),
            ((5.2, 7.9), 4, &["5", "6", "7", "8"]),
            ((0.1, 0.3), 4, &["0.10", "0.15", "0.20", "0.25", "0.30"]),
            ((-30.0, 10.0), 4, &["-30", "-20", "-10", "0", "10"]),
            ((0.0, 3e-14), 3, &["0", "1e-14", "2e-14", "3e-14"]),
            ((5e-15, 1.5e-14), 2, &["5e-15", "1e-14", "1.5e-14"]),
            ((-1e300, 2e300), 3, &["-1e300", "0", "1e300", "2e300"]),
            ((0.0, 2e-4), 2, &["0.0000", "0.0001", "0.0002"]),
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
    fn whole_numbers_have_no_ticks_between_them() {
        for (low, high) in [(0.0, 1.0), (0.0, 2.0), (5.0, 5.0), (3.0, 4.0), (0.0, 9_500.0), (-2.0, 1.0), (0.0, 0.0)] {
            for most in 1..=8 {
                let ticks = Ticks::whole(low, high, most);
                assert!(ticks.values.iter().all(|value| value.fract() == 0.0), "{low} to {high}: {:?}", ticks.values);
                assert!(ticks.range.0 <= low && high <= ticks.range.1 && ticks.values.len() > 1, "{ticks:?}");
            }
        }
    }

    #[test]
    fn one_value_gets_room_on_both_sides() {
        for value in [0.0, 7.0, -3.5, 1e12] {
            let (low, high) = Ticks::around(value, value, 5).range;
            assert!(low < value && value < high, "{low} {value} {high}");
        }
    }

    #[test]
    fn the_smallest_and_the_largest_numbers_have_few_ticks_around_them() {
        let close = (1.0, 1.0 + f64::EPSILON);
        for (low, high) in [(-5e-324, 5e-324), (5e-324, 5e-324), close, (-1.7e308, 1.7e308), (f64::MIN, f64::MAX)] {
            let ticks = Ticks::around(low, high, 5);
            assert!(ticks.range.0 <= low && high <= ticks.range.1, "{:?}", ticks.range);
            assert!((2..=7).contains(&ticks.values.len()), "{low} to {high}: {:?}", ticks.values);
            let scale = Scale { values: ticks.range, pixels: (0.0, 100.0) };
            for value in ticks.values.into_iter().chain([low, high]) {
                assert!((0.0..=100.0).contains(&scale.at(value)), "{value} of {low} to {high}: {}", scale.at(value));
            }
        }
    }

    #[test]
    fn a_scale_may_run_backwards_and_may_have_no_width() {
        let scale = Scale { values: (0.0, 10.0), pixels: (100.0, 0.0) };
        assert_eq!((scale.at(0.0), scale.at(2.5), scale.at(10.0)), (100.0, 75.0, 0.0));
        assert_eq!(Scale { values: (3.0, 3.0), pixels: (0.0, 10.0) }.at(3.0), 5.0);
    }
}
