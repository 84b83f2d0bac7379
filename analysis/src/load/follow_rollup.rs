//! Following a rollup by revision.

use std::{collections::HashMap, sync::Arc};

use bson::{Document, doc};
use model::layout::{CatalogEntry, column};
use polars::prelude::{Column, DataFrame, IdxCa, IdxSize, NamedFrom, Series, SortMultipleOptions};

use super::{
    Refresh, Store, StoreError,
    decode::{Decoded, Shape},
    events::all_of,
    find::Find,
    progress::OnProgress,
    query::{Plan, Query},
    store::Shared,
};

/// The bytes of a row's `_id`.
type Id = Box<[u8]>;

#[derive(Debug)]
pub(crate) struct RollupFollower {
    name: String,
    query: Arc<Query>,
    rows: Rows,
    /// With the asked columns only.
    frame: DataFrame,
    /// What the catalog said when the rows were read.
    entry: CatalogEntry,
    plan: Arc<Plan>,
}

/// Rows with the columns that were asked for and those that order them, in order, and what identifies each.
#[derive(Debug, Default)]
struct Rows {
    frame: DataFrame,
    ids: Vec<Id>,
    place_of: HashMap<Id, IdxSize>,
}

/// How many rows a merge touched.
#[derive(Debug, Default, PartialEq)]
struct Merged {
    added: usize,
    changed: usize,
    removed: usize,
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
                let (merged, touched) = self.rows.merged(changed, &gone, &self.plan)?;
                self.frame = self.plan.visible(&merged.frame)?;
                (self.rows, self.entry) = (merged, entry);
                let Merged { added, changed, removed } = touched;
                Ok(Refresh { rows, added, changed, removed, reloaded: false })
            }
        }
    }

    async fn load(shared: &Shared, name: String, query: Arc<Query>, entry: CatalogEntry) -> Result<Self, StoreError> {
        let plan = Arc::new(query.plan(&entry)?);
        let Decoded { frame, ids } = shared.find(plan.find_with_ids(&name, query.progress.clone())).await?;
        let rows = Rows::new(frame, ids);
        let frame = plan.visible(&rows.frame)?;
        Ok(Self { name, query, rows, frame, entry, plan })
    }
}

enum News {
    None,
    Changed { entry: CatalogEntry, changed: Decoded, gone: Vec<Id> },
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

impl Rows {
    fn new(frame: DataFrame, ids: Vec<Id>) -> Self {
        let place_of = ids.iter().cloned().zip(0..).collect();
        Self { frame, ids, place_of }
    }

    /// These rows with `changed` in place of those of the same id or added, and without those that are `gone`.
    fn merged(&self, changed: Decoded, gone: &[Id], plan: &Plan) -> Result<(Self, Merged), StoreError> {
        let mut counts = Merged::default();
        let old = self.ids.len() as IdxSize;
        let mut order: Vec<Option<IdxSize>> = (0..old).map(Some).collect();
        for (place, id) in (old..).zip(&changed.ids) {
            match self.place_of.get(id) {
                Some(&known) => {
                    order[known as usize] = Some(place);
                    counts.changed += 1;
                }
                None => {
                    order.push(Some(place));
                    counts.added += 1;
                }
            }
        }
        for known in gone.iter().filter_map(|id| self.place_of.get(id)) {
            order[*known as usize] = None;
            counts.removed += 1;
        }
        let order: Vec<IdxSize> = order.into_iter().flatten().collect();
        let both = self.frame.vstack(&changed.frame)?;
        let taken = both.take(&IdxCa::from_vec("".into(), order.clone()))?;
        let id = |place: IdxSize| match place.checked_sub(old) {
            None => self.ids[place as usize].clone(),
            Some(place) => changed.ids[place as usize].clone(),
        };
        let ids: Vec<Id> = order.into_iter().map(id).collect();
        let merged = if counts.added > 0 { sorted(taken, ids, plan)? } else { (taken, ids) };
        Ok((Self::new(merged.0, merged.1), counts))
    }
}

/// The rows in the order of the table, nulls first, as MongoDB sorts them.
fn sorted(frame: DataFrame, ids: Vec<Id>, plan: &Plan) -> Result<(DataFrame, Vec<Id>), StoreError> {
    const PLACE: &str = "place before sorting";
    let by: Vec<&str> = plan.sort.keys().map(String::as_str).collect();
    let mut keys = frame.select(by.iter().copied())?;
    let places: Vec<IdxSize> = (0..ids.len() as IdxSize).collect();
    keys.with_column(Column::from(Series::new(PLACE.into(), places)))?;
    let options = SortMultipleOptions::default().with_maintain_order(true).with_nulls_last(false);
    let order = keys.sort(by, options)?.column(PLACE)?.idx()?.clone();
    let ids = order.iter().flatten().map(|place| ids[place as usize].clone()).collect();
    Ok((frame.take(&order)?, ids))
}
