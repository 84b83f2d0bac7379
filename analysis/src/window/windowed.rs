//! The aggregation itself: groups, their states, and what has changed.

mod sessions;

use std::collections::BTreeSet;

use model::{
    clock::{EventClock, PartitionClock, Watermark},
    state::Distinct,
    window::{Sessions, Window, WindowKind},
};
use polars::{datatypes::PlHashMap, prelude::DataFrame};

use super::{
    Spec, WindowError,
    assign::{Assign, Known, Times},
    keys::Keys,
    measure::{Assigned, Measure, Values},
    rows::{self, Counted},
};
use crate::load::Moment;

/// A windowed aggregation that takes frames as they come.
///
/// The table has a row per window and key: `window_start` and `window_end` (Date for windows of the calendar, else Datetime in
/// milliseconds), the keys, the count, for each measure its count, sum, mean, standard deviation, minimum and maximum (and the
/// median of a histogram), distinct counts, `late` and `is_final`.
///
/// ```
/// use analysis::{polars::prelude::df, window::{Spec, Windowed}};
/// use analysis::polars::prelude::{DataType, IntoLazy, TimeUnit, col};
///
/// let readings = df!("at" => [0_i64, 70_000, 61_000], "sensor" => ["a", "a", "b"], "celsius" => [20.5, 21.0, 19.0])?;
/// let at = col("at").cast(DataType::Datetime(TimeUnit::Milliseconds, None));
/// let readings = readings.lazy().with_column(at).collect()?;
///
/// let mut minutes = Windowed::new(Spec::new("at", "1m")?.keys(["sensor"]).measure("celsius"));
/// minutes.update(&readings)?;
/// assert_eq!(minutes.snapshot()?.height(), 3);
/// assert_eq!(minutes.late(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Windowed {
    pub(super) spec: Spec,
    /// Decided by the first frame: whether times are dates.
    pub(super) dates: Option<bool>,
    assign: Option<Assign>,
    pub(super) keys: Keys,
    /// By key: its sessions with their groups.
    pub(super) sessions: Vec<Sessions<u32>>,
    of_place: PlHashMap<(u32, u32), u32>,
    pub(super) groups: Vec<Group>,
    pub(super) measures: Vec<Measure>,
    /// By counted column and group.
    pub(super) distinct: Vec<Vec<Distinct>>,
    /// What the values of each counted column are, decided by the first frame in which it has a type.
    pub(super) counted: Vec<Option<Counted>>,
    pub(super) clock: EventClock,
    pub(super) late: u64,
    pub(super) without_time: u64,
    touched: Vec<u32>,
    /// Rows that were told while they were open, by the instant at which they end.
    open: BTreeSet<(i64, u32)>,
    /// Rows that were told and are gone, which is not told yet.
    pub(super) removed: Vec<(Window, u32)>,
}

/// A row of the table without its measures.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    pub key: u32,
    pub window: Window,
    pub ends_at: i64,
    pub count: i64,
    pub late: i64,
    /// The session that took this one in.
    pub merged_into: Option<u32>,
    /// The window under which the row was last told.
    pub told: Option<Window>,
    touched: bool,
}

/// What an update takes from a frame besides keys and distinct values.
struct Checked {
    times: Times,
    /// By measure.
    values: Vec<Values>,
}

/// What has changed since the last time.
#[derive(Debug, Clone)]
pub struct Changes {
    /// Rows that are new, have other values or have become final, with the columns of the snapshot.
    pub updated: DataFrame,
    /// Windows and keys of rows that are no longer there: sessions that were joined to others.
    pub removed: DataFrame,
}

impl Windowed {
    /// An aggregation without rows.
    pub fn new(spec: Spec) -> Self {
        Self {
            keys: Keys::new(&spec.keys),
            measures: spec.measures.iter().cloned().map(Measure::new).collect(),
            distinct: vec![Vec::new(); spec.distinct.len()],
            counted: vec![None; spec.distinct.len()],
            spec,
            dates: None,
            assign: None,
            sessions: Vec::new(),
            of_place: PlHashMap::default(),
            groups: Vec::new(),
            clock: EventClock::default(),
            late: 0,
            without_time: 0,
            touched: Vec::new(),
            open: BTreeSet::new(),
            removed: Vec::new(),
        }
    }

    /// What is aggregated.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Takes the rows of a frame into account, in their order. Rows without a time are left out and counted.
    ///
    /// # Errors
    /// When a column is missing, has another type than its use or than in the frame before, a value outside the range of its
    /// histogram, an integer that needs more than 63 bits, or a time beyond the years -9998 to 9998. Nothing is changed then.
    pub fn update(&mut self, frame: &DataFrame) -> Result<(), WindowError> {
        let Checked { times, values } = self.check(frame)?;
        let keys = self.keys.of_rows(frame)?;
        let assigned = match self.spec.windows {
            WindowKind::Session { gap } => self.assign_sessions(&times, &keys, gap),
            _ => self.assign(&times, &keys),
        };
        let groups = self.groups.len();
        for (measure, values) in self.measures.iter_mut().zip(&values) {
            measure.grow(groups);
            measure.update(values, &assigned);
        }
        for (sets, column) in self.distinct.iter_mut().zip(&self.spec.distinct) {
            sets.resize_with(groups, Distinct::default);
            rows::insert_distinct(sets, frame.column(column)?, &assigned)?;
        }
        Ok(())
    }

    /// The table so far, ordered by window and keys.
    ///
    /// # Errors
    /// When columns of the table would have one name.
    pub fn snapshot(&self) -> Result<DataFrame, WindowError> {
        let all = (0..self.groups.len() as u32).filter(|group| self.groups[*group as usize].merged_into.is_none());
        rows::table(self, &all.collect::<Vec<u32>>())
    }

    /// What has changed since the last call, or since the beginning; ordered as the snapshot.
    ///
    /// # Errors
    /// As [`snapshot`](Windowed::snapshot).
    pub fn changes(&mut self) -> Result<Changes, WindowError> {
        let mut updated = Vec::new();
        let closed = self.closed();
        self.touch_closed(closed);
        for group in std::mem::take(&mut self.touched) {
            let row = &mut self.groups[group as usize];
            row.touched = false;
            if row.merged_into.is_some() {
                continue;
            }
            // A session that began earlier than was told is another row now.
            if let Some(told) = row.told.replace(row.window).filter(|told| told.start != row.window.start) {
                self.removed.push((told, row.key));
            }
            if !closed.has_passed(row.ends_at) {
                self.open.insert((row.ends_at, group));
            }
            updated.push(group);
        }
        let removed = std::mem::take(&mut self.removed);
        Ok(Changes { updated: rows::table(self, &updated)?, removed: rows::places(self, &removed)? })
    }

    /// Notes the rows as changed that were told while they were open and are not any more.
    fn touch_closed(&mut self, closed: Watermark) {
        while let Some((_, group)) = self.open.first().copied().filter(|(ends_at, _)| closed.has_passed(*ends_at)) {
            self.open.pop_first();
            let row = &mut self.groups[group as usize];
            // A session may have been joined to another since, or may end later.
            if row.merged_into.is_none() && !row.touched && closed.has_passed(row.ends_at) {
                row.touched = true;
                self.touched.push(group);
            }
        }
    }

    /// Rows that came after their window had closed, as `lateness` has it; they are part of the table.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Rows that had no time and are in no window.
    pub fn without_time(&self) -> u64 {
        self.without_time
    }

    /// Up to when the table is complete: the largest time so far, less the allowed lateness. `None` before the first row, and where
    /// lateness is unbounded.
    pub fn watermark(&self) -> Option<Moment> {
        match self.closed() {
            Watermark::At(millis) => Some(Moment::of_millis(millis)),
            _ => None,
        }
    }

    pub(super) fn closed(&self) -> Watermark {
        Watermark::of([PartitionClock { clock: self.clock, idle: false }], self.spec.lateness)
    }

    /// Checks everything that an update needs, so that it fails before it has changed anything.
    fn check(&mut self, frame: &DataFrame) -> Result<Checked, WindowError> {
        let times = Times::of(frame, &self.spec.time)?;
        if self.dates.is_some_and(|dates| dates != times.dates) {
            let expected = if times.dates { "instants as before" } else { "dates as before" };
            return Err(WindowError::wrong_type(frame.column(&self.spec.time)?, "the time of a window", expected));
        }
        self.keys.check(frame)?;
        let values = self.measures.iter().map(|measure| measure.values(frame)).collect::<Result<_, _>>()?;
        let counted = self.spec.distinct.iter().zip(&self.counted).map(|(column, before)| {
            let found = frame.column(column).map_err(|_| WindowError::no_column(frame, column))?;
            rows::check_distinct(found, *before)
        });
        let counted = counted.collect::<Result<Vec<_>, WindowError>>()?;
        rows::check_names(&self.spec)?;
        self.begin(times.dates);
        self.counted = counted;
        Ok(Checked { times, values })
    }

    /// Settles whether times are dates.
    pub(super) fn begin(&mut self, dates: bool) {
        if self.dates.is_none() {
            self.dates = Some(dates);
            self.assign = Assign::new(&self.spec, dates);
        }
    }

    fn assign(&mut self, times: &Times, keys: &[u32]) -> Assigned {
        let mut assign = self.assign.take().expect("the check has made it for windows that are no sessions");
        let assigned = if assign.is_hopping() {
            self.assign_several(&mut assign, times, keys)
        } else {
            let windows = assign.each(times);
            let mut groups = Vec::with_capacity(keys.len());
            for ((window, key), time) in windows.into_iter().zip(keys).zip(times.millis.iter()) {
                groups.push(match time {
                    None => u32::MAX,
                    Some(time) => {
                        let (group, is_late) = self.count_in(window, *key, &assign);
                        self.late += u64::from(is_late);
                        self.clock.observe(time);
                        group
                    }
                });
            }
            Assigned { rows: None, groups }
        };
        self.without_time += times.millis.null_count() as u64;
        self.assign = Some(assign);
        assigned
    }

    fn assign_several(&mut self, assign: &mut Assign, times: &Times, keys: &[u32]) -> Assigned {
        let (mut rows, mut groups, mut windows) = (Vec::new(), Vec::new(), Vec::new());
        for (row, (time, key)) in times.millis.iter().zip(keys).enumerate() {
            let Some(time) = time else { continue };
            assign.all(time, &mut windows);
            let mut late_somewhere = false;
            for window in &windows {
                let (group, is_late) = self.count_in(*window, *key, assign);
                late_somewhere |= is_late;
                rows.push(row as u32);
                groups.push(group);
            }
            self.late += u64::from(late_somewhere);
            self.clock.observe(time);
        }
        Assigned { rows: Some(rows), groups }
    }

    /// Counts a row in the group of a window and key; also says whether it came late.
    fn count_in(&mut self, window: u32, key: u32, assign: &Assign) -> (u32, bool) {
        let next = self.groups.len() as u32;
        let group = *self.of_place.entry((window, key)).or_insert(next);
        if group == next {
            self.groups.push(Group::new(key, assign.window(window)));
        }
        let is_late = self.clock.has_closed(self.groups[group as usize].ends_at, self.spec.lateness);
        self.count(group, is_late);
        (group, is_late)
    }

    fn count(&mut self, group: u32, is_late: bool) {
        let row = &mut self.groups[group as usize];
        row.count += 1;
        row.late += i64::from(is_late);
        if !row.touched {
            row.touched = true;
            self.touched.push(group);
        }
    }

    /// Notes every row as changed.
    pub(super) fn touch_all(&mut self) {
        self.touched = (0..self.groups.len() as u32).collect();
        self.groups.iter_mut().for_each(|group| group.touched = true);
    }

    /// Puts back a group that was saved.
    pub(super) fn restore_group(&mut self, group: Group) {
        let number = self.groups.len() as u32;
        match self.spec.windows {
            WindowKind::Session { gap } => {
                let key = group.key as usize;
                if self.sessions.len() <= key {
                    self.sessions.resize(key + 1, Sessions::new(gap));
                }
                self.sessions[key].restore(group.window, number);
            }
            _ => {
                if let Some(assign) = &mut self.assign {
                    let window = assign.restore(Known { window: group.window, ends_at: group.ends_at });
                    self.of_place.insert((window, group.key), number);
                }
            }
        }
        self.groups.push(group);
    }
}

impl Group {
    pub fn new(key: u32, window: Known) -> Self {
        let Known { window, ends_at } = window;
        Self { key, window, ends_at, count: 0, late: 0, merged_into: None, told: None, touched: false }
    }
}
