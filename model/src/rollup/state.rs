//! The state of one group: a count, the states of its measures, and its sets of distinct values; and its stored form.
//!
//! Stored: `{count, late, m: {MEASURE: {…}}, d: {FIELD: binary}}`. A histogram is `{"8": 3, …}` with the values seen, moments are
//! `{n, mean, m2, sum, min, max}`; the exact sum of an integer measure is a Decimal128.

use super::{Facts, Measure, MeasureKind, StateTable};
use crate::state::{Distinct, FloatMoments, Histogram, IntMoments, StateError};
use bson::raw::{RawBsonRef, RawDocument};
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Decimal128, Document, doc};

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
    /// The state of a group without events.
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

    /// Adds another state of the same table.
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

    /// The numbers to add to the stored state, as the members of an `$inc`, where the table [is additive](StateTable::is_additive).
    pub fn increments(&self, table: &StateTable) -> Document {
        let mut increments = doc! { "count": self.count, "late": self.late };
        for (state, measure) in self.measures.iter().zip(&table.measures) {
            if let MeasureState::Histogram(histogram) = state {
                for (value, count) in histogram.iter().filter(|&(_, count)| count > 0) {
                    increments.insert(format!("m.{}.{value}", measure.name), count);
                }
            }
        }
        increments
    }

    /// The stored form without `_id`.
    pub fn to_document(&self, table: &StateTable) -> Document {
        let mut document = doc! { "count": self.count, "late": self.late };
        let measures: Document = table
            .measures
            .iter()
            .zip(&self.measures)
            .map(|(measure, state)| (measure.name.clone(), state.to_bson()))
            .collect();
        let distinct: Document = table
            .distinct
            .iter()
            .zip(&self.distinct)
            .map(|(distinct, set)| (distinct.name.clone(), binary(set)))
            .collect();
        document.insert("m", measures);
        if !distinct.is_empty() {
            document.insert("d", distinct);
        }
        document
    }

    /// Reads the stored form; absent parts are empty.
    ///
    /// # Errors
    /// [`StateError`] where a part is not what this program writes.
    pub fn read(table: &StateTable, stored: &RawDocument) -> Result<Self, StateError> {
        let mut state = Self::empty(table);
        for element in stored {
            match element.map_err(|error| StateError(error.to_string()))? {
                (name, value) if name == "count" => state.count = integer(value)?,
                (name, value) if name == "late" => state.late = integer(value)?,
                (name, RawBsonRef::Document(measures)) if name == "m" => {
                    for (measure, state) in table.measures.iter().zip(&mut state.measures) {
                        if let Ok(Some(RawBsonRef::Document(stored))) = measures.get(&measure.name) {
                            *state = MeasureState::read(measure, stored)?;
                        }
                    }
                }
                (name, RawBsonRef::Document(sets)) if name == "d" => {
                    for (distinct, set) in table.distinct.iter().zip(&mut state.distinct) {
                        if let Ok(Some(RawBsonRef::Binary(stored))) = sets.get(&distinct.name) {
                            *set = Distinct::from_bytes(stored.bytes)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(state)
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

    /// Takes a value into account; null is no value. The decoder has held values to their type and range.
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

    fn to_bson(&self) -> Bson {
        match self {
            Self::Histogram(histogram) => Bson::Document(
                histogram
                    .iter()
                    .filter(|&(_, count)| count > 0)
                    .map(|(value, count)| (value.to_string(), count.into()))
                    .collect(),
            ),
            Self::Int(moments) => {
                let (min, max) = moments.extremes().unwrap_or_default();
                // 34 digits hold the sum of more 64-bit integers than a store can.
                let sum = moments.sum().to_string().parse::<Decimal128>().map_or(Bson::Null, Bson::Decimal128);
                moments_document(moments.count(), moments.mean(), moments.m2(), sum, min.into(), max.into())
            }
            Self::Float(moments) => {
                let (min, max) = moments.extremes().unwrap_or_default();
                moments_document(
                    moments.count(),
                    moments.mean(),
                    moments.m2(),
                    moments.sum().into(),
                    min.into(),
                    max.into(),
                )
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
                Ok(Self::Float(FloatMoments::from_parts(
                    count,
                    number("mean")?,
                    number("m2")?,
                    number("sum")?,
                    extremes,
                )))
            }
        }
    }
}

fn moments_document(count: i64, mean: Option<f64>, m2: f64, sum: Bson, min: Bson, max: Bson) -> Bson {
    Bson::Document(doc! { "n": count, "mean": mean.unwrap_or_default(), "m2": m2, "sum": sum, "min": min, "max": max })
}

fn binary(set: &Distinct) -> Bson {
    Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: set.to_bytes() })
}

fn integer(value: RawBsonRef<'_>) -> Result<i64, StateError> {
    match value {
        RawBsonRef::Int64(number) => Ok(number),
        RawBsonRef::Int32(number) => Ok(number.into()),
        other => Err(StateError(format!("{other:?} is not a count"))),
    }
}

/// Adds a value to a set; its type is part of it, so that `1` and `"1"` differ. Null is no value.
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
