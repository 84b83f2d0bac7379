//! One pipeline: topic, group, database, and the program to work on them.

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;
use ingest::store::Counts;
use mongodb::error::ErrorKind;
use mongodb::options::ReadConcern;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sample::GenerateOptions;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Far more than anything here takes: reached only where something hangs.
pub const PATIENCE: Duration = Duration::from_secs(120);
const SNAPSHOT_UNAVAILABLE: i32 = 246;

/// A topic, a group and a database of one test.
pub struct Pipeline {
    pub name: String,
    pub folder: TempDir,
    pub schema: Option<PathBuf>,
    pub runtime: tokio::runtime::Runtime,
    mongodb_uri: String,
    database: mongodb::Database,
}

impl Pipeline {
    pub fn new(test: &str) -> Self {
        Self::on(test, &stack::testing::shared().mongodb_uri)
    }

    /// A pipeline into a MongoDB of the test's own.
    pub fn on(test: &str, uri: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("{test}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(mongodb::Client::with_uri_str(uri)).unwrap();
        let (database, folder) = (client.database(&name), tempfile::tempdir().unwrap());
        Self { database, name, folder, schema: None, runtime, mongodb_uri: uri.to_owned() }
    }

    /// A pipeline with a schema of its own.
    pub fn with_schema(test: &str, toml: &str) -> Self {
        let mut pipeline = Self::new(test);
        pipeline.schema = Some(pipeline.write("schema.toml", toml));
        pipeline
    }

    /// A file in the pipeline's folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Generated reviews in a folder of the pipeline's.
    pub fn reviews(&self, rows: u64, seed: u64) -> PathBuf {
        let dir = self.folder.path().join("reviews");
        sample::generate(&GenerateOptions::new(dir.clone(), rows, seed)).unwrap();
        dir
    }

    /// The program with this pipeline's settings in its environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ingest"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("KAFKA_BROKERS", &stack::testing::shared().kafka_brokers)
            .env("MONGODB_URI", &self.mongodb_uri)
            .env("RUSHES_TOPIC", &self.name)
            .env("RUSHES_GROUP", &self.name)
            .env("RUSHES_DATABASE", &self.name)
            .env("RUSHES_STATE_DIR", self.folder.path().join("state"))
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        if let Some(schema) = &self.schema {
            command.env("RUSHES_SCHEMA", schema);
        }
        command
    }

    /// Runs the program to its end.
    pub fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs the program, which must succeed; returns what it printed.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "ingest {arguments:?}: {}\n{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs the program, which must end with `code`; returns what it says.
    pub fn fail(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "ingest {arguments:?}: {}\n{said}", text(&output.stdout));
        said
    }

    /// Runs the program, which must succeed; returns the JSON that it printed.
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        self.json_of(0, arguments)
    }

    /// Runs the program, which must end with `code`; returns the JSON that it printed.
    pub fn json_of(&self, code: i32, arguments: &[&str]) -> serde_json::Value {
        let output = self.output(arguments);
        assert_eq!(output.status.code(), Some(code), "ingest {arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn produce(&self, path: &Path) {
        self.succeed(&["produce", path.to_str().unwrap()]);
    }

    /// Drains the topic and returns the run's counts.
    pub fn drain(&self, options: &[&str]) -> Counts {
        let arguments: Vec<&str> = ["run", "--until-end"].into_iter().chain(options.iter().copied()).collect();
        counts(&self.succeed(&arguments))
    }

    /// Starts a worker in the foreground of its own.
    pub fn worker(&self, options: &[&str]) -> Worker {
        let child = self.run(options).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        Worker(Some(child))
    }

    /// The same, for a worker that is to end with an error.
    pub fn worker_that_says(&self, options: &[&str]) -> Worker {
        let child = self.run(options).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        Worker(Some(child))
    }

    /// The same, with all that it does in a file.
    pub fn worker_with_log(&self, options: &[&str]) -> (Worker, Log) {
        let log = self.folder.path().join("worker.log");
        let mut command = self.run(options);
        command.env("RUST_LOG", "ingest=debug").stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
        (Worker(Some(command.spawn().unwrap())), Log(log))
    }

    fn run(&self, options: &[&str]) -> Command {
        let arguments: Vec<&str> = std::iter::once("run").chain(options.iter().copied()).collect();
        self.command(&arguments)
    }

    /// Names of all collections.
    pub fn collections(&self) -> Vec<String> {
        self.runtime.block_on(self.database.list_collection_names().into_future()).unwrap()
    }

    /// Every rollup equals its events.
    pub fn assert_audit(&self) {
        self.succeed(&["audit"]);
    }

    /// What all positions of the store say together.
    pub fn stored_counts(&self) -> Counts {
        sum(&self.documents("offsets", doc! {}))
    }

    /// At one moment the positions have counted as many events and dead letters as there are; returns their counts. Of a transaction
    /// that is committed meanwhile, as a server does that has the commit of a dead worker, all three know or none.
    pub fn assert_moment(&self, when: &str) -> Counts {
        let read = || async {
            let mut session = self.database.client().start_session().snapshot(true).await?;
            let offsets = self.database.collection::<Document>("offsets");
            let mut positions = offsets.find(doc! {}).session(&mut session).await?;
            let positions: Vec<_> = positions.stream(&mut session).try_collect().await?;
            let mut there = [0; 2];
            for (collection, count) in ["events", "dead_letters"].into_iter().zip(&mut there) {
                let collection = self.database.collection::<Document>(collection);
                *count = collection.count_documents(doc! {}).session(&mut session).await?;
            }
            mongodb::error::Result::Ok((sum(&positions), there))
        };
        let (counts, there) = loop {
            match self.runtime.block_on(read()) {
                // A collection has just been made; it is to be asked again.
                Err(error) if matches!(*error.kind, ErrorKind::Command(ref answer) if answer.code == SNAPSHOT_UNAVAILABLE) =>
                    {}
                read => break read.unwrap(),
            }
        };
        assert!(counts.add_up(), "{when}: {counts:?}");
        assert_eq!([counts.stored, counts.dead].map(i64::cast_unsigned), there, "{when}");
        counts
    }

    /// Waits until the store has read so many records.
    /// Waits until a majority has the counts, as the programs read them: one that is started next sees at least as much.
    pub fn wait_until_read(&self, records: i64) {
        let offsets = self.database.collection::<Document>("offsets");
        let read = async || {
            let found = offsets.find(doc! {}).read_concern(ReadConcern::majority()).await?;
            found.try_collect::<Vec<_>>().await
        };
        wait_until(&format!("{records} records are read"), || {
            sum(&self.runtime.block_on(read()).unwrap()).read >= records
        });
    }

    pub fn documents(&self, collection: &str, filter: Document) -> Vec<Document> {
        let found = async {
            let cursor = self.database.collection::<Document>(collection).find(filter).sort(doc! { "_id": 1 }).await?;
            cursor.try_collect().await
        };
        let documents: mongodb::error::Result<Vec<Document>> = self.runtime.block_on(found);
        documents.unwrap()
    }

    pub fn count(&self, collection: &str, filter: Document) -> u64 {
        self.runtime
            .block_on(self.database.collection::<Document>(collection).count_documents(filter).into_future())
            .unwrap()
    }

    pub fn update(&self, collection: &str, filter: Document, update: Document) {
        let collection = self.database.collection::<Document>(collection);
        let updated = self.runtime.block_on(collection.update_many(filter, update).into_future()).unwrap();
        assert!(updated.modified_count > 0);
    }
}

impl Pipeline {
    /// Runs a command in the pipeline's database.
    pub fn command_of_server(&self, command: Document) {
        let answer = self.runtime.block_on(self.database.run_command(command).into_future()).unwrap();
        assert!(!answer.contains_key("writeErrors"), "{answer}");
    }

    /// Renames a collection, as a user does.
    pub fn rename(&self, from: &str, to: &str) {
        let name = |collection: &str| format!("{}.{collection}", self.database.name());
        let command = doc! { "renameCollection": name(from), "to": name(to) };
        let admin = self.database.client().database("admin");
        self.runtime.block_on(admin.run_command(command).into_future()).unwrap();
    }

    /// The plan by which the server answers a command.
    pub fn explain(&self, command: Document) -> Document {
        let answer = self.database.run_command(doc! { "explain": command, "verbosity": "queryPlanner" });
        self.runtime.block_on(answer.into_future()).unwrap().get_document("queryPlanner").unwrap().clone()
    }

    /// Changes all documents of a collection in a transaction that is open as long as the session is.
    pub fn change_and_hold(&self, collection: &str, update: Document) -> mongodb::ClientSession {
        let changed = async {
            let mut session = self.database.client().start_session().await?;
            session.start_transaction().await?;
            let collection = self.database.collection::<Document>(collection);
            collection.update_many(doc! {}, update).session(&mut session).await?;
            mongodb::error::Result::Ok(session)
        };
        self.runtime.block_on(changed).unwrap()
    }

    pub fn insert<'d>(&self, collection: &str, documents: impl IntoIterator<Item = &'d Document>) {
        let collection = self.database.collection::<Document>(collection);
        self.runtime.block_on(collection.insert_many(documents).into_future()).unwrap();
    }

    /// The UUID of a collection; `None` where there is none.
    pub fn uuid(&self, collection: &str) -> Option<Bson> {
        let listed = doc! { "listCollections": 1, "filter": { "name": collection } };
        let listed = self.runtime.block_on(self.database.run_command(listed).into_future()).unwrap();
        let batch = listed.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
        batch.first()?.as_document()?.get_document("info").ok()?.get("uuid").cloned()
    }

    /// Marks a collection as the program does that has created it.
    pub fn mark(&self, collection: &str) {
        let mark = doc! { "$set": { "uuid": self.uuid(collection).unwrap() } };
        let marks = self.database.collection::<Document>("owned_collections");
        let marked = marks.update_one(doc! { "_id": collection }, mark).upsert(true);
        self.runtime.block_on(marked.into_future()).unwrap();
    }

    pub fn drop_collection(&self, collection: &str) {
        let collection = self.database.collection::<Document>(collection);
        self.runtime.block_on(collection.drop().into_future()).unwrap();
    }

    pub fn delete(&self, collection: &str, filter: Document) {
        let collection = self.database.collection::<Document>(collection);
        self.runtime.block_on(collection.delete_many(filter).into_future()).unwrap();
    }
}

impl Drop for Pipeline {
    /// A database is not dropped before its transactions are over: those that a dead worker has left are ended.
    fn drop(&mut self) {
        let dropped = async {
            let admin = self.database.client().database("admin");
            let left =
                doc! { "type": "idleSession", "appName": { "$regex": format!("^rushes-ingest {}/", self.name) } };
            let operations = [doc! { "$currentOp": { "idleSessions": true } }, doc! { "$match": left }];
            let left: Vec<Document> = admin.aggregate(operations).await?.try_collect().await?;
            let sessions =
                left.iter().filter_map(|one| Some(doc! { "id": one.get_document("lsid").ok()?.get("id")?.clone() }));
            let sessions: Vec<Document> = sessions.collect();
            if !sessions.is_empty() {
                admin.run_command(doc! { "killSessions": sessions }).await?;
            }
            self.database.drop().await
        };
        let _ = self.runtime.block_on(dropped);
    }
}

/// What a worker says.
pub struct Log(PathBuf);

impl Log {
    /// How often it has said it.
    pub fn says(&self, words: &str) -> usize {
        self.to_string().matches(words).count()
    }
}

impl std::fmt::Display for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&std::fs::read_to_string(&self.0).unwrap())
    }
}

/// A worker's process; killed when dropped.
pub struct Worker(Option<Child>);

impl Worker {
    pub fn signal(&self, signal: Signal) {
        let child = self.0.as_ref().expect("a worker is signalled before it is waited for");
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
    }

    /// Ends it at once, as a crash does.
    pub fn crash(mut self) {
        if let Some(child) = &mut self.0 {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Waits for its end, which must be a success; returns its counts.
    pub fn finish(mut self) -> Counts {
        let mut child = self.0.take().expect("a worker is waited for once");
        let mut printed = String::new();
        child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        assert!(child.wait().unwrap().success(), "{printed}");
        counts(&printed)
    }

    /// How it ended.
    pub fn succeeded(mut self) -> bool {
        self.0.take().expect("a worker is waited for once").wait().unwrap().success()
    }

    /// Waits for its end, which must be a failure; returns what it said.
    pub fn failure(mut self) -> String {
        let mut child = self.0.take().expect("a worker is waited for once");
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!child.wait().unwrap().success(), "{said}");
        said
    }

    pub fn is_running(&mut self) -> bool {
        self.0.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn sum(positions: &[Document]) -> Counts {
    let mut sum = Counts::default();
    for position in positions {
        sum += bson::deserialize_from_document::<Counts>(position.get_document("counts").unwrap().clone()).unwrap();
    }
    sum
}

pub fn counts(printed: &str) -> Counts {
    let counts: Counts = serde_json::from_str(printed.trim()).unwrap_or_else(|error| panic!("{error}: {printed}"));
    assert!(counts.add_up(), "{counts:?}");
    counts
}

pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
