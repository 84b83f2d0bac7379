//! The states of one measure, a group each.

use model::state::{FloatMoments, Histogram, IntMoments};
use polars::prelude::{Column, DataFrame, DataType, Float64Chunked, Int64Chunked, NamedFrom, Series};

use super::{WindowError, spec::MeasureSpec};

/// Rows of a frame with their groups.
pub(super) struct Assigned {
    /// `None` where every row has one group, which stands at its place.
    pub rows: Option<Vec<u32>>,
    /// `u32::MAX` for no group.
    pub groups: Vec<u32>,
}

impl Assigned {
    /// Calls `visit(row, group)` for each.
    pub fn for_each(&self, mut visit: impl FnMut(usize, usize)) {
        match &self.rows {
            None => {
                let groups = self.groups.iter().enumerate();
                groups.filter(|(_, group)| **group != u32::MAX).for_each(|(row, group)| visit(row, *group as usize));
            }
            Some(rows) => rows.iter().zip(&self.groups).for_each(|(row, group)| visit(*row as usize, *group as usize)),
        }
    }
}

/// States by group.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum States {
    /// Nothing but nulls so far, in so many groups.
    Undecided(usize),
    Histogram(Vec<Histogram>),
    Int(Vec<IntMoments>),
    Float(Vec<FloatMoments>),
}

/// Values of a measured column, in the type of its states.
pub(super) enum Values {
    Nulls,
    Ints(Int64Chunked),
    Floats(Float64Chunked),
}

/// A measured column with its states.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measure {
    pub spec: MeasureSpec,
    pub states: States,
}

impl Measure {
    pub fn new(spec: MeasureSpec) -> Self {
        let states = if spec.range.is_some() { States::Histogram(Vec::new()) } else { States::Undecided(0) };
        Self { spec, states }
    }

    /// The values of the frame's column, checked before anything is changed.
    pub fn values(&self, frame: &DataFrame) -> Result<Values, WindowError> {
        let name = &self.spec.column;
        let column = frame.column(name).map_err(|_| WindowError::no_column(frame, name))?;
        let kind = column.dtype();
        let (fits, expected) = match &self.states {
            States::Undecided(_) | States::Float(_) => (kind.is_integer() || kind.is_float(), "numbers"),
            States::Histogram(_) => (kind.is_integer(), "integers"),
            States::Int(_) => (kind.is_integer(), "integers as before"),
        };
        match kind {
            DataType::Null => return Ok(Values::Nulls),
            _ if !fits => return Err(WindowError::wrong_type(column, "a measure", expected)),
            kind if kind.is_float() || matches!(self.states, States::Float(_)) => {
                return Ok(Values::Floats(column.cast(&DataType::Float64)?.rechunk().f64()?.clone()));
            }
            _ => {}
        }
        let values = integers(column)?.rechunk().i64()?.clone();
        let outside = |(first, last)| values.iter().flatten().find(|value| !(first..=last).contains(value));
        match self.spec.range.and_then(|range| Some((range, outside(range)?))) {
            Some(((first, last), value)) => Err(WindowError::OutOfRange { column: name.clone(), value, first, last }),
            None => Ok(Values::Ints(values)),
        }
    }

    /// Adds the values of a frame.
    pub fn update(&mut self, values: &Values, assigned: &Assigned) {
        if let States::Undecided(groups) = self.states {
            self.states = match values {
                Values::Nulls => return,
                Values::Ints(_) => States::Int(vec![IntMoments::default(); groups]),
                Values::Floats(_) => States::Float(vec![FloatMoments::default(); groups]),
            };
        }
        match (&mut self.states, values) {
            // The range was checked.
            (States::Histogram(states), Values::Ints(values)) => {
                ints(values, assigned, |group, value| _ = states[group].insert(value));
            }
            (States::Int(states), Values::Ints(values)) => {
                ints(values, assigned, |group, value| states[group].insert(value));
            }
            (States::Float(states), Values::Floats(values)) => assigned.for_each(|row, group| {
                if let Some(value) = values.get(row).filter(|value| !value.is_nan()) {
                    states[group].insert(value);
                }
            }),
            // Nulls; values of another type were refused.
            _ => {}
        }
    }

    /// Makes room for so many groups.
    pub fn grow(&mut self, groups: usize) {
        let (first, last) = self.spec.range.unwrap_or_default();
        match &mut self.states {
            States::Undecided(known) => *known = groups,
            States::Histogram(states) => states.resize_with(groups, || Histogram::new(first, last)),
            States::Int(states) => states.resize_with(groups, IntMoments::default),
            States::Float(states) => states.resize_with(groups, FloatMoments::default),
        }
    }

    /// Adds the state of one group to that of another.
    pub fn combine(&mut self, into: usize, from: usize) {
        match &mut self.states {
            States::Undecided(_) => {}
            States::Histogram(states) => combine(states, into, from, Histogram::combine),
            States::Int(states) => combine(states, into, from, IntMoments::combine),
            States::Float(states) => combine(states, into, from, FloatMoments::combine),
        }
    }

    /// The columns of a table of these groups.
    pub fn columns(&self, groups: &[u32]) -> Vec<Column> {
        let of = |suffix: &str| format!("{}_{suffix}", self.spec.column);
        let names = Names { counted_as: &self.spec.counted_as, of: &of };
        match &self.states {
            States::Undecided(known) => {
                let none = vec![IntMoments::default(); *known];
                names.columns(&none, groups, &INT)
            }
            States::Histogram(states) => {
                let mut columns = names.columns(states, groups, &HISTOGRAM);
                columns.extend(self.histogram_columns(states, groups));
                columns
            }
            States::Int(states) => names.columns(states, groups, &INT),
            States::Float(states) => names.columns(states, groups, &FLOAT),
        }
    }

    /// The median, and the counts of single values where they are wanted.
    fn histogram_columns(&self, states: &[Histogram], groups: &[u32]) -> Vec<Column> {
        let name = &self.spec.column;
        let medians: Vec<Option<f64>> = groups.iter().map(|group| states[*group as usize].quantile(0.5)).collect();
        let mut columns = vec![Series::new(format!("{name}_p50").into(), medians).into()];
        if let (true, Some((first, last))) = (self.spec.buckets, self.spec.range) {
            for (at, value) in (first..=last).enumerate() {
                let count = |group: &u32| states[*group as usize].iter().nth(at).map_or(0, |(_, count)| count);
                let counts: Vec<i64> = groups.iter().map(count).collect();
                columns.push(Series::new(format!("{name}_{value}").into(), counts).into());
            }
        }
        columns
    }
}

fn ints(values: &Int64Chunked, assigned: &Assigned, mut insert: impl FnMut(usize, i64)) {
    assigned.for_each(|row, group| {
        if let Some(value) = values.get(row) {
            insert(group, value);
        }
    });
}

/// A column of integers in 64 bits with a sign, into which not all of `u64` fit.
pub(super) fn integers(column: &Column) -> Result<Column, WindowError> {
    let numbers = column.cast(&DataType::Int64)?;
    if numbers.null_count() == column.null_count() {
        return Ok(numbers);
    }
    let lost = numbers.is_null() & column.is_not_null();
    let value = column.filter(&lost)?.get(0)?.to_string();
    Err(WindowError::TooLarge { column: column.name().to_string(), value })
}

fn combine<S: Clone>(states: &mut [S], into: usize, from: usize, add: impl Fn(&mut S, &S)) {
    let other = states[from].clone();
    add(&mut states[into], &other);
}

/// A column of sums: of digits if one of them has more than 64 bits, as in the table of a rollup.
fn exact(name: &str, sums: impl Iterator<Item = i128> + Clone) -> Series {
    let narrow: Option<Vec<i64>> = sums.clone().map(|sum| i64::try_from(sum).ok()).collect();
    match narrow {
        Some(sums) => Series::new(name.into(), sums),
        None => Series::new(name.into(), sums.map(|sum| sum.to_string()).collect::<Vec<_>>()),
    }
}

/// What is read from a state of type `S` with values of type `V`.
struct Readings<S, V> {
    count: fn(&S) -> i64,
    /// A column of this name.
    sums: fn(&str, &[&S]) -> Series,
    mean: fn(&S) -> Option<f64>,
    variance: fn(&S) -> Option<f64>,
    min: fn(&S) -> Option<V>,
    max: fn(&S) -> Option<V>,
}

const HISTOGRAM: Readings<Histogram, i64> = Readings {
    count: Histogram::count,
    sums: |name, states| exact(name, states.iter().map(|state| state.sum())),
    mean: Histogram::mean,
    variance: Histogram::variance,
    min: Histogram::min,
    max: Histogram::max,
};
const INT: Readings<IntMoments, i64> = Readings {
    count: IntMoments::count,
    sums: |name, states| exact(name, states.iter().map(|state| state.sum())),
    mean: IntMoments::mean,
    variance: IntMoments::variance,
    min: |state| state.extremes().map(|(min, _)| min),
    max: |state| state.extremes().map(|(_, max)| max),
};
const FLOAT: Readings<FloatMoments, f64> = Readings {
    count: FloatMoments::count,
    sums: |name, states| {
        let finite = |state: &&FloatMoments| Some(state.sum()).filter(|sum| sum.is_finite());
        Series::new(name.into(), states.iter().map(finite).collect::<Vec<_>>())
    },
    mean: FloatMoments::mean,
    variance: FloatMoments::variance,
    min: |state| state.extremes().map(|(min, _)| min),
    max: |state| state.extremes().map(|(_, max)| max),
};

/// Names of a measure's columns.
struct Names<'a> {
    counted_as: &'a str,
    of: &'a dyn Fn(&str) -> String,
}

impl Names<'_> {
    /// Count, sum, mean, standard deviation, minimum and maximum of these groups.
    fn columns<S, V>(&self, states: &[S], groups: &[u32], readings: &Readings<S, V>) -> Vec<Column>
    where
        Series: NamedFrom<Vec<V>, [V]> + NamedFrom<Vec<Option<V>>, [Option<V>]>,
    {
        fn all<S, T>(states: &[S], groups: &[u32], read: impl Fn(&S) -> T) -> Vec<T> {
            groups.iter().map(|group| read(&states[*group as usize])).collect()
        }
        let name = |suffix: &str| (self.of)(suffix).into();
        let chosen: Vec<&S> = groups.iter().map(|group| &states[*group as usize]).collect();
        let deviation = |state: &S| (readings.variance)(state).map(f64::sqrt);
        vec![
            Series::new(self.counted_as.into(), all(states, groups, readings.count)).into(),
            (readings.sums)(&(self.of)("sum"), &chosen).into(),
            Series::new(name("mean"), all(states, groups, readings.mean)).into(),
            Series::new(name("stddev"), all(states, groups, deviation)).into(),
            Series::new(name("min"), all(states, groups, readings.min)).into(),
            Series::new(name("max"), all(states, groups, readings.max)).into(),
        ]
    }
}
