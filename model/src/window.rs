//! Assigns event times to windows.
//!
//! Windows are half-open, `[start, end)`, and identified by their start. Tumbling and hopping windows are aligned to the epoch, calendar
//! windows to the calendar of a time zone. Division rounds towards minus infinity, so times before 1970 work the same way. A session
//! contains events of one key with less than the gap between neighbours.
//!
//! `start` and `end` of a window are *labels* in milliseconds. For calendar windows they are civil dates at 00:00 UTC, so `2020-03-01`
//! reads the same in every zone. For all others they are instants. [`WindowSpec::ends_at`] returns the instant at which a window ends.

mod hopping;
mod session;

pub use hopping::Hopping;
pub use session::Sessions;

use crate::calendar::{self, CalendarUnit};
use jiff::{Span, SpanRelativeTo, tz::TimeZone};
use std::fmt;

/// A half-open window `[start, end)`, with labels in milliseconds as the module describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// Label of the first instant.
    pub start: i64,
    /// Label of the first instant after the window.
    pub end: i64,
}

/// The size and alignment of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    /// Fixed size in milliseconds, aligned to the epoch.
    Tumbling {
        /// Size in milliseconds, greater than 0.
        size: i64,
    },
    /// Fixed size, with a new window at every step.
    Hopping(Hopping),
    /// A unit of the calendar.
    Calendar(CalendarUnit),
    /// Events of one key, until a pause.
    Session {
        /// The pause in milliseconds, greater than 0.
        gap: i64,
    },
}

/// A text that does not describe a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown window \"{0}\": use day, week, ten_day, month, quarter, year, a length such as \"15m\" or \"12h\", \"1h every 15m\" \
     for windows that overlap, or \"session 30m\" for windows that end after a pause"
)]
pub struct UnknownWindow(pub String);

impl WindowKind {
    /// Reads `month`, `ten_day`, `15m`, `1h every 15m`, `session 30m`.
    ///
    /// # Errors
    /// [`UnknownWindow`] where the text is none of these.
    ///
    /// ```
    /// use model::window::WindowKind;
    /// assert_eq!(WindowKind::parse("15m").unwrap(), WindowKind::Tumbling { size: 900_000 });
    /// assert!(WindowKind::parse("fortnight").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, UnknownWindow> {
        if let Some(unit) = CalendarUnit::parse(text) {
            return Ok(Self::Calendar(unit));
        }
        let length = |text: &str| parse_duration_ms(text).filter(|&length| length > 0);
        let kind = match text.strip_prefix("session ") {
            Some(gap) => length(gap).map(|gap| Self::Session { gap }),
            None if text.contains(" every ") => return Hopping::parse(text).map(Self::Hopping),
            None => length(text).map(|size| Self::Tumbling { size }),
        };
        kind.ok_or_else(|| UnknownWindow(text.to_owned()))
    }
}

/// Reads a length such as `90s`, `15m`, `36h` or `7 days` as milliseconds; days have 24 hours.
///
/// ```
/// assert_eq!(model::window::parse_duration_ms("1h 30m"), Some(5_400_000));
/// assert_eq!(model::window::parse_duration_ms("7d"), Some(604_800_000));
/// assert_eq!(model::window::parse_duration_ms("soon"), None);
/// ```
pub fn parse_duration_ms(text: &str) -> Option<i64> {
    let span: Span = text.trim().parse().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    i64::try_from(duration.as_millis()).ok()
}

/// How event times relate to the calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timeline {
    /// Event times are civil dates (00:00 UTC by label); no zone applies.
    Civil,
    /// Event times are instants; the calendar is that of the zone.
    Zoned(TimeZone),
}

/// Assigns event times to windows.
///
/// ```
/// use model::window::{Timeline, WindowKind, WindowSpec};
/// let spec = WindowSpec::new(WindowKind::parse("1h").unwrap(), Timeline::Civil);
/// let mut starts = Vec::new();
/// spec.for_each(-1, |window| starts.push(window.start));
/// assert_eq!(starts, [-3_600_000]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowSpec {
    kind: WindowKind,
    timeline: Timeline,
}

impl WindowSpec {
    /// Windows of `kind` over event times of `timeline`.
    pub fn new(kind: WindowKind, timeline: Timeline) -> Self {
        Self { kind, timeline }
    }

    /// Size and alignment.
    pub fn kind(&self) -> WindowKind {
        self.kind
    }

    /// Returns the zone whose midnight begins a calendar window; `None` if event times are civil dates.
    pub fn zone(&self) -> Option<&TimeZone> {
        match &self.timeline {
            Timeline::Civil => None,
            Timeline::Zoned(zone) => Some(zone),
        }
    }

    /// Returns true if the labels are civil dates, not instants.
    pub fn is_calendar(&self) -> bool {
        matches!(self.kind, WindowKind::Calendar(_))
    }

    /// Calls `visit` for each window of the event time (milliseconds): several hopping windows, one of any other kind. For sessions it
    /// is the window that the event forms alone.
    pub fn for_each(&self, event_time: i64, mut visit: impl FnMut(Window)) {
        visit(match self.kind {
            WindowKind::Tumbling { size } => {
                let start = event_time.div_euclid(size).saturating_mul(size);
                Window { start, end: start.saturating_add(size) }
            }
            WindowKind::Hopping(hopping) => return hopping.for_each(event_time, visit),
            WindowKind::Calendar(unit) => {
                calendar::window_of(unit, self.label_of(event_time).div_euclid(calendar::DAY_MS))
            }
            WindowKind::Session { gap } => Window { start: event_time, end: event_time.saturating_add(gap) },
        });
    }

    /// Returns the window with this start label; for sessions, the shortest.
    pub fn at_start(&self, start: i64) -> Window {
        let length = match self.kind {
            WindowKind::Tumbling { size } => size,
            WindowKind::Hopping(hopping) => hopping.size(),
            WindowKind::Session { gap } => gap,
            WindowKind::Calendar(unit) => return calendar::window_of(unit, start.div_euclid(calendar::DAY_MS)),
        };
        Window { start, end: start.saturating_add(length) }
    }

    /// Returns the instant (milliseconds) at which the window ends. Event times from this instant on are outside.
    pub fn ends_at(&self, window: Window) -> i64 {
        match (&self.timeline, self.kind) {
            (Timeline::Zoned(zone), WindowKind::Calendar(_)) => calendar::midnight_in(zone, window.end),
            _ => window.end,
        }
    }

    /// Returns the largest end label of windows that have ended by the instant (milliseconds). Windows with a smaller end label have also
    /// ended.
    pub fn ended_by(&self, instant: i64) -> i64 {
        let (Timeline::Zoned(zone), WindowKind::Calendar(_)) = (&self.timeline, self.kind) else { return instant };
        let label = calendar::label_in(zone, instant);
        let day = label.div_euclid(calendar::DAY_MS) * calendar::DAY_MS;
        // If clocks go back across midnight, a date begins before the date before it has ended.
        if calendar::midnight_in(zone, day) <= instant { label } else { day - 1 }
    }

    /// Returns a range of instants (milliseconds, end exclusive) that are all in the window. It covers the window, except for hours of a date
    /// that clocks repeat.
    pub fn certain(&self, window: Window) -> (i64, i64) {
        match (&self.timeline, self.kind) {
            (Timeline::Zoned(zone), WindowKind::Calendar(_)) => {
                (calendar::midnights_in(zone, window.start).1, calendar::midnights_in(zone, window.end).0)
            }
            _ => (window.start, window.end),
        }
    }

    /// Returns the civil time of an instant in the zone of the windows, in milliseconds as if it were UTC.
    pub fn label_of(&self, instant: i64) -> i64 {
        match (&self.timeline, self.kind) {
            (Timeline::Zoned(zone), WindowKind::Calendar(_)) => calendar::label_in(zone, instant),
            _ => instant,
        }
    }
}

impl fmt::Display for WindowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calendar(unit) => f.write_str(unit.as_str()),
            Self::Tumbling { size } => write_size(f, *size),
            Self::Hopping(hopping) => hopping.fmt(f),
            Self::Session { gap } => {
                f.write_str("session ")?;
                write_size(f, *gap)
            }
        }
    }
}

fn write_size(f: &mut fmt::Formatter<'_>, size: i64) -> fmt::Result {
    for (unit, ms) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if size % ms == 0 {
            return write!(f, "{}{unit}", size / ms);
        }
    }
    write!(f, "{size}ms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn only(spec: &WindowSpec, event_time: i64) -> Window {
        let mut found = Vec::new();
        spec.for_each(event_time, |window| found.push(window));
        assert_eq!(found.len(), 1);
        found[0]
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn tumbling_windows_hold_times_before_the_epoch() {
        let spec = WindowSpec::new(WindowKind::Tumbling { size: 1000 }, Timeline::Civil);
        //   -1000      -1 | 0        999 | 1000
        //   [-------------)[-------------)
        assert_eq!(only(&spec, -1), Window { start: -1000, end: 0 });
        assert_eq!(only(&spec, -1000), Window { start: -1000, end: 0 });
        assert_eq!(only(&spec, 0), Window { start: 0, end: 1000 });
        assert_eq!(only(&spec, 999), Window { start: 0, end: 1000 });
        assert_eq!(only(&spec, 1000), Window { start: 1000, end: 2000 });
    }

    #[test]
    fn a_zone_moves_the_month_boundary() {
        let seoul = TimeZone::get("Asia/Seoul").unwrap();
        let spec = WindowSpec::new(WindowKind::Calendar(CalendarUnit::Month), Timeline::Zoned(seoul));
        let before = only(&spec, ms("2020-02-29T14:59:59Z"));
        let after = only(&spec, ms("2020-02-29T15:00:00Z"));
        assert_eq!(before.start, ms("2020-02-01T00:00:00Z"), "the label is the civil date");
        assert_eq!(after.start, ms("2020-03-01T00:00:00Z"));
        assert_eq!(spec.ends_at(before), ms("2020-02-29T15:00:00Z"), "the end is an instant");
    }

    #[test]
    fn a_day_with_a_clock_change_is_one_window() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let spec = WindowSpec::new(WindowKind::Calendar(CalendarUnit::Day), Timeline::Zoned(berlin));
        let first = only(&spec, ms("2021-03-27T23:00:00Z"));
        let last = only(&spec, ms("2021-03-28T21:59:59Z"));
        assert_eq!(first, last, "the day has 23 hours");
        assert_ne!(first, only(&spec, ms("2021-03-28T22:00:00Z")));
        assert_eq!(spec.ends_at(first), ms("2021-03-28T22:00:00Z"));
    }

    #[test]
    fn windows_read_and_print_alike() {
        for text in [
            "day",
            "week",
            "ten_day",
            "month",
            "quarter",
            "year",
            "15m",
            "1h",
            "90s",
            "250ms",
            "1h every 15m",
            "session 30m",
        ] {
            assert_eq!(WindowKind::parse(text).unwrap().to_string(), text);
        }
        for text in ["0s", "-1h", "", "monthly", "15m every 1h", "1h every", "session", "session 0s"] {
            assert_eq!(WindowKind::parse(text), Err(UnknownWindow(text.to_owned())));
        }
    }

    #[test]
    fn a_date_that_comes_again_is_open_until_it_has_ended() {
        // At 02:31 UTC clocks went from 00:01 on the 7th back to 23:01 on the 6th.
        let zone = TimeZone::get("America/St_Johns").unwrap();
        let spec = WindowSpec::new(WindowKind::Calendar(CalendarUnit::Day), Timeline::Zoned(zone));
        let (sixth, seventh) = (only(&spec, ms("2010-11-06T12:00:00Z")), only(&spec, ms("2010-11-07T12:00:00Z")));
        for (instant, window) in [
            ("2010-11-07T02:29:59Z", sixth),
            ("2010-11-07T02:30:30Z", seventh),
            ("2010-11-07T02:31:00Z", sixth),
            ("2010-11-07T03:29:59Z", sixth),
            ("2010-11-07T03:30:00Z", seventh),
        ] {
            let instant = ms(instant);
            assert_eq!(only(&spec, instant), window, "{instant}");
            let has_ended = spec.ended_by(instant) >= sixth.end;
            assert_eq!(has_ended, instant >= spec.ends_at(sixth), "{instant}");
            for window in [sixth, seventh] {
                let (first, end) = spec.certain(window);
                assert!(!(first..end).contains(&instant) || only(&spec, instant) == window, "{instant}");
            }
        }
        assert_eq!(spec.certain(sixth).1, ms("2010-11-07T02:30:00Z"));
        assert_eq!(spec.certain(seventh).0, ms("2010-11-07T03:30:00Z"));
    }

    proptest! {
        #[test]
        fn every_time_is_inside_its_window(time in -4_000_000_000_000_i64..8_000_000_000_000, size in 1_i64..1_000_000_000) {
            let spec = WindowSpec::new(WindowKind::Tumbling { size }, Timeline::Civil);
            let window = only(&spec, time);
            prop_assert!(window.start <= time && time < window.end);
            prop_assert_eq!(window.start.rem_euclid(size), 0);
        }

        #[test]
        fn every_instant_is_before_the_end_of_its_calendar_window(time in -4_000_000_000_000_i64..8_000_000_000_000, unit in 0..6_usize) {
            let zone = TimeZone::get("America/New_York").unwrap();
            let spec = WindowSpec::new(WindowKind::Calendar(CalendarUnit::ALL[unit]), Timeline::Zoned(zone));
            let window = only(&spec, time);
            prop_assert!(time < spec.ends_at(window));
            prop_assert!(only(&spec, spec.ends_at(window)).start == window.end);
        }
    }
}
