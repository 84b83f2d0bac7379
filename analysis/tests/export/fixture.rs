//! Tables with everything that makes files go wrong, and what is read back of them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::SystemTime,
};

use analysis::{load::Store, show::json_rows};
use bson::{Bson, Document, doc};
use model::layout::{CatalogEntry, ColumnRole, ColumnType};
use serde_json::Value;

use crate::support::{self, TestDatabase, day};

/// Names with commas, quotes, line breaks, signs that begin formulas, emoji and Korean.
pub const FILMS: [&str; 9] = [
    "기생충, \"2019\"",
    "Up (2009)",
    "two\nlines\r\nand a third",
    "=1+1",
    "@home; it's <b>&amp;</b>",
    "🎬 emoji 👩‍👩‍👧",
    " spaces at both ends ",
    "tab\tinside",
    "",
];

const COLUMNS: [(&str, ColumnType, ColumnRole, Option<&str>); 11] = [
    ("window_start", ColumnType::Date, ColumnRole::WindowStart, None),
    ("window_end", ColumnType::Date, ColumnRole::WindowEnd, None),
    ("film", ColumnType::String, ColumnRole::Key, None),
    ("reviews", ColumnType::Int, ColumnRole::Count, None),
    ("rated", ColumnType::Int, ColumnRole::Count, Some("rating")),
    ("rating_sum", ColumnType::Int, ColumnRole::Sum, Some("rating")),
    ("rating_mean", ColumnType::Float, ColumnRole::Mean, Some("rating")),
    ("weight_min", ColumnType::Float, ColumnRole::Min, Some("weight")),
    ("is_final", ColumnType::Bool, ColumnRole::IsFinal, None),
    ("revision", ColumnType::Int, ColumnRole::Revision, None),
    ("updated_at", ColumnType::Timestamp, ColumnRole::UpdatedAt, None),
];

/// The catalog's entry of a table of these columns.
pub fn entry(name: &str, revision: i64) -> CatalogEntry {
    support::entry(name, "day", revision, &COLUMNS)
}

/// A row of the day `start` (from 1970-01-01), last changed in `revision`.
pub fn row(start: i64, film: Option<&str>, reviews: i64, revision: i64) -> Document {
    let rated = reviews - reviews % 3;
    let weights = [Bson::Null, Bson::Double(-1e-7), Bson::Double(1e21), Bson::Double(0.1)];
    doc! {
        "_id": { "w": day(start), "k": [film] },
        "window_start": day(start),
        "window_end": day(start + 1),
        "film": film,
        "reviews": reviews,
        "rated": rated,
        "rating_sum": rated * 7 + start % 5,
        "rating_mean": (rated > 0).then(|| 7.0 + (start % 5) as f64 / rated as f64),
        "weight_min": weights[usize::try_from(start.rem_euclid(4)).expect("0 to 3")].clone(),
        "is_final": start < 0,
        "revision": revision,
        "updated_at": bson::DateTime::from_millis(-86_400_000 + 777 * start),
    }
}

/// Days before and after 1970 with every film, one of them without a name.
pub fn films(revision: i64) -> Vec<Document> {
    let days = [-36_524, -366, -1, 0, 1, 17_895, 18_262];
    let films = FILMS.iter().map(|&film| Some(film)).chain([None]);
    let films: Vec<Option<&str>> = films.collect();
    let all = days.iter().flat_map(|&day| films.iter().enumerate().map(move |(place, &film)| (day, place, film)));
    all.map(|(day, place, film)| row(day, film, 1 + day.rem_euclid(11) + place as i64, revision)).collect()
}

/// A database with a full and an empty table, a store on it, and a folder.
pub fn published() -> (TestDatabase, Store, tempfile::TempDir) {
    let database = TestDatabase::new();
    database.publish(&entry("films_by_day", 3), &films(3));
    database.publish(&entry("nothing_by_day", 1), &[]);
    let store = Store::connect(support::uri(), database.name()).expect("a store");
    (database, store, tempfile::tempdir().expect("a folder"))
}

/// Files below `folder`, without the exporter's own.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && name != ".rushes" {
            names.extend(self::names(&entry.path()).iter().map(|below| format!("{name}/{below}")));
        } else if name != ".rushes" {
            names.push(name);
        }
    }
    names.sort();
    names
}

/// Which file each name is, and when it was last written.
#[cfg(unix)]
pub fn identities(folder: &Path) -> BTreeMap<String, (u64, SystemTime)> {
    use std::os::unix::fs::MetadataExt;
    let identity = |name: String| {
        let file = fs::metadata(folder.join(&name)).expect("a file");
        (name, (file.ino(), file.modified().expect("a time")))
    };
    names(folder).into_iter().map(identity).collect()
}

/// Rows of a table as the store has them.
pub fn stored(store: &Store, table: &str) -> Value {
    serde_json::to_value(json_rows(&store.rollup(table).collect().expect("rows"))).expect("JSON")
}

/// Every row that was read is the row of the store, in the same order.
pub fn assert_as_stored(read: &Value, store: &Store, table: &str) {
    let stored = stored(store, table);
    let (read, stored) = (read.as_array().expect("rows"), stored.as_array().expect("rows"));
    assert_eq!(read.len(), stored.len(), "{table}");
    for (read, stored) in read.iter().zip(stored) {
        assert_eq!(read, stored, "{table}");
    }
}

/// The folder with the Python packages that read what Tableau reads; fetched once.
pub fn python_packages() -> &'static Path {
    static PACKAGES: OnceLock<PathBuf> = OnceLock::new();
    PACKAGES.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/tableau-python.sh");
        let output = Command::new("sh").arg(&script).output().expect("sh runs");
        assert!(output.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8(output.stdout).expect("UTF-8").trim())
    })
}

/// What Hyper, polars and Tableau's reader of `.tds` find in `folder`, by table; they must agree.
pub fn read_back(folder: &Path) -> BTreeMap<String, Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tableau/read_back.py");
    let scratch = tempfile::tempdir().expect("a folder");
    let mut python = Command::new("python3");
    python.arg(script).arg(folder).env("PYTHONPATH", python_packages()).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = python.current_dir(scratch.path()).output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The program with this database.
pub fn command(database: &TestDatabase, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_analysis"));
    command.args(arguments).env("MONGODB_URI", support::uri()).env("RUSHES_DATABASE", database.name());
    command.env_remove("RUST_LOG").env_remove("RUSHES_SCHEMA");
    command
}
