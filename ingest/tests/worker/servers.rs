//! Servers of the tests' own, whose commands can be made to fail, and a worker in the background that meets that.
//!
//! What cannot be made to happen is asked of mongod's fail points, for the workers of one pipeline alone.

use crate::support::{PATIENCE, Pipeline, wait_until};
use bson::{Bson, Document, doc};
use mongodb::Client;
use stack::process::free_ports;
use stack::{MemberPorts, ReplicaSet, fetch};
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use tempfile::TempDir;

const CACHE_MB: u32 = 256;

/// A replica set that stays until the test program ends.
pub struct Servers {
    pub set: ReplicaSet,
    pub runtime: tokio::runtime::Runtime,
    _folder: TempDir,
}

/// Three members with fail points, for one test at a time.
pub fn servers() -> MutexGuard<'static, Servers> {
    static SERVERS: OnceLock<Mutex<Servers>> = OnceLock::new();
    let servers = SERVERS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let set = start::<3>(&runtime, folder.path(), &["--setParameter", "enableTestCommands=1"]);
        Mutex::new(Servers { set, runtime, _folder: folder })
    });
    // A test that failed has reset its fail points.
    servers.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn start<const MEMBERS: usize>(runtime: &tokio::runtime::Runtime, folder: &Path, arguments: &[&str]) -> ReplicaSet {
    let ports = free_ports::<MEMBERS>().unwrap().map(|port| MemberPorts { listen: port, advertised: port });
    runtime.block_on(async {
        let program = fetch::mongod().await.unwrap();
        ReplicaSet::start_with(&program, folder, &ports, CACHE_MB, arguments).await.unwrap()
    })
}

/// A fail point that is off again when dropped.
pub struct FailPoint<'s> {
    runtime: &'s tokio::runtime::Runtime,
    members: Vec<Client>,
    name: &'static str,
    /// How often it had been met before, since the servers run.
    before: i64,
}

impl<'s> FailPoint<'s> {
    /// Sets it on the members that are primary, or on those that are not.
    pub fn set(servers: &'s Servers, name: &'static str, primary: bool, data: Document) -> Self {
        Self::configure(servers, name, "alwaysOn".into(), primary, data)
    }

    fn configure(servers: &'s Servers, name: &'static str, mode: Bson, primary: bool, data: Document) -> Self {
        let mut before = 0;
        let members = servers.runtime.block_on(async {
            let place = servers.set.primary().await.expect("a primary was elected");
            let uri = servers.set.uri();
            let hosts = uri.trim_start_matches("mongodb://").split('/').next().unwrap_or_default().split(',');
            let chosen = hosts.enumerate().filter(|(at, _)| (*at == place) == primary);
            let mut members = Vec::new();
            for (_, host) in chosen {
                let member = Client::with_uri_str(format!("mongodb://{host}/?directConnection=true")).await.unwrap();
                let command = doc! { "configureFailPoint": name, "mode": mode.clone(), "data": data.clone() };
                let answer = member.database("admin").run_command(command).await.unwrap();
                before += count(&answer);
                members.push(member);
            }
            members
        });
        Self { runtime: &servers.runtime, members, name, before }
    }

    /// Lets commands of a pipeline's workers fail.
    pub fn of_commands(servers: &'s Servers, pipeline: &Pipeline, commands: &[&str], failure: Document) -> Self {
        Self::configure(servers, "failCommand", "alwaysOn".into(), true, of_workers(pipeline, commands, failure))
    }

    /// Lets the next commands of a pipeline's workers fail, so many of them.
    pub fn of_next_commands(
        servers: &'s Servers,
        pipeline: &Pipeline,
        commands: &[&str],
        times: i32,
        failure: Document,
    ) -> Self {
        let mode = doc! { "times": times }.into();
        Self::configure(servers, "failCommand", mode, true, of_workers(pipeline, commands, failure))
    }

    /// How often it was met.
    pub fn met(&self) -> i64 {
        let off = doc! { "configureFailPoint": self.name, "mode": "off" };
        let answers = self.members.iter().map(|member| {
            self.runtime.block_on(member.database("admin").run_command(off.clone()).into_future()).unwrap()
        });
        answers.map(|answer| count(&answer)).sum::<i64>() - self.before
    }

    /// Waits until it was met so often.
    pub fn wait_until_met(&self, times: i64) {
        let patience = i64::try_from(PATIENCE.as_millis()).unwrap();
        let command =
            doc! { "waitForFailPoint": self.name, "timesEntered": self.before + times, "maxTimeMS": patience };
        for member in &self.members {
            self.runtime.block_on(member.database("admin").run_command(command.clone()).into_future()).unwrap();
        }
    }
}

fn of_workers(pipeline: &Pipeline, commands: &[&str], failure: Document) -> Document {
    let mut data = doc! { "failCommands": commands, "appName": application(pipeline) };
    data.extend(failure);
    data
}

/// What the workers of a pipeline call themselves to the server.
pub fn application(pipeline: &Pipeline) -> String {
    let name = &pipeline.name;
    format!("rushes-ingest {name}/{name}/{name}")
}

/// How often a fail point was met since the server runs.
fn count(answer: &Document) -> i64 {
    let count = answer.get("count").expect("mongod tells how often a fail point was met");
    count.as_i64().or(count.as_i32().map(i64::from)).expect("a count is a whole number")
}

impl Drop for FailPoint<'_> {
    fn drop(&mut self) {
        for member in &self.members {
            let off = doc! { "configureFailPoint": self.name, "mode": "off" };
            // A member that is gone has no fail point.
            let _ = self.runtime.block_on(member.database("admin").run_command(off).into_future());
        }
    }
}

/// A worker in the background, ended with the test.
pub struct Background<'p>(&'p Pipeline);

impl<'p> Background<'p> {
    pub fn start(pipeline: &'p Pipeline) -> Self {
        let fast = ["--set", "commit_timeout_s=2", "--set", "batch_records=200"];
        pipeline.succeed(&[&["start"], &fast[..]].concat());
        Self(pipeline)
    }

    pub fn says(&self, words: &str) -> bool {
        String::from_utf8(self.0.output(&["status"]).stdout).unwrap().contains(words)
    }

    pub fn is_running(&self) -> bool {
        self.says("running: process")
    }

    pub fn log(&self) -> String {
        self.0.succeed(&["logs", "--lines", "10000"])
    }

    pub fn progress(&self, name: &str) -> serde_json::Value {
        let status = self.0.output(&["status", "--json"]).stdout;
        serde_json::from_slice::<serde_json::Value>(&status).unwrap()["progress"][name].clone()
    }
}

impl Drop for Background<'_> {
    fn drop(&mut self) {
        let _ = self.0.output(&["stop"]);
    }
}

/// Produces reviews with these numbers; their texts are noise, which no storage engine makes small.
pub fn produce(pipeline: &Pipeline, numbers: Range<u64>) {
    let mut seed = numbers.start;
    let mut noise = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{seed:016x}")
    };
    let lines = numbers.map(|n| {
        let (detail, day) = ((0..60).map(|_| noise()).collect::<String>(), n % 28 + 1);
        format!(
            "{{\"review_id\": \"r{n}\", \"movie\": \"M{} (2009)\", \"rating\": {}, \"review_date\": \"{day} May 2009\", \
             \"review_detail\": \"{detail}\"}}\n",
            n % 50,
            n % 10 + 1
        )
    });
    pipeline.produce(&pipeline.write("reviews.jsonl", &lines.collect::<String>()));
}

/// Everything arrived exactly once.
pub fn assert_exact(pipeline: &Pipeline, reviews: i64) {
    let counts = pipeline.stored_counts();
    assert!(counts.add_up() && counts.stored == reviews, "{counts:?}");
    assert_eq!(i64::try_from(pipeline.count("events", doc! {})).unwrap(), reviews);
    pipeline.assert_audit();
}

pub fn wait_until_stored(pipeline: &Pipeline, reviews: i64) {
    wait_until("everything is stored", || pipeline.stored_counts().stored == reviews);
}
