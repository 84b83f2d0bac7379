//! What is aggregated, and how.

use std::fmt;

use jiff::tz::TimeZone;
use model::{
    clock::AllowedLateness,
    state::Histogram,
    window::{Timeline, WindowKind, WindowSpec, parse_duration_ms},
};

use super::WindowError;

/// What is aggregated: times, windows, keys, measures. Every call adds to it.
///
/// ```
/// use analysis::window::Spec;
///
/// let spec = Spec::new("review_date", "month")?
///     .keys(["movie"])
///     .count_as("reviews")
///     .histogram("rating", 1, 10)?
///     .counted_as("rated")
///     .distinct("reviewer");
/// assert_eq!(spec.to_string(), "review_date by month and movie");
/// # Ok::<(), analysis::window::WindowError>(())
/// ```
#[must_use = "a spec does nothing before `Windowed::new`"]
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    pub(super) time: String,
    pub(super) windows: WindowKind,
    pub(super) zone: TimeZone,
    pub(super) keys: Vec<String>,
    pub(super) count: String,
    pub(super) measures: Vec<MeasureSpec>,
    pub(super) distinct: Vec<String>,
    pub(super) lateness: AllowedLateness,
}

/// A measured column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MeasureSpec {
    pub column: String,
    pub counted_as: String,
    /// Smallest and largest value, where every value is counted.
    pub range: Option<(i64, i64)>,
    /// Whether the counts of single values become columns.
    pub buckets: bool,
}

impl Spec {
    /// Counts the rows of each window of `time`, a column of dates or instants (UTC). `windows` is `month`, `15m`, `1h every 15m`,
    /// `session 30m` and the like.
    ///
    /// # Errors
    /// [`WindowError::Window`] where that cannot be read.
    pub fn new(time: impl Into<String>, windows: &str) -> Result<Self, WindowError> {
        Ok(Self {
            time: time.into(),
            windows: WindowKind::parse(windows).map_err(|_| WindowError::Window(windows.to_owned()))?,
            zone: TimeZone::UTC,
            keys: Vec::new(),
            count: "count".to_owned(),
            measures: Vec::new(),
            distinct: Vec::new(),
            lateness: AllowedLateness::Millis(0),
        })
    }

    /// A row for each value of these columns in each window: texts, integers, dates, instants, true or false.
    pub fn keys<N: Into<String>>(mut self, columns: impl IntoIterator<Item = N>) -> Self {
        self.keys.extend(columns.into_iter().map(Into::into));
        self
    }

    /// Name of the column that counts rows, `count` unless set.
    pub fn count_as(mut self, name: impl Into<String>) -> Self {
        self.count = name.into();
        self
    }

    /// Count, sum, mean, standard deviation, minimum and maximum of a column of numbers; nulls and NaN do not count.
    pub fn measure(mut self, column: impl Into<String>) -> Self {
        self.measures.push(MeasureSpec::new(column.into(), None));
        self
    }

    /// As [`measure`](Spec::measure), with the exact median, for integers of a small range: `rating` from 1 to 10.
    ///
    /// # Errors
    /// [`WindowError::Histogram`] where the range has not 1 to 64 values.
    pub fn histogram(mut self, column: impl Into<String>, first: i64, last: i64) -> Result<Self, WindowError> {
        let column = column.into();
        if !Histogram::fits(first, last) {
            return Err(WindowError::Histogram { column, first, last });
        }
        self.measures.push(MeasureSpec::new(column, Some((first, last))));
        Ok(self)
    }

    /// Name of the column that counts the values of the last measure, `NAME_count` unless set.
    pub fn counted_as(mut self, name: impl Into<String>) -> Self {
        if let Some(measure) = self.measures.last_mut() {
            measure.counted_as = name.into();
        }
        self
    }

    /// A column per value of the last histogram: `rating_1` to `rating_10`.
    pub fn buckets(mut self) -> Self {
        if let Some(measure) = self.measures.last_mut() {
            measure.buckets = true;
        }
        self
    }

    /// Counts the distinct values of a column, exactly up to 512 and within 2 % beyond, as `NAME_distinct`.
    pub fn distinct(mut self, column: impl Into<String>) -> Self {
        self.distinct.push(column.into());
        self
    }

    /// How long after its end a window takes rows as in time: `2h`, `7d`, or `unbounded`; 0 unless set. Rows that come later
    /// are part of their window all the same, and counted as `late`.
    ///
    /// # Errors
    /// [`WindowError::Duration`] where that cannot be read.
    pub fn lateness(mut self, length: &str) -> Result<Self, WindowError> {
        self.lateness = match length {
            "unbounded" => AllowedLateness::Unbounded,
            length => {
                let millis = parse_duration_ms(length).filter(|millis| *millis >= 0);
                AllowedLateness::Millis(millis.ok_or_else(|| WindowError::Duration(length.to_owned()))?)
            }
        };
        Ok(self)
    }

    /// The zone in whose calendar the windows of instants begin, UTC unless set; dates have no zone.
    ///
    /// # Errors
    /// [`WindowError::TimeZone`] where there is none of that name.
    pub fn time_zone(mut self, name: &str) -> Result<Self, WindowError> {
        self.zone = TimeZone::get(name).map_err(|_| WindowError::TimeZone(name.to_owned()))?;
        Ok(self)
    }

    /// The windows of dates, or of instants.
    pub(super) fn windows_of(&self, dates: bool) -> WindowSpec {
        let timeline = if dates { Timeline::Civil } else { Timeline::Zoned(self.zone.clone()) };
        WindowSpec::new(self.windows, timeline)
    }

    /// Whether windows are named by dates and not by instants.
    pub(super) fn is_calendar(&self) -> bool {
        matches!(self.windows, WindowKind::Calendar(_))
    }

    /// Everything that decides what the states hold, as a text: what is saved fits only the same.
    pub(super) fn definition(&self) -> String {
        let zone = self.zone.iana_name().unwrap_or("UTC");
        let measures: Vec<String> = self
            .measures
            .iter()
            .map(|measure| match measure.range {
                Some((first, last)) => format!("{}:{first}..{last}", measure.column),
                None => measure.column.clone(),
            })
            .collect();
        format!(
            "{} {}@{zone} keys={:?} measures={measures:?} distinct={:?} lateness={:?}",
            self.time, self.windows, self.keys, self.distinct, self.lateness
        )
    }
}

/// `review_date by month and movie`
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.time, self.windows)?;
        self.keys.iter().try_for_each(|key| write!(f, " and {key}"))
    }
}

impl MeasureSpec {
    fn new(column: String, range: Option<(i64, i64)>) -> Self {
        Self { counted_as: format!("{column}_count"), column, range, buckets: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_at_once() {
        let spec = || Spec::new("t", "day").expect("a spec");
        assert!(spec().histogram("n", 1, 65).is_err() && spec().histogram("n", 2, 1).is_err());
        for text in ["fortnight", "session", "session 0s", "15m every 1h", ""] {
            let error = Spec::new("t", text).expect_err(text).to_string();
            assert!(error.contains("\"session 30m\""), "{error}");
        }
        assert!(spec().lateness("-1h").is_err() && spec().lateness("soon").is_err());
        assert!(spec().time_zone("Atlantis").is_err());
        assert_eq!(spec().lateness("unbounded").expect("a spec").lateness, AllowedLateness::Unbounded);
    }
}
