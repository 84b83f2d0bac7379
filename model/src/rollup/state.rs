//! The state of one group (count, measures, distinct values) and its stored form.
//!
//! Stored: `{count, late, m: [{…} …], d: [binary …]}`, measures and sets in the order of the table's definition; `late` is absent where
//! it is 0. A histogram is `{"8": 3, …}` with the values seen, moments are `{n, mean, m2, sum, min, max}`; the exact sum of an
//! integer measure is a Decimal128. The sum of a float measure has what it lacks for being exact beside it, as `low`, absent where that
//! is 0, and as `high` and `halves` ([`FloatSum`]), absent where all values are far from the largest float.

use super::key::ALLOCATION;
use super::{Facts, Measure, MeasureKind, StateTable};
use crate::state::{Distinct, FloatMoments, FloatSum, Histogram, IntMoments, StateError};
use bson::raw::{CString, RawArray, RawArrayBuf, RawBson, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use bson::spec::BinarySubtype;
use bson::{Binary, Decimal128};

/// The mergeable state of one window and key.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub(super) count: i64,
    pub(super) late: i64,
    pub(super) measures: Vec<MeasureState>,
    pub(super) distinct: Vec<Distinct>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum MeasureState {
    Histogram(Histogram),
    Int(IntMoments),
    Float(FloatMoments),
}

impl State {
    /// Creates the state of a group without events.
    pub fn empty(table: &StateTable) -> Self {
        Self {
            count: 0,
            late: 0,
            measures: table.measures.iter().map(|measure| MeasureState::empty(measure.kind)).collect(),
            distinct: vec![Distinct::default(); table.distinct.len()],
        }
    }

    /// Number of events.
    pub fn count(&self) -> i64 {
        self.count
    }

    pub(super) fn insert(&mut self, table: &StateTable, facts: &Facts<'_>, late: bool) {
        self.count += 1;
        self.late += i64::from(late);
        for (state, measure) in self.measures.iter_mut().zip(&table.measures) {
            state.insert(facts.value(measure.slot));
        }
        for (set, distinct) in self.distinct.iter_mut().zip(&table.distinct) {
            insert_distinct(set, facts.value(distinct.slot));
        }
    }

    /// Merges another state of the same table.
    pub fn combine(&mut self, other: &Self) {
        self.count += other.count;
        self.late += other.late;
        for (ours, theirs) in self.measures.iter_mut().zip(&other.measures) {
            ours.combine(theirs);
        }
        for (ours, theirs) in self.distinct.iter_mut().zip(&other.distinct) {
            ours.combine(theirs);
        }
    }

    /// Returns the approximate memory use in bytes.
    pub(super) fn size(&self) -> usize {
        let measures = self.measures.iter().map(|measure| size_of_val(measure) + measure.heap_size());
        let distinct = self.distinct.iter().map(|set| size_of_val(set) + ALLOCATION + set.heap_size());
        size_of::<Self>() + ALLOCATION + measures.sum::<usize>() + distinct.sum::<usize>()
    }

    /// Returns the stored form.
    pub fn to_document(&self) -> RawDocumentBuf {
        let mut document = RawDocumentBuf::new();
        document.append(cstr!("count"), self.count);
        if self.late != 0 {
            document.append(cstr!("late"), self.late);
        }
        if !self.measures.is_empty() {
            let measures: RawArrayBuf = self.measures.iter().map(MeasureState::to_document).collect();
            document.append(cstr!("m"), RawBsonRef::Array(&measures));
        }
        if !self.distinct.is_empty() {
            let sets: RawArrayBuf = self.distinct.iter().map(binary).collect();
            document.append(cstr!("d"), RawBsonRef::Array(&sets));
        }
        document
    }

    /// Reads the stored form; absent parts are empty.
    ///
    /// # Errors
    /// [`StateError`] if a part was not written by this program.
    pub fn read(table: &StateTable, stored: &RawDocument) -> Result<Self, StateError> {
        let mut state = Self::empty(table);
        for element in stored {
            match element.map_err(|error| StateError(error.to_string()))? {
                (name, value) if name == "count" => state.count = integer(value)?,
                (name, value) if name == "late" => state.late = integer(value)?,
                (name, RawBsonRef::Array(measures)) if name == "m" => state.read_measures(table, measures)?,
                (name, RawBsonRef::Array(sets)) if name == "d" => state.read_sets(sets)?,
                _ => {}
            }
        }
        Ok(state)
    }

    fn read_measures(&mut self, table: &StateTable, stored: &RawArray) -> Result<(), StateError> {
        for ((measure, state), stored) in table.measures.iter().zip(&mut self.measures).zip(stored) {
            let stored = stored.ok().and_then(RawBsonRef::as_document);
            let stored = stored.ok_or_else(|| StateError(format!("measure {} is not a document", measure.name)))?;
            *state = MeasureState::read(measure, stored)?;
        }
        Ok(())
    }

    fn read_sets(&mut self, stored: &RawArray) -> Result<(), StateError> {
        for (set, stored) in self.distinct.iter_mut().zip(stored) {
            match stored {
                Ok(RawBsonRef::Binary(binary)) => *set = Distinct::from_bytes(binary.bytes)?,
                other => return Err(StateError(format!("{other:?} is not a set of distinct values"))),
            }
        }
        Ok(())
    }
}

impl MeasureState {
    fn empty(kind: MeasureKind) -> Self {
        match kind {
            MeasureKind::Histogram(range) => Self::Histogram(Histogram::new(range.first, range.last)),
            MeasureKind::Int => Self::Int(IntMoments::default()),
            MeasureKind::Float => Self::Float(FloatMoments::default()),
        }
    }

    fn heap_size(&self) -> usize {
        match self {
            Self::Histogram(histogram) => ALLOCATION + histogram.heap_size(),
            Self::Int(_) | Self::Float(_) => 0,
        }
    }

    /// Adds a value; null is ignored. The decoder has checked type and range.
    fn insert(&mut self, value: RawBsonRef<'_>) {
        match (self, value) {
            (Self::Histogram(histogram), RawBsonRef::Int64(number)) => {
                let inside = histogram.insert(number);
                debug_assert!(inside, "the decoder refuses values outside the range");
            }
            (Self::Int(moments), RawBsonRef::Int64(number)) => moments.insert(number),
            (Self::Float(moments), RawBsonRef::Double(number)) => moments.insert(number),
            _ => {}
        }
    }

    fn combine(&mut self, other: &Self) {
        match (self, other) {
            (Self::Histogram(ours), Self::Histogram(theirs)) => ours.combine(theirs),
            (Self::Int(ours), Self::Int(theirs)) => ours.combine(theirs),
            (Self::Float(ours), Self::Float(theirs)) => ours.combine(theirs),
            _ => debug_assert!(false, "states of one table have the same kinds"),
        }
    }

    fn to_document(&self) -> RawDocumentBuf {
        match self {
            Self::Histogram(histogram) => {
                let mut counts = RawDocumentBuf::new();
                for (value, count) in histogram.iter().filter(|&(_, count)| count > 0) {
                    let value = CString::try_from(value.to_string()).expect("a number has no NUL in its digits");
                    counts.append(value, count);
                }
                counts
            }
            Self::Int(moments) => {
                let (min, max) = moments.extremes().unwrap_or_default();
                // 34 digits hold the sum of more 64-bit integers than a store can.
                let sum =
                    moments.sum().to_string().parse::<Decimal128>().map_or(RawBsonRef::Null, RawBsonRef::Decimal128);
                let (min, max) = (RawBsonRef::Int64(min), RawBsonRef::Int64(max));
                moments_document(moments.count(), moments.combined_mean(), moments.m2(), sum, min, max)
            }
            Self::Float(moments) => {
                let (min, max) = moments.extremes().unwrap_or_default();
                let [sum, min, max] = [moments.sum(), min, max].map(RawBsonRef::Double);
                let mut document =
                    moments_document(moments.count(), moments.combined_mean(), moments.m2(), sum, min, max);
                let FloatSum { high, low, halves } = moments.exact_sum();
                if low != 0.0 {
                    document.append(cstr!("low"), low);
                }
                if halves != 0 {
                    document.append(cstr!("high"), high);
                    document.append(cstr!("halves"), halves);
                }
                document
            }
        }
    }

    fn read(measure: &Measure, stored: &RawDocument) -> Result<Self, StateError> {
        let broken = || StateError(format!("measure {}: {stored:?}", measure.name));
        let part = |name: &str| stored.get(name).ok().flatten().ok_or_else(broken);
        let number = |name: &str| part(name)?.as_f64().ok_or_else(broken);
        match measure.kind {
            MeasureKind::Histogram(range) => {
                let mut histogram = Histogram::new(range.first, range.last);
                for element in stored {
                    let (value, count) = element.map_err(|_| broken())?;
                    let value = value.as_str().parse().map_err(|_| broken())?;
                    if !histogram.add(value, integer(count)?) {
                        return Err(broken());
                    }
                }
                Ok(Self::Histogram(histogram))
            }
            MeasureKind::Int => {
                let count = integer(part("n")?)?;
                let sum = match part("sum")? {
                    RawBsonRef::Decimal128(sum) => sum.to_string().parse().map_err(|_| broken())?,
                    _ => return Err(broken()),
                };
                let extremes = (count > 0).then_some((integer(part("min")?)?, integer(part("max")?)?));
                Ok(Self::Int(IntMoments::from_parts(count, number("mean")?, number("m2")?, sum, extremes)))
            }
            MeasureKind::Float => {
                let count = integer(part("n")?)?;
                let extremes = (count > 0).then_some((number("min")?, number("max")?));
                let mut sum = FloatSum::from(number("sum")?);
                let some = |name: &str| stored.get(name).ok().flatten();
                if let Some((high, halves)) = some("high").zip(some("halves")) {
                    sum = FloatSum { high: high.as_f64().ok_or_else(broken)?, low: 0.0, halves: integer(halves)? };
                }
                sum.low = some("low").and_then(RawBsonRef::as_f64).unwrap_or_default();
                Ok(Self::Float(FloatMoments::from_parts(count, number("mean")?, number("m2")?, sum, extremes)))
            }
        }
    }
}

fn moments_document(
    count: i64,
    mean: f64,
    m2: f64,
    sum: RawBsonRef<'_>,
    min: RawBsonRef<'_>,
    max: RawBsonRef<'_>,
) -> RawDocumentBuf {
    let mut document = RawDocumentBuf::new();
    document.append(cstr!("n"), count);
    document.append(cstr!("mean"), mean);
    document.append(cstr!("m2"), m2);
    document.append(cstr!("sum"), sum);
    document.append(cstr!("min"), min);
    document.append(cstr!("max"), max);
    document
}

fn binary(set: &Distinct) -> RawBson {
    RawBson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: set.to_bytes() })
}

fn integer(value: RawBsonRef<'_>) -> Result<i64, StateError> {
    match value {
        RawBsonRef::Int64(number) => Ok(number),
        RawBsonRef::Int32(number) => Ok(number.into()),
        other => Err(StateError(format!("{other:?} is not a count"))),
    }
}

/// Adds a value to a set. The type is part of the value, so `1` and `"1"` differ. Null is ignored.
fn insert_distinct(set: &mut Distinct, value: RawBsonRef<'_>) {
    let tagged = |tag: u8, bytes: &[u8]| {
        let mut tagged = Vec::with_capacity(bytes.len() + 1);
        tagged.push(tag);
        tagged.extend_from_slice(bytes);
        tagged
    };
    match value {
        RawBsonRef::String(text) => set.insert(&tagged(b's', text.as_bytes())),
        RawBsonRef::Int64(number) => set.insert(&tagged(b'i', &number.to_le_bytes())),
        // Both zeros are one value.
        RawBsonRef::Double(number) => set.insert(&tagged(b'f', &(number + 0.0).to_le_bytes())),
        RawBsonRef::Boolean(truth) => set.insert(&tagged(b'b', &[u8::from(truth)])),
        RawBsonRef::DateTime(moment) => set.insert(&tagged(b't', &moment.timestamp_millis().to_le_bytes())),
        _ => {}
    }
}
