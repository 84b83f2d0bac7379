//! The MongoDB side of the worker: connecting, what must exist before the first batch, and positions.

mod abandoned;
mod collections;
mod error;
mod moment;
mod obstacle;
mod ownership;
mod sink;
mod size;

pub(crate) use collections::Ground;
pub use error::{Corrupt, StoreError};
pub(crate) use error::{Prospect, meets_id};
pub use moment::{Moment, check_write_concern};
pub use obstacle::Obstacle;
pub(crate) use ownership::Standing;
pub use ownership::{ForeignCollections, Reason};
pub use sink::MongoSink;
pub(crate) use sink::{at_positions, check_writes};
pub(crate) use size::{COMMAND_BYTES, in_commands};

use crate::commit::Transient;
use crate::config::Config;
use crate::error::{IngestError, explain_mongodb};
use crate::lost_offsets::Gap;
use crate::stream::StoredStream;
use bson::{Bson, DateTime, Document, doc};
use futures_util::TryStreamExt;
use model::clock::EventClock;
use model::layout::{OFFSETS, STREAMS, position_id};
use model::mongodb_uri::{flaw, mask};
use mongodb::options::{Acknowledgment, ClientOptions, ReadConcern, WriteConcern};
use mongodb::{Client, Collection, Database};
use std::collections::BTreeMap;
use std::time::Duration;

/// So long a write outside of a batch waits for a majority before it is said what it waits for; then it is tried again.
const ACKNOWLEDGEMENT: Duration = Duration::from_secs(10);

/// What a partition's records became; every record is in exactly one of stored, duplicate, filtered and dead (invariant I4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Records read.
    pub read: i64,
    /// Became an event.
    pub stored: i64,
    /// Had the id of a stored event.
    pub duplicate: i64,
    /// Had the id of a stored event and other contents; these are among the duplicates.
    pub duplicate_changed: i64,
    /// Left out by the schema's filter.
    pub filtered: i64,
    /// Could not be used.
    pub dead: i64,
    /// Stored after a window of theirs had closed; these are among the stored.
    pub late: i64,
    /// Stored after every window of theirs had closed, and in no rollup because the schema says so; these are among the late.
    pub set_aside: i64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.stored += other.stored;
        self.duplicate += other.duplicate;
        self.duplicate_changed += other.duplicate_changed;
        self.filtered += other.filtered;
        self.dead += other.dead;
        self.late += other.late;
        self.set_aside += other.set_aside;
    }
}

impl Counts {
    /// Whether every record is in exactly one count.
    pub fn add_up(&self) -> bool {
        self.read == self.stored + self.duplicate + self.filtered + self.dead
    }
}

/// How far a partition is, as stored in `offsets`.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// Partition.
    pub partition: i32,
    /// Offset of the next record to read.
    pub next: i64,
    /// Largest event time stored from this partition.
    pub clock: EventClock,
    /// What its records became.
    pub counts: Counts,
    /// Number of the plan of rollups that its records are counted under.
    pub plan: i64,
    /// The worker that last moved it.
    pub worker: String,
    /// When an event of it was last stored, or when it began.
    pub stored_at: Option<DateTime>,
    /// Id of the topic that it counts the records of; `None` where the broker did not tell.
    pub topic_id: Option<String>,
    /// Losses that were accepted, oldest first.
    pub gaps: Vec<Gap>,
}

/// A connected store.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    database: Database,
    /// Without its secrets, for messages.
    uri: String,
    group: String,
    topic: String,
}

impl Store {
    /// Connects and asks whether transactions are possible.
    ///
    /// # Errors
    /// [`IngestError::Outside`] where the server cannot be reached, refuses the user, or is not a replica set.
    pub async fn connect(config: &Config) -> Result<Self, IngestError> {
        let settings = &config.settings;
        let outside =
            |error: mongodb::error::Error| IngestError::Outside(explain_mongodb(&settings.mongodb_uri, &error));
        if let Some(problem) = flaw(&settings.mongodb_uri) {
            let uri = mask(&settings.mongodb_uri);
            return Err(IngestError::Usage(format!("the connection string {uri} is not usable: {problem}")));
        }
        let mut options = ClientOptions::parse(&settings.mongodb_uri).await.map_err(outside)?;
        // Never the address's own, which other programs may have too: transactions of this name are ended where they seem abandoned.
        options.app_name = Some(abandoned::application(&settings.database, &settings.group, &settings.topic));
        options.server_selection_timeout.get_or_insert(Duration::from_secs(10));
        // What is read decides what is written next, so it must be something that no election takes back.
        options.read_concern = Some(ReadConcern::majority());
        let majority = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(ACKNOWLEDGEMENT);
        options.write_concern = Some(majority.build());
        let client = Client::with_options(options).map_err(outside)?;
        let database = client.database(&settings.database);
        let hello = database.run_command(doc! { "hello": 1 }).await.map_err(outside)?;
        if !hello.contains_key("setName") && hello.get_str("msg").ok() != Some("isdbgrid") {
            return Err(IngestError::Outside(format!(
                "MongoDB at {} is a single server without a replica set, so it has no transactions. Start mongod with \
                 `--replSet rs0` and run `rs.initiate()` once in mongosh, or let `stack up` start one",
                mask(&settings.mongodb_uri)
            )));
        }
        Ok(Self {
            client,
            database,
            uri: mask(&settings.mongodb_uri),
            group: settings.group.clone(),
            topic: settings.topic.clone(),
        })
    }

    /// Ends the driver's background work. Left to the end of the runtime, that work may meet connections that are gone already,
    /// and panic.
    pub async fn close(self) {
        const PATIENCE: Duration = Duration::from_secs(5);
        let Self { client, database, .. } = self;
        drop(database);
        if tokio::time::timeout(PATIENCE, client.shutdown().immediate(true)).await.is_err() {
            tracing::debug!("the driver did not end its work in time");
        }
    }

    /// The driver's client, for sessions.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// A collection of the database.
    pub fn collection<T: Send + Sync>(&self, name: &str) -> Collection<T> {
        self.database.collection(name)
    }

    /// The `_id` of a partition's position.
    pub fn position_id(&self, partition: i32) -> String {
        position_id(&self.group, &self.topic, partition)
    }

    /// The consumer group whose positions these are.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The Kafka topic whose positions these are.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Why the store did not do something, as a person reads it.
    pub fn explain(&self, error: &StoreError) -> IngestError {
        match error {
            StoreError::Driver(error) => self.outside(error),
            StoreError::Foreign(_) => IngestError::Usage(error.to_string()),
            other => IngestError::Outside(format!("MongoDB at {}: {other}", self.uri)),
        }
    }

    /// An error of the driver as this store explains it.
    pub fn outside(&self, error: &mongodb::error::Error) -> IngestError {
        IngestError::Outside(explain_mongodb(&self.uri, error))
    }

    /// A write that was waited for in vain.
    pub fn unavailable(&self, transient: &Transient) -> IngestError {
        IngestError::Outside(format!("MongoDB at {}: {transient}", self.uri))
    }

    /// The stored positions of the topic, by partition.
    ///
    /// # Errors
    /// The driver's error; the caller decides whether to retry.
    pub async fn positions(&self) -> mongodb::error::Result<BTreeMap<i32, Position>> {
        self.positions_as(ReadConcern::majority()).await
    }

    /// The positions as the primary has them, even what no majority has acknowledged yet.
    ///
    /// # Errors
    /// The driver's error.
    pub async fn newest_positions(&self) -> mongodb::error::Result<BTreeMap<i32, Position>> {
        self.positions_as(ReadConcern::local()).await
    }

    async fn positions_as(&self, concern: ReadConcern) -> mongodb::error::Result<BTreeMap<i32, Position>> {
        // By `_id`, which has an index: these are asked for again and again.
        // The zero follows the slash.
        let (start, end) = (format!("{}/{}/", self.group, self.topic), format!("{}/{}0", self.group, self.topic));
        let filter = doc! { "_id": { "$gte": start, "$lt": end }, "group": &self.group, "topic": &self.topic };
        let cursor = self.collection::<Document>(OFFSETS).find(filter).read_concern(concern).await?;
        let documents: Vec<Document> = cursor.try_collect().await?;
        Ok(documents.iter().filter_map(read_position).map(|position| (position.partition, position)).collect())
    }

    /// What time it is for the server, in milliseconds: one clock for all workers.
    ///
    /// # Errors
    /// The driver's error.
    pub async fn server_time(&self) -> mongodb::error::Result<i64> {
        let hello = self.database.run_command(doc! { "hello": 1 }).await?;
        let time = hello.get_datetime("localTime").map_err(mongodb::error::Error::custom)?;
        Ok(time.timestamp_millis())
    }

    /// Stores the first positions of partitions, except of those that have one; false where another plan of rollups is in force.
    ///
    /// # Errors
    /// The driver's error; the caller decides whether to retry.
    pub async fn begin(
        &self,
        stream: &StoredStream,
        starts: &[(i32, i64)],
        topic_id: Option<&str>,
    ) -> mongodb::error::Result<bool> {
        // Whether a partition is idle is judged by the server's clock.
        let now = DateTime::from_millis(self.server_time().await?);
        let mut session = self.client.start_session().await?;
        session.start_transaction().await?;
        // Writes the stream's document, so that a change of the plan at the same time ends in a conflict.
        let in_force = doc! { "_id": &stream.stream, "plan": stream.plan };
        let streams = self.collection::<Document>(STREAMS);
        let met = streams.update_one(in_force, doc! { "$inc": { "assigned": 1_i64 } }).session(&mut session).await?;
        if met.matched_count == 0 {
            return Ok(false);
        }
        let positions = self.collection::<Document>(OFFSETS);
        for &(partition, next) in starts {
            let first = doc! { "$setOnInsert": self.first_position(stream, partition, next, topic_id, now) };
            let id = doc! { "_id": self.position_id(partition) };
            positions.update_one(id, first).upsert(true).session(&mut session).await?;
        }
        session.commit_transaction().await.map(|()| true)
    }

    fn first_position(
        &self,
        stream: &StoredStream,
        partition: i32,
        next: i64,
        topic_id: Option<&str>,
        now: DateTime,
    ) -> Document {
        doc! {
            "group": &self.group, "topic": &self.topic, "partition": partition, "next": next,
            "plan": stream.plan, "tables": &stream.tables,
            "counts": { "read": 0_i64, "stored": 0_i64, "duplicate": 0_i64, "duplicate_changed": 0_i64, "filtered": 0_i64, "dead": 0_i64, "late": 0_i64, "set_aside": 0_i64 },
            "updated_at": now, "stored_at": now, "topic_id": topic_id,
        }
    }

    /// Writes down which topic the positions of these partitions belong to, where that is not known yet.
    ///
    /// # Errors
    /// The driver's error.
    pub async fn note_topic_id(&self, partitions: &[i32], topic_id: &str) -> mongodb::error::Result<()> {
        let unknown = doc! {
            "group": &self.group, "topic": &self.topic, "partition": { "$in": partitions }, "topic_id": Bson::Null,
        };
        let note = doc! { "$set": { "topic_id": topic_id } };
        self.collection::<Document>(OFFSETS).update_many(unknown, note).await.map(drop)
    }
}

fn read_position(document: &Document) -> Option<Position> {
    let partition = document.get_i32("partition").ok()?;
    let gaps = document.get_array("gaps").into_iter().flatten().filter_map(Bson::as_document);
    let counts = document.get_document("counts").ok();
    let count = |name: &str| counts.and_then(|counts| counts.get_i64(name).ok()).unwrap_or_default();
    Some(Position {
        partition,
        next: document.get_i64("next").ok()?,
        clock: EventClock::restored(document.get_datetime("clock").ok().map(|clock| clock.timestamp_millis())),
        counts: Counts {
            read: count("read"),
            stored: count("stored"),
            duplicate: count("duplicate"),
            duplicate_changed: count("duplicate_changed"),
            filtered: count("filtered"),
            dead: count("dead"),
            late: count("late"),
            set_aside: count("set_aside"),
        },
        plan: document.get_i64("plan").unwrap_or(-1),
        worker: document.get_str("worker").unwrap_or_default().to_owned(),
        stored_at: document.get_datetime("stored_at").ok().copied(),
        topic_id: document.get_str("topic_id").ok().map(str::to_owned),
        gaps: gaps.filter_map(|gap| Gap::read(partition, gap)).collect(),
    })
}

/// Code of the server's error that there is a collection or view of that name already.
pub(crate) const NAMESPACE_EXISTS: i32 = 48;
/// Code of the server's error that a unique key is taken.
pub(crate) const DUPLICATE_KEY: i32 = 11000;
/// Two transactions write the same document: the server's code for the one that comes second.
pub(crate) const WRITE_CONFLICT: i32 = 112;

/// The server's error code, where the error came from the server.
pub fn error_code(error: &mongodb::error::Error) -> Option<i32> {
    use mongodb::error::{ErrorKind, WriteFailure};
    match error.kind.as_ref() {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        ErrorKind::InsertMany(error) => error.write_errors.as_ref()?.first().map(|error| error.code),
        _ => None,
    }
}
