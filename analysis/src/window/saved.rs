//! An aggregation as bytes, and back: to go on after a restart without the rows from before.
//!
//! A line that names format and version, the xxh3 checksum of what follows (8 bytes, little-endian), then a BSON document.

use std::{fs, path::Path};

use bson::{Bson, Document, doc, spec::BinarySubtype};
use model::{
    clock::EventClock,
    rollup::KeyValue,
    state::{Distinct, FloatMoments, FloatSum, Histogram, IntMoments},
    window::Window,
};
use polars::prelude::DataType;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Spec, WindowError, Windowed,
    assign::Known,
    keys::kind_of_name,
    measure::{Measure, States},
    rows::Counted,
    windowed::Group,
};
use crate::whole_file;

const FORMAT: &[u8] = b"rushes windows ";
/// 2 knows what was told of sessions.
const VERSION: &str = "2";

impl Windowed {
    /// Everything that is needed to go on, as bytes. After a restore [`changes`](Windowed::changes) tells every row once more, and
    /// of the rows that were told before the save those that are gone.
    pub fn save(&self) -> Vec<u8> {
        let body = self.document().to_vec().expect("numbers, texts and bytes are BSON");
        [FORMAT, VERSION.as_bytes(), b"\n", &xxh3_64(&body).to_le_bytes(), &body].concat()
    }

    /// An aggregation as it was when it was [saved](Windowed::save).
    ///
    /// # Errors
    /// [`WindowError::Saved`] where the bytes are damaged, of another version, or of another spec.
    ///
    /// ```
    /// use analysis::window::{Spec, Windowed};
    ///
    /// let spec = || Spec::new("day", "month");
    /// let saved = Windowed::new(spec()?).save();
    /// assert!(Windowed::restore(spec()?, &saved).is_ok());
    /// assert!(Windowed::restore(Spec::new("day", "year")?, &saved).is_err());
    /// # Ok::<(), analysis::window::WindowError>(())
    /// ```
    pub fn restore(spec: Spec, bytes: &[u8]) -> Result<Self, WindowError> {
        let refuse = |problem: String| WindowError::Saved(problem);
        let rest = after_head(bytes).map_err(refuse)?;
        let body = match rest.split_first_chunk::<8>() {
            Some((sum, body)) if u64::from_le_bytes(*sum) == xxh3_64(body) => body,
            _ => return Err(refuse("they are damaged; make them again from the rows".to_owned())),
        };
        let saved = Document::from_reader(body).map_err(|error| refuse(error.to_string()))?;
        let definition = saved.get_str("definition").unwrap_or_default();
        if definition != spec.definition() {
            let wanted = spec.definition();
            return Err(refuse(format!("they are of another spec: {definition}, and not {wanted}")));
        }
        Self::of_document(spec, &saved).ok_or_else(|| refuse("a part is missing".to_owned()))
    }

    /// [Saves](Windowed::save) into a file, which is there as a whole or not at all.
    ///
    /// # Errors
    /// [`WindowError::File`].
    pub fn save_to(&self, path: impl AsRef<Path>) -> Result<(), WindowError> {
        let (path, bytes) = (path.as_ref(), self.save());
        whole_file::write(path, |file| file.write_all(&bytes)).map_err(|source| file_error("write", path, source))
    }

    /// [Restores](Windowed::restore) from a file.
    ///
    /// # Errors
    /// [`WindowError::File`], and as [`restore`](Windowed::restore).
    pub fn restore_from(spec: Spec, path: impl AsRef<Path>) -> Result<Self, WindowError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|source| file_error("read", path, source))?;
        Self::restore(spec, &bytes)
    }

    fn document(&self) -> Document {
        let kind = |kind: Option<DataType>| kind.map_or(Bson::Null, |kind| Bson::String(kind.to_string()));
        let key = |key: Vec<KeyValue>| Bson::Array(key.iter().map(KeyValue::to_bson).collect());
        // Sessions that were taken in by others are gone; groups keep their order, so their numbers are given anew.
        let alive: Vec<usize> =
            (0..self.groups.len()).filter(|group| self.groups[*group].merged_into.is_none()).collect();
        let rows = || alive.iter().map(|group| &self.groups[*group]);
        let column = |value: fn(&Group) -> i64| rows().map(value).map(Bson::Int64).collect::<Vec<Bson>>();
        let told = |edge: fn(Window) -> i64| {
            rows().map(|row| row.told.map(edge).map_or(Bson::Null, Bson::Int64)).collect::<Vec<Bson>>()
        };
        let removed =
            |value: fn(&(Window, u32)) -> i64| self.removed.iter().map(value).map(Bson::Int64).collect::<Vec<Bson>>();
        doc! {
            "definition": self.spec.definition(),
            "dates": self.dates,
            "clock": self.clock.now(),
            "late": self.late as i64,
            "without_time": self.without_time as i64,
            "key_types": self.keys.kinds().into_iter().map(kind).collect::<Vec<Bson>>(),
            "keys": self.keys.saved().into_iter().map(key).collect::<Vec<Bson>>(),
            "key": column(|row| row.key.into()),
            "start": column(|row| row.window.start),
            "end": column(|row| row.window.end),
            "ends_at": column(|row| row.ends_at),
            "count": column(|row| row.count),
            "late_rows": column(|row| row.late),
            "told_start": told(|window| window.start),
            "told_end": told(|window| window.end),
            "removed_start": removed(|row| row.0.start),
            "removed_end": removed(|row| row.0.end),
            "removed_key": removed(|row| row.1.into()),
            "measures": self.measures.iter().map(|measure| saved_states(&measure.states, &alive)).collect::<Vec<Bson>>(),
            "distinct": self.distinct.iter().map(|sets| {
                Bson::Array(alive.iter().map(|group| sets.get(*group).map_or(Bson::Null, binary)).collect())
            }).collect::<Vec<Bson>>(),
            "distinct_types": self.counted.iter().map(|counted| {
                counted.map_or(Bson::Null, |counted| Bson::String(counted.name().to_owned()))
            }).collect::<Vec<Bson>>(),
        }
    }

    fn of_document(spec: Spec, saved: &Document) -> Option<Self> {
        let mut windowed = Self::new(spec);
        if let Bson::Boolean(dates) = saved.get("dates")? {
            windowed.begin(*dates);
        }
        windowed.clock = EventClock::restored(saved.get("clock")?.as_i64());
        windowed.late = u64::try_from(saved.get_i64("late").ok()?).ok()?;
        windowed.without_time = u64::try_from(saved.get_i64("without_time").ok()?).ok()?;
        let kind = |kind: &Bson| match kind {
            Bson::Null => Some(None),
            Bson::String(name) => kind_of_name(name).map(Some),
            _ => None,
        };
        let kinds = saved.get_array("key_types").ok()?.iter().map(kind).collect::<Option<Vec<_>>>()?;
        let key = |key: &Bson| key.as_array()?.iter().map(key_value).collect::<Option<Vec<_>>>();
        let keys = saved.get_array("keys").ok()?.iter().map(key).collect::<Option<Vec<_>>>()?;
        let key_count = keys.len().max(1);
        windowed.keys.restore(kinds, keys);
        let groups = windowed.restore_groups(saved, key_count)?;
        for (measure, states) in windowed.measures.iter_mut().zip(saved.get_array("measures").ok()?) {
            restore_states(measure, states, groups)?;
        }
        for (sets, saved) in windowed.distinct.iter_mut().zip(saved.get_array("distinct").ok()?) {
            *sets = saved.as_array()?.iter().map(set).collect::<Option<Vec<_>>>()?;
        }
        // What was saved before they were kept has none; the next frame decides then.
        if let Ok(names) = saved.get_array("distinct_types") {
            for (counted, name) in windowed.counted.iter_mut().zip(names) {
                *counted = match name {
                    Bson::Null => None,
                    name => Some(Counted::of_name(name.as_str()?)?),
                };
            }
        }
        windowed.touch_all();
        Some(windowed)
    }

    /// Puts the groups back, and what was told of them; gives their number.
    fn restore_groups(&mut self, saved: &Document, keys: usize) -> Option<usize> {
        let column = |name: &str| ints(saved.get(name)?);
        let of_key = |number: i64| u32::try_from(number).ok().filter(|number| (*number as usize) < keys);
        let (key, start, end) = (column("key")?, column("start")?, column("end")?);
        let (ends_at, count, late) = (column("ends_at")?, column("count")?, column("late_rows")?);
        let (told_start, told_end) = (saved.get_array("told_start").ok()?, saved.get_array("told_end").ok()?);
        for (row, &number) in key.iter().enumerate() {
            let window = Window { start: *start.get(row)?, end: *end.get(row)? };
            let mut group = Group::new(of_key(number)?, Known { window, ends_at: *ends_at.get(row)? });
            (group.count, group.late) = (*count.get(row)?, *late.get(row)?);
            let told = told_start.get(row)?.as_i64().zip(told_end.get(row)?.as_i64());
            group.told = told.map(|(start, end)| Window { start, end });
            self.restore_group(group);
        }
        let (starts, ends, numbers) = (column("removed_start")?, column("removed_end")?, column("removed_key")?);
        for (row, number) in numbers.into_iter().enumerate() {
            let window = Window { start: *starts.get(row)?, end: *ends.get(row)? };
            self.removed.push((window, of_key(number)?));
        }
        Some(key.len())
    }
}

/// What follows the line of format and version.
fn after_head(bytes: &[u8]) -> Result<&[u8], String> {
    let rest = bytes.strip_prefix(FORMAT).ok_or("they are of another program")?;
    let end = rest.iter().take(9).position(|byte| *byte == b'\n').ok_or("they are of another program")?;
    match String::from_utf8_lossy(&rest[..end]) {
        version if version == VERSION => Ok(&rest[end + 1..]),
        version => Err(format!(
            "they are of version {version}, and this program reads version {VERSION}; make them again from the rows"
        )),
    }
}

fn file_error(verb: &'static str, path: &Path, source: std::io::Error) -> WindowError {
    WindowError::File { verb, path: path.to_owned(), source }
}

fn key_value(value: &Bson) -> Option<KeyValue> {
    Some(match value {
        Bson::Null => KeyValue::Null,
        Bson::Boolean(truth) => KeyValue::Bool(*truth),
        Bson::Int64(number) => KeyValue::Int(*number),
        Bson::DateTime(moment) => KeyValue::Millis(moment.timestamp_millis()),
        Bson::String(text) => KeyValue::Str(text.as_str().into()),
        _ => return None,
    })
}

fn ints(values: &Bson) -> Option<Vec<i64>> {
    values.as_array()?.iter().map(Bson::as_i64).collect()
}

fn binary(set: &Distinct) -> Bson {
    Bson::Binary(bson::Binary { subtype: BinarySubtype::Generic, bytes: set.to_bytes() })
}

fn set(value: &Bson) -> Option<Distinct> {
    match value {
        Bson::Null => Some(Distinct::default()),
        Bson::Binary(set) => Distinct::from_bytes(&set.bytes).ok(),
        _ => None,
    }
}

/// States as columns of numbers, under the name of their form.
fn saved_states(states: &States, alive: &[usize]) -> Bson {
    fn column<S>(states: &[S], alive: &[usize], value: impl Fn(&S) -> Bson) -> Bson {
        Bson::Array(alive.iter().map(|group| value(&states[*group])).collect())
    }
    Bson::Document(match states {
        States::Undecided(_) => doc! {},
        States::Histogram(states) => {
            let counts = |state: &Histogram| Bson::Array(state.iter().map(|(_, count)| Bson::Int64(count)).collect());
            doc! { "histogram": column(states, alive, counts) }
        }
        States::Int(states) => doc! { "int": column(states, alive, |state| {
            let (min, max) = state.extremes().unwrap_or_default();
            // Sums may need more than 64 bits.
            let sum = state.sum().to_string();
            Bson::Array(vec![state.count().into(), state.mean().unwrap_or_default().into(), state.m2().into(), sum.into(), min.into(), max.into()])
        }) },
        States::Float(states) => doc! { "float": column(states, alive, |state| {
            let (min, max) = state.extremes().unwrap_or_default();
            let FloatSum { high, low, halves } = state.exact_sum();
            let numbers = [state.mean().unwrap_or_default(), state.m2(), high, min, max, low].map(Bson::Double);
            Bson::Array(std::iter::once(state.count().into()).chain(numbers).chain([halves.into()]).collect())
        }) },
    })
}

fn restore_states(measure: &mut Measure, saved: &Bson, groups: usize) -> Option<()> {
    let saved = saved.as_document()?;
    let parts =
        |name: &str| -> Option<Vec<&Vec<Bson>>> { saved.get_array(name).ok()?.iter().map(Bson::as_array).collect() };
    measure.states = if let Some((first, last)) = measure.spec.range {
        let histogram = |counts: &Vec<Bson>| {
            let mut histogram = Histogram::new(first, last);
            let added = (first..=last)
                .zip(counts)
                .all(|(value, count)| count.as_i64().is_some_and(|count| histogram.add(value, count)));
            added.then_some(histogram)
        };
        States::Histogram(parts("histogram")?.into_iter().map(histogram).collect::<Option<Vec<_>>>()?)
    } else if saved.contains_key("int") {
        let state = |parts: &Vec<Bson>| {
            let count = parts.first()?.as_i64()?;
            let extremes = (count > 0).then_some((parts.get(4)?.as_i64()?, parts.get(5)?.as_i64()?));
            let sum = parts.get(3)?.as_str()?.parse().ok()?;
            Some(IntMoments::from_parts(count, parts.get(1)?.as_f64()?, parts.get(2)?.as_f64()?, sum, extremes))
        };
        States::Int(parts("int")?.into_iter().map(state).collect::<Option<Vec<_>>>()?)
    } else if saved.contains_key("float") {
        let state = |parts: &Vec<Bson>| {
            let count = parts.first()?.as_i64()?;
            let number = |at: usize| parts.get(at)?.as_f64();
            let extremes = (count > 0).then_some((number(4)?, number(5)?));
            // An earlier version saved the rounded sum alone.
            let sum = match (number(6), parts.get(7).and_then(Bson::as_i64)) {
                (Some(low), Some(halves)) => FloatSum { high: number(3)?, low, halves },
                _ => number(3)?.into(),
            };
            Some(FloatMoments::from_parts(count, number(1)?, number(2)?, sum, extremes))
        };
        States::Float(parts("float")?.into_iter().map(state).collect::<Option<Vec<_>>>()?)
    } else {
        States::Undecided(groups)
    };
    measure.grow(groups);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_without_the_types_of_counted_columns_is_read() {
        let spec = || Spec::new("t", "day").expect("a spec").distinct("x");
        let mut saved = Windowed::new(spec()).document();
        assert!(saved.remove("distinct_types").is_some());
        let again = Windowed::of_document(spec(), &saved).expect("what was saved");
        assert_eq!(again.counted, [None]);
    }
}
