//! Which rows and columns are exported, and what is said where that cannot be.

use std::{fs, path::Path};

use analysis::{
    export::{Export, Format},
    load::Store,
};

use crate::fixture::{self, command, names};

fn csv(folder: &Path) -> String {
    fs::read_to_string(folder.join("films_by_day.csv")).expect("a file")
}

fn films(store: &Store, folder: &Path) -> Export {
    Export::new(store, folder)
        .tables(["films_by_day"])
        .columns(["window_start", "reviews", "is_final"])
        .formats([Format::Csv])
}

#[test]
fn rows_are_chosen_by_window_finality_and_size() {
    let (_database, store, folder) = fixture::published();
    let rows = |export: Export| {
        export.run().expect("exported");
        csv(folder.path()).lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let films = || films(&store, folder.path());
    let in_range = rows(films().from("1969").to("1970-01-02"));
    assert_eq!(in_range.len(), 20);
    assert!(in_range.iter().all(|row| row.starts_with("1969-12-31") || row.starts_with("1970-01-01")), "{in_range:?}");
    let last = rows(films().final_only());
    assert!(last.len() == 30 && last.iter().all(|row| row.ends_with(",true")), "{last:?}");
    let top = rows(films().top(3, Some("reviews".to_owned())));
    let counts: Vec<&str> = top.iter().filter_map(|row| row.split(',').nth(1)).collect();
    assert_eq!(counts, ["20", "19", "19"]);
}

#[test]
fn other_settings_write_the_table_again() {
    let (_database, store, folder) = fixture::published();
    let written = |export: Export| export.run().expect("exported").iter().any(|table| table.written);
    assert!(written(films(&store, folder.path())));
    assert!(!written(films(&store, folder.path())));
    assert!(written(films(&store, folder.path()).with(Format::Tds)));
    assert_eq!(names(folder.path()), ["films_by_day.csv", "films_by_day.tds", "manifest.json"]);
    assert!(written(films(&store, folder.path())));
    assert_eq!(names(folder.path()), ["films_by_day.csv", "manifest.json"]);
}

#[test]
fn instants_are_written_in_the_zone() {
    let (_database, store, folder) = fixture::published();
    let export = films(&store, folder.path()).columns(["window_start", "updated_at"]).zone("Asia/Seoul");
    export.run().expect("exported");
    assert!(csv(folder.path()).contains("\r\n1970-01-01,1969-12-31T09:00:00+09:00\r\n"), "{}", csv(folder.path()));
}

#[test]
fn charts_are_drawn_beside_the_files() {
    let (_database, store, folder) = fixture::published();
    Export::new(&store, folder.path()).with(Format::Charts).run().expect("exported");
    let svg = fs::read_to_string(folder.path().join("films_by_day.svg")).expect("a file");
    assert!(svg.contains("Films: most reviews"), "{svg}");
    assert!(fs::read(folder.path().join("films_by_day.png")).expect("a file").starts_with(b"\x89PNG"));
    assert!(!folder.path().join("nothing_by_day.svg").exists());
}

#[test]
fn what_cannot_be_is_told_with_what_can() {
    let (_database, store, folder) = fixture::published();
    let export = || Export::new(&store, folder.path());
    for (export, words) in [
        (export().tables(["films"]), "no table \"films\""),
        (export().columns(["filn"]), "no exported table has a column \"filn\""),
        (export().rename("film", "reviews"), "two columns \"reviews\""),
        (export().zone("Mars"), "\"Mars\" is not a time zone"),
        (export().tables(["films_by_day"]).columns(["film"]).by_year(), "no window_start among its columns"),
        (export().from("soon"), "\"soon\" is not a date"),
        (export().top(3, Some("filn".to_owned())), "\"filn\""),
    ] {
        let error = export.run().expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!(names(folder.path()), Vec::<String>::new(), "{words}");
    }
}

#[test]
fn the_command_says_what_it_wrote_and_when_there_was_nothing_to_write() {
    let (database, _store, folder) = fixture::published();
    let path = folder.path().to_string_lossy();
    let say = |arguments: &[&str]| {
        let output = command(&database, &[&["export", &path], arguments].concat()).output().expect("the program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let first = say(&["--partition-by", "year", "films_by_day"]);
    assert_eq!(first, format!("{path}/films_by_day: 70 rows, written\n"));
    let all = ["--from", "1969-12-31", "--rename", "film=Film", "--final-only", "films_by_day"];
    assert_eq!(say(&all), format!("{path}/films_by_day.csv: 10 rows, written\n"));
    let again = say(&all);
    assert!(again.ends_with("10 rows, up to date\nnothing has changed, nothing was written\n"), "{again}");
    let json: serde_json::Value = serde_json::from_str(&say(&["--json", "--charts"])).expect("JSON");
    assert_eq!((&json[0]["table"], &json[0]["rows"]), (&"films_by_day".into(), &70.into()));
    assert_eq!(json[0]["files"].as_array().map(Vec::len), Some(6));
}
