//! Exact counts of an integer measure with few possible values, such as a rating from 1 to 10.
//!
//! Everything else follows exactly from the counts: count, sum, mean, variance, extremes and quantiles.

/// Counts of each value of a small range.
///
/// ```
/// use model::state::Histogram;
/// let mut ratings = Histogram::new(1, 10);
/// for rating in [8, 10, 3, 8] {
///     ratings.insert(rating);
/// }
/// assert_eq!((ratings.count(), ratings.sum(), ratings.mean()), (4, 29, Some(7.25)));
/// assert_eq!(ratings.quantile(0.5), Some(8.0));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    first: i64,
    counts: Vec<i64>,
}

impl Histogram {
    /// Largest number of values of a range that has a histogram.
    pub const MAX_VALUES: i64 = 64;

    /// Returns true if a measure with this inclusive range has a histogram.
    pub fn fits(first: i64, last: i64) -> bool {
        last.checked_sub(first).is_some_and(|span| (0..Self::MAX_VALUES).contains(&span))
    }

    /// Creates an empty histogram of the values `first..=last`.
    pub fn new(first: i64, last: i64) -> Self {
        let values = usize::try_from(last - first + 1).unwrap_or(0);
        Self { first, counts: vec![0; values] }
    }

    /// Counts one value. Returns false if it is outside of the range.
    pub fn insert(&mut self, value: i64) -> bool {
        self.add(value, 1)
    }

    /// Counts a value `times` times. Returns false if it is outside of the range.
    pub fn add(&mut self, value: i64, times: i64) -> bool {
        let place = value.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        match place.and_then(|place| self.counts.get_mut(place)) {
            Some(count) => {
                *count += times;
                true
            }
            None => false,
        }
    }

    pub(crate) fn heap_size(&self) -> usize {
        size_of_val(&*self.counts)
    }

    /// Adds another histogram of the same range.
    pub fn combine(&mut self, other: &Self) {
        debug_assert_eq!((self.first, self.counts.len()), (other.first, other.counts.len()));
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// Returns the values of the range with their counts, in order.
    pub fn iter(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        (self.first..).zip(self.counts.iter().copied())
    }

    /// Returns the number of values.
    pub fn count(&self) -> i64 {
        self.counts.iter().sum()
    }

    /// Returns the sum of the values.
    pub fn sum(&self) -> i128 {
        self.iter().map(|(value, count)| i128::from(value) * i128::from(count)).sum()
    }

    /// Returns the smallest value.
    pub fn min(&self) -> Option<i64> {
        self.iter().find(|&(_, count)| count > 0).map(|(value, _)| value)
    }

    /// Returns the largest value.
    pub fn max(&self) -> Option<i64> {
        self.iter().filter(|&(_, count)| count > 0).last().map(|(value, _)| value)
    }

    /// Arithmetic mean.
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum() as f64 / count as f64)
    }

    /// Sample variance (divided by count - 1), from two values on.
    pub fn variance(&self) -> Option<f64> {
        let count = self.count();
        let mean = self.mean()?;
        let squares: f64 = self.iter().map(|(value, count)| count as f64 * (value as f64 - mean).powi(2)).sum();
        (count > 1).then(|| squares / (count - 1) as f64)
    }

    /// The quantile `q` (0 to 1), interpolated linearly between the two nearest values (type 7 of Hyndman and Fan, "Sample
    /// Quantiles in Statistical Packages", 1996, as NumPy and pandas do); `quantile(0.5)` is the median.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let last = self.count() - 1;
        if last < 0 {
            return None;
        }
        let position = q.clamp(0.0, 1.0) * last as f64;
        let below = self.nth(position.floor() as i64)? as f64;
        let above = self.nth(position.ceil() as i64)? as f64;
        Some(below + (above - below) * position.fract())
    }

    /// Returns the value with index `place` among the values in order.
    fn nth(&self, place: i64) -> Option<i64> {
        let mut passed = 0;
        self.iter().find_map(|(value, count)| {
            passed += count;
            (passed > place).then_some(value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[i64]) -> Histogram {
        let mut histogram = Histogram::new(1, 10);
        assert!(values.iter().all(|&value| histogram.insert(value)));
        histogram
    }

    #[test]
    fn empty_has_no_mean() {
        let empty = of(&[]);
        assert_eq!((empty.count(), empty.mean(), empty.variance(), empty.quantile(0.5)), (0, None, None, None));
        assert_eq!((empty.min(), empty.max()), (None, None));
    }

    #[test]
    fn values_outside_are_refused() {
        let mut histogram = Histogram::new(1, 10);
        for outside in [0, 11, i64::MIN, i64::MAX] {
            assert!(!histogram.insert(outside));
        }
        assert_eq!(histogram.count(), 0);
        assert!(
            Histogram::fits(1, 64)
                && !Histogram::fits(1, 65)
                && !Histogram::fits(i64::MIN, i64::MAX)
                && !Histogram::fits(2, 1)
        );
    }

    #[test]
    fn a_sum_is_exact_beyond_64_bits() {
        let mut large = Histogram::new(i64::MAX - 1, i64::MAX);
        assert!(large.add(i64::MAX, 3) && large.add(i64::MAX - 1, 1));
        assert_eq!(large.sum(), 4 * i128::from(i64::MAX) - 1);
        assert_eq!(large.mean(), Some(i64::MAX as f64));
    }

    #[test]
    fn an_even_count_has_its_median_in_the_middle() {
        assert_eq!(of(&[1, 2, 3, 10]).quantile(0.5), Some(2.5));
        assert_eq!(of(&[7]).quantile(0.5), Some(7.0));
        assert_eq!(of(&[7]).variance(), None);
    }

    proptest! {
        #[test]
        fn agrees_with_the_values_in_order(mut values in prop::collection::vec(1_i64..=10, 2..200)) {
            let histogram = of(&values);
            values.sort_unstable();
            let (count, sum) = (values.len() as i64, values.iter().map(|&value| i128::from(value)).sum::<i128>());
            let mean = sum as f64 / count as f64;
            let variance = values.iter().map(|&v| (v as f64 - mean).powi(2)).sum::<f64>() / (count - 1) as f64;
            prop_assert_eq!((histogram.count(), histogram.sum()), (count, sum));
            prop_assert_eq!((histogram.min(), histogram.max()), (values.first().copied(), values.last().copied()));
            prop_assert!((histogram.variance().unwrap() - variance).abs() < 1e-9);
            let middle = (values[(values.len() - 1) / 2] + values[values.len() / 2]) as f64 / 2.0;
            prop_assert_eq!(histogram.quantile(0.5), Some(middle));
        }

        #[test]
        fn a_split_input_gives_the_whole(values in prop::collection::vec(1_i64..=10, 0..100), cut in 0_usize..100, other in 0_usize..100) {
            let (cut, other) = (cut.min(values.len()), other.min(values.len()));
            let (a, b) = (cut.min(other), cut.max(other));
            let (first, second, third) = (of(&values[..a]), of(&values[a..b]), of(&values[b..]));
            let mut left = first.clone();
            left.combine(&second);
            left.combine(&third);
            let mut right = third;
            right.combine(&second);
            right.combine(&first);
            prop_assert_eq!(&left, &of(&values));
            prop_assert_eq!(left, right);
        }
    }
}
