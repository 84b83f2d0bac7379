//! What did not change is not touched; what changed is as if all of it had been read anew.

use std::{collections::BTreeMap, fs, path::Path};

use analysis::{
    export::{Export, ExportError, export},
    load::Store,
};
use bson::Document;

use crate::{
    fixture::{self, assert_as_stored, entry, films, identities, names, read_back, row},
    support::{self, TestDatabase},
};

fn written(store: &Store, folder: &Path) -> Vec<(String, Vec<String>)> {
    let tables = export(store, folder, &[]).expect("exported");
    let file = |path: &std::path::PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    tables
        .into_iter()
        .filter(|table| table.written)
        .map(|table| (table.table, table.files.iter().map(file).collect()))
        .collect()
}

/// The rows with some changed, some new, all of these of revision 4.
fn changed() -> Vec<Document> {
    let mut rows = films(3);
    rows[3] = row(-36_524, Some(fixture::FILMS[3]), 999, 4);
    rows.push(row(-2, Some("new"), 5, 4));
    rows.push(row(18_262, Some("zzz"), 6, 4));
    rows.push(row(30_000, None, 7, 4));
    rows
}

#[test]
fn every_table_has_its_files() {
    let (_database, store, folder) = fixture::published();
    let tables = export(&store, folder.path(), &[]).expect("exported");
    let lines: Vec<String> =
        tables.iter().map(|table| format!("{} {} {}", table.table, table.rows, table.written)).collect();
    assert_eq!(lines, ["films_by_day 70 true", "nothing_by_day 0 true"]);
    let per_table =
        |table: &str| ["csv", "parquet", "schema.json", "tds"].map(|extension| format!("{table}.{extension}"));
    let mut expected = [per_table("films_by_day"), per_table("nothing_by_day")].concat();
    expected.push("manifest.json".to_owned());
    expected.sort();
    assert_eq!(names(folder.path()), expected);
    let empty = fs::read_to_string(folder.path().join("nothing_by_day.csv")).expect("a file");
    assert!(empty.starts_with("window_start,window_end,film,") && empty.lines().count() == 1, "{empty}");
}

#[test]
fn nothing_new_writes_nothing() {
    let (_database, store, folder) = fixture::published();
    export(&store, folder.path(), &[]).expect("exported");
    let before = identities(folder.path());
    let of_folder = fs::metadata(folder.path()).and_then(|folder| folder.modified()).expect("a time");
    assert_eq!(written(&store, folder.path()), []);
    assert_eq!(identities(folder.path()), before);
    assert_eq!(fs::metadata(folder.path()).and_then(|folder| folder.modified()).expect("a time"), of_folder);
}

#[test]
fn a_refresh_is_as_if_everything_had_been_read_anew() {
    let (database, store, folder) = fixture::published();
    export(&store, folder.path(), &[]).expect("exported");
    database.publish(&entry("films_by_day", 4), &changed());
    let before = identities(folder.path());
    let rows = ["films_by_day.csv".to_owned(), "films_by_day.parquet".to_owned()];
    assert_eq!(written(&store, folder.path()), [("films_by_day".to_owned(), rows.to_vec())]);
    let after = identities(folder.path());
    for (name, identity) in &before {
        let changes = rows.contains(name) || name == "manifest.json";
        assert_eq!(*identity != after[name], changes, "{name}");
    }
    assert_as_stored(&read_back(folder.path())["films_by_day"], &store, "films_by_day");
    let anew = tempfile::tempdir().expect("a folder");
    export(&store, anew.path(), &[]).expect("exported");
    for name in rows {
        assert_eq!(fs::read(folder.path().join(&name)).ok(), fs::read(anew.path().join(&name)).ok(), "{name}");
    }
}

#[test]
fn rows_that_were_removed_go() {
    let (database, store, folder) = fixture::published();
    export(&store, folder.path(), &[]).expect("exported");
    let mut rows = films(3);
    rows.truncate(20);
    rows.push(row(5, Some("new"), 3, 4));
    database.publish(&entry("films_by_day", 4), &rows);
    assert_eq!(written(&store, folder.path()).len(), 1);
    assert_as_stored(&read_back(folder.path())["films_by_day"], &store, "films_by_day");
}

#[test]
fn of_a_table_by_year_only_the_touched_years_are_written() {
    let (database, store, folder) = fixture::published();
    let exporter = Export::new(&store, folder.path()).tables(["films_by_day"]).by_year();
    exporter.run().expect("exported");
    let before = identities(folder.path());
    let mut rows = films(3);
    rows[3] = row(-36_524, Some(fixture::FILMS[3]), 999, 4);
    rows.push(row(1_000, Some("new"), 5, 4));
    database.publish(&entry("films_by_day", 4), &rows);
    exporter.run().expect("exported");
    let after = identities(folder.path());
    let touched: Vec<&String> =
        after.iter().filter(|(name, identity)| before.get(*name) != Some(identity)).map(|(name, _)| name).collect();
    let expected = ["1870.csv", "1870.parquet", "1972.csv", "1972.parquet"].map(|file| format!("films_by_day/{file}"));
    let others = ["films_by_day.tds", "manifest.json"].map(str::to_owned);
    assert_eq!(touched, others[..1].iter().chain(&expected).chain(&others[1..]).collect::<Vec<_>>());
    assert_as_stored(&read_back(folder.path())["films_by_day"], &store, "films_by_day");
}

#[test]
fn another_store_of_the_same_name_and_revision_is_not_taken_for_this_one() {
    let (database, store, folder) = fixture::published();
    export(&store, folder.path(), &[]).expect("exported");
    drop_and_fill_again(&database);
    assert_eq!(written(&store, folder.path()).len(), 1);
    assert_as_stored(&read_back(folder.path())["films_by_day"], &store, "films_by_day");
    // A table that the new store does not have is gone with its files.
    assert!(!names(folder.path()).iter().any(|name| name.starts_with("nothing_by_day")));
}

fn drop_and_fill_again(database: &TestDatabase) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let dropped = async {
        let client = mongodb::Client::with_uri_str(support::uri()).await?;
        client.database(database.name()).drop().await
    };
    runtime.block_on(dropped).expect("dropped");
    database.publish(&entry("films_by_day", 3), &changed()[..50]);
}

#[test]
fn a_file_that_is_gone_or_cut_short_is_written_again() {
    let (_database, store, folder) = fixture::published();
    export(&store, folder.path(), &[]).expect("exported");
    let sound: BTreeMap<String, Option<Vec<u8>>> =
        names(folder.path()).into_iter().map(|name| (name.clone(), fs::read(folder.path().join(name)).ok())).collect();
    for name in
        ["films_by_day.csv", "films_by_day.parquet", "films_by_day.tds", "nothing_by_day.schema.json", "manifest.json"]
    {
        let damages: [fn(&Path) -> std::io::Result<()>; 2] =
            [|path| fs::remove_file(path), |path| fs::write(path, "x")];
        for damage in damages {
            damage(&folder.path().join(name)).expect("damaged");
            assert!(!written(&store, folder.path()).is_empty(), "{name}");
            for (name, bytes) in &sound {
                assert_eq!(fs::read(folder.path().join(name)).ok(), *bytes, "{name}");
            }
        }
    }
}

#[test]
fn files_of_others_and_tables_that_are_not_named_stay() {
    let (database, store, folder) = fixture::published();
    export(&store, folder.path(), &[]).expect("exported");
    fs::write(folder.path().join("dashboard.twb"), "mine").expect("written");
    database.publish(&entry("films_by_day", 4), &changed());
    let before = identities(folder.path());
    export(&store, folder.path(), &["films_by_day".to_owned()]).expect("exported");
    let after = identities(folder.path());
    for name in ["dashboard.twb", "nothing_by_day.csv", "nothing_by_day.tds"] {
        assert_eq!(before.get(name), after.get(name), "{name}");
    }
    assert_eq!(written(&store, folder.path()), []);
}

#[test]
fn two_exporters_do_not_spoil_a_folder() {
    let (_database, store, folder) = fixture::published();
    let mut busy = None;
    let exporter = Export::new(&store, folder.path());
    let watch = exporter.watch(std::time::Duration::ZERO, |round| {
        round.expect("exported");
        busy = Some(export(&store, folder.path(), &[]).expect_err("the folder is busy"));
        false
    });
    watch.expect("watched");
    assert!(matches!(busy, Some(ExportError::Busy { .. })), "{busy:?}");
    assert_eq!(written(&store, folder.path()), []);
}

#[test]
fn watching_exports_what_arrives() {
    let (database, store, folder) = fixture::published();
    let mut rounds = Vec::new();
    let exporter = Export::new(&store, folder.path());
    let watch = exporter.watch(std::time::Duration::from_millis(1), |round| {
        let tables = round.expect("exported");
        rounds.push(tables.iter().filter(|table| table.written).count());
        if rounds.len() == 2 {
            database.publish(&entry("films_by_day", 4), &changed());
        }
        rounds.len() < 4
    });
    watch.expect("watched");
    assert_eq!(rounds, [2, 0, 1, 0]);
    assert_as_stored(&read_back(folder.path())["films_by_day"], &store, "films_by_day");
}
