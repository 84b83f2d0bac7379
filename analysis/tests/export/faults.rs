//! Kills and full disks: what is in the folder belongs together, always.

use std::{
    fs,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use analysis::export::export;
use bson::Document;
use sha2::{Digest, Sha256};

use crate::fixture::{self, command, entry, names, row};
use crate::support::TestDatabase;

const KILLS: u32 = 20;

/// Enough rows that an export takes a while.
fn many(revision: i64) -> Vec<Document> {
    let film = |row: i64| fixture::FILMS[usize::try_from(row % 8).expect("0 to 7")];
    // Every seventh row changes with each revision, so that every export differs.
    let changed = |n: i64| if n % 7 == 0 { revision } else { 1 };
    let row = |n: i64| row(n / 8 - 800, Some(film(n)), n % 50 + changed(n), changed(n));
    (0..16_000).map(row).collect()
}

fn publish(database: &TestDatabase, revision: i64) {
    database.publish(&entry("films_by_day", revision), &many(revision));
    database.publish(&entry("few_by_day", revision), &fixture::films(revision));
}

/// Whether the files are those of `manifest.json` in `manifest`, byte by byte.
fn belongs_together(folder: &Path, manifest: &Path) -> bool {
    let manifest = fs::read(manifest.join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("a whole manifest");
    let tables = manifest["tables"].as_object().expect("tables");
    let mut files = tables.values().flat_map(|table| table["files"].as_object().expect("files"));
    files.all(|(name, file)| {
        let sum = Sha256::digest(fs::read(folder.join(name)).unwrap_or_default());
        let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        file["sha256"] == sum.as_str()
    })
}

fn read_files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    names(folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).expect("a file"))).collect()
}

#[test]
fn killed_at_any_point_it_leaves_a_set_that_belongs_together() {
    let (database, store, folder) = fixture::published();
    publish(&database, 1);
    let path = folder.path().to_string_lossy().into_owned();
    let start = || {
        let mut export = command(&database, &["export", &path]);
        export.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
    };
    let began = Instant::now();
    assert!(start().wait().expect("it ends").success());
    let whole = began.elapsed();
    for kill in 0..KILLS {
        let revision = 2 + i64::from(kill);
        publish(&database, revision);
        let before = read_files(folder.path());
        let mut child = start();
        std::thread::sleep(scattered(kill, whole));
        // It may have ended by itself, as a point too.
        child.kill().expect("killed");
        child.wait().expect("it ends");
        if read_files(folder.path()) != before && !belongs_together(folder.path(), folder.path()) {
            // Files were being put in place: the set that they are of is complete, and is put in place before anything else.
            assert!(folder.path().join(".rushes/next/manifest.json").exists(), "kill {kill}");
        }
        export(&store, folder.path(), &[]).expect("exported");
        assert!(belongs_together(folder.path(), folder.path()), "kill {kill}");
        let anew = tempfile::tempdir().expect("a folder");
        export(&store, anew.path(), &[]).expect("exported");
        assert!(read_files(folder.path()) == read_files(anew.path()), "kill {kill}: not as an export anew");
        assert!(!folder.path().join(".rushes/next").exists());
    }
}

/// Moments all over a time a little longer than `whole`, in no order.
fn scattered(number: u32, whole: Duration) -> Duration {
    whole.mul_f64(f64::from(number * 7 % KILLS) / f64::from(KILLS) * 1.1)
}

/// A shell that lets no file grow beyond 8 KiB, which a program sees as it sees a full disk.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_last_export_and_says_what_to_do() {
    let (database, store, folder) = fixture::published();
    export(&store, folder.path(), &[]).expect("exported");
    publish(&database, 4);
    let before = read_files(folder.path());
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let program = command(&database, &[]);
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", script]).arg(program.get_program()).arg("export").arg(folder.path());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let output = shell.output().expect("bash runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("free some space or export to another folder"), "{error}");
    assert!(read_files(folder.path()) == before, "the last export changed");
    assert!(!folder.path().join(".rushes/next").exists());
}
