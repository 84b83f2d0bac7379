//! Count, sum, mean, variance and extremes of a measure without a small range.
//!
//! Mean and variance are combined pairwise: Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing
//! Sample Variances" (1979), equations 2.1a and 2.1b. Unlike a stored sum of squares this does not cancel when the mean is large.

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
        let count = self.count + other.count;
        let (ours, theirs) = (self.count as f64, other.count as f64);
        let delta = other.mean - self.mean;
        self.mean += delta * theirs / count as f64;
        self.m2 += other.m2 + delta * delta * ours * theirs / count as f64;
        self.count = count;
    }

    fn variance(self) -> Option<f64> {
        (self.count > 1).then(|| self.m2 / (self.count - 1) as f64)
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
            /// Takes one value into account.
            pub fn insert(&mut self, value: $value) {
                self.combine(&Self {
                    spread: Spread { count: 1, mean: value as f64, m2: 0.0 },
                    sum: value as $sum,
                    extremes: Some((value, value)),
                });
            }

            /// Adds another state.
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

            /// A state from its stored parts.
            pub fn from_parts(count: i64, mean: f64, m2: f64, sum: $sum, extremes: Option<($value, $value)>) -> Self {
                Self { spread: Spread { count, mean, m2 }, sum, extremes }
            }

            /// Number of values seen.
            pub fn count(&self) -> i64 {
                self.spread.count
            }

            /// Sum of the values seen.
            pub fn sum(&self) -> $sum {
                self.sum
            }

            /// Sum of the squared deviations from the mean.
            pub fn m2(&self) -> f64 {
                self.spread.m2
            }

            /// Arithmetic mean.
            pub fn mean(&self) -> Option<f64> {
                (self.count() > 0).then_some(self.spread.mean)
            }

            /// Sample variance (divided by count - 1), from two values on.
            pub fn variance(&self) -> Option<f64> {
                self.spread.variance()
            }

            /// Smallest and largest value seen.
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
    f64
);

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

    proptest! {
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
