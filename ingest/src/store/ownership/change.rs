//! Creates, drops and renames collections, and keeps the registry.

use super::{ForeignCollections, Itself, Reason, Registry, Standing};
use crate::store::{ACKNOWLEDGEMENT, NAMESPACE_EXISTS, Store, StoreError, check_write_concern, error_code};
use bson::{Bson, Document, Uuid, doc};
use futures_util::future::try_join_all;
use model::layout::OWNED_COLLECTIONS;
use mongodb::error::Result;

impl Store {
    /// What exists in the database, and which of it is this program's.
    pub(crate) async fn registry(&self) -> Result<Registry> {
        Registry::read(self).await
    }

    /// Creates the collections that are missing of these; what is created is marked before anything is stored in it.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] where one is somebody else's.
    pub(crate) async fn create_owned(&self, names: &[&str]) -> std::result::Result<(), StoreError> {
        let registry = self.registry().await?;
        registry.foreign(self, names.iter().copied())?;
        let open = |name: &&str| matches!(registry.standing(name), Standing::Absent | Standing::Begun);
        let missing: Vec<&str> = names.iter().copied().filter(open).collect();
        if missing.is_empty() && registry.itself == Itself::Ours {
            return Ok(());
        }
        self.note_intent(&registry, &missing).await?;
        let created = try_join_all(missing.iter().map(|name| self.create(name))).await?;
        let registry = self.registry().await?;
        let mut marks: Vec<(&str, Uuid)> = registry.unnoted().into_iter().collect();
        for (name, created) in missing.into_iter().zip(created) {
            match (registry.standing(name), registry.existing.get(name).and_then(|existing| existing.uuid)) {
                (Standing::Begun, Some(uuid)) if created || self.is_empty(name).await? => marks.push((name, uuid)),
                (Standing::Begun, _) => self.still_foreign(name).await?,
                (Standing::Foreign(_), _) => registry.foreign(self, [name])?,
                (Standing::Ours | Standing::Absent, _) => {}
            }
        }
        self.note(&marks).await
    }

    /// Another worker may have marked it after the registry was read, and stored something since.
    async fn still_foreign(&self, name: &str) -> std::result::Result<(), StoreError> {
        match self.registry().await?.standing(name) {
            Standing::Ours | Standing::Absent => Ok(()),
            _ => Err(ForeignCollections::new(self.database.name(), vec![(name.to_owned(), Reason::NoMark)]).into()),
        }
    }

    /// Writes down which collections are about to be created, the registry itself first.
    async fn note_intent(&self, registry: &Registry, names: &[&str]) -> std::result::Result<(), StoreError> {
        let itself = Some(OWNED_COLLECTIONS).filter(|_| registry.itself == Itself::Absent);
        let upsert = |name: &str| {
            doc! { "q": { "_id": name }, "u": { "$setOnInsert": { "uuid": Bson::Null } }, "upsert": true }
        };
        let upserts = itself.into_iter().chain(names.iter().copied()).map(upsert);
        // A collection that was dropped, unless another worker has just created it again.
        let dropped = registry.marks.iter().filter(|(_, name)| names.contains(&name.as_str()));
        let dropped = dropped.map(|(uuid, name)| {
            doc! { "q": { "_id": name, "uuid": *uuid }, "u": { "$set": { "uuid": Bson::Null } } }
        });
        self.write_registry(upserts.chain(dropped).collect()).await
    }

    /// Whether this worker has created the collection; another one may have been quicker.
    async fn create(&self, name: &str) -> Result<bool> {
        match self.database.create_collection(name).await {
            Ok(()) => Ok(true),
            Err(error) if error_code(&error) == Some(NAMESPACE_EXISTS) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn is_empty(&self, name: &str) -> Result<bool> {
        Ok(self.collection::<Document>(name).find_one(doc! {}).projection(doc! { "_id": 1 }).await?.is_none())
    }

    /// Marks collections that were created; one that has a mark keeps it.
    async fn note(&self, marks: &[(&str, Uuid)]) -> std::result::Result<(), StoreError> {
        let set = |&(name, uuid): &(&str, Uuid)| {
            doc! { "q": { "_id": name, "uuid": Bson::Null }, "u": { "$set": { "uuid": uuid } } }
        };
        self.write_registry(marks.iter().map(set).collect()).await
    }

    /// Sends updates in one command, in order.
    async fn write_registry(&self, updates: Vec<Document>) -> std::result::Result<(), StoreError> {
        if updates.is_empty() {
            return Ok(());
        }
        let wtimeout = i64::try_from(ACKNOWLEDGEMENT.as_millis()).unwrap_or(i64::MAX);
        let command = doc! {
            "update": OWNED_COLLECTIONS, "updates": updates,
            "writeConcern": { "w": "majority", "j": true, "wtimeout": wtimeout },
        };
        let answer = self.database.run_command(command).await?;
        check_write_concern(&answer)?;
        StoreError::of_writes(OWNED_COLLECTIONS, &answer)
    }

    /// Drops a collection of this program's; nothing where there is none.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] where it is somebody else's.
    pub(crate) async fn drop_owned(&self, name: &str) -> std::result::Result<(), StoreError> {
        let registry = self.registry().await?;
        match registry.standing(name) {
            Standing::Absent => {}
            Standing::Ours => self.collection::<Document>(name).drop().await?,
            Standing::Begun if self.is_empty(name).await? => self.collection::<Document>(name).drop().await?,
            Standing::Begun => self.still_foreign(name).await?,
            Standing::Foreign(_) => registry.foreign(self, [name])?,
        }
        if registry.names.contains(name) {
            self.collection::<Document>(OWNED_COLLECTIONS).delete_one(doc! { "_id": name }).await?;
        }
        Ok(())
    }

    /// Renames a collection over another one, where both are this program's; nothing where it was done already.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] where one is somebody else's.
    pub(crate) async fn rename_owned(&self, from: &str, to: &str) -> std::result::Result<(), StoreError> {
        let registry = self.registry().await?;
        registry.foreign(self, [from, to])?;
        let Some(uuid) = registry.existing.get(from).and_then(|existing| existing.uuid) else { return Ok(()) };
        for name in [from, to] {
            if registry.standing(name) == Standing::Begun {
                self.create_owned(&[name]).await?;
            }
        }
        let database = self.database.name();
        let replaces = registry.standing(to) != Standing::Absent;
        let command = doc! {
            "renameCollection": format!("{database}.{from}"), "to": format!("{database}.{to}"), "dropTarget": replaces,
        };
        check_write_concern(&self.client.database("admin").run_command(command).await?)?;
        let documents = self.collection::<Document>(OWNED_COLLECTIONS);
        let mark = doc! { "$set": { "uuid": uuid } };
        documents.update_one(doc! { "_id": to }, mark).upsert(true).await?;
        documents.delete_one(doc! { "_id": from }).await?;
        Ok(())
    }
}
