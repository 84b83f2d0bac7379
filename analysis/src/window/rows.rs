//! Groups as rows of a table.

use model::{layout::column, state::Distinct, window::Window};
use polars::prelude::{Column, DataFrame, DataType, NamedFrom, Series, SortMultipleOptions, TimeUnit};

use super::{
    Spec, WindowError, Windowed,
    measure::{Assigned, integers},
};

const DAY_MS: i64 = 86_400_000;

/// The rows of these groups, ordered by window and keys.
pub(super) fn table(windowed: &Windowed, groups: &[u32]) -> Result<DataFrame, WindowError> {
    let spec = &windowed.spec;
    let rows = || groups.iter().map(|group| &windowed.groups[*group as usize]);
    let (windows, keys): (Vec<Window>, Vec<u32>) = rows().map(|row| (row.window, row.key)).unzip();
    let mut columns = place_columns(windowed, &windows, &keys)?;
    let counts: Vec<i64> = rows().map(|row| row.count).collect();
    columns.push(Series::new(spec.count.as_str().into(), counts).into());
    for measure in &windowed.measures {
        columns.extend(measure.columns(groups));
    }
    for (name, sets) in spec.distinct.iter().zip(&windowed.distinct) {
        let estimates: Vec<i64> = groups.iter().map(|group| sets[*group as usize].estimate()).collect();
        columns.push(Series::new(format!("{name}_distinct").into(), estimates).into());
    }
    let late: Vec<i64> = rows().map(|row| row.late).collect();
    columns.push(Series::new(column::LATE.into(), late).into());
    let closed = windowed.closed();
    let finals: Vec<bool> = rows().map(|row| closed.has_passed(row.ends_at)).collect();
    columns.push(Series::new(column::IS_FINAL.into(), finals).into());
    ordered(DataFrame::new(groups.len(), columns)?, spec)
}

/// Windows and keys alone.
pub(super) fn places(windowed: &Windowed, places: &[(Window, u32)]) -> Result<DataFrame, WindowError> {
    let (windows, keys): (Vec<Window>, Vec<u32>) = places.iter().copied().unzip();
    ordered(DataFrame::new(places.len(), place_columns(windowed, &windows, &keys)?)?, &windowed.spec)
}

fn place_columns(windowed: &Windowed, windows: &[Window], keys: &[u32]) -> Result<Vec<Column>, WindowError> {
    let calendar = windowed.spec.is_calendar();
    let labels = |name: &str, label: fn(&Window) -> i64| -> Result<Column, WindowError> {
        let series = match calendar {
            true => {
                let days: Vec<i32> = windows.iter().map(|window| (label(window) / DAY_MS) as i32).collect();
                Series::new(name.into(), days).cast(&DataType::Date)?
            }
            false => {
                let millis: Vec<i64> = windows.iter().map(label).collect();
                Series::new(name.into(), millis).cast(&DataType::Datetime(TimeUnit::Milliseconds, None))?
            }
        };
        Ok(series.into())
    };
    let mut columns =
        vec![labels(column::WINDOW_START, |window| window.start)?, labels(column::WINDOW_END, |window| window.end)?];
    columns.extend(windowed.keys.columns(keys)?);
    Ok(columns)
}

fn ordered(frame: DataFrame, spec: &Spec) -> Result<DataFrame, WindowError> {
    let by = std::iter::once(column::WINDOW_START).chain(spec.keys.iter().map(String::as_str));
    Ok(frame.sort(by, SortMultipleOptions::default().with_nulls_last(false))?)
}

/// Refuses names that two columns of the table would have.
pub(super) fn check_names(spec: &Spec) -> Result<(), WindowError> {
    let fixed = [column::WINDOW_START, column::WINDOW_END, column::LATE, column::IS_FINAL].map(str::to_owned);
    let measured = spec.measures.iter().flat_map(|measure| {
        let suffixes = ["sum", "mean", "stddev", "min", "max", "p50"].map(str::to_owned).into_iter();
        let values = measure.range.filter(|_| measure.buckets).into_iter().flat_map(|(first, last)| first..=last);
        let named = suffixes.chain(values.map(|value| value.to_string()));
        std::iter::once(measure.counted_as.clone()).chain(named.map(|suffix| format!("{}_{suffix}", measure.column)))
    });
    let distinct = spec.distinct.iter().map(|name| format!("{name}_distinct"));
    let all = fixed.into_iter().chain(spec.keys.iter().cloned()).chain([spec.count.clone()]);
    let mut names: Vec<String> = all.chain(measured).chain(distinct).collect();
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(WindowError::Name(pair[0].clone())),
        None => Ok(()),
    }
}

/// What the values of a counted column are. Frames must agree on it: a value of two types would be counted twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    Texts,
    Truths,
    Integers,
    Floats,
    Dates,
    Instants(TimeUnit),
}

impl Counted {
    const ALL: [Self; 8] = [
        Self::Texts,
        Self::Truths,
        Self::Integers,
        Self::Floats,
        Self::Dates,
        Self::Instants(TimeUnit::Milliseconds),
        Self::Instants(TimeUnit::Microseconds),
        Self::Instants(TimeUnit::Nanoseconds),
    ];

    fn of(kind: &DataType) -> Option<Self> {
        match kind {
            DataType::String => Some(Self::Texts),
            DataType::Boolean => Some(Self::Truths),
            DataType::Date => Some(Self::Dates),
            DataType::Datetime(unit, _) => Some(Self::Instants(*unit)),
            kind if kind.is_integer() => Some(Self::Integers),
            kind if kind.is_float() => Some(Self::Floats),
            _ => None,
        }
    }

    /// The name in messages, and in what is saved, which keeps it from being changed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Texts => "texts",
            Self::Truths => "true and false",
            Self::Integers => "integers",
            Self::Floats => "floats",
            Self::Dates => "dates",
            Self::Instants(TimeUnit::Milliseconds) => "instants in milliseconds",
            Self::Instants(TimeUnit::Microseconds) => "instants in microseconds",
            Self::Instants(TimeUnit::Nanoseconds) => "instants in nanoseconds",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|counted| counted.name() == name)
    }
}

/// What the values of a column are, which must be what they were `before`; `None` as long as it has no type but that of nulls.
pub(super) fn check_distinct(column: &Column, before: Option<Counted>) -> Result<Option<Counted>, WindowError> {
    if column.dtype() == &DataType::Null {
        return Ok(before);
    }
    let wrong = |expected: &str| WindowError::wrong_type(column, "a distinct count", expected);
    let found =
        Counted::of(column.dtype()).ok_or_else(|| wrong("texts, numbers, dates, instants, or true and false"))?;
    match before {
        Some(before) if before != found => return Err(wrong(&format!("{} as before", before.name()))),
        _ if found == Counted::Integers => integers(column).map(drop)?,
        _ => {}
    }
    Ok(Some(found))
}

/// Adds a column's values to the sets of their groups, as bytes that begin with the type, as `ingest` does; null is no value.
pub(super) fn insert_distinct(sets: &mut [Distinct], column: &Column, assigned: &Assigned) -> Result<(), WindowError> {
    let column = column.rechunk();
    let mut tagged = Vec::new();
    let mut insert = |group: usize, tag: u8, bytes: &[u8]| {
        tagged.clear();
        tagged.push(tag);
        tagged.extend_from_slice(bytes);
        sets[group].insert(&tagged);
    };
    match column.dtype() {
        DataType::Null => {}
        DataType::String => {
            let texts = column.str()?;
            assigned.for_each(|row, group| {
                if let Some(text) = texts.get(row) {
                    insert(group, b's', text.as_bytes());
                }
            });
        }
        DataType::Boolean => {
            let truths = column.bool()?;
            assigned.for_each(|row, group| {
                if let Some(truth) = truths.get(row) {
                    insert(group, b'b', &[u8::from(truth)]);
                }
            });
        }
        kind if kind.is_float() => {
            let numbers = column.cast(&DataType::Float64)?;
            let numbers = numbers.f64()?;
            assigned.for_each(|row, group| {
                if let Some(number) = numbers.get(row) {
                    // Both zeros are one value.
                    insert(group, b'f', &(number + 0.0).to_le_bytes());
                }
            });
        }
        kind => {
            let (tag, per_unit) = match kind {
                DataType::Date => (b't', DAY_MS),
                DataType::Datetime(..) => (b't', 1),
                _ => (b'i', 1),
            };
            let numbers = column.cast(&DataType::Int64)?;
            let numbers = numbers.i64()?;
            assigned.for_each(|row, group| {
                if let Some(number) = numbers.get(row) {
                    insert(group, tag, &(number * per_unit).to_le_bytes());
                }
            });
        }
    }
    Ok(())
}
