//! Hopping windows: a fixed size and a new window at every step, so a time is in several windows.

use super::{UnknownWindow, Window, parse_duration_ms};
use std::fmt;

/// Size and step in milliseconds, aligned to the epoch. A step equal to the size makes tumbling windows.
///
/// ```
/// use model::window::Hopping;
/// let hopping = Hopping::parse("1h every 30m").unwrap();
/// let mut starts = Vec::new();
/// hopping.for_each(0, |window| starts.push(window.start));
/// assert_eq!(starts, [-1_800_000, 0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hopping {
    size: i64,
    step: i64,
}

impl Hopping {
    /// Creates windows of `size` at every `step`, in milliseconds; `None` unless `0 < step <= size`.
    pub fn new(size: i64, step: i64) -> Option<Self> {
        (0 < step && step <= size).then_some(Self { size, step })
    }

    /// Reads `1h every 15m`.
    ///
    /// # Errors
    /// [`UnknownWindow`] where a length cannot be read, or the step is not between 0 and the size.
    pub fn parse(text: &str) -> Result<Self, UnknownWindow> {
        let hopping = text
            .split_once(" every ")
            .and_then(|(size, step)| Self::new(parse_duration_ms(size)?, parse_duration_ms(step)?));
        hopping.ok_or_else(|| UnknownWindow(text.to_owned()))
    }

    /// Returns the length of a window in milliseconds.
    pub fn size(self) -> i64 {
        self.size
    }

    /// Returns the milliseconds between the starts of two windows.
    pub fn step(self) -> i64 {
        self.step
    }

    /// Returns the largest number of windows that one time is in.
    pub fn most_windows(self) -> i64 {
        (self.size - 1) / self.step + 1
    }

    /// Calls `visit` for each window that contains the event time, earliest first.
    pub fn for_each(self, event_time: i64, mut visit: impl FnMut(Window)) {
        // The first start after event_time - size.
        let mut start =
            (event_time - self.size).div_euclid(self.step).saturating_mul(self.step).saturating_add(self.step);
        while start <= event_time {
            visit(Window { start, end: start.saturating_add(self.size) });
            start = start.saturating_add(self.step);
        }
    }
}

impl fmt::Display for Hopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::write_size(f, self.size)?;
        f.write_str(" every ")?;
        super::write_size(f, self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_prints_alike_and_refuses_gaps() {
        assert_eq!(Hopping::parse("1h every 15m").unwrap().to_string(), "1h every 15m");
        for text in ["1h", "15m every 1h", "1h every 0s", "1h every", "month every day"] {
            assert_eq!(Hopping::parse(text), Err(UnknownWindow(text.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn a_time_is_in_every_window_that_holds_it_and_no_other(time in -1_000_000_i64..1_000_000, step in 1_i64..500, more in 0_i64..2_000) {
            let size = step + more;
            let mut found = Vec::new();
            Hopping::new(size, step).unwrap().for_each(time, |window| found.push(window.start));
            let first = (time - size).div_euclid(step) - 1;
            let expected: Vec<i64> = (first..=time.div_euclid(step) + 1)
                .map(|place| place * step)
                .filter(|&start| start <= time && time < start + size)
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
