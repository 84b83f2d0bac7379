//! Following events by position.

use std::sync::Arc;

use bson::{Document, doc};
use futures_util::TryStreamExt;
use model::layout::EVENTS;
use mongodb::options::Hint;
use polars::prelude::DataFrame;

use super::{
    Refresh, Store, StoreError,
    events::{EventQuery, all_of},
    fields::EventFields,
    growing::Growing,
    positions::{Positions, Step},
    store::Shared,
};

#[derive(Debug)]
pub(crate) struct EventFollower {
    asked: Arc<Asked>,
    positions: Positions,
    frame: Growing,
}

#[derive(Debug)]
struct Asked {
    query: EventQuery,
    fields: EventFields,
}

/// What a refresh found.
enum News {
    None,
    /// Events, the newest last.
    Rows(DataFrame),
    Everything(DataFrame),
}

impl EventFollower {
    pub fn start(store: &Store, query: EventQuery) -> Result<Self, StoreError> {
        let shared = store.shared();
        store.wait(async move {
            let fields = query.fields(&shared).await?;
            let asked = Arc::new(Asked { query, fields });
            let positions = asked.positions(&shared).await?;
            let frame = asked.everything(&shared, &positions).await?;
            Ok(Self { asked, positions, frame: Growing::new(frame) })
        })
    }

    pub fn frame(&self) -> &DataFrame {
        self.frame.frame()
    }

    pub fn refresh(&mut self, store: &Store) -> Result<Refresh, StoreError> {
        let (shared, asked, before) = (store.shared(), Arc::clone(&self.asked), self.positions.clone());
        let (later, news) = store.wait(async move {
            let later = asked.positions(&shared).await?;
            let news = asked.news(&shared, &before, &later).await?;
            Ok::<_, StoreError>((later, news))
        })?;
        let refresh = match news {
            News::None => Refresh { rows: self.frame().clear(), ..Refresh::default() },
            News::Rows(rows) => {
                self.frame.append(&rows)?;
                Refresh { added: rows.height(), rows, ..Refresh::default() }
            }
            News::Everything(frame) => {
                self.frame = Growing::new(frame);
                Refresh::reloaded(self.frame())
            }
        };
        self.positions = later;
        Ok(refresh)
    }
}

impl Asked {
    async fn positions(&self, shared: &Shared) -> Result<Positions, StoreError> {
        shared.positions(self.query.group.as_deref()).await
    }

    /// All events below the positions.
    async fn everything(&self, shared: &Shared, positions: &Positions) -> Result<DataFrame, StoreError> {
        let find = self.query.find(shared, &self.fields, Some(positions.known())).await?;
        Ok(shared.find(find).await?.frame)
    }

    async fn news(&self, shared: &Shared, before: &Positions, later: &Positions) -> Result<News, StoreError> {
        match before.step(later) {
            Step::None => Ok(News::None),
            Step::Forward { filter, count } if self.query.limit.is_none() => {
                match self.forward(shared, filter, count).await? {
                    Some(rows) => Ok(News::Rows(rows)),
                    None => Ok(News::Everything(self.everything(shared, later).await?)),
                }
            }
            _ => Ok(News::Everything(self.everything(shared, later).await?)),
        }
    }

    /// The `count` events that `filter` finds, as far as the query lets them through; `None` where there are not so many.
    ///
    /// There is no index on positions, so the newest documents are read first: with the limit the cost is that of the new
    /// events, not of the stored ones.
    async fn forward(&self, shared: &Shared, filter: Document, count: u64) -> Result<Option<DataFrame>, StoreError> {
        let newest = vec![doc! { "$match": filter }, doc! { "$limit": count as i64 }];
        let conditions = all_of(self.query.conditions(&self.fields)?);
        if conditions.is_some() && self.counted(shared, newest.clone()).await? != count {
            return Ok(None);
        }
        let all_are_wanted = conditions.is_none();
        let wanted = conditions.map(|all| doc! { "$match": all });
        let pipeline = newest.into_iter().chain(wanted).collect();
        let mut find = self.query.projected(&self.fields, pipeline, Some(count))?;
        find.newest_first = true;
        let rows = shared.find(find).await?.frame;
        let complete = !all_are_wanted || rows.height() as u64 == count;
        Ok(complete.then(|| rows.reverse()))
    }

    async fn counted(&self, shared: &Shared, mut pipeline: Vec<Document>) -> Result<u64, StoreError> {
        pipeline.push(doc! { "$count": "events" });
        let failed = |error| shared.error(error, EVENTS);
        let events = shared.database.collection::<Document>(EVENTS);
        let newest_first = Hint::Keys(doc! { "$natural": -1 });
        let mut counted = events.aggregate(pipeline).hint(newest_first).await.map_err(failed)?;
        let count = counted.try_next().await.map_err(failed)?;
        Ok(count.and_then(|count| count.get_i32("events").ok()).unwrap_or_default() as u64)
    }
}
