//! Event clocks of partitions, and the watermark of a stream. Times are milliseconds since the epoch.
//!
//! An event clock is the largest event time stored from a partition. It depends only on that partition's records, so a replay and
//! a rebalance decide lateness the same way. The watermark is the smallest clock of the partitions that are not idle, minus the
//! allowed lateness. If all partitions are idle, every window is complete.

/// The largest event time seen in one partition. It never decreases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventClock(Option<i64>);

impl EventClock {
    /// Creates a clock at `time`; `None` for a partition without events.
    pub fn restored(time: Option<i64>) -> Self {
        Self(time)
    }

    /// Returns the largest event time so far, in milliseconds.
    pub fn now(self) -> Option<i64> {
        self.0
    }

    /// Advances the clock to an event time that is larger.
    pub fn observe(&mut self, event_time: i64) {
        self.0 = Some(self.0.map_or(event_time, |now| now.max(event_time)));
    }

    /// Returns true if a window that ends at `ends_at` is closed, given the allowed lateness.
    ///
    /// ```
    /// use model::clock::{AllowedLateness, EventClock};
    /// let clock = EventClock::restored(Some(100));
    /// assert!(clock.has_closed(90, AllowedLateness::Millis(10)));
    /// assert!(!clock.has_closed(91, AllowedLateness::Millis(10)));
    /// assert!(!clock.has_closed(0, AllowedLateness::Unbounded));
    /// ```
    pub fn has_closed(self, ends_at: i64, lateness: AllowedLateness) -> bool {
        match (self.0, lateness) {
            (Some(now), AllowedLateness::Millis(ms)) => ends_at.saturating_add(ms) <= now,
            _ => false,
        }
    }
}

/// How long after its end a window still accepts records as on time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowedLateness {
    /// Milliseconds of event time.
    Millis(i64),
    /// No record is late, and windows close only when the stream is idle. For records in any order.
    Unbounded,
}

/// The state of one partition that the watermark depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionClock {
    /// Its event clock.
    pub clock: EventClock,
    /// True if nothing was stored from it for the idle timeout.
    pub idle: bool,
}

/// The event time up to which a stream is complete. Windows that end at or before it are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watermark {
    /// Nothing is known to be complete.
    Unknown,
    /// Complete up to this event time (milliseconds).
    At(i64),
    /// The stream is idle: every window that exists is complete.
    Idle,
}

impl Watermark {
    /// Computes the watermark of a stream. A partition without events holds it back unless it is idle.
    ///
    /// ```
    /// use model::clock::*;
    /// let partition = |time, idle| PartitionClock { clock: EventClock::restored(time), idle };
    /// let lateness = AllowedLateness::Millis(10);
    /// assert_eq!(Watermark::of([partition(Some(50), false), partition(Some(70), false)], lateness), Watermark::At(40));
    /// assert_eq!(Watermark::of([partition(Some(50), true), partition(Some(70), false)], lateness), Watermark::At(60));
    /// assert_eq!(Watermark::of([partition(Some(50), true), partition(None, true)], lateness), Watermark::Idle);
    /// assert_eq!(Watermark::of([partition(None, false), partition(Some(70), false)], lateness), Watermark::Unknown);
    /// ```
    pub fn of(partitions: impl IntoIterator<Item = PartitionClock>, lateness: AllowedLateness) -> Self {
        let mut smallest = None;
        let mut seen = false;
        for partition in partitions {
            seen = true;
            if partition.idle {
                continue;
            }
            let Some(now) = partition.clock.now() else { return Self::Unknown };
            smallest = Some(smallest.map_or(now, |before: i64| before.min(now)));
        }
        match (smallest, lateness) {
            (Some(now), AllowedLateness::Millis(ms)) => Self::At(now.saturating_sub(ms)),
            (None, _) if seen => Self::Idle,
            _ => Self::Unknown,
        }
    }

    /// Returns true if a window that ends at `ends_at` is complete.
    pub fn has_passed(self, ends_at: i64) -> bool {
        match self {
            Self::Unknown => false,
            Self::At(time) => ends_at <= time,
            Self::Idle => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_never_goes_back() {
        let mut clock = EventClock::default();
        for (time, now) in [(-5, -5), (10, 10), (3, 10)] {
            clock.observe(time);
            assert_eq!(clock.now(), Some(now));
        }
    }

    #[test]
    fn a_partition_without_events_has_closed_nothing() {
        assert!(!EventClock::default().has_closed(i64::MIN, AllowedLateness::Millis(0)));
    }

    #[test]
    fn unbounded_lateness_waits_for_idleness() {
        let busy = PartitionClock { clock: EventClock::restored(Some(1)), idle: false };
        let idle = PartitionClock { idle: true, ..busy };
        assert_eq!(Watermark::of([busy, idle], AllowedLateness::Unbounded), Watermark::Unknown);
        assert!(Watermark::of([idle, idle], AllowedLateness::Unbounded).has_passed(i64::MAX));
        assert_eq!(Watermark::of([], AllowedLateness::Unbounded), Watermark::Unknown);
    }
}
