//! Both servers together: options, concurrent start and stop.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tempfile::TempDir;
use tracing::{debug, info};

use crate::log::is_port_taken;
use crate::{Kafka, Mongod, StackError, fetch};

/// The variable that programs read the broker addresses from.
pub const KAFKA_BROKERS: &str = "KAFKA_BROKERS";
/// The variable that programs read the connection string from.
pub const MONGODB_URI: &str = "MONGODB_URI";

/// Attempts of a start if another program takes the chosen port first.
const PORT_ATTEMPTS: usize = 3;

/// Options of a stack.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// Start Kafka.
    pub kafka: bool,
    /// Start mongod.
    pub mongod: bool,
    /// Run mongod as a replica set of one; transactions need that. `false` gives a standalone mongod.
    pub replica_set: bool,
    /// Folder for the data, which stays. `None`: a temporary folder that is deleted at the end.
    pub dir: Option<PathBuf>,
    /// If [`KAFKA_BROKERS`] or [`MONGODB_URI`] is set, use that server instead of starting one.
    pub reuse_environment: bool,
    /// The heap of Kafka's JVM, in MiB.
    pub kafka_heap_mb: u32,
    /// The cache of mongod's storage engine, in MiB; at least 256.
    pub mongod_cache_mb: u32,
}

impl Default for StackOptions {
    /// Both servers, private, temporary, sized for a laptop.
    fn default() -> Self {
        Self {
            kafka: true,
            mongod: true,
            replica_set: true,
            dir: None,
            reuse_environment: false,
            kafka_heap_mb: 512,
            mongod_cache_mb: 512,
        }
    }
}

/// A server of this stack, or an existing one.
#[derive(Debug)]
enum Source<T> {
    Private(T),
    Environment(String),
}

/// Running servers. Dropping it stops them without waiting; [`Stack::stop`] waits.
#[derive(Debug)]
pub struct Stack {
    kafka: Option<Source<Kafka>>,
    mongod: Option<Source<Mongod>>,
    /// Declared after the servers, so that it is dropped after them.
    folder: Folder,
}

impl Stack {
    /// Fetches missing parts, starts the servers concurrently, and returns when they are ready.
    ///
    /// # Errors
    /// If a part cannot be fetched, a server does not start (with the end of its log), or a folder cannot be used. No process is left
    /// running.
    pub async fn start(options: StackOptions) -> Result<Self, StackError> {
        let begin = Instant::now();
        let folder = Folder::new(options.dir.as_deref())?;
        let (kafka, mongod) = tokio::try_join!(start_kafka(&options, &folder), start_mongod(&options, &folder))?;
        debug!("stack ready after {:.1?}", begin.elapsed());
        Ok(Self { kafka, mongod, folder })
    }

    /// Returns `host:port` of Kafka; `None` if it was not requested.
    #[must_use]
    pub fn kafka_brokers(&self) -> Option<&str> {
        self.kafka.as_ref().map(|source| match source {
            Source::Private(kafka) => kafka.brokers(),
            Source::Environment(brokers) => brokers,
        })
    }

    /// Returns the connection string of MongoDB; `None` if it was not requested.
    #[must_use]
    pub fn mongodb_uri(&self) -> Option<&str> {
        self.mongod.as_ref().map(|source| match source {
            Source::Private(mongod) => mongod.uri(),
            Source::Environment(uri) => uri,
        })
    }

    /// Returns the private broker, if there is one.
    #[must_use]
    pub fn kafka(&self) -> Option<&Kafka> {
        match &self.kafka {
            Some(Source::Private(kafka)) => Some(kafka),
            _ => None,
        }
    }

    /// Returns the private mongod, if there is one.
    #[must_use]
    pub fn mongod(&self) -> Option<&Mongod> {
        match &self.mongod {
            Some(Source::Private(mongod)) => Some(mongod),
            _ => None,
        }
    }

    /// Returns the folder with the servers' data and logs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops the private servers and waits for their end and the removal of their temporary folder.
    ///
    /// # Errors
    /// If a server does not end in time. It is killed then.
    pub async fn stop(self) -> Result<(), StackError> {
        let Self { kafka, mongod, folder } = self;
        let (kafka, mongod) = tokio::join!(
            async { if let Some(Source::Private(kafka)) = kafka { kafka.stop().await } else { Ok(()) } },
            async { if let Some(Source::Private(mongod)) = mongod { mongod.stop().await } else { Ok(()) } },
        );
        drop(folder);
        kafka.and(mongod)
    }
}

async fn start_kafka(options: &StackOptions, folder: &Folder) -> Result<Option<Source<Kafka>>, StackError> {
    if !options.kafka {
        return Ok(None);
    }
    if let Some(brokers) = environment(options, KAFKA_BROKERS, "Kafka") {
        return Ok(Some(Source::Environment(brokers)));
    }
    let parts = fetch::kafka_parts().await?;
    let keep = folder.is_kept();
    let mut attempt = 1;
    loop {
        let own = folder.create("kafka")?;
        match Kafka::start(&parts, &own, keep, options.kafka_heap_mb).await {
            Err(error) if is_port_taken(&error) && attempt < PORT_ATTEMPTS => attempt += 1,
            other => return other.map(|kafka| Some(Source::Private(kafka))),
        }
    }
}

async fn start_mongod(options: &StackOptions, folder: &Folder) -> Result<Option<Source<Mongod>>, StackError> {
    if !options.mongod {
        return Ok(None);
    }
    if let Some(uri) = environment(options, MONGODB_URI, "MongoDB") {
        return Ok(Some(Source::Environment(uri)));
    }
    let program = fetch::mongod().await?;
    let keep = folder.is_kept();
    let mut attempt = 1;
    loop {
        let own = folder.create("mongod")?;
        match Mongod::start(&program, &own, keep, options.replica_set, options.mongod_cache_mb).await {
            Err(error) if is_port_taken(&error) && attempt < PORT_ATTEMPTS => attempt += 1,
            other => return other.map(|mongod| Some(Source::Private(mongod))),
        }
    }
}

fn environment(options: &StackOptions, variable: &str, what: &str) -> Option<String> {
    let value = std::env::var(variable).ok().filter(|value| options.reuse_environment && !value.is_empty())?;
    info!("using the {what} that {variable} names");
    Some(value)
}

/// The folder of the data: a permanent one of the user, or a temporary one.
#[derive(Debug)]
enum Folder {
    Kept(PathBuf),
    Temporary(TempDir),
}

impl Folder {
    fn new(dir: Option<&Path>) -> Result<Self, StackError> {
        let Some(dir) = dir else {
            let temporary = tempfile::Builder::new().prefix("rushes-stack-").tempdir();
            return temporary
                .map(Self::Temporary)
                .map_err(StackError::file("create a folder in", &std::env::temp_dir()));
        };
        let dir = std::path::absolute(dir).map_err(StackError::file("resolve", dir))?;
        fs::create_dir_all(&dir).map_err(StackError::file("create", &dir))?;
        Ok(Self::Kept(dir))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }

    fn is_kept(&self) -> bool {
        matches!(self, Self::Kept(_))
    }

    /// Returns the folder of one server.
    fn create(&self, name: &str) -> Result<PathBuf, StackError> {
        let path = self.path().join(name);
        fs::create_dir_all(&path).map_err(StackError::file("create", &path))?;
        Ok(path)
    }
}
