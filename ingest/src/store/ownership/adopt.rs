//! Marks collections that the catalog and their documents prove to be this program's: those of a database that an earlier version
//! has made, and those of one that was restored from a dump.

use super::{ForeignCollections, Itself, Reason, Registry, Standing};
use crate::store::collections::names;
use crate::store::{Store, StoreError};
use crate::stream::is_hidden_name;
use bson::{Bson, Document, Uuid, doc};
use futures_util::TryStreamExt;
use model::layout::{
    DEAD_LETTERS, EVENTS, OFFSETS, OWNED_COLLECTIONS, RESERVED, ROLLUP_CATALOG, ROLLUP_STATES, ROLLUP_TABLES, STREAMS,
};
use model::schema::Schema;
use std::collections::BTreeSet;

/// What is to be marked.
#[derive(Debug)]
pub(crate) struct Adoption {
    stream: String,
    marks: Vec<(String, Uuid)>,
}

impl Adoption {
    /// Names of the collections.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.marks.iter().map(|(name, _)| name.as_str())
    }
}

impl Store {
    /// What of a database that an earlier version has made is to be marked; `None` where it made none of it.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] where a collection of the catalog has documents that the program did not write.
    pub(crate) async fn unmarked(&self, registry: &Registry, schema: &Schema) -> Result<Option<Adoption>, StoreError> {
        if registry.is_absent() { self.adoptable(registry, Some(schema)).await } else { Ok(None) }
    }

    /// What of the catalog has no mark. A database of which all was restored from a dump has no mark that holds.
    ///
    /// A collection with other documents that `schema` does not need is left alone; without a schema, all of the catalog are needed.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] where a needed collection of the catalog has documents that the program did not write.
    pub(crate) async fn adoptable(
        &self,
        registry: &Registry,
        schema: Option<&Schema>,
    ) -> Result<Option<Adoption>, StoreError> {
        let is_there = registry.existing.get(STREAMS).is_some_and(|streams| streams.is_plain);
        if !is_there || registry.itself == Itself::Foreign {
            return Ok(None);
        }
        let streams: Vec<Document> = self.collection(STREAMS).find(shape(STREAMS)).await?.try_collect().await?;
        let [stream] = streams.as_slice() else { return Ok(None) };
        let Ok(name) = stream.get_str("_id") else { return Ok(None) };
        let mut found = Vec::new();
        let mut marks = Vec::new();
        let is_needed = |name: &str| schema.is_none_or(|schema| names(schema).contains(&name));
        for collection in self.cataloged(stream, registry).await? {
            let Some(uuid) = registry.existing.get(&collection).and_then(|existing| existing.uuid) else { continue };
            match registry.standing(&collection) {
                Standing::Absent | Standing::Ours => {}
                Standing::Foreign(Reason::NoCollection) if !is_needed(&collection) => {}
                Standing::Foreign(reason @ Reason::NoCollection) => found.push((collection, reason)),
                _ if self.has_others(&collection).await? => {
                    if is_needed(&collection) {
                        found.push((collection, Reason::OtherDocuments));
                    }
                }
                _ => marks.push((collection, uuid)),
            }
        }
        if !found.is_empty() {
            return Err(ForeignCollections::new(self.database.name(), found).into());
        }
        Ok(Some(Adoption { stream: name.to_owned(), marks }))
    }

    /// The collections that the catalog names, and those hidden beside them.
    async fn cataloged(&self, stream: &Document, registry: &Registry) -> Result<BTreeSet<String>, StoreError> {
        let text = |document: &Document, member: &str| document.get_str(member).ok().map(str::to_owned);
        let entries = async |collection: &str, member: &str| {
            let documents = self.collection::<Document>(collection).find(doc! {}).await?;
            let documents: Vec<Document> = documents.try_collect().await?;
            Ok::<_, StoreError>(documents.iter().filter_map(|entry| text(entry, member)).collect::<BTreeSet<_>>())
        };
        let mut names: BTreeSet<String> = entries(ROLLUP_CATALOG, "_id").await?;
        let rollups = stream.get_array("rollups").into_iter().flatten().filter_map(Bson::as_document);
        names.extend(rollups.filter_map(|rollup| text(rollup, "name")));
        let unused = stream.get_array("unused").into_iter().flatten().filter_map(Bson::as_str);
        names.extend(unused.map(str::to_owned));
        names.extend(entries(ROLLUP_TABLES, "carrier").await?);
        let hidden = registry.existing().filter(|name| is_hidden_name(name, &names)).map(str::to_owned);
        let hidden: Vec<String> = hidden.collect();
        names.extend(hidden);
        names.extend(RESERVED.into_iter().filter(|name| *name != OWNED_COLLECTIONS).map(str::to_owned));
        Ok(names)
    }

    /// Whether a collection has a document that this program does not write.
    async fn has_others(&self, name: &str) -> Result<bool, StoreError> {
        let others = doc! { "$nor": [shape(name)] };
        let found = self.collection::<Document>(name).find_one(others).projection(doc! { "_id": 1 }).await?;
        Ok(found.is_some())
    }

    /// Marks the collections, all or none. In a copy, the marks of its original go.
    ///
    /// # Errors
    /// The driver's error.
    pub(crate) async fn adopt(&self, registry: &Registry, adoption: &Adoption) -> Result<(), StoreError> {
        let documents = self.collection::<Document>(OWNED_COLLECTIONS);
        let mut session = self.client.start_session().await?;
        session.start_transaction().await?;
        if registry.itself == Itself::Copied {
            documents.delete_many(doc! {}).session(&mut session).await?;
        }
        let itself = registry.existing.get(OWNED_COLLECTIONS).and_then(|existing| existing.uuid);
        let itself = doc! { "uuid": itself.map_or(Bson::Null, Bson::from), "stream": &adoption.stream };
        let marks = adoption.marks.iter().map(|(name, uuid)| (name.as_str(), doc! { "uuid": *uuid }));
        for (name, mark) in [(OWNED_COLLECTIONS, itself)].into_iter().chain(marks) {
            let set = doc! { "$set": mark };
            documents.update_one(doc! { "_id": name }, set).upsert(true).session(&mut session).await?;
        }
        session.commit_transaction().await?;
        let names: Vec<_> = adoption.names().collect();
        tracing::info!(collections = names.join(", "), "marked as this program's in {OWNED_COLLECTIONS}");
        Ok(())
    }
}

/// What every document has that this program writes to a collection.
fn shape(collection: &str) -> Document {
    let members: &[&str] = match collection {
        STREAMS => &["plan", "tables", "rollups", "schema"],
        EVENTS => &["src.partition", "src.offset"],
        OFFSETS => &["group", "topic", "partition", "next"],
        ROLLUP_STATES => &["_id.t", "_id.i"],
        DEAD_LETTERS => &["topic", "partition", "offset", "reason"],
        ROLLUP_TABLES => &["revision"],
        ROLLUP_CATALOG => &["stream", "window", "definition_hash", "columns"],
        _ => &["_id.w", "revision"],
    };
    members.iter().map(|member| ((*member).to_owned(), Bson::from(doc! { "$exists": true }))).collect()
}
