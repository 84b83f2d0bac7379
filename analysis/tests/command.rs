//! The command as scripts use it: output, files, exit codes.

mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use bson::{Document, doc};
use model::layout::{ColumnRole, ColumnType};
use support::{TestDatabase, day, entry, movies_by_day, ratings_by_month};

fn published() -> TestDatabase {
    let database = TestDatabase::new();
    for (entry, rows) in [movies_by_day(400), ratings_by_month()] {
        database.publish(&entry, &rows);
    }
    database
}

fn command(database: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_analysis"));
    command.args(arguments).env("MONGODB_URI", support::uri()).env("RUSHES_DATABASE", database).env_remove("RUST_LOG");
    command
}

fn run(database: &TestDatabase, arguments: &[&str]) -> Output {
    command(database.name(), arguments).output().expect("the command runs")
}

fn stdout(database: &TestDatabase, arguments: &[&str]) -> String {
    let output = run(database, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && error.is_empty(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn failure(database: &TestDatabase, arguments: &[&str], code: i32) -> String {
    let output = run(database, arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn tables_are_listed_for_people_and_for_scripts() {
    let database = published();
    assert_eq!(
        stdout(&database, &["tables"]),
        "\
table             window  keys   rows  revision
────────────────  ──────  ─────  ────  ────────
movies_by_day     day     movie   800         3
ratings_by_month  month             2         3
2 rows
"
    );
    let json: serde_json::Value = serde_json::from_str(&stdout(&database, &["tables", "--json"])).expect("JSON");
    assert_eq!(json[1]["name"], "ratings_by_month");
    assert_eq!(
        json[1]["columns"][2],
        serde_json::json!({"name": "rating_1", "type": "int", "role": "histogram", "measure": "rating"})
    );
}

#[test]
fn rows_are_shown_as_a_table_or_as_json() {
    let database = published();
    let table = stdout(
        &database,
        &[
            "show",
            "movies_by_day",
            "--where",
            "movie = Up (2009)",
            "--to",
            "2019",
            "--columns",
            "window_start,movie,reviews,rating_mean",
        ],
    );
    assert_eq!(
        table,
        "\
window_start  movie      reviews  rating_mean
────────────  ─────────  ───────  ───────────
2018-12-30    Up (2009)        2            –
2018-12-31    Up (2009)        4            8
2 rows
"
    );
    let top = stdout(&database, &["show", "ratings_by_month", "--top", "1", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&top).expect("JSON");
    assert_eq!(
        json,
        serde_json::json!([{"window_start": "2019-02-01", "reviews": 15, "rating_1": 4, "rating_2": 5, "rating_3": 6}])
    );
}

#[test]
fn sql_is_asked_of_rollups_and_files() {
    let database = published();
    let folder = tempfile::tempdir().expect("a folder");
    let films = folder.path().join("films.csv");
    fs::write(&films, "movie,minutes\nUp (2009),96\n").expect("written");
    let films = format!("films={}", films.display());
    let query = "SELECT minutes, count(*) AS days FROM movies_by_day JOIN films USING (movie) GROUP BY minutes";
    let json: serde_json::Value =
        serde_json::from_str(&stdout(&database, &["sql", query, "--file", &films, "--json"])).expect("JSON");
    assert_eq!(json, serde_json::json!([{"minutes": 96, "days": 400}]));
    let nowhere = "mongodb://127.0.0.1:1";
    let table = stdout(&database, &["sql", "SELECT minutes FROM films", "--file", &films, "--mongodb-uri", nowhere]);
    assert_eq!(table, "minutes\n───────\n     96\n1 row\n", "MongoDB is not needed for a file");
    let error = failure(&database, &["sql", "SELECT minuts FROM films", "--file", &films], 1);
    assert_eq!(error, "error: no such column: minuts, at: minuts FROM films\n");
    failure(&database, &["sql", "SELECT 1", "--file", "films.csv"], 2);
}

#[test]
fn rows_of_windows_that_overlap_are_not_added_up() {
    let database = TestDatabase::new();
    let (mut entry, rows) = movies_by_day(10);
    entry.window = "48h every 24h".to_owned();
    database.publish(&entry, &rows);
    let folder = tempfile::tempdir().expect("a folder");
    let picture = folder.path().join("a.svg").to_string_lossy().into_owned();
    for more in [["--every", "month"], ["--x", "movie"]] {
        let arguments = [&["chart", "movies_by_day", "--kind", "bar", "-o", &picture], &more[..]].concat();
        let said = failure(&database, &arguments, 1);
        assert!(said.contains("overlap (48h every 24h)"), "{said}");
    }
    stdout(&database, &["chart", "movies_by_day", "-o", &picture]);
}

#[test]
fn the_first_rows_of_windows_are_not_added_up() {
    let database = TestDatabase::new();
    let (mut table, mut rows) = movies_by_day(10);
    table.columns.extend(entry("", "day", 0, &[("rank", ColumnType::Int, ColumnRole::Rank, None)]).columns);
    rows.iter_mut().for_each(|row| drop(row.insert("rank", 1_i64)));
    database.publish(&table, &rows);
    let folder = tempfile::tempdir().expect("a folder");
    let picture = folder.path().join("a.svg").to_string_lossy().into_owned();
    let said = failure(&database, &["chart", "movies_by_day", "--kind", "bar", "--x", "movie", "-o", &picture], 1);
    assert!(said.contains("movies_by_day has only the first rows of each day"), "{said}");
    stdout(&database, &["chart", "movies_by_day", "--by", "movie", "-o", &picture]);
}

#[test]
fn what_a_chart_would_leave_out_is_refused() {
    let database = published();
    let cases: [(&[&str], &str); 6] = [
        (&["movies_by_day", "--kind", "box", "--every", "year"], "leave out --every"),
        (&["movies_by_day", "--kind", "box", "--by", "movie"], "draw one for each value with --facet"),
        (&["movies_by_day", "--color", "movie"], "--color shades a heat map"),
        (&["movies_by_day", "--kind", "heat-map", "--y", "movie", "--by", "movie"], "a heat-map chart has no lines"),
        (&["movies_by_day", "--kind", "histogram", "--x", "reviews", "--y", "rating_mean"], "leave out --x or --y"),
        (&["ratings_by_month", "--kind", "box", "--y", "rating_1..rating_3"], "a box chart is of one column"),
    ];
    for (arguments, reason) in cases {
        let error = failure(&database, &[&["chart"], arguments, &["-o", "x.svg"]].concat(), 1);
        assert!(error.starts_with("error: ") && error.contains(reason) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn one_call_draws_svg_and_png() {
    let database = published();
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (svg, png) = (path("a.svg"), path("a.png"));
    let out = stdout(
        &database,
        &["chart", "movies_by_day", "--every", "month", "-o", &svg, "-o", &png, "--width", "500", "--height", "300"],
    );
    assert_eq!(out, format!("{svg}\n{png}\n"));
    let svg = fs::read_to_string(svg).expect("a file");
    assert!(svg.contains("width=\"500\" height=\"300\"") && svg.contains("<title>Movies by month. reviews. "), "{svg}");
    assert!(fs::read(png).expect("a file").starts_with(b"\x89PNG"));
}

#[test]
fn charts_need_no_preparation_of_rows() {
    let database = published();
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("chart.svg").to_string_lossy().into_owned();
    let cases: [(&[&str], &str); 13] = [
        (&["movies_by_day", "--kind", "histogram", "--x", "rating_mean"], "rows by rating mean"),
        (&["movies_by_day", "--kind", "area", "--every", "month"], "reviews"),
        (&["movies_by_day", "--kind", "stacked-area", "--by", "movie", "--every", "month"], "reviews by movie"),
        (&["movies_by_day", "--kind", "histogram", "--y", "reviews"], "rows by reviews"),
        (&["movies_by_day", "--kind", "box", "--x", "movie", "--dark"], "reviews by movie"),
        (&["movies_by_day", "--kind", "pie", "--x", "movie"], "reviews by movie"),
        (&["movies_by_day", "--facet", "movie", "--every", "month", "--log"], "reviews by movie"),
        (&["movies_by_day", "--y", "rating_mean"], "rating mean"),
        (&["movies_by_day", "--by", "movie", "--y", "rating_mean", "--every", "year"], "rating mean by movie"),
        (&["movies_by_day", "--kind", "bar", "--x", "movie", "--top", "1"], "1,998"),
        (&["ratings_by_month", "--kind", "stacked-bar", "--y", "rating_1..rating_3"], "reviews by rating"),
        (
            &["ratings_by_month", "--kind", "heat-map", "--y", "rating_1..rating_3", "--every", "year"],
            "reviews by rating",
        ),
        (&["movies_by_day", "--kind", "heat-map", "--y", "movie", "--every", "quarter"], "reviews by movie"),
    ];
    for (arguments, text) in cases {
        let arguments = [&["chart"], arguments, &["-o", &out]].concat();
        stdout(&database, &arguments);
        let svg = fs::read_to_string(&out).expect("a file");
        assert!(svg.contains(text), "{arguments:?}: {svg}");
    }
}

#[test]
fn the_largest_of_a_key_of_numbers_are_kept() {
    let database = TestDatabase::new();
    let columns = [
        ("window_start", ColumnType::Date, ColumnRole::WindowStart, None),
        ("sensor", ColumnType::Int, ColumnRole::Key, None),
        ("readings", ColumnType::Int, ColumnRole::Count, None),
    ];
    let row = |sensor: i64, start: i64| {
        doc! {
            "_id": { "window_start": day(start), "sensor": sensor },
            "window_start": day(start), "sensor": sensor, "readings": sensor,
        }
    };
    let rows: Vec<Document> = (101..=140).flat_map(|sensor| [row(sensor, 17_897), row(sensor, 17_928)]).collect();
    database.publish(&entry("readings_by_month", "month", 3, &columns), &rows);
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("chart.svg").to_string_lossy().into_owned();
    for arguments in [
        &["--by", "sensor"] as &[&str],
        &["--facet", "sensor"],
        &["--kind", "stacked-bar", "--by", "sensor"],
        &["--kind", "heat-map", "--y", "sensor"],
    ] {
        stdout(&database, &[&["chart", "readings_by_month"], arguments, &["--top", "3", "-o", &out]].concat());
        let svg = fs::read_to_string(&out).expect("a file");
        let shown = |sensor: i64| svg.contains(&format!(">\n{sensor}\n<"));
        assert!([138, 139, 140].into_iter().all(shown) && !(101..138).any(shown), "{arguments:?}: {svg}");
    }
    let measure = ["chart", "readings_by_month", "--kind", "scatter", "--x", "readings", "--top", "3", "-o", &out];
    assert!(failure(&database, &measure, 1).contains("--top needs a key"));
}

#[test]
fn names_are_ranked_by_their_values() {
    let database = published();
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("chart.svg").to_string_lossy().into_owned();
    for arguments in
        [&["--kind", "bar", "--x", "movie"] as &[&str], &["--kind", "heat-map", "--y", "movie", "--every", "year"]]
    {
        stdout(&database, &[&["chart", "movies_by_day"], arguments, &["-o", &out]].concat());
        let svg = fs::read_to_string(&out).expect("a file");
        let height = |name: &str| -> u32 {
            let before = svg.split(name).next().and_then(|before| before.rsplit(" y=\"").next()).expect(name);
            before.split('"').next().and_then(|y| y.parse().ok()).expect("a number")
        };
        assert!(height("기생충") < height("Up (2009)"), "{svg}");
    }
}

#[test]
fn a_chart_says_what_its_axes_do_not() {
    let database = published();
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("chart.svg").to_string_lossy().into_owned();
    let cases: [(&[&str], &str); 3] = [
        (&["--where", "movie = Up (2009)", "--from", "2019"], "<title>Movies by day: movie = Up (2009). reviews"),
        (&["--kind", "bar", "--x", "movie", "--to", "2019-02"], "<title>Movies: before 2019-02-01. reviews"),
        (&["--title", "Films", "--subtitle", "a day"], "<title>Films. a day"),
    ];
    for (arguments, title) in cases {
        stdout(&database, &[&["chart", "movies_by_day"], arguments, &["-o", &out]].concat());
        let svg = fs::read_to_string(&out).expect("a file");
        assert!(svg.contains(title), "{arguments:?}: {svg}");
    }
}

#[test]
fn a_watched_chart_is_drawn_again_when_rows_change() {
    let database = published();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("live.svg");
    let out = path.to_string_lossy().into_owned();
    let mut child = command(
        database.name(),
        &["chart", "ratings_by_month", "--kind", "bar", "--y", "reviews", "--watch", "1", "-o", &out],
    )
    .stdout(Stdio::null())
    .stderr(Stdio::null())
    .spawn()
    .expect("the command runs");
    let shows = |text: &str| {
        let found = || fs::read_to_string(&path).is_ok_and(|svg| svg.contains(text));
        (0..300).any(|_| {
            found() || {
                thread::sleep(Duration::from_millis(100));
                false
            }
        })
    };
    let drawn = shows("15");
    let (_, mut rows) = ratings_by_month();
    rows[1].insert("reviews", 4_321_i64);
    database.republish("ratings_by_month", 4, &rows[1..]);
    let again = shows("4,321");
    child.kill().and_then(|()| child.wait()).expect("it ends");
    assert!(drawn && again, "first {drawn}, again {again}");
}

#[test]
fn a_watched_chart_waits_for_its_first_rows() {
    let database = TestDatabase::new();
    let (table, rows) = ratings_by_month();
    database.publish(&table, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("live.svg");
    let out = path.to_string_lossy().into_owned();
    let watch = ["chart", "ratings_by_month", "--kind", "bar", "--y", "reviews", "--watch", "1", "-o", &out];
    let mut child = command(database.name(), &watch)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().expect("its messages"));
    stderr.read_line(&mut said).expect("a line");
    let rows: Vec<Document> = rows
        .into_iter()
        .map(|mut row| {
            row.insert("reviews", 4_321_i64);
            row
        })
        .collect();
    database.republish("ratings_by_month", 4, &rows);
    let drawn = || fs::read_to_string(&path).is_ok_and(|svg| svg.contains("4,321"));
    let found = (0..300).any(|_| {
        drawn() || {
            thread::sleep(Duration::from_millis(100));
            false
        }
    });
    child.kill().and_then(|()| child.wait()).expect("it ends");
    assert!(said.contains("no rows") && said.ends_with("; waiting for rows\n"), "{said}");
    assert!(found);
}

#[test]
fn the_database_comes_from_the_configuration_of_ingest() {
    let database = published();
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("topic = \"readings\"\nmongodb_uri = {:?}\ndatabase = {:?}\n", support::uri(), database.name());
    fs::write(folder.path().join("rushes.toml"), &text).expect("written");
    fs::write(folder.path().join("other.toml"), text.replace(database.name(), "rushes_is_not_there")).expect("written");
    let told = |arguments: &[&str]| {
        let mut command = command("", arguments);
        let output = command.env_remove("MONGODB_URI").current_dir(folder.path()).output().expect("the command runs");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
        (output.status.code(), said)
    };
    let named = |said: &str| said.contains("movies_by_day");
    let (code, said) = told(&["tables"]);
    assert!(code == Some(0) && named(&said), "{said}");
    let (code, said) = told(&["tables", "--config", "other.toml"]);
    assert!(code == Some(0) && said.contains("\"rushes_is_not_there\" has no rollups"), "{said}");
    let (code, said) = told(&["tables", "--config", "other.toml", "--database", database.name()]);
    assert!(code == Some(0) && named(&said), "{said}");
    let (code, said) = told(&["tables", "--config", "none.toml"]);
    assert!(code == Some(2) && said.starts_with("error: none.toml cannot be read"), "{said}");
}

#[test]
fn failures_are_one_line_with_a_remedy() {
    let database = published();
    let cases: [(&[&str], &str); 6] = [
        (&["show", "films"], "no table \"films\""),
        (
            &["show", "movies_by_day", "--where", "reviews = many"],
            "movies_by_day.reviews holds integers; \"many\" is none",
        ),
        (&["chart", "movies_by_day", "--y", "film", "-o", "x.svg"], "no column \"film\"; it has"),
        (&["chart", "movies_by_day", "--from", "2040", "-o", "x.svg"], "widen --from, --to"),
        (&["chart", "movies_by_day", "-o", "x.gif"], "x.gif is neither .svg nor .png"),
        (&["chart", "movies_by_day", "--kind", "heat-map", "-o", "x.svg"], "a heat map needs --y"),
    ];
    for (arguments, reason) in cases {
        let error = failure(&database, arguments, 1);
        assert!(error.starts_with("error: ") && error.contains(reason) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn no_secret_of_the_address_is_shown() {
    let there = support::uri().trim_start_matches("mongodb://").to_owned();
    for address in [
        "mongodb://me:hu@sh/hush@127.0.0.1:1/".to_owned(),
        "mongodb://me:hush".to_owned(),
        "mongodb://me:hush@127.0.0.1:1/?serverSelectionTimeoutMS=100".to_owned(),
        "me:hush@127.0.0.1".to_owned(),
        format!("mongodb://me:hush@{there}"),
    ] {
        for arguments in [&["tables"] as &[&str], &["show", "movies_by_day"], &["--help"]] {
            let output = command("rushes", arguments).env("MONGODB_URI", &address).env("RUST_LOG", "trace").output();
            let output = output.expect("the command runs");
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(!said.contains("hush") && !said.contains("hu@") && !said.contains("sh/"), "{said}");
            assert!(output.status.success() || said.starts_with("error: "), "{said}");
        }
    }
}

#[test]
fn wrong_use_is_told_apart_from_failure() {
    let database = published();
    for arguments in [
        &["chart", "movies_by_day"] as &[&str],
        &["chart", "movies_by_day", "--kind", "cake", "-o", "x.svg"],
        &["chart", "movies_by_day", "--watch", "0", "-o", "x.svg"],
        &["show", "movies_by_day", "--from", "soon"],
        &["show", "movies_by_day", "--where", "movie"],
        &["draw"],
    ] {
        failure(&database, arguments, 2);
    }
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let database = published();
    let mut child = command(database.name(), &["show", "movies_by_day", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
