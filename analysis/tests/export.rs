//! Exports from a real mongod: right, incremental, and whole or not at all.

mod support;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use analysis::{export::export, load::Store};
use support::{TestDatabase, movies_by_day, ratings_by_month};

fn published() -> (TestDatabase, Store, tempfile::TempDir) {
    let database = TestDatabase::new();
    for (entry, rows) in [movies_by_day(400), ratings_by_month()] {
        database.publish(&entry, &rows);
    }
    let store = Store::connect(support::uri(), database.name()).expect("a store");
    (database, store, tempfile::tempdir().expect("a folder"))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn writes_every_table_and_a_manifest() {
    let (_database, store, folder) = published();
    let files = export(&store, folder.path(), &[]).expect("exported");
    let lines: Vec<String> =
        files.iter().map(|file| format!("{} {} {}", file.table, file.rows, file.written)).collect();
    assert_eq!(lines, ["movies_by_day 800 true", "ratings_by_month 2 true"]);
    assert_eq!(names(folder.path()), ["manifest.json", "movies_by_day.csv", "ratings_by_month.csv"]);
    let ratings = fs::read_to_string(folder.path().join("ratings_by_month.csv")).expect("a file");
    assert_eq!(
        ratings,
        "window_start,reviews,rating_1,rating_2,rating_3\r\n2019-01-01,6,1,2,3\r\n2019-02-01,15,4,5,6\r\n"
    );
    let movies = fs::read_to_string(folder.path().join("movies_by_day.csv")).expect("a file");
    let second = movies.lines().nth(2).expect("a second row");
    assert_eq!(second, "2018-12-30,\"기생충, \"\"2019\"\"\",3,2,16,8,false,2020-09-13T12:26:40.123Z");
}

#[test]
fn a_table_that_did_not_move_is_not_written_again() {
    let (database, store, folder) = published();
    export(&store, folder.path(), &[]).expect("exported");
    // A mark that a rewrite would lose, of the same length.
    let path = folder.path().join("ratings_by_month.csv");
    let marked = fs::read_to_string(&path).expect("a file").replace("window_start", "WINDOW_START");
    fs::write(&path, &marked).expect("marked");

    let written = |store: &Store| -> Vec<bool> {
        export(store, folder.path(), &[]).expect("exported").iter().map(|file| file.written).collect()
    };
    assert_eq!(written(&store), [false, false]);
    assert_eq!(fs::read_to_string(&path).expect("a file"), marked);

    let (mut entry, rows) = ratings_by_month();
    entry.published_revision += 1;
    database.publish(&entry, &rows);
    assert_eq!(written(&store), [false, true]);
    assert!(fs::read_to_string(&path).expect("a file").starts_with("window_start"));

    fs::remove_file(&path).expect("removed");
    assert_eq!(written(&store), [false, true]);
}

#[test]
fn named_tables_only_and_unknown_ones_are_refused() {
    let (_database, store, folder) = published();
    export(&store, folder.path(), &["ratings_by_month".to_owned()]).expect("exported");
    assert_eq!(names(folder.path()), ["manifest.json", "ratings_by_month.csv"]);
    let error = export(&store, folder.path(), &["films".to_owned()]).expect_err("no such table").to_string();
    assert!(error.contains("no table \"films\""), "{error}");
}

#[test]
fn equal_data_gives_equal_bytes() {
    let (_database, store, folder) = published();
    let bytes = |name: &str| {
        let folder = folder.path().join(name);
        export(&store, &folder, &[]).expect("exported");
        fs::read(folder.join("movies_by_day.csv")).expect("a file")
    };
    assert_eq!(bytes("a"), bytes("b"));
}

/// A shell that lets no file grow beyond 8 KiB, which a program sees as it sees a full disk.
#[cfg(unix)]
fn export_onto_a_full_disk(database: &str, folder: &Path) -> Output {
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_analysis"), "export"]).arg(folder);
    command.args(["--mongodb-uri", support::uri(), "--database", database]).output().expect("bash runs")
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_file_and_says_what_to_do() {
    let (database, _store, folder) = published();
    let path = folder.path().join("movies_by_day.csv");
    fs::write(&path, "old").expect("written");
    let output = export_onto_a_full_disk(database.name(), folder.path());
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("movies_by_day.csv; free some space or export to another folder"), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("a file"), "old");
    assert_eq!(names(folder.path()), ["movies_by_day.csv"]);
}
