//! The tables of the target `sql` in a plain SQLite, as the oracle of its answers.

use rusqlite::{Connection, types::Value};

/// The frames of the target, written out by hand.
const TABLES: &str = r#"
CREATE TABLE films (film TEXT, year INTEGER, rating REAL, good BOOLEAN);
INSERT INTO films VALUES
    ('Up', 2009, 8.5, 1),
    ('기생충 ''x" 🎬', 9223372036854775807, -1e300, 0),
    ('2020-05-31', -9223372036854775808, 0.1, 1),
    ('', 0, 9e999, 0),
    (NULL, NULL, NULL, NULL);
CREATE TABLE days (film TEXT, day DATE_TEXT, at TIMESTAMP_TEXT);
INSERT INTO days VALUES
    ('Up', '2020-05-31', '2020-05-31 18:00:00.250'),
    ('Her', '1969-12-31', '1969-12-31 23:59:59'),
    ('Up', '9999-12-31', '9999-12-31 23:59:59.999'),
    (NULL, NULL, NULL);
"#;

/// Steps of SQLite's machine that an answer may take.
const MOST_STEPS: i32 = 5_000_000;

/// The rows of an answer; none if SQLite has none, or takes long.
pub fn rows(query: &str) -> Option<Vec<Vec<Value>>> {
    let mut connection = Connection::open_in_memory().expect("a database in memory");
    connection.execute_batch(TABLES).expect("the tables are well-formed");
    connection.progress_handler(MOST_STEPS, Some(|| true)).expect("a handler of an open database");
    let mut statement = connection.prepare(query).ok()?;
    let columns = statement.column_count();
    let mut rows = statement.query([]).ok()?;
    let mut all = Vec::new();
    while let Some(row) = rows.next().ok()? {
        all.push((0..columns).map(|column| row.get(column)).collect::<Result<_, _>>().ok()?);
    }
    Some(all)
}
