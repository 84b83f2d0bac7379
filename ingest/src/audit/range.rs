//! Which windows are audited, and which events and rows those are.

use bson::{Bson, DateTime, Document, doc};
use model::calendar::{CalendarUnit, DAY_MS, first_instant_of};
use model::window::WindowKind;

/// Windows by where they begin; everything where both bounds are open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    from: Option<i64>,
    to: Option<i64>,
}

/// A bound that is no date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a date; write 2004, 2004-05, 2004-05-31 or 2004-05-31T18:00:00Z")]
pub struct RangeError(String);

impl Range {
    /// Windows that begin at `from` or later, and before `to`; bounds as people write them.
    ///
    /// # Errors
    /// [`RangeError`] names the bound that is no date.
    ///
    /// ```
    /// use ingest::audit::Range;
    /// assert!(Range::new(Some("2004-05"), None).is_ok());
    /// assert!(Range::new(None, Some("May")).is_err());
    /// ```
    pub fn new(from: Option<&str>, to: Option<&str>) -> Result<Self, RangeError> {
        let bound = |text: Option<&str>| {
            text.map(|text| first_instant_of(text).ok_or_else(|| RangeError(text.to_owned()))).transpose()
        };
        Ok(Self { from: bound(from)?, to: bound(to)? })
    }

    /// The rows, as a filter.
    pub(super) fn of_rows(self) -> Document {
        // `_id` begins with the window, and has an index.
        self.filter("_id", |label| Bson::Document(doc! { "w": DateTime::from_millis(label) }))
    }

    /// The groups, as a filter on the window's label.
    pub(super) fn of_labels(self, path: &str) -> Document {
        self.filter(path, |label| Bson::DateTime(DateTime::from_millis(label)))
    }

    /// Events that may be in these windows, as a filter on their time: at least all that are. Empty where an event outside could
    /// decide where a window begins.
    pub(super) fn of_events(self, path: &str, window: WindowKind) -> Document {
        let Some(longest) = longest_ms(window) else { return Document::new() };
        // The civil date of an instant differs from the date in UTC by less than a day.
        let margin = if matches!(window, WindowKind::Calendar(_)) { DAY_MS } else { 0 };
        let from = self.from.map(|from| from.saturating_sub(margin));
        let to = self.to.map(|to| to.saturating_add(longest).saturating_add(margin));
        Self { from, to }.of_labels(path)
    }

    fn filter(self, path: &str, value: impl Fn(i64) -> Bson) -> Document {
        let bounds = [("$gte", self.from), ("$lt", self.to)];
        let bounds = bounds.into_iter().filter_map(|(operator, bound)| Some((operator.to_owned(), value(bound?))));
        let bounds: Document = bounds.collect();
        if bounds.is_empty() {
            bounds
        } else {
            doc! { path: bounds }
        }
    }
}

/// No window is longer; `None` where there is no such length.
fn longest_ms(window: WindowKind) -> Option<i64> {
    let days = match window {
        WindowKind::Tumbling { size } => return Some(size),
        WindowKind::Hopping(hopping) => return Some(hopping.size()),
        WindowKind::Session { .. } => return None,
        WindowKind::Calendar(CalendarUnit::Day) => 1,
        WindowKind::Calendar(CalendarUnit::Week) => 7,
        WindowKind::Calendar(CalendarUnit::TenDay) => 11,
        WindowKind::Calendar(CalendarUnit::Month) => 31,
        WindowKind::Calendar(CalendarUnit::Quarter) => 92,
        WindowKind::Calendar(CalendarUnit::Year) => 366,
    };
    Some(days * DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> DateTime {
        DateTime::from_millis(first_instant_of(text).unwrap())
    }

    #[test]
    fn events_are_those_of_the_windows_and_no_fewer() {
        let range = Range::new(Some("2020-03"), Some("2020-04")).unwrap();
        let month = range.of_events("at", WindowKind::Calendar(CalendarUnit::Month));
        assert_eq!(month, doc! { "at": { "$gte": day("2020-02-29"), "$lt": day("2020-05-03") } });
        let hour = range.of_events("at", WindowKind::Tumbling { size: 3_600_000 });
        let end = DateTime::from_millis(first_instant_of("2020-04").unwrap() + 3_600_000);
        assert_eq!(hour, doc! { "at": { "$gte": day("2020-03"), "$lt": end } });
    }

    #[test]
    fn an_open_range_is_no_condition() {
        let all = Range::default();
        assert!(all.of_rows().is_empty() && all.of_labels("w").is_empty());
        assert!(all.of_events("at", WindowKind::Tumbling { size: 1 }).is_empty());
        let from = Range::new(Some("2020"), None).unwrap();
        assert_eq!(from.of_rows(), doc! { "_id": { "$gte": { "w": day("2020-01-01") } } });
    }
}
