//! A query of stored events, under construction.

use bson::{Bson, Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt;
use model::{layout::EVENTS, schema::Schema};
use polars::prelude::DataFrame;

use super::{
    Condition, Follow, Moment, MomentError, Progress, Store, StoreError, decode::Shape, fields::EventFields,
    find::Find, progress::OnProgress, store::Shared,
};

/// Events that are looked at from each end of the collection to learn what columns there are.
const SAMPLE: i64 = 200;

/// Stored events; every call narrows them, [`collect`](Events::collect) reads them in the order in which they were stored.
///
/// Columns have the types of their values: `int` is Int64, `float` Float64, text String, `true` and `false` Boolean, a date Date
/// and an instant Datetime in milliseconds (UTC). Which columns there are is learnt from some of the events, unless a
/// [`schema`](Events::schema) says it; a column in which one value needs more room becomes wider (integers fractions, dates
/// instants). Where an event came from are the columns `src.partition`, `src.offset` and `src.timestamp`; they come only by name.
///
/// ```no_run
/// # use analysis::load::Store;
/// # let store = Store::connect("mongodb://127.0.0.1:27017", "rushes")?;
/// let reviews = store
///     .events()
///     .from("2019")
///     .filter("rating >= 8".parse()?)
///     .columns(["movie", "rating", "review_date"])
///     .on_progress(|progress| eprint!("\r{progress}"))
///     .collect()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a query reads nothing before `collect` or `follow`"]
#[derive(Debug, Clone)]
pub struct Events {
    store: Store,
    pub(crate) query: EventQuery,
}

/// What is asked of the events; nothing set asks for all of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventQuery {
    schema: Option<Schema>,
    time: Option<String>,
    from: Option<Result<Moment, MomentError>>,
    to: Option<Result<Moment, MomentError>>,
    conditions: Vec<Condition>,
    columns: Option<Vec<String>>,
    pub(crate) limit: Option<u32>,
    progress: OnProgress,
    /// The consumer group by whose positions a follower goes.
    pub(crate) group: Option<String>,
}

impl Events {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, query: EventQuery::default() }
    }

    /// Names and types by the schema with which the events were stored, rather than by the look of some of them.
    pub fn schema(mut self, schema: &Schema) -> Self {
        self.query.schema = Some(schema.clone());
        self
    }

    /// The column that [`from`](Events::from) and [`to`](Events::to) are about; needed only where several columns hold times and
    /// no schema says which one is the event time.
    pub fn time(mut self, column: impl Into<String>) -> Self {
        self.query.time = Some(column.into());
        self
    }

    /// Events at `first` or later: `"2004"`, `"2004-05-31"`, a date or a timestamp of jiff.
    pub fn from<M>(mut self, first: M) -> Self
    where
        M: TryInto<Moment>,
        MomentError: From<M::Error>,
    {
        self.query.from = Some(first.try_into().map_err(MomentError::from));
        self
    }

    /// Events before `end`.
    pub fn to<M>(mut self, end: M) -> Self
    where
        M: TryInto<Moment>,
        MomentError: From<M::Error>,
    {
        self.query.to = Some(end.try_into().map_err(MomentError::from));
        self
    }

    /// Events for which `condition` holds too.
    pub fn filter(mut self, condition: Condition) -> Self {
        self.query.conditions.push(condition);
        self
    }

    /// Only these columns, in this order.
    pub fn columns<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.query.columns = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// At most the first `rows` events.
    pub fn limit(mut self, rows: u32) -> Self {
        self.query.limit = Some(rows);
        self
    }

    /// Calls `tell` whenever some more rows have arrived, on a thread of the store.
    pub fn on_progress(mut self, tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.query.progress = OnProgress::new(tell);
        self
    }

    /// The consumer group whose positions [`follow`](Events::follow) goes by; needed only where several groups have written.
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.query.group = Some(name.into());
        self
    }

    /// Reads the events.
    ///
    /// # Errors
    /// When MongoDB does not answer, there are no events and no schema, a column does not exist, a condition's value does not fit
    /// its column, or a column holds values of several types.
    pub fn collect(self) -> Result<DataFrame, StoreError> {
        let Self { store, query } = self;
        let shared = store.shared();
        store.wait(async move {
            let fields = query.fields(&shared).await?;
            let find = query.find(&shared, &fields, None).await?;
            Ok(shared.find(find).await?.frame)
        })
    }

    /// Reads the events, and from then on only those that are new: see [`Follow`].
    ///
    /// # Errors
    /// As [`collect`](Events::collect), and when it cannot be told which consumer group stores them.
    pub fn follow(self) -> Result<Follow, StoreError> {
        Follow::events(self.store, self.query)
    }
}

impl EventQuery {
    /// The columns of the stored events.
    pub async fn fields(&self, shared: &Shared) -> Result<EventFields, StoreError> {
        if let Some(schema) = &self.schema {
            return Ok(EventFields::of_schema(schema));
        }
        let events = shared.database.collection::<RawDocumentBuf>(EVENTS);
        let mut sample: Vec<RawDocumentBuf> = Vec::new();
        for direction in [1, -1] {
            let cursor = events.find(doc! {}).sort(doc! { "$natural": direction }).limit(SAMPLE).await;
            let found = cursor.map_err(|error| shared.error(error, EVENTS))?.try_collect::<Vec<_>>().await;
            sample.extend(found.map_err(|error| shared.error(error, EVENTS))?);
        }
        if sample.is_empty() {
            return Err(StoreError::NoEvents { database: shared.database.name().to_owned() });
        }
        Ok(EventFields::of_sample(&sample))
    }

    /// The read of all events, or of those that `positions` leaves.
    pub async fn find(
        &self,
        shared: &Shared,
        fields: &EventFields,
        positions: Option<Document>,
    ) -> Result<Find, StoreError> {
        let conditions = self.conditions(fields)?;
        let expected = match (&positions, conditions.is_empty()) {
            (None, true) if self.progress.is_wanted() => Some(shared.expected(EVENTS, self.limit).await?),
            _ => None,
        };
        let mut pipeline = Vec::new();
        if let Some(all) = all_of(positions.into_iter().chain(conditions)) {
            pipeline.push(doc! { "$match": all });
        }
        if let Some(limit) = self.limit {
            // To MongoDB a limit of 0 is an error.
            pipeline.push(if limit == 0 {
                nothing()
            } else {
                doc! { "$limit": i64::from(limit) }
            });
        }
        self.projected(fields, pipeline, expected)
    }

    /// A read of the events that come out of `pipeline`.
    pub fn projected(
        &self,
        fields: &EventFields,
        mut pipeline: Vec<Document>,
        expected: Option<u64>,
    ) -> Result<Find, StoreError> {
        let columns = fields.wanted(self.columns.as_deref())?;
        let mut projection: Document = columns.iter().map(|column| (column.path.clone(), Bson::Int32(1))).collect();
        if !columns.iter().any(|column| column.path == "_id" || column.path.starts_with("_id.")) {
            projection.insert("_id", 0);
        }
        pipeline.push(doc! { "$project": projection });
        Ok(Find {
            collection: EVENTS.to_owned(),
            pipeline,
            newest_first: false,
            shape: Shape { columns, widening: self.schema.is_none(), ids: false },
            progress: self.progress.clone(),
            expected,
        })
    }

    /// The filters of the time range and the conditions.
    pub fn conditions(&self, fields: &EventFields) -> Result<Vec<Document>, StoreError> {
        let mut all = Vec::new();
        for (bound, operator) in [(&self.from, "$gte"), (&self.to, "$lt")] {
            if let Some(moment) = bound {
                let moment = bson::DateTime::from_millis(moment.clone()?.millis());
                all.push(doc! { &fields.time(self.time.as_deref())?.path: { operator: moment } });
            }
        }
        for condition in &self.conditions {
            all.push(fields.filter(condition)?);
        }
        Ok(all)
    }
}

/// What holds where all of these hold.
pub(crate) fn all_of(conditions: impl IntoIterator<Item = Document>) -> Option<Document> {
    let mut all: Vec<Document> = conditions.into_iter().collect();
    match all.len() {
        0 => None,
        1 => all.pop(),
        _ => Some(doc! { "$and": all }),
    }
}

/// A stage that nothing passes.
pub(crate) fn nothing() -> Document {
    doc! { "$match": { "$expr": false } }
}
