//! What all parts share: the servers, the sizes, and the topics with generated reviews.

use crate::process;
use crate::usage::{self, Usage};
use anyhow::{Context as _, Result, ensure};
use bson::doc;
use mongodb::{Client, Database};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use sample::GenerateOptions;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Reviews in the topic that most parts read.
    pub rows: u64,
    /// Rounds.
    pub rounds: u32,
    /// Reviews that are decoded from memory.
    pub decoded: u64,
    /// Reviews of each growing topic.
    pub growth: [u64; 3],
    /// Rates, in records a second, at which it is measured when records become visible.
    pub rates: [u64; 3],
    /// Seconds at each of these rates.
    pub visible_s: u64,
    /// Bytes of the file that is produced.
    pub produced: u64,
    /// Events that the analysis library reads.
    pub analysed: u64,
}

impl Sizes {
    /// What is measured.
    pub const FULL: Self = Self {
        rows: 200_000,
        rounds: 3,
        decoded: 60_000,
        growth: [100_000, 400_000, 1_600_000],
        rates: [500, 2_000, 5_000],
        visible_s: 15,
        produced: 1_000_000_000,
        analysed: 1_000_000,
    };
    /// For a look at whether everything works.
    pub const QUICK: Self = Self {
        rows: 2_000,
        rounds: 1,
        decoded: 1_000,
        growth: [500, 1_000, 2_000],
        rates: [200, 400, 800],
        visible_s: 1,
        produced: 2_000_000,
        analysed: 10_000,
    };
}

/// A topic with reviews in it.
#[derive(Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Records in it.
    pub records: u64,
}

/// Which reviews a topic holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reviews {
    /// Those of `--data`, where it is given; else generated ones.
    Users,
    /// Generated ones, with the repeats and the unusable records that the generator strews in.
    Generated,
    /// Generated ones without either.
    Clean,
}

/// Which topic a part needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Distinct usable reviews.
    pub rows: u64,
    /// Partitions.
    pub partitions: u32,
    /// Which reviews.
    pub reviews: Reviews,
}

/// Where the servers are, and what is measured on them.
#[derive(Debug)]
pub struct Context {
    /// Kafka.
    pub brokers: String,
    /// MongoDB.
    pub uri: String,
    /// A client of it.
    pub client: Client,
    /// Runs what is asynchronous. It has threads of its own, so the driver's monitors go on while a part sleeps.
    pub runtime: Runtime,
    /// The program `ingest`, beside this one.
    pub program: PathBuf,
    /// How much is measured.
    pub sizes: Sizes,
    folder: TempDir,
    data: Option<PathBuf>,
    topics: RefCell<HashMap<Wanted, Rc<Topic>>>,
    /// Names given so far.
    names: Cell<u32>,
    broker_pid: Option<u32>,
    mongod_pid: Option<u32>,
}

impl Context {
    /// Connects to the servers that the environment names.
    pub fn new(sizes: Sizes, data: Option<PathBuf>) -> Result<Self> {
        let server = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set; use `stack run --`"));
        let (brokers, uri) = (server(stack::KAFKA_BROKERS)?, server(stack::MONGODB_URI)?);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let folder = tempfile::Builder::new().prefix("rushes-bench-").tempdir()?;
        end_at_signal(&runtime, folder.path().to_owned())?;
        let client = runtime.block_on(Client::with_uri_str(&uri))?;
        let status =
            runtime.block_on(async { client.database("admin").run_command(doc! { "serverStatus": 1 }).await })?;
        let here = |host: &str| host.starts_with("127.0.0.1") || host.starts_with("localhost");
        let mongod_pid = status.get_i64("pid").ok().and_then(|pid| u32::try_from(pid).ok());
        let port = brokers.rsplit(':').next().and_then(|port| port.parse().ok());
        Ok(Self {
            mongod_pid: mongod_pid.filter(|_| uri.split("//").nth(1).is_some_and(here)),
            broker_pid: port.filter(|_| here(&brokers)).and_then(usage::listener),
            program: std::env::current_exe()?.with_file_name("ingest"),
            brokers,
            uri,
            client,
            runtime,
            sizes,
            folder,
            data,
            topics: RefCell::default(),
            names: Cell::default(),
        })
    }

    /// A folder for files, which goes with the run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The topic that most parts read: reviews with some repeats and unusable records.
    pub fn reviews(&self) -> Result<Rc<Topic>> {
        self.topic(Wanted { rows: self.sizes.rows, partitions: 6, reviews: Reviews::Users })
    }

    /// A topic with reviews; filled when it is asked for the first time.
    pub fn topic(&self, wanted: Wanted) -> Result<Rc<Topic>> {
        if let Some(topic) = self.topics.borrow().get(&wanted) {
            return Ok(Rc::clone(topic));
        }
        let topic = Rc::new(self.fill(wanted)?);
        self.topics.borrow_mut().insert(wanted, Rc::clone(&topic));
        Ok(topic)
    }

    /// A topic of its own without records.
    pub fn empty_topic(&self, name: &str, partitions: i32) -> Result<Topic> {
        let name = self.unique(name);
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &self.brokers).create()?;
        let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
        let made = self.runtime.block_on(admin.create_topics([&topic], &AdminOptions::new()))?;
        for result in made {
            result.map_err(|(name, code)| anyhow::anyhow!("topic {name} cannot be created: {code}"))?;
        }
        Ok(Topic { name, records: 0 })
    }

    fn fill(&self, wanted: Wanted) -> Result<Topic> {
        let name = self.unique("reviews");
        if let Some(data) = self.data.as_ref().filter(|_| wanted.reviews == Reviews::Users) {
            return self.produce(&name, wanted.partitions, data);
        }
        let dir = tempfile::tempdir_in(self.folder())?;
        self.generate(dir.path(), wanted, 6)?;
        self.produce(&name, wanted.partitions, dir.path())
    }

    /// Writes reviews into a folder.
    pub fn generate(&self, dir: &Path, wanted: Wanted, files: u64) -> Result<u64> {
        let options = GenerateOptions { files, ..GenerateOptions::new(dir.to_owned(), wanted.rows, 7) };
        let clean = wanted.reviews == Reviews::Clean;
        let options = if clean { GenerateOptions { duplicates: 0, bad: 0, ..options } } else { options };
        Ok(sample::generate(&options)?.bytes)
    }

    fn produce(&self, topic: &str, partitions: u32, data: &Path) -> Result<Topic> {
        let mut command = self.produce_command(topic, partitions, data);
        let output = command
            .output()
            .with_context(|| format!("cannot run {}; `make build` builds it", self.program.display()))?;
        ensure!(output.status.success(), "ingest produce: {}", String::from_utf8_lossy(&output.stderr));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let number = |name: &str| report[name].as_u64().with_context(|| format!("ingest produce printed no {name}"));
        Ok(Topic { name: topic.to_owned(), records: number("records")? })
    }

    /// `ingest produce` of a file or folder into a topic.
    pub fn produce_command(&self, topic: &str, partitions: u32, data: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["produce", "--json", "--topic", topic, "--partitions", &partitions.to_string()]).arg(data);
        command.env(stack::KAFKA_BROKERS, &self.brokers);
        command
    }

    /// A name that no database, topic or group has yet.
    pub fn unique(&self, name: &str) -> String {
        self.names.set(self.names.get() + 1);
        format!("bench-{}-{}-{name}", std::process::id(), self.names.get())
    }

    /// An empty database; [`clear`](Self::clear) removes it.
    pub fn database(&self, name: &str) -> Database {
        self.client.database(&self.unique(name))
    }

    /// Removes a database, and lets mongod write what it has put off, so that the next part does not pay for it.
    pub fn clear(&self, database: &Database) -> Result<()> {
        self.runtime.block_on(async {
            database.drop().await?;
            self.client.database("admin").run_command(doc! { "fsync": 1 }).await
        })?;
        Ok(())
    }

    /// Processor seconds of broker and mongod so far; `None` of one that is on another machine.
    pub fn servers_cpu_s(&self) -> [Option<f64>; 2] {
        [self.broker_pid, self.mongod_pid].map(|pid| pid.and_then(Usage::of).map(|usage| usage.cpu_s))
    }
}

/// At Ctrl-C and TERM nothing is dropped, so what has to go is removed here.
fn end_at_signal(runtime: &Runtime, folder: PathBuf) -> Result<()> {
    let _inside = runtime.enter();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    runtime.spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        process::kill_all();
        let _ = std::fs::remove_dir_all(folder);
        std::process::exit(130);
    });
    Ok(())
}
