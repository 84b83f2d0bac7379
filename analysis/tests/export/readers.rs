//! Every file is read back by those it is made for.

use std::fs;

use analysis::export::{Export, Format, Reader};

use crate::fixture::{self, assert_as_stored, command, python_packages, read_back, stored};

#[test]
fn hyper_and_polars_read_what_the_store_has() {
    let (_database, store, folder) = fixture::published();
    Export::new(&store, folder.path()).run().expect("exported");
    let read = read_back(folder.path());
    assert_eq!(read.keys().collect::<Vec<_>>(), ["films_by_day", "nothing_by_day"]);
    assert_as_stored(&read["films_by_day"], &store, "films_by_day");
    assert_eq!(read["nothing_by_day"], serde_json::json!([]));
}

#[test]
fn years_are_read_as_one_table() {
    let (_database, store, folder) = fixture::published();
    Export::new(&store, folder.path()).tables(["films_by_day"]).by_year().run().expect("exported");
    let years = fixture::names(folder.path());
    assert!(years.contains(&"films_by_day/1870.parquet".to_owned()), "{years:?}");
    assert!(years.contains(&"films_by_day/1969.csv".to_owned()), "{years:?}");
    assert_as_stored(&read_back(folder.path())["films_by_day"], &store, "films_by_day");
}

#[test]
fn chosen_and_renamed_columns_are_declared_as_they_are_written() {
    let (_database, store, folder) = fixture::published();
    let export = Export::new(&store, folder.path()).tables(["films_by_day"]);
    let export =
        export.columns(["film", "rating_sum", "rated", "window_start"]).rename("film", "Film's [name], & <more>");
    export.run().expect("exported");
    let read = &read_back(folder.path())["films_by_day"];
    let stored = stored(&store, "films_by_day");
    for (read, stored) in read.as_array().expect("rows").iter().zip(stored.as_array().expect("rows")) {
        assert_eq!(read["Film's [name], & <more>"], stored["film"]);
        assert_eq!((&read["rating_sum"], &read["window_start"]), (&stored["rating_sum"], &stored["window_start"]));
        assert_eq!(read.as_object().map(serde_json::Map::len), Some(4));
    }
}

#[test]
fn an_extract_has_the_same_rows() {
    let (database, store, folder) = fixture::published();
    let path = folder.path().to_string_lossy();
    let mut export = command(&database, &["export", &path, "--hyper"]);
    let output = export.env("PYTHONPATH", python_packages()).output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(fixture::names(folder.path()).contains(&"films_by_day.hyper".to_owned()));
    assert_as_stored(&read_back(folder.path())["films_by_day"], &store, "films_by_day");
}

#[test]
fn without_the_package_for_extracts_it_is_said_how_to_get_it() {
    let (database, _store, folder) = fixture::published();
    let path = folder.path().to_string_lossy();
    let mut export = command(&database, &["export", &path, "--hyper"]);
    // A Python that finds nothing but its own library.
    export.env_remove("PYTHONPATH").env("PYTHONNOUSERSITE", "1").env("RUSHES_PYTHON", "/nowhere/python3");
    let output = export.output().expect("the program runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("/nowhere/python3 cannot be run") && error.contains("tableauhyperapi"), "{error}");
    assert_eq!(fixture::names(folder.path()), Vec::<String>::new());
}

#[test]
fn for_excel_no_text_is_a_formula() {
    let (_database, store, folder) = fixture::published();
    let export = Export::new(&store, folder.path()).tables(["films_by_day"]).formats([Format::Csv]);
    export.reader(Reader::Excel).columns(["film", "updated_at"]).run().expect("exported");
    let text = fs::read_to_string(folder.path().join("films_by_day.csv")).expect("a file");
    assert!(text.starts_with("\u{feff}film,updated_at\r\n"), "{text}");
    assert!(text.contains("\n'=1+1,1969-12-30 ") && text.contains("\n\"'@home; it's <b>&amp;</b>\","), "{text}");
    assert!(text.contains("\n,1969-12-30 23:59:59.223\r\n"), "{text}");
}
