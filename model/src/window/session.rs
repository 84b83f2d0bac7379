//! Session windows.
//!
//! An event at `t` opens the window `[t, t + gap)`. Overlapping windows of one key are merged. Two events less than `gap` apart are in
//! one session, in any order of arrival, and an event between two sessions merges them.

use super::Window;
use std::collections::BTreeMap;

/// The sessions of one key, each with a value of the caller.
///
/// ```
/// use model::window::{Sessions, Window};
/// let mut sessions = Sessions::new(10);
/// for time in [0, 15, 5, 40] {
///     sessions.insert(time, 1, |count, other| *count += other);
/// }
/// let found: Vec<(Window, i32)> = sessions.iter().map(|(window, &count)| (window, count)).collect();
/// assert_eq!(found, [(Window { start: 0, end: 15 }, 2), (Window { start: 15, end: 25 }, 1), (Window { start: 40, end: 50 }, 1)]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sessions<T> {
    gap: i64,
    /// End and value by start; sessions do not overlap.
    open: BTreeMap<i64, (i64, T)>,
}

impl<T> Sessions<T> {
    /// Creates an empty set; `gap` is in milliseconds and greater than 0.
    pub fn new(gap: i64) -> Self {
        Self { gap: gap.max(1), open: BTreeMap::new() }
    }

    /// Adds an event with its value and returns its session. `combine` merges a later value into an earlier one.
    pub fn insert(&mut self, event_time: i64, value: T, mut combine: impl FnMut(&mut T, T)) -> (Window, &mut T) {
        let mut window = Window { start: event_time, end: event_time.saturating_add(self.gap) };
        // Sessions do not overlap, so those that the event touches are the last ones before its end.
        let touched: Vec<i64> = self
            .open
            .range(..window.end)
            .rev()
            .take_while(|(_, (end, _))| *end > event_time)
            .map(|(start, _)| *start)
            .collect();
        let mut joined: Option<T> = None;
        for start in touched.into_iter().rev() {
            if let Some((end, known)) = self.open.remove(&start) {
                window = Window { start: window.start.min(start), end: window.end.max(end) };
                match &mut joined {
                    Some(joined) => combine(joined, known),
                    None => joined = Some(known),
                }
            }
        }
        let value = match joined {
            Some(mut joined) => {
                combine(&mut joined, value);
                joined
            }
            None => value,
        };
        let (_, value) = self.open.entry(window.start).or_insert((window.end, value));
        (window, value)
    }

    /// Restores a session that [`iter`](Self::iter) returned.
    pub fn restore(&mut self, window: Window, value: T) {
        self.open.insert(window.start, (window.end, value));
    }

    /// Returns the sessions in order of time.
    pub fn iter(&self) -> impl Iterator<Item = (Window, &T)> {
        self.open.iter().map(|(&start, (end, value))| (Window { start, end: *end }, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(gap: i64, times: &[i64]) -> Vec<(Window, usize)> {
        let mut sessions = Sessions::new(gap);
        times.iter().for_each(|&time| {
            sessions.insert(time, 1, |count, other| *count += other);
        });
        sessions.iter().map(|(window, &count)| (window, count)).collect()
    }

    #[test]
    fn an_event_between_two_sessions_joins_them() {
        //   0    5    10   15
        //   [----------)        [----------)
        //             [---------)
        assert_eq!(of(10, &[0, 18]).len(), 2);
        assert_eq!(of(10, &[0, 18, 9]), [(Window { start: 0, end: 28 }, 3)]);
        assert_eq!(of(10, &[0, 10]).len(), 2, "the end is outside");
    }

    proptest! {
        #[test]
        fn any_order_gives_the_sessions_of_the_sorted_times(mut times in prop::collection::vec(-300_i64..300, 1..60), gap in 1_i64..30) {
            let found = of(gap, &times);
            times.sort_unstable();
            let mut expected: Vec<(Window, usize)> = Vec::new();
            for time in times {
                match expected.last_mut() {
                    Some((window, count)) if time < window.end => {
                        window.end = time + gap;
                        *count += 1;
                    }
                    _ => expected.push((Window { start: time, end: time + gap }, 1)),
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
