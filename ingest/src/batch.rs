//! A batch: what one transaction commits. Pure: no I/O, no clock.
//!
//! A batch carries, per partition, the span `[from, next)` that it moves the position over. `from` is what the lane last loaded or
//! committed, never the first record's offset, because topics have holes (compaction, control records).

mod stored;

pub use stored::{Change, StoredEvents};

use crate::source::Record;
use crate::stamp::stamped;
use crate::store::Counts;
use bson::raw::{RawDocument, RawDocumentBuf, cstr};
use model::clock::EventClock;
use model::decode::{Coordinates, Decoded, Decoder, Reject};
use model::late;
use model::rollup::{Changes, Facts, FactsError};
use model::schema::Schema;
use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// Records on their way into one transaction.
#[derive(Debug, Default)]
pub struct Batch {
    spans: BTreeMap<i32, Span>,
    events: Vec<BatchEvent>,
    dead: Vec<DeadLetter>,
    records: usize,
    bytes: usize,
}

/// How far a batch moves one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Position before the batch.
    pub from: i64,
    /// Position after it, exclusive.
    pub next: i64,
    /// Records read.
    pub read: i64,
    /// Records left out by the filter.
    pub filtered: i64,
    /// Dead letters.
    pub dead: i64,
}

/// An event that is stored unless its id is there already.
#[derive(Debug)]
pub struct BatchEvent {
    /// Partition it came from.
    pub partition: i32,
    /// Event time in milliseconds.
    pub event_time: i64,
    /// The document.
    pub document: RawDocumentBuf,
}

/// A record that could not be used, whole.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Where it stands in Kafka.
    pub at: Coordinates,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its payload.
    pub payload: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// What is wrong with it.
    pub reject: Reject,
}

/// What became of a record when it was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It becomes an event, unless its id is stored already.
    Event,
    /// The filter leaves it out.
    Filtered,
    /// It is a dead letter.
    Dead,
}

impl Batch {
    /// Whether it moves no position.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Number of records.
    pub fn records(&self) -> usize {
        self.records
    }

    /// Bytes of payload, and of what dead letters keep beside it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The spans by partition.
    pub fn spans(&self) -> &BTreeMap<i32, Span> {
        &self.spans
    }

    /// The dead letters.
    pub fn dead(&self) -> &[DeadLetter] {
        &self.dead
    }

    /// Decodes a record and adds it; `from` is the partition's position before the batch.
    pub fn add(&mut self, decoder: &Decoder, record: Record<'_>, from: i64) -> Added {
        self.add_decoded(decoder.decode(record.payload, record.at), record, from)
    }

    /// Adds a record that was decoded, or refused.
    pub fn add_decoded(&mut self, decoded: Result<Decoded, Reject>, record: Record<'_>, from: i64) -> Added {
        let at = record.at;
        self.records += 1;
        self.bytes += record.payload.map_or(0, <[u8]>::len);
        self.advance(at.partition, from, at.offset + 1);
        let span = self.spans.get_mut(&at.partition).expect("the span was made by the line above");
        span.read += 1;
        match decoded {
            Ok(Decoded::Event(event)) => {
                self.events.push(BatchEvent {
                    partition: at.partition,
                    event_time: event.event_time,
                    document: event.document,
                });
                Added::Event
            }
            Ok(Decoded::Filtered) => {
                span.filtered += 1;
                Added::Filtered
            }
            Err(reject) => {
                span.dead += 1;
                self.bytes += record.key.map_or(0, <[u8]>::len) + record.header_bytes();
                self.dead.push(DeadLetter {
                    at,
                    key: record.key.map(<[u8]>::to_vec),
                    payload: record.payload.map(<[u8]>::to_vec),
                    headers: record.headers.to_vec(),
                    reject,
                });
                Added::Dead
            }
        }
    }

    /// Moves a partition's position to `next` without a record: over a hole at the end of the topic.
    pub fn advance(&mut self, partition: i32, from: i64, next: i64) {
        let span = self.spans.entry(partition).or_insert(Span { from, next: from, read: 0, filtered: 0, dead: 0 });
        span.next = span.next.max(next);
    }

    /// The `{_id}` documents of the events, in order; equal bytes are equal ids.
    pub fn ids(&self) -> Vec<RawDocumentBuf> {
        self.events.iter().map(|event| id_document(&event.document)).collect()
    }

    /// Decides what the batch stores, given which of its ids are in the store already, and the plan that its events are marked with where
    /// a rebuild must tell them from older ones.
    ///
    /// # Errors
    /// [`FactsError`] where an event that was just decoded does not fit the schema, which is a bug.
    pub fn plan<'a>(
        &'a self,
        schema: &Schema,
        ids: &[RawDocumentBuf],
        stored: &StoredEvents,
        clocks: impl Fn(i32) -> EventClock,
        stamp: Option<i64>,
    ) -> Result<CommitPlan<'a>, FactsError> {
        let rollups = schema.rollups();
        let mut moves: BTreeMap<i32, Move> =
            self.spans.iter().map(|(&partition, &span)| (partition, Move::new(span, clocks(partition)))).collect();
        let mut seen: HashMap<&[u8], usize> = HashMap::with_capacity(ids.len());
        let mut changed = None;
        let mut changes = Changes::default();
        let mut documents = Vec::with_capacity(self.events.len());
        let mut stores = Vec::with_capacity(self.events.len());
        for (place, (event, id)) in self.events.iter().zip(ids).enumerate() {
            let partition = moves.get_mut(&event.partition).expect("every event of a batch lies in one of its spans");
            let (is_new, change) = match seen.entry(id.as_bytes()) {
                _ if stored.has(id.as_bytes()) => (false, stored.change(place).cloned()),
                Entry::Vacant(first) => {
                    first.insert(place);
                    (true, None)
                }
                Entry::Occupied(first) => (false, Change::between(&self.events[*first.get()].document, event)),
            };
            stores.push(is_new);
            if !is_new {
                partition.counts.duplicate += 1;
                partition.counts.duplicate_changed += i64::from(change.is_some());
                changed = changed.or(change);
                continue;
            }
            partition.counts.stored += 1;
            if schema.sets_aside(event.event_time, partition.clock) {
                partition.counts.late += 1;
                partition.counts.set_aside += 1;
                documents.push(Cow::Owned(late::set_aside(&event.document)));
                continue;
            }
            let facts = Facts::read(rollups, &event.document)?;
            let (clock, lateness) = (partition.clock, schema.allowed_lateness());
            documents.push(stamped(&event.document, event.event_time, clock, lateness, stamp));
            let late_before = changes.late();
            changes.add(rollups, event.event_time, &facts, &mut partition.clock, lateness);
            partition.counts.late += changes.late() - late_before;
        }
        Ok(CommitPlan { moves, documents, stored: stores, changes, changed })
    }
}

/// What a transaction writes.
#[derive(Debug)]
pub struct CommitPlan<'a> {
    /// Positions, by partition.
    pub moves: BTreeMap<i32, Move>,
    /// Events to insert.
    pub documents: Vec<Cow<'a, RawDocumentBuf>>,
    /// Which events of the batch these are: one for each, in the order in which they were added.
    pub stored: Vec<bool>,
    /// States to add to.
    pub changes: Changes,
    /// The first duplicate whose contents are not those of the event that is stored.
    pub changed: Option<Change>,
}

impl CommitPlan<'_> {
    /// What the batch's records became.
    pub fn counts(&self) -> Counts {
        self.moves.values().fold(Counts::default(), |mut sum, partition| {
            sum += partition.counts;
            sum
        })
    }
}

/// A move of one partition's position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Move {
    /// Position before.
    pub from: i64,
    /// Position after.
    pub next: i64,
    /// Event clock after.
    pub clock: EventClock,
    /// What the records became.
    pub counts: Counts,
}

impl Move {
    fn new(span: Span, clock: EventClock) -> Self {
        let counts = Counts { read: span.read, filtered: span.filtered, dead: span.dead, ..Counts::default() };
        Self { from: span.from, next: span.next, clock, counts }
    }
}

/// The `{_id}` document of an event.
pub fn id_document(event: &RawDocument) -> RawDocumentBuf {
    let mut document = RawDocumentBuf::new();
    if let Ok(Some(id)) = event.get("_id") {
        document.append(cstr!("_id"), id);
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::schema::IMDB_REVIEW;
    use proptest::prelude::*;

    fn schema() -> (Schema, Decoder) {
        let schema = Schema::parse("imdb-review", IMDB_REVIEW).unwrap();
        let decoder = Decoder::new(&schema).unwrap();
        (schema, decoder)
    }

    fn review(id: &str) -> String {
        format!(r#"{{"review_id": "{id}", "movie": "Up (2009)", "rating": "8", "review_date": "1 May 2009"}}"#)
    }

    fn add(
        batch: &mut Batch,
        decoder: &Decoder,
        partition: i32,
        offset: i64,
        from: i64,
        payload: Option<&str>,
    ) -> Added {
        let at = Coordinates { partition, offset, timestamp: None };
        let record = Record { at, key: None, payload: payload.map(str::as_bytes), headers: &[] };
        batch.add(decoder, record, from)
    }

    fn plan<'a>(batch: &'a Batch, schema: &Schema, stored: &[&str]) -> CommitPlan<'a> {
        let ids = batch.ids();
        let mut events = StoredEvents::default();
        for id in stored {
            let mut document = RawDocumentBuf::new();
            document.append(cstr!("_id"), *id);
            events.add(batch, &ids, &document);
        }
        batch.plan(schema, &ids, &events, |_| EventClock::default(), None).unwrap()
    }

    #[test]
    fn from_is_the_position_not_the_first_offset() {
        let (_, decoder) = schema();
        let mut batch = Batch::default();
        add(&mut batch, &decoder, 0, 17, 5, Some(&review("a")));
        add(&mut batch, &decoder, 0, 30, 5, Some(&review("b")));
        assert_eq!(batch.spans()[&0], Span { from: 5, next: 31, read: 2, filtered: 0, dead: 0 });
    }

    #[test]
    fn a_hole_at_the_end_moves_the_position_alone() {
        let mut batch = Batch::default();
        batch.advance(2, 10, 12);
        assert!(!batch.is_empty());
        assert_eq!((batch.records(), batch.spans()[&2].next), (0, 12));
    }

    #[test]
    fn a_dead_letter_advances_and_keeps_everything() {
        let (schema, decoder) = schema();
        let mut batch = Batch::default();
        assert_eq!(add(&mut batch, &decoder, 0, 0, 0, Some("{")), Added::Dead);
        assert_eq!(add(&mut batch, &decoder, 0, 1, 0, None), Added::Dead);
        assert_eq!(batch.dead()[0].payload.as_deref(), Some(&b"{"[..]));
        let plan = plan(&batch, &schema, &[]);
        assert_eq!(plan.counts(), Counts { read: 2, dead: 2, ..Counts::default() });
        assert_eq!(plan.moves[&0].next, 2);
    }

    #[test]
    fn repeats_within_the_batch_and_of_the_store_are_duplicates() {
        let (schema, decoder) = schema();
        let mut batch = Batch::default();
        for (offset, id) in (0..).zip(["a", "b", "a", "c"]) {
            add(&mut batch, &decoder, 0, offset, 0, Some(&review(id)));
        }
        add(&mut batch, &decoder, 1, 9, 9, Some(&review("b")));
        let plan = plan(&batch, &schema, &["c"]);
        assert_eq!(plan.counts(), Counts { read: 5, stored: 2, duplicate: 3, ..Counts::default() });
        assert_eq!(plan.stored, [true, true, false, false, false]);
        let (_, groups) = plan.changes.tables(schema.rollups()).next().unwrap();
        let reviews: i64 = groups.values().map(|state| state.count()).sum();
        assert_eq!(reviews, 2, "a duplicate changes no rollup");
    }

    #[test]
    fn a_dead_letter_counts_with_its_key_and_headers() {
        let (_, decoder) = schema();
        let mut batch = Batch::default();
        let headers = [("trace".to_owned(), Some(vec![0; 1_000])), ("none".to_owned(), None)];
        let at = Coordinates { partition: 0, offset: 0, timestamp: None };
        let record = |payload| Record { at, key: Some(b"key"), payload, headers: &headers };
        batch.add(&decoder, record(Some(b"{")), 0);
        assert!(batch.bytes() >= 1 + 3 + 1_000 + 9, "{}", batch.bytes());
        let good = review("a");
        let before = batch.bytes();
        batch.add(&decoder, record(Some(good.as_bytes())), 0);
        assert_eq!(batch.bytes() - before, good.len(), "an event keeps no headers");
    }

    #[test]
    fn a_repeat_with_other_contents_is_told_from_one_without() {
        let (schema, decoder) = schema();
        let mut batch = Batch::default();
        let other = review("a").replace("\"8\"", "\"3\"");
        for (offset, record) in (0..).zip([review("a"), review("b"), review("a"), other.clone(), review("c"), other]) {
            add(&mut batch, &decoder, 0, offset, 0, Some(&record));
        }
        let plan = plan(&batch, &schema, &["b"]);
        let expected = Counts { read: 6, stored: 2, duplicate: 4, duplicate_changed: 2, ..Counts::default() };
        assert_eq!(plan.counts(), expected);
        let change = plan.changed.unwrap();
        assert_eq!((change.partition, change.id.as_str(), change.field.as_str()), (0, "\"a\"", "rating"));
    }

    proptest! {
        #[test]
        fn every_record_is_counted_once(records in prop::collection::vec((0..3_i32, 0..6_u8, 0..10_u8), 0..60), known in 0..10_u8) {
            let (schema, decoder) = schema();
            let mut batch = Batch::default();
            let mut next = [0_i64; 3];
            for (partition, kind, id) in records {
                let offset = next[partition as usize];
                next[partition as usize] += 1 + i64::from(kind == 3);
                let payload = match kind { 0 => None, 1 => Some("[]".to_owned()), _ => Some(review(&format!("r{id}"))) };
                add(&mut batch, &decoder, partition, offset, 0, payload.as_deref());
            }
            let plan = plan(&batch, &schema, &[&format!("r{known}")]);
            prop_assert!(plan.counts().add_up());
            prop_assert_eq!(plan.counts().read, batch.records() as i64);
            prop_assert_eq!(plan.counts().stored, plan.documents.len() as i64);
            prop_assert!(plan.moves.values().all(|m| m.next > m.from && m.counts.add_up()));
        }
    }
}
