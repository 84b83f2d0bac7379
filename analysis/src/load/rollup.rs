//! A query of one table, under construction.

use polars::prelude::DataFrame;

use super::{Condition, Follow, Moment, MomentError, Progress, Store, StoreError, progress::OnProgress, query::Query};

/// Rows of one rollup; every call narrows them, [`collect`](Rollup::collect) reads them.
///
/// ```no_run
/// # use analysis::load::{Comparison, Condition, Store};
/// # let store = Store::connect("mongodb://127.0.0.1:27017", "rushes")?;
/// let up = store
///     .rollup("movies_by_month")
///     .from("2009")
///     .to("2011")
///     .filter(Condition::new("movie", Comparison::Equal, "Up (2009)"))
///     .columns(["window_start", "reviews", "rating_mean"])
///     .collect()?;
/// # Ok::<(), analysis::load::StoreError>(())
/// ```
#[must_use = "a query reads nothing before `collect`"]
#[derive(Debug, Clone)]
pub struct Rollup {
    store: Store,
    name: String,
    query: Query,
}

impl Rollup {
    pub(crate) fn new(store: Store, name: String) -> Self {
        Self { store, name, query: Query::default() }
    }

    /// Windows that start at `first` or later: `"2004"`, `"2004-05-31"`, a date or a timestamp of jiff.
    pub fn from<M>(mut self, first: M) -> Self
    where
        M: TryInto<Moment>,
        MomentError: From<M::Error>,
    {
        self.query.from = Some(first.try_into().map_err(MomentError::from));
        self
    }

    /// Windows that start before `end`.
    pub fn to<M>(mut self, end: M) -> Self
    where
        M: TryInto<Moment>,
        MomentError: From<M::Error>,
    {
        self.query.to = Some(end.try_into().map_err(MomentError::from));
        self
    }

    /// Rows for which `condition` holds too.
    pub fn filter(mut self, condition: Condition) -> Self {
        self.query.conditions.push(condition);
        self
    }

    /// Only these columns, in this order.
    pub fn columns<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.query.columns = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The `rows` rows with the largest values of `column`, largest first; nulls come last.
    pub fn top(mut self, rows: u32, column: impl Into<String>) -> Self {
        self.query.largest = Some(column.into());
        self.limit(rows)
    }

    /// At most the first `rows` rows.
    pub fn limit(mut self, rows: u32) -> Self {
        self.query.limit = Some(rows);
        self
    }

    /// Calls `tell` whenever some more rows have arrived, on a thread of the store.
    pub fn on_progress(mut self, tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.query.progress = OnProgress::new(tell);
        self
    }

    /// Reads the rows, and from then on only those that have changed: see [`Follow`]. With a [`limit`](Rollup::limit) or
    /// [`top`](Rollup::top) all of the few rows are read again whenever one of the table has changed.
    ///
    /// # Errors
    /// As [`collect`](Rollup::collect).
    ///
    /// ```no_run
    /// # use analysis::load::Store;
    /// # let store = Store::connect("mongodb://127.0.0.1:27017", "rushes")?;
    /// let mut months = store.rollup("reviews_by_month").from("2019").follow()?;
    /// let news = months.refresh()?;
    /// println!("{news}"); // 1 new row, 2 changed
    /// # Ok::<(), analysis::load::StoreError>(())
    /// ```
    pub fn follow(self) -> Result<Follow, StoreError> {
        Follow::rollup(self.store, self.name, self.query)
    }

    /// Reads the rows, ordered by window, rank and keys unless [`top`](Rollup::top) says otherwise.
    ///
    /// # Errors
    /// When MongoDB does not answer, when the table or a column does not exist, when a condition's value does not fit its
    /// column, and when a row contradicts the catalog.
    pub fn collect(self) -> Result<DataFrame, StoreError> {
        self.store.read(self.name, self.query)
    }
}
