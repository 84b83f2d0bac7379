//! Output that nobody reads, or that cannot be written, is no reason to panic.

use crate::support::{Pipeline, text};
use std::fs::File;
use std::process::Stdio;

/// A pipe whose reader has gone, as that of `ingest check | true`.
fn closed() -> Stdio {
    let (_, writer) = std::io::pipe().unwrap();
    writer.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn no_command_panics_where_its_output_cannot_be_written() {
    let pipeline = Pipeline::new("output");
    let file = pipeline.reviews(200, 3);
    pipeline.produce(&file);
    pipeline.produce(&pipeline.write("bad.jsonl", "{\"review_id\": \"x\"}\n"));
    pipeline.drain(&[]);
    let id = &pipeline.documents("dead_letters", bson::doc! {})[0].get_str("_id").unwrap().to_owned();
    let file = file.to_str().unwrap();
    for command in [
        &["check"][..],
        &["check", "--json"],
        &["config"],
        &["status"],
        &["audit"],
        &["dead", "list"],
        &["dead", "show", id],
        &["dead", "show", id, "--payload"],
        &["dead", "export", "-"],
        &["dead", "replay"],
        &["rebuild", "reviews_by_month"],
        &["run", "--until-end"],
        &["produce", file],
        &["--help"],
    ] {
        let code = |stdout: Stdio, stderr: Stdio| {
            let output = pipeline.command(command).stdout(stdout).stderr(stderr).output().unwrap();
            assert!(!text(&output.stderr).contains("panicked"), "{command:?}: {}", text(&output.stderr));
            output.status.code()
        };
        let usual = code(Stdio::piped(), Stdio::piped());
        assert_eq!(code(closed(), Stdio::piped()), usual, "{command:?} | true");
        assert_eq!(code(Stdio::piped(), full()), usual, "{command:?} 2> /dev/full");
        assert_eq!(code(Stdio::piped(), closed()), usual, "{command:?} 2>&1 >/dev/null | true");
        if command != ["--help"] {
            assert_eq!(code(full(), Stdio::piped()), Some(1), "{command:?} > /dev/full");
            assert_eq!(code(full(), full()), Some(1), "{command:?} > /dev/full 2>&1");
        }
    }
}
