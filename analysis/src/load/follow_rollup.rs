//! Following a rollup by revision.

use std::sync::Arc;

use bson::{Document, doc};
use model::layout::{CatalogEntry, column};
use polars::prelude::DataFrame;

use super::{
    Refresh, Store, StoreError,
    decode::{Decoded, Shape},
    events::all_of,
    find::Find,
    pieces::{Merged, Pieces},
    progress::OnProgress,
    query::{Plan, Query},
    store::Shared,
};

#[derive(Debug)]
pub(crate) struct RollupFollower {
    name: String,
    query: Arc<Query>,
    /// With the columns that were asked for and those that order them.
    rows: Pieces,
    /// With the asked columns only.
    frame: DataFrame,
    /// What the catalog said when the rows were read.
    entry: CatalogEntry,
    plan: Arc<Plan>,
}

impl RollupFollower {
    pub fn start(store: &Store, name: String, query: Query) -> Result<Self, StoreError> {
        let (shared, asked) = (store.shared(), Arc::new(query));
        store.wait(async move {
            let entry = shared.entry(&name).await?;
            Self::load(&shared, name, asked, entry).await
        })
    }

    pub fn frame(&self) -> &DataFrame {
        &self.frame
    }

    pub fn refresh(&mut self, store: &Store) -> Result<Refresh, StoreError> {
        let (shared, query, plan) = (store.shared(), Arc::clone(&self.query), Arc::clone(&self.plan));
        let (name, before) = (self.name.clone(), self.entry.clone());
        let news = store.wait(async move {
            let entry = shared.entry(&name).await?;
            if !follows(&entry, &before)
                || (plan.limit.is_some() && entry.published_revision != before.published_revision)
            {
                return Self::load(&shared, name, query, entry).await.map(News::Everything);
            }
            if entry.published_revision == before.published_revision {
                return Ok(News::None);
            }
            let since = doc! { column::REVISION: { "$gt": before.published_revision } };
            let changed = shared
                .find(rows_of(&name, &plan, all_of([since.clone()].into_iter().chain(plan.filter.clone()))))
                .await?;
            let gone = match &plan.filter {
                None => Vec::new(),
                Some(filter) => shared.find(ids_of(&name, doc! { "$and": [since, { "$nor": [filter] }] })).await?.ids,
            };
            Ok(News::Changed { entry, changed, gone })
        })?;
        match news {
            News::None => Ok(Refresh { rows: self.frame.clear(), ..Refresh::default() }),
            News::Everything(loaded) => {
                *self = loaded;
                Ok(Refresh::reloaded(&self.frame))
            }
            News::Changed { entry, changed, gone } => {
                let rows = self.plan.visible(&changed.frame)?;
                let by: Vec<&str> = self.plan.sort.keys().map(String::as_str).collect();
                let Merged { added, changed, removed } = self.rows.merge(changed, &gone, &by)?;
                self.frame = self.plan.visible(self.rows.frame())?;
                self.entry = entry;
                Ok(Refresh { rows, added, changed, removed, reloaded: false })
            }
        }
    }

    async fn load(shared: &Shared, name: String, query: Arc<Query>, entry: CatalogEntry) -> Result<Self, StoreError> {
        let plan = Arc::new(query.plan(&entry)?);
        let rows = Pieces::new(shared.find_rows(&plan, plan.find_with_ids(&name, query.progress.clone())).await?);
        let frame = plan.visible(rows.frame())?;
        Ok(Self { name, query, rows, frame, entry, plan })
    }
}

enum News {
    None,
    Changed { entry: CatalogEntry, changed: Decoded, gone: Vec<Box<[u8]>> },
    Everything(RollupFollower),
}

/// Whether `now` is a later state of the same table, so that revisions tell what is new.
fn follows(now: &CatalogEntry, before: &CatalogEntry) -> bool {
    now.definition_hash == before.definition_hash
        && now.columns == before.columns
        && now.published_revision >= before.published_revision
        && now.removed_revision <= before.published_revision
}

fn rows_of(name: &str, plan: &Plan, filter: Option<Document>) -> Find {
    let mut find = plan.find_with_ids(name, OnProgress::default());
    find.pipeline.retain(|stage| !stage.contains_key("$match") && !stage.contains_key("$sort"));
    if let Some(filter) = filter {
        find.pipeline.insert(0, doc! { "$match": filter });
    }
    find
}

fn ids_of(name: &str, filter: Document) -> Find {
    let pipeline = vec![doc! { "$match": filter }, doc! { "$project": { "_id": 1 } }];
    Find { collection: name.to_owned(), pipeline, shape: Shape { ids: true, ..Shape::default() }, ..Find::default() }
}
