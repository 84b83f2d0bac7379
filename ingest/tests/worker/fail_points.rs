//! A worker that dies at each step of a commit and of a round loses nothing and counts nothing twice (invariants I1, I2, I4, I6).

use crate::support::Pipeline;
use bson::doc;
use ingest::fail_point::{FailPoint, VARIABLE};
use ingest::store::Counts;
use nix::sys::signal::Signal;
use std::fmt::Write;
use std::os::unix::process::ExitStatusExt;

/// A fixed member name, so that the group does not wait for the session of the killed one to run out; small batches, so that a
/// worker dies in the middle of its work.
const OPTIONS: [&str; 6] = [
    "--until-end",
    "--set",
    "batch_records=400",
    "--set",
    "publish_interval_ms=1",
    "--set=kafka.group.instance.id=one",
];
const EVENTS: i64 = 1_500;
const REPEATS: i64 = 100;
const UNUSABLE: i64 = 20;

/// Reviews of 30 films in 40 months, more rows than one command takes; some twice, some unusable.
fn reviews(point: FailPoint) -> String {
    let mut lines = String::new();
    let ids = (0..EVENTS).chain(0..REPEATS);
    for id in ids {
        let (film, year, month, rating) = (id % 30, 1968 + id / 30 % 40 / 12, id / 30 % 12 + 1, id % 10 + 1);
        let id = format!("{point:?}-{id}");
        writeln!(lines, r#"{{"review_id": "{id}", "movie": "F{film}", "rating": "{rating}", "review_date": "{year}-{month:02}-03"}}"#)
            .unwrap();
    }
    for bad in 0..UNUSABLE {
        writeln!(lines, r#"{{"movie": "without an id, {bad}", "review_date": "2020-01-01"}}"#).unwrap();
    }
    lines
}

#[test]
fn a_worker_that_dies_at_any_step_loses_nothing() {
    let pipeline = Pipeline::new("steps");
    for (before, point) in (0_i64..).zip(FailPoint::ALL) {
        pipeline.produce(&pipeline.write(&format!("{point:?}.jsonl"), &reviews(point)));
        let arguments: Vec<&str> = std::iter::once("run").chain(OPTIONS).collect();
        let ended = pipeline.command(&arguments).env(VARIABLE, point.name()).output().unwrap().status;
        assert_eq!(ended.signal(), Some(Signal::SIGKILL as i32), "{point:?} was not reached: {ended}");
        pipeline.assert_moment(&format!("after {point:?}"));
        // As it is half a minute later, when the lease of the dead one has run out.
        let run_out = doc! { "$set": { "lease.until": bson::DateTime::from_millis(0) } };
        let held = doc! { "lease.until": { "$exists": true } };
        pipeline.command_of_server(
            doc! { "update": "rollup_tables", "updates": [{ "q": held, "u": run_out, "multi": true }] },
        );
        pipeline.drain(&OPTIONS[1..]);
        let times = before + 1;
        let right = Counts {
            read: (EVENTS + REPEATS + UNUSABLE) * times,
            stored: EVENTS * times,
            duplicate: REPEATS * times,
            dead: UNUSABLE * times,
            ..Counts::default()
        };
        assert_eq!(pipeline.stored_counts(), right, "after {point:?}");
        assert_eq!(pipeline.count("rollup_states", doc! {}), 0, "after {point:?}");
        pipeline.assert_audit();
    }
}
