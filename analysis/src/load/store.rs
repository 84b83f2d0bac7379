//! The connection: a blocking face on the asynchronous driver.
//!
//! A store owns a runtime with one thread. Its calls hand a task to that thread and wait on a channel, which works in a plain
//! program, in a notebook cell and inside somebody else's tokio runtime alike (where blocking on a second runtime panics).

use std::{
    fmt,
    future::Future,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, mpsc},
    time::Duration,
};

use bson::{Bson, Document, doc};
use futures_util::{FutureExt, TryStreamExt};
use model::layout::{CatalogEntry, ROLLUP_CATALOG, ROLLUP_STATES, ROLLUP_TABLES};
use model::mongodb_uri::flaw;
use mongodb::{Client, Collection, Database, options::ClientOptions};
use polars::prelude::DataFrame;
use tokio::runtime::{Builder, Runtime};

use super::{Events, Rollup, StoreError, TableInfo, query::Query};

/// How long a server may take to answer the first time, unless the address says otherwise.
const SERVER_SELECTION: Duration = Duration::from_secs(5);

/// A database with rollups in it; cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    /// Taken when the store goes, so that it ends without waiting: dropping a runtime inside another one panics.
    runtime: Option<Runtime>,
    pub(crate) database: Database,
    hosts: String,
}

impl Store {
    /// Connects to `database` on the servers of `address` and waits for an answer, 5 seconds at most.
    ///
    /// # Errors
    /// [`StoreError::Address`], [`StoreError::Unreachable`] or [`StoreError::Refused`], each without the address itself,
    /// because that may hold a password.
    ///
    /// ```no_run
    /// let store = analysis::load::Store::connect("mongodb://127.0.0.1:27017", "rushes")?;
    /// for table in store.tables()? {
    ///     println!("{table}");
    /// }
    /// # Ok::<(), analysis::load::StoreError>(())
    /// ```
    pub fn connect(address: &str, database: &str) -> Result<Self, StoreError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("analysis-store")
            .enable_all()
            .build()
            .map_err(StoreError::Thread)?;
        let opened = wait(&runtime, open(address.to_owned(), database.to_owned()));
        match opened {
            Ok((database, hosts)) => Ok(Self { shared: Arc::new(Shared { runtime: Some(runtime), database, hosts }) }),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Every rollup of the catalog, by name.
    ///
    /// # Errors
    /// When MongoDB does not answer or the catalog is of another version.
    pub fn tables(&self) -> Result<Vec<TableInfo>, StoreError> {
        let shared = Arc::clone(&self.shared);
        self.wait(async move {
            let mut tables = Vec::new();
            for entry in shared.catalog().await? {
                let rows = shared.database.collection::<CatalogEntry>(&entry.name).estimated_document_count().await;
                let rows = rows.map_err(|error| shared.error(error, &entry.name))?;
                tables.push(TableInfo::new(entry, rows));
            }
            Ok(tables)
        })
    }

    /// One rollup of the catalog.
    ///
    /// # Errors
    /// As [`Store::tables`], and when there is none of this name.
    pub fn table(&self, name: &str) -> Result<TableInfo, StoreError> {
        let tables = self.tables()?;
        let known = tables.iter().map(|table| table.name.clone()).collect();
        tables.into_iter().find(|table| table.name == name).ok_or_else(|| self.shared.no_table(name, known))
    }

    /// A query of the rollup `name`; nothing is read before [`Rollup::collect`].
    pub fn rollup(&self, name: impl Into<String>) -> Rollup {
        Rollup::new(self.clone(), name.into())
    }

    /// A query of the stored events; nothing is read before [`Events::collect`].
    pub fn events(&self) -> Events {
        Events::new(self.clone())
    }

    /// Name of the database.
    pub fn database(&self) -> &str {
        self.shared.database.name()
    }

    /// The database itself, for readers that need more than a query of one table; their futures run in [`wait`](Self::wait).
    pub(crate) fn handle(&self) -> Database {
        self.shared.database.clone()
    }

    /// A driver error as an error of this store; `what` was being read.
    pub(crate) fn explain(&self, error: mongodb::error::Error, what: &str) -> StoreError {
        self.shared.error(error, what)
    }

    pub(crate) fn read(&self, name: String, query: Query) -> Result<DataFrame, StoreError> {
        let shared = Arc::clone(&self.shared);
        self.wait(async move {
            let table = shared.entry(&name).await?;
            let plan = query.plan(&table)?;
            Ok(shared.find_rows(&plan, plan.find(&name, query.progress)).await?.frame)
        })
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Whether the rollups show every event that is stored.
    pub(crate) fn is_published(&self) -> Result<bool, StoreError> {
        let shared = Arc::clone(&self.shared);
        self.wait(async move { shared.is_published().await })
    }

    /// Runs `work` on the store's thread and blocks this one until it is done.
    pub(crate) fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        wait(self.shared.runtime(), work)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("hosts", &self.shared.hosts).field("database", &self.database()).finish()
    }
}

impl Shared {
    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("the runtime is taken only when the last store goes")
    }

    async fn is_published(&self) -> Result<bool, StoreError> {
        let one = |name: &str, filter| {
            let collection: Collection<Document> = self.database.collection(name);
            async move { collection.find_one(filter).await }
        };
        let waiting = one(ROLLUP_STATES, doc! {}).await.map_err(|error| self.error(error, ROLLUP_STATES))?;
        // A round's last states are removed before readers are told its revision.
        let open = doc! { "round": { "$ne": Bson::Null } };
        let round = one(ROLLUP_TABLES, open).await.map_err(|error| self.error(error, ROLLUP_TABLES))?;
        Ok(waiting.is_none() && round.is_none())
    }

    async fn catalog(&self) -> Result<Vec<CatalogEntry>, StoreError> {
        let found =
            self.database.collection::<CatalogEntry>(ROLLUP_CATALOG).find(doc! {}).sort(doc! { "_id": 1 }).await;
        let entries = found.map_err(|error| self.error(error, "the catalog"))?;
        entries.try_collect().await.map_err(|error| self.catalog_error(error))
    }

    pub(crate) async fn entry(&self, name: &str) -> Result<CatalogEntry, StoreError> {
        let catalog: Collection<CatalogEntry> = self.database.collection(ROLLUP_CATALOG);
        match catalog.find_one(doc! { "_id": name }).await {
            Ok(Some(entry)) => Ok(entry),
            Ok(None) => {
                let known = self.catalog().await?.into_iter().map(|entry| entry.name).collect();
                Err(self.no_table(name, known))
            }
            Err(error) => Err(self.catalog_error(error)),
        }
    }

    pub(crate) fn error(&self, error: mongodb::error::Error, what: &str) -> StoreError {
        StoreError::from_driver(error, &self.hosts, what)
    }

    fn catalog_error(&self, error: mongodb::error::Error) -> StoreError {
        match *error.kind {
            mongodb::error::ErrorKind::Bson(_) => {
                StoreError::Catalog { database: self.database.name().to_owned(), source: error.into() }
            }
            _ => self.error(error, "the catalog"),
        }
    }

    fn no_table(&self, name: &str, known: Vec<String>) -> StoreError {
        StoreError::NoTable { name: name.to_owned(), database: self.database.name().to_owned(), known }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn open(address: String, database: String) -> Result<(Database, String), StoreError> {
    // The driver takes a part of such a password for a host, and says so.
    if let Some(problem) = flaw(&address) {
        return Err(StoreError::Address { reason: problem.to_owned() });
    }
    let parsed = ClientOptions::parse(&address).await;
    let mut options = parsed.map_err(|error| StoreError::Address { reason: error.kind.to_string() })?;
    options.app_name.get_or_insert_with(|| "rushes-analysis".to_owned());
    options.server_selection_timeout.get_or_insert(SERVER_SELECTION);
    let hosts = options.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let client =
        Client::with_options(options).map_err(|error| StoreError::Address { reason: error.kind.to_string() })?;
    let database = client.database(&database);
    let ping = database.run_command(doc! { "ping": 1 }).await;
    ping.map_err(|error| StoreError::from_driver(error, &hosts, "an answer to ping"))?;
    Ok((database, hosts))
}

/// Runs `work` on `runtime` and blocks this thread until it is done; a panic of `work` goes on here.
fn wait<T: Send + 'static>(runtime: &Runtime, work: impl Future<Output = T> + Send + 'static) -> T {
    let (answer, question) = mpsc::sync_channel(1);
    runtime.spawn(async move {
        // The receiver waits below, so it is there.
        let _ = answer.send(AssertUnwindSafe(work).catch_unwind().await);
    });
    let answer = question.recv().expect("the task is not cancelled while its runtime lives");
    answer.unwrap_or_else(|panic| panic::resume_unwind(panic))
}
