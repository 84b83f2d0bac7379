//! Count, sum, mean, variance and extremes of a measure without a small range.
//!
//! Mean and variance are merged pairwise: Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing
//! Sample Variances" (1979), equations 2.1a and 2.1b. Unlike a stored sum of squares this does not cancel when the mean is large.

use super::float_sum::FloatSum;

/// Count, mean and sum of squared deviations.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Spread {
    count: i64,
    mean: f64,
    m2: f64,
}

impl Spread {
    fn combine(&mut self, other: Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = other;
            return;
        }
        let count = self.count + other.count;
        let (ours, theirs) = (self.count as f64, other.count as f64);
        let delta = other.mean - self.mean;
        let mean = self.mean + delta * theirs / count as f64;
        // Between the two means, also if the way from one to the other leaves the range of f64.
        let weighted = || self.mean * (ours / count as f64) + other.mean * (theirs / count as f64);
        self.mean = if mean.is_finite() { mean } else { weighted() };
        let between = delta * delta * ours * theirs / count as f64;
        let in_another_order = || delta * (ours * theirs / count as f64) * delta;
        self.m2 += other.m2 + if between.is_finite() { between } else { in_another_order() };
        self.count = count;
    }

    /// `None` also if it is beyond the largest f64.
    fn variance(self) -> Option<f64> {
        (self.count > 1).then(|| self.m2 / (self.count - 1) as f64).filter(|variance| variance.is_finite())
    }
}

/// A sum that does not lose small values beside large ones.
trait Total: Copy {
    /// Returns the sum divided by the number of values, if it is known.
    fn mean(self, count: i64) -> Option<f64>;
}

impl Total for i128 {
    fn mean(self, count: i64) -> Option<f64> {
        Some(self as f64 / count as f64)
    }
}

impl Total for FloatSum {
    fn mean(self, count: i64) -> Option<f64> {
        self.mean_of(count)
    }
}

macro_rules! moments {
    ($(#[$doc:meta])* $name:ident, $value:ty, $sum:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name {
            spread: Spread,
            sum: $sum,
            extremes: Option<($value, $value)>,
        }

        impl $name {
            /// Adds one value.
            pub fn insert(&mut self, value: $value) {
                self.combine(&Self {
                    spread: Spread { count: 1, mean: value as f64, m2: 0.0 },
                    sum: value.into(),
                    extremes: Some((value, value)),
                });
            }

            /// Merges another state.
            pub fn combine(&mut self, other: &Self) {
                self.spread.combine(other.spread);
                self.sum += other.sum;
                self.extremes = match (self.extremes, other.extremes) {
                    (Some((min, max)), Some((low, high))) => {
                        Some((if low < min { low } else { min }, if high > max { high } else { max }))
                    }
                    (ours, theirs) => ours.or(theirs),
                };
            }

            /// Returns the number of values.
            pub fn count(&self) -> i64 {
                self.spread.count
            }

            /// Returns the sum of the squared deviations from the mean.
            pub fn m2(&self) -> f64 {
                self.spread.m2
            }

            /// Arithmetic mean.
            pub fn mean(&self) -> Option<f64> {
                let count = Some(self.count()).filter(|&count| count > 0)?;
                let mean = self.sum.mean(count).unwrap_or(self.spread.mean);
                // Rounding can move it slightly beyond the extremes.
                let (min, max) = self.extremes.map_or((mean, mean), |(min, max)| (min as f64, max as f64));
                Some(mean.max(min).min(max)).filter(|mean| mean.is_finite())
            }

            /// Returns the pairwise mean. It is stored, because the deviations refer to it.
            pub fn combined_mean(&self) -> f64 {
                self.spread.mean
            }

            /// Sample variance (divided by count - 1), from two values on; `None` also if it is beyond the largest f64.
            pub fn variance(&self) -> Option<f64> {
                self.spread.variance()
            }

            /// Returns the smallest and largest value.
            pub fn extremes(&self) -> Option<($value, $value)> {
                self.extremes
            }
        }
    };
}

moments!(
    /// Moments of an integer measure; the sum is exact.
    ///
    /// ```
    /// let mut bytes = model::state::IntMoments::default();
    /// bytes.insert(i64::MAX);
    /// bytes.insert(i64::MAX);
    /// assert_eq!(bytes.sum(), 2 * i128::from(i64::MAX));
    /// ```
    IntMoments,
    i64,
    i128
);
moments!(
    /// Moments of a floating-point measure; NaN must be kept out by the caller.
    ///
    /// ```
    /// let mut celsius = model::state::FloatMoments::default();
    /// celsius.insert(20.0);
    /// celsius.insert(22.0);
    /// assert_eq!((celsius.mean(), celsius.variance()), (Some(21.0), Some(2.0)));
    /// assert_eq!(celsius.extremes(), Some((20.0, 22.0)));
    /// ```
    FloatMoments,
    f64,
    FloatSum
);

impl IntMoments {
    /// Creates a state from its stored parts.
    pub fn from_parts(count: i64, mean: f64, m2: f64, sum: i128, extremes: Option<(i64, i64)>) -> Self {
        Self { spread: Spread { count, mean, m2 }, sum, extremes }
    }

    /// Returns the sum of the values.
    pub fn sum(&self) -> i128 {
        self.sum
    }
}

impl FloatMoments {
    /// Creates a state from its stored parts.
    pub fn from_parts(count: i64, mean: f64, m2: f64, sum: FloatSum, extremes: Option<(f64, f64)>) -> Self {
        Self { spread: Spread { count, mean, m2 }, sum, extremes }
    }

    /// Returns the sum of the values; infinite beyond the largest f64.
    pub fn sum(&self) -> f64 {
        self.sum.value()
    }

    /// Returns the sum with all digits.
    pub fn exact_sum(&self) -> FloatSum {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn floats(values: &[f64]) -> FloatMoments {
        values.iter().fold(FloatMoments::default(), |mut state, &value| {
            state.insert(value);
            state
        })
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
    }

    #[test]
    fn empty_has_no_mean() {
        let empty = IntMoments::default();
        assert_eq!((empty.count(), empty.mean(), empty.variance(), empty.extremes()), (0, None, None, None));
        let mut one = FloatMoments::default();
        one.combine(&FloatMoments::default());
        assert_eq!(one, FloatMoments::default());
    }

    #[test]
    fn a_large_mean_does_not_cancel_the_variance() {
        let state = floats(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]);
        assert_eq!(state.variance(), Some(30.0));
    }

    #[test]
    fn the_ends_of_the_floats_give_a_number_or_none() {
        const FAR: f64 = 1.7e308;
        for (values, mean, variance) in [
            (&[FAR, FAR, FAR][..], Some(FAR), Some(0.0)),
            (&[FAR, -FAR], Some(0.0), None),
            (&[1e200, -1e200], Some(0.0), None),
            (&[1.34e154, -1.34e154, 0.0], Some(0.0), None),
            (&[1e150, -1e150], Some(0.0), Some(2e300)),
            (&[5e-324, 5e-324], Some(5e-324), Some(0.0)),
            (&[f64::MAX, f64::MAX, f64::MAX, f64::MAX], Some(f64::MAX), Some(0.0)),
        ] {
            let state = floats(values);
            assert_eq!((state.mean(), state.variance().is_some()), (mean, variance.is_some()), "{values:?}");
            assert!(
                state
                    .variance()
                    .zip(variance)
                    .is_none_or(|(found, variance)| (found - variance).abs() <= 1e-9 * variance)
            );
        }
        let mixed = floats(&[FAR, FAR, -FAR, -FAR, FAR]);
        assert_eq!((mixed.sum(), mixed.mean()), (FAR, Some(FAR / 5.0)));
    }

    #[test]
    fn a_sum_may_leave_the_floats_on_its_way() {
        const FAR: f64 = 1.7e308;
        for (values, sum, mean) in [
            (&[FAR, FAR, -FAR, -FAR][..], 0.0, 0.0),
            (&[-FAR, -FAR, FAR, FAR, 1.0], 1.0, 0.2),
            (&[FAR, FAR, FAR, -FAR, -FAR], FAR, FAR / 5.0),
            (&[f64::MAX, f64::MAX, -f64::MAX, -f64::MAX, 0.25], 0.25, 0.05),
            (&[1e308, 1e308, -1e308], 1e308, 1e308 / 3.0),
            (&[FAR, FAR], f64::INFINITY, FAR),
            (&[-FAR, -FAR, -FAR, 1e308], f64::NEG_INFINITY, -1.025e308),
            (&[FloatSum::HALF, FloatSum::HALF, -FloatSum::HALF], FloatSum::HALF, FloatSum::HALF / 3.0),
            (&[FloatSum::HALF, -1.0], FloatSum::HALF, FloatSum::HALF / 2.0),
            (&[-FloatSum::HALF, 1.0, FloatSum::HALF], 1.0, 1.0 / 3.0),
            (&[FAR, FAR, 0.5, -FAR, -FAR], 0.5, 0.1),
        ] {
            let state = floats(values);
            assert_eq!(state.sum(), sum, "{values:?}");
            let found = state.mean().unwrap();
            assert!((found - mean).abs() <= 1e-15 * mean.abs(), "{values:?}: {found}");
        }
        assert_eq!(FloatSum::HALF, 2_f64.powi(1023));
    }

    #[test]
    fn large_values_that_cancel_leave_the_small_ones() {
        for values in [[1e300, 1.0, -1e300], [1.0, 1e300, -1e300], [1e16, 1.0, -1e16]] {
            assert_eq!(floats(&values).sum(), 1.0, "{values:?}");
        }
        let mut parts = floats(&[1e300, 0.5]);
        parts.combine(&floats(&[-1e300, 0.25]));
        assert_eq!((parts.sum(), parts.mean()), (0.75, Some(0.1875)));
    }

    #[test]
    fn the_mean_of_integers_is_that_of_their_exact_sum() {
        let mut state = IntMoments::default();
        [i64::MAX, i64::MAX, i64::MIN, i64::MIN, 5].iter().for_each(|&value| state.insert(value));
        assert_eq!((state.sum(), state.mean()), (3, Some(0.6)));
    }

    proptest! {
        #[test]
        fn no_finite_values_give_a_nan(values in prop::collection::vec(any::<f64>().prop_filter("finite", |value| value.is_finite()), 1..40), cut in 0_usize..40) {
            let (first, second) = values.split_at(cut.min(values.len()));
            let mut state = floats(first);
            state.combine(&floats(second));
            let (min, max) = state.extremes().unwrap();
            let mean = state.mean();
            prop_assert!(mean.is_some_and(|mean| min <= mean && mean <= max), "{:?} of {:?}", mean, values);
            prop_assert!(state.variance().is_none_or(|variance| variance >= 0.0));
            prop_assert!(!state.m2().is_nan());
        }

        #[test]
        fn far_values_that_cancel_leave_the_others_but_for_the_digits_that_a_sum_has(
            far in prop::collection::vec(1e307_f64..f64::MAX, 0..20),
            near in prop::collection::vec(-1_000_i32..1_000, 0..20),
            seed in any::<u64>(),
            cut in 0_usize..60,
        ) {
            let mut values: Vec<f64> = far.iter().flat_map(|&value| [value, -value]).collect();
            values.extend(near.iter().copied().map(f64::from));
            // Any order that the seed gives.
            values.sort_by_key(|value| (value.to_bits() ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let (first, second) = values.split_at(cut.min(values.len()));
            let mut state = floats(first);
            state.combine(&floats(second));
            let largest = far.iter().copied().fold(0.0, f64::max);
            let difference = (state.sum() - f64::from(near.iter().sum::<i32>())).abs();
            prop_assert!(difference <= 1e-28 * largest, "{} of {:?}", state.sum(), values);
        }

        #[test]
        fn agrees_with_two_passes(values in prop::collection::vec(-1e6_f64..1e6, 2..100)) {
            let state = floats(&values);
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64;
            prop_assert!(close(state.mean().unwrap(), mean));
            prop_assert!(close(state.variance().unwrap(), variance));
        }

        #[test]
        fn a_split_input_gives_the_whole(values in prop::collection::vec(-1e6_f64..1e6, 3..100), cut in 1_usize..99) {
            let cut = cut.min(values.len() - 1);
            let whole = floats(&values);
            let (mut ab, mut ba) = (floats(&values[..cut]), floats(&values[cut..]));
            let (first, second) = (ab.clone(), ba.clone());
            ab.combine(&second);
            ba.combine(&first);
            for state in [&ab, &ba] {
                prop_assert_eq!((state.count(), state.extremes()), (whole.count(), whole.extremes()));
                prop_assert!(close(state.sum(), whole.sum()));
                prop_assert!(close(state.mean().unwrap(), whole.mean().unwrap()));
                prop_assert!(close(state.variance().unwrap(), whole.variance().unwrap()));
            }
        }
    }
}
