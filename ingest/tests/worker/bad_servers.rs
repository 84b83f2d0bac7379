//! A MongoDB that answers, but does not take what it is given: a full disk, members that do not follow.

use crate::servers::{Background, FailPoint, Servers, assert_exact, produce, servers, start, wait_until_stored};
use crate::support::{Pipeline, Worker, wait_until};
use bson::{Document, doc};
use mongodb::Client;
use mongodb::options::{Acknowledgment, WriteConcern};
use nix::sys::signal::Signal;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const NO_MAJORITY: &str = "too few members of its replica set";
const DISK_FULL: &str = "its disk is full";

fn timed_out() -> Document {
    doc! { "code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out" }
}

#[test]
fn a_write_concern_that_times_out_ends_no_round_and_loses_no_batch() {
    const TABLE: &str = "reviews_by_month";
    let servers = servers();
    let pipeline = Pipeline::on("unacknowledged-answer", &servers.set.uri());
    produce(&pipeline, 0..50);
    assert_eq!(pipeline.drain(&[]).stored, 50);
    let published = || {
        let catalog = pipeline.documents("rollup_catalog", doc! { "_id": TABLE }).remove(0);
        catalog.get_i64("published_revision").unwrap()
    };
    // What a command wrote is there; only the majority's word for it is missing. A worker that has just started inserts its rows first.
    let rows = doc! { "namespace": format!("{}.{TABLE}", pipeline.name), "writeConcernError": timed_out() };
    let failing = FailPoint::of_commands(&servers, &pipeline, &["insert"], rows);
    let before = published();
    produce(&pipeline, 50..1_050);
    let worker = Background::start(&pipeline);
    wait_until_stored(&pipeline, 1_050);
    wait_until("the rows are told to wait", || worker.says(NO_MAJORITY));
    assert!(worker.is_running());
    assert_eq!(published(), before, "a round whose rows no majority has is not over");
    drop(failing);
    wait_until("the rows are written", || published() > before && !worker.says(NO_MAJORITY));

    let commits = doc! { "writeConcernError": timed_out() };
    let failing = FailPoint::of_commands(&servers, &pipeline, &["commitTransaction"], commits);
    produce(&pipeline, 1_050..2_050);
    wait_until_stored(&pipeline, 2_050);
    assert_eq!(worker.progress("fenced"), 0);
    drop(failing);
    drop(worker);
    assert_exact(&pipeline, 2_050);
}

#[test]
fn a_commit_that_no_majority_has_is_waited_for() {
    let servers = servers();
    let pipeline = Pipeline::on("unacknowledged", &servers.set.uri());
    produce(&pipeline, 0..1_000);
    let worker = Background::start(&pipeline);
    wait_until_stored(&pipeline, 1_000);
    let stalled = FailPoint::set(&servers, "stopReplProducer", false, doc! {});
    produce(&pipeline, 1_000..2_500);
    wait_until("it says what it waits for", || worker.says(&format!("waiting for MongoDB: {NO_MAJORITY}")));
    wait_until("it has tried several times", || worker.progress("retries").as_i64() >= Some(8));
    assert_eq!(worker.progress("fenced"), 0, "the positions are its own");
    assert_eq!(pipeline_majority(&servers, &pipeline), 1_000, "nothing of it is certain yet");
    let told = worker.log().matches(&format!("waiting for MongoDB: {NO_MAJORITY}")).count();
    drop(stalled);
    wait_until_stored(&pipeline, 2_500);
    assert!((1..=4).contains(&told), "told {told} times");
    drop(worker);
    assert_exact(&pipeline, 2_500);
}

#[test]
fn an_assignment_waits_for_a_position_that_no_majority_has() {
    let servers = servers();
    let pipeline = Pipeline::on("unacknowledged-position", &servers.set.uri());
    produce(&pipeline, 0..1_000);
    let worker = Background::start(&pipeline);
    wait_until_stored(&pipeline, 1_000);
    let stalled = FailPoint::set(&servers, "stopReplProducer", false, doc! {});
    // As by an owner whose last commit reached the primary alone.
    let move_on_primary = |by: i64| {
        servers.runtime.block_on(async {
            let client = Client::with_uri_str(servers.set.uri()).await.unwrap();
            let offsets = client.database(&pipeline.name).collection::<Document>("offsets");
            let primary_alone = WriteConcern::builder().w(Acknowledgment::Nodes(1)).build();
            let moved = doc! { "$inc": { "next": by, "counts.read": by, "counts.duplicate": by } };
            offsets.update_many(doc! {}, moved).write_concern(primary_alone).await.unwrap();
        });
    };
    move_on_primary(5);
    produce(&pipeline, 1_000..1_100);
    wait_until("the position is seen elsewhere", || worker.progress("fenced").as_i64() >= Some(1));
    wait_until("it says what it waits for", || worker.says(&format!("waiting for MongoDB: {NO_MAJORITY}")));
    let (fenced, retries) = (worker.progress("fenced"), worker.progress("retries").as_i64());
    wait_until("it goes on waiting", || worker.progress("retries").as_i64() >= retries.map(|retries| retries + 20));
    assert_eq!(worker.progress("fenced"), fenced, "it does not begin where it would be dropped again");
    move_on_primary(-5);
    drop(stalled);
    wait_until_stored(&pipeline, 1_100);
    drop(worker);
    assert_exact(&pipeline, 1_100);
}

#[test]
fn a_start_without_a_majority_says_so_and_can_be_ended() {
    let servers = servers();
    let pipeline = Pipeline::on("unacknowledged-start", &servers.set.uri());
    produce(&pipeline, 0..100);
    let stalled = FailPoint::set(&servers, "stopReplProducer", false, doc! {});
    let (worker, log) = pipeline.worker_with_log(&[]);
    wait_until("it says what it waits for", || log.says(NO_MAJORITY) > 0);
    worker.signal(Signal::SIGTERM);
    assert_eq!(worker.finish().read, 0, "it is no failure to be ended");
    drop(stalled);
    assert_eq!(pipeline.drain(&[]).stored, 100);
    assert_exact(&pipeline, 100);
}

#[test]
fn a_signal_is_heard_while_mongodb_takes_nothing_and_everything_is_full() {
    let servers = servers();
    let pipeline = Pipeline::on("signal-outage", &servers.set.uri());
    produce(&pipeline, 0..1_000);
    let quick = ["--set", "commit_timeout_s=2", "--set", "drain_timeout_s=5", "--set", "batch_records=200"];
    let (mut worker, log) = pipeline.worker_with_log(&quick);
    wait_until_stored(&pipeline, 1_000);
    let stalled = FailPoint::set(&servers, "stopReplProducer", false, doc! {});
    produce(&pipeline, 1_000..40_000);
    wait_until("nothing more is taken", || log.says("fetching is paused") > 0);
    worker.signal(Signal::SIGTERM);
    wait_until("it ends", || !worker.is_running());
    worker.finish();
    drop(stalled);
    pipeline.drain(&[]);
    assert_exact(&pipeline, 40_000);
}

#[test]
fn an_assignment_that_mongodb_does_not_answer_in_time_is_asked_for_again() {
    let servers = servers();
    let pipeline = Pipeline::on("assignment-outage", &servers.set.uri());
    produce(&pipeline, 0..100);
    let settings =
        ["max_poll_interval_s=8", "drain_timeout_s=3", "commit_timeout_s=1", "kafka.session.timeout.ms=6000"];
    let settings: Vec<&str> = settings.into_iter().flat_map(|setting| ["--set", setting]).collect();
    let (mut worker, log) = pipeline.worker_with_log(&settings);
    wait_until_stored(&pipeline, 100);
    let move_position = |by: i64| {
        pipeline.update("offsets", doc! {}, doc! { "$inc": { "next": by, "counts.read": by, "counts.duplicate": by } });
    };
    let shutting_down = doc! { "namespace": format!("{}.offsets", pipeline.name), "errorCode": 91 };
    let failing = FailPoint::of_commands(&servers, &pipeline, &["find"], shutting_down);
    // As by another worker, so that this one joins the group again.
    move_position(5);
    produce(&pipeline, 100..200);
    wait_until("it has joined again and again", || log.says("the stored positions could not be read in time") >= 2);
    assert!(worker.is_running());
    move_position(-5);
    drop(failing);
    wait_until_stored(&pipeline, 200);
    worker.signal(Signal::SIGTERM);
    worker.finish();
    assert_exact(&pipeline, 200);
}

/// Events that a majority of the members has.
fn pipeline_majority(servers: &Servers, pipeline: &Pipeline) -> u64 {
    servers.runtime.block_on(async {
        let client = Client::with_uri_str(servers.set.uri()).await.unwrap();
        let events = client.database(&pipeline.name).collection::<Document>("events");
        events.count_documents(doc! {}).read_concern(mongodb::options::ReadConcern::majority()).await.unwrap()
    })
}

#[test]
fn a_full_disk_that_the_server_tells_of_is_waited_for() {
    let servers = servers();
    let pipeline = Pipeline::on("disk-full-answer", &servers.set.uri());
    produce(&pipeline, 0..50);
    let worker = Background::start(&pipeline);
    wait_until_stored(&pipeline, 50);
    let full = doc! { "errorCode": 14031 };
    let failing = FailPoint::of_commands(&servers, &pipeline, &["insert", "update", "commitTransaction"], full);
    produce(&pipeline, 50..1_050);
    wait_until("it says what it waits for", || worker.says(&format!("waiting for MongoDB: {DISK_FULL}")));
    wait_until("it has tried several times", || worker.progress("retries").as_i64() >= Some(10));
    assert!(worker.is_running());
    let told = worker.log().matches(DISK_FULL).count();
    // Once for the batches, and once for each table whose rows wait.
    assert!((1..=6).contains(&told), "told {told} times: {}", worker.log());
    drop(failing);
    wait_until_stored(&pipeline, 1_050);
    wait_until("nothing is waited for", || !worker.says(DISK_FULL));
    drop(worker);
    assert_exact(&pipeline, 1_050);
}

/// A small filesystem of its own.
struct SmallDisk {
    path: PathBuf,
    _folder: TempDir,
}

impl SmallDisk {
    /// `None` where this user may not mount one.
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self { path, _folder: folder })
    }

    /// Takes all the room that is left, but so many bytes.
    fn fill(&self, leave: usize) -> PathBuf {
        let path = self.path.join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        let chunk = vec![0; 1 << 20];
        while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(u64::try_from(leave).unwrap())).unwrap();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Its server may take a moment to end.
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).output();
    }
}

#[test]
fn a_disk_that_is_full_loses_nothing() {
    let Some(disk) = SmallDisk::mount(400) else {
        eprintln!("this user cannot mount a small disk: only the answer of a full one is tested");
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut set = start::<1>(&runtime, &disk.path, &[]);
    let pipeline = Pipeline::on("disk-full", &format!("{}&serverSelectionTimeoutMS=2000", set.uri()));
    produce(&pipeline, 0..100);
    let mut worker: Worker = pipeline.worker(&[]);
    pipeline.wait_until_read(100);
    let filler = disk.fill(2 << 20);
    produce(&pipeline, 100..60_100);
    let server_ended = || set.servers().all(|server| !server.is_running());
    wait_until("mongod finds no room", server_ended);
    assert!(worker.is_running(), "the worker waits");
    std::fs::remove_file(filler).unwrap();
    runtime.block_on(set.restart(0)).unwrap();
    pipeline.wait_until_read(60_100);
    worker.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(worker.succeeded());
    assert_exact(&pipeline, 60_100);
    drop(pipeline);
    runtime.block_on(set.stop()).unwrap();
}
