//! Marks that a stored event carries so that it can be counted again: under which plan it was counted, and how far its
//! partition's clock was when it came too late.
//!
//! Both are rare, so that events are as small as before: the plan stands in events that were stored while a rebuild was going on,
//! the clock in events that came behind it by more than the allowed lateness.

use bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use model::clock::{AllowedLateness, EventClock};
use model::layout::source;
use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

/// The plan of rollups that a worker counts its events under; shared by its lanes and publishers.
#[derive(Debug)]
pub struct PlanInForce(Mutex<Counting>);

/// How events are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting {
    /// Number of the plan; positions that have another one belong to workers with another plan.
    pub plan: i64,
    /// A rebuild may be reading the stored events, and must tell those that are counted already.
    pub rebuilding: bool,
}

impl PlanInForce {
    /// What was found at the start.
    pub fn new(counting: Counting) -> Self {
        Self(Mutex::new(counting))
    }

    /// What holds now.
    pub fn now(&self) -> Counting {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What holds from now on.
    pub fn set(&self, counting: Counting) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = counting;
    }
}

impl Counting {
    /// The number that events and partial states carry.
    pub fn stamp(self) -> Option<i64> {
        self.rebuilding.then_some(self.plan)
    }
}

/// An event as it is stored: the same document, where it needs no mark.
///
/// `clock` is the partition's clock before the event.
pub fn stamped(
    event: &RawDocumentBuf,
    event_time: i64,
    clock: EventClock,
    lateness: AllowedLateness,
    stamp: Option<i64>,
) -> Cow<'_, RawDocumentBuf> {
    // No window that holds the event can have ended before the next millisecond.
    let late = clock.now().filter(|_| clock.has_closed(event_time.saturating_add(1), lateness));
    if late.is_none() && stamp.is_none() {
        return Cow::Borrowed(event);
    }
    let mut marked = RawDocumentBuf::new();
    for (name, value) in event.iter().flatten() {
        match value {
            RawBsonRef::Document(before) if name == source::FIELD => {
                marked.append(name, RawBsonRef::Document(&marked_source(before, late, stamp)));
            }
            value => marked.append(name, value),
        }
    }
    Cow::Owned(marked)
}

fn marked_source(before: &RawDocument, late: Option<i64>, stamp: Option<i64>) -> RawDocumentBuf {
    let mut source = before.to_owned();
    if let Some(clock) = late {
        source.append(cstr!("clock"), bson::DateTime::from_millis(clock));
    }
    if let Some(plan) = stamp {
        source.append(cstr!("plan"), plan);
    }
    source
}

/// The clock that a stored event was judged by; one without events where the event came in time.
pub fn clock_of(event: &RawDocument) -> EventClock {
    let source = event.get_document(source::FIELD).ok();
    let clock = source.and_then(|source| source.get_datetime(source::CLOCK).ok());
    EventClock::restored(clock.map(bson::DateTime::timestamp_millis))
}

/// Whether a stored event was counted under a plan as new as `plan` when it was stored.
pub fn was_counted_under(event: &RawDocument, plan: i64) -> bool {
    let source = event.get_document(source::FIELD).ok();
    source.and_then(|source| source.get_i64(source::PLAN).ok()).is_some_and(|counted| counted >= plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::doc;

    const LATENESS: AllowedLateness = AllowedLateness::Millis(10);

    fn event() -> RawDocumentBuf {
        let event =
            doc! { "_id": "a", "at": bson::DateTime::from_millis(100), "src": { "partition": 1, "offset": 2_i64 } };
        RawDocumentBuf::try_from(&event).unwrap()
    }

    #[test]
    fn an_event_in_time_is_stored_as_it_is() {
        for clock in [None, Some(99), Some(110)] {
            let event = event();
            let stored = stamped(&event, 100, EventClock::restored(clock), LATENESS, None);
            assert!(matches!(stored, Cow::Borrowed(_)), "{clock:?}");
            assert_eq!(clock_of(&stored), EventClock::default());
            assert!(!was_counted_under(&stored, 0));
        }
        let event = event();
        let clock = EventClock::restored(Some(1_000));
        assert!(matches!(stamped(&event, 100, clock, AllowedLateness::Unbounded, None), Cow::Borrowed(_)));
    }

    #[test]
    fn marks_are_read_as_they_were_written() {
        let event = event();
        let clock = EventClock::restored(Some(111));
        let stored = stamped(&event, 100, clock, LATENESS, Some(4));
        assert_eq!(clock_of(&stored), clock);
        assert_eq!((was_counted_under(&stored, 4), was_counted_under(&stored, 5)), (true, false));
        let fields: Vec<_> = stored.iter().map(|element| element.unwrap().0.to_string()).collect();
        assert_eq!(fields, ["_id", "at", "src"]);
        let source = stored.get_document("src").unwrap();
        assert_eq!((source.get_i32("partition").unwrap(), source.get_i64("offset").unwrap()), (1, 2));
    }
}
