//! A sum of floats that loses neither what is small beside what is large, nor what leaves their range on its way.

/// A sum of floats in twice their precision: `high + low + halves * 2^1023`. `low` is what `high` lacks for being exact (Knuth's TwoSum), and
/// `halves` takes what `high` cannot hold, so that a part of the sum may be beyond the largest float. Split anywhere, large values that cancel
/// leave the small ones.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FloatSum {
    /// Smaller than 2^1023, without its sign.
    pub high: f64,
    /// At most half of the last digit of `high`.
    pub low: f64,
    /// How often 2^1023 is to be added; 0 unless values of about 9e307 or more were seen.
    pub halves: i64,
}

impl From<f64> for FloatSum {
    fn from(value: f64) -> Self {
        let mut sum = Self { high: value, low: 0.0, halves: 0 };
        sum.normalize();
        sum
    }
}

impl std::ops::AddAssign for FloatSum {
    fn add_assign(&mut self, other: Self) {
        let (high, lost) = two_sum(self.high, other.high);
        let (high, low) = two_sum(high, lost + (self.low + other.low));
        *self = Self { high, low, halves: self.halves + other.halves };
        self.normalize();
    }
}

impl FloatSum {
    /// Half of the first number beyond the range of a float: 2^1023.
    pub(super) const HALF: f64 = 8.98846567431158e307;

    fn normalize(&mut self) {
        if self.high.abs() < Self::HALF {
            return;
        }
        if self.high.is_finite() {
            self.halves += if self.high < 0.0 { -1 } else { 1 };
            // Exact: the two are within a factor of two.
            (self.high, self.low) = two_sum(self.high - Self::HALF.copysign(self.high), self.low);
        } else {
            self.low = 0.0;
        }
    }

    /// Returns the sum over the number of values; `None` if the sum is not known.
    pub(super) fn mean_of(self, count: i64) -> Option<f64> {
        let (value, count) = (self.value(), count as f64);
        if value.is_finite() {
            return Some(value / count);
        }
        // The sum is beyond the floats, the mean is not: a quarter of both is within.
        let quarter = self.halves as f64 / count * (Self::HALF / 4.0) + self.high / 4.0 / count;
        self.high.is_finite().then_some(quarter * 4.0)
    }

    /// Returns the sum as a float; infinite beyond the largest float.
    pub(super) fn value(self) -> f64 {
        let half = if self.halves < 0 { -Self::HALF } else { Self::HALF };
        // With three halves more than `high` can take away, it is infinite.
        let high = (0..self.halves.unsigned_abs().min(4)).fold(self.high, |sum, _| sum + half);
        if self.halves == 0 { high } else { high + self.low }
    }
}

/// Returns the rounded sum and the rounding error.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}
