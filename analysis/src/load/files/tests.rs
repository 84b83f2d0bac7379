use std::{
    fs,
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use ::files::Trouble;

use model::{
    layout::ColumnType,
    schema::{IMDB_REVIEW, Schema},
};
use parquet::{
    basic::Compression,
    column::writer::ColumnWriter,
    data_type::{ByteArray, Int96},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use polars::prelude::{AnyValue, DataFrame, DataType, TimeUnit};
use tempfile::TempDir;

use super::{FileError, TableFile, read_file};

const INSTANT: DataType = DataType::Datetime(TimeUnit::Milliseconds, None);

fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("written");
    (folder, path)
}

fn frame(name: &str, content: impl AsRef<[u8]>) -> DataFrame {
    let (_folder, path) = file(name, content);
    read_file(path).expect("a frame")
}

fn error(name: &str, content: impl AsRef<[u8]>) -> String {
    let (folder, path) = file(name, content);
    let error = read_file(path).expect_err("an error").to_string();
    error.replace(folder.path().to_str().expect("UTF-8"), "")
}

/// Number and line of the record that is broken.
fn broken(name: &str, content: impl AsRef<[u8]>) -> (u64, Option<u64>) {
    let (_folder, path) = file(name, content);
    match read_file(path).expect_err("a broken record") {
        FileError::Input(::files::FileError { trouble: Trouble::Broken(record), .. }) => (record.number, record.line),
        other => panic!("{other}"),
    }
}

fn row(frame: &DataFrame, row: usize) -> Vec<AnyValue<'_>> {
    frame.get(row).expect("a row")
}

#[test]
fn csv_values_tell_their_types() {
    let text = "\u{feff}n,x,day,at,ok,text,none,code\r\n\
                1,1,2020-02-29,2020-02-29,true,\"a \"\"b\"\",\nc\",,007\r\n\
                ,0.5,,1969-12-31T23:59:59.999Z,,,,010\r\n\r\n\
                \"-3\",\"\",1969-12-31,,False,\"\",,1\r\n";
    let frame = frame("a.csv", text);
    let date = DataType::Date;
    let kinds = [
        DataType::Int64,
        DataType::Float64,
        date,
        INSTANT,
        DataType::Boolean,
        DataType::String,
        DataType::Null,
        DataType::String,
    ];
    assert_eq!((frame.height(), frame.dtypes()), (3, kinds.to_vec()));
    use AnyValue::{Boolean, Date, Datetime, Float64, Int64, Null, String};
    let instant = |millis| Datetime(millis, TimeUnit::Milliseconds, None);
    let first = [Int64(1), Float64(1.0), Date(18_321), instant(18_321 * 86_400_000)];
    assert_eq!(row(&frame, 0)[..4], first);
    assert_eq!(row(&frame, 0)[4..], [Boolean(true), String("a \"b\",\nc"), Null, String("007")]);
    assert_eq!(row(&frame, 1)[..7], [Null, Float64(0.5), Null, instant(-1), Null, Null, Null]);
    assert_eq!(row(&frame, 2)[..6], [Int64(-3), Null, Date(-1), Null, Boolean(false), String("")]);
}

#[test]
fn quotes_are_seen_wherever_a_block_of_the_file_ends() {
    // Rows of changing length, many blocks of them.
    let name = |row: usize| format!("\"x\", {}", "y".repeat(row % 97));
    let mut text = "n,name,empty\r\n".to_owned();
    for row in 0..20_000 {
        text.push_str(&format!("{row},\"{}\",\"\"\r\n", name(row).replace('"', "\"\"")));
    }
    let frame = frame("a.csv", text);
    assert_eq!(frame.height(), 20_000);
    let names = frame.column("name").expect("names").str().expect("texts");
    assert!((0..20_000).all(|row| names.get(row) == Some(name(row).as_str())));
    assert_eq!(frame.column("empty").expect("texts").null_count(), 0);
}

#[test]
fn errors_name_the_file_the_row_and_what_to_do() {
    assert!(error("a.txt", "hello").contains("--format csv"));
    assert!(error("a.csv", "").contains("begins with a line of column names"));
    assert!(error("a.csv", "a,a\n").contains("two columns \"a\""));
    assert_eq!(broken("a.csv", "a,b\r\n\"x\ny\",2\r\n1,2,3\r\n"), (2, Some(4)));
    assert_eq!(broken("a.csv", b"a\nok\n\xff\n"), (2, Some(3)));
    assert_eq!(broken("a.csv", b"a,b\n\xc3,\xa9\n"), (1, Some(2)));
    assert_eq!(broken("a.csv", "a,b\n1,\"oh\n2,3\n"), (1, Some(2)));
    assert_eq!(broken("a.json", "[{\"a\": 1}, {\"a\": }]"), (2, None));
    assert_eq!(broken("a.jsonl", "{\"a\": NaN}\n"), (1, None));
    assert!(
        error("a.jsonl", "{\"a\": 1}\n[1]\n")
            .starts_with("/a.jsonl, record 2: invalid type: sequence, expected an object")
    );
    assert!(error("a.parquet", "PAR1").starts_with("/a.parquet cannot be read as Parquet"));
    let (_folder, path) = file("a.csv", "n\n1\neight\n");
    let asked = TableFile::new(&path).column_type("n", ColumnType::Int).collect().expect_err("a text").to_string();
    assert!(asked.contains("row 2, column \"n\": \"eight\" is no int; mend the file"), "{asked}");
    let asked = TableFile::new(&path).columns(["m"]).collect().expect_err("no column").to_string();
    assert!(asked.ends_with("has no column \"m\"; it has n"), "{asked}");
    let missing = read_file(path.with_file_name("b.csv")).expect_err("no file").to_string();
    assert!(missing.contains("b.csv: there is no such file"), "{missing}");
}

#[test]
fn given_types_and_columns_go_before_the_values() {
    let (_folder, path) = file("a.csv", "code,n,day\n1,2,2020-01-01\n");
    let file = TableFile::new(&path).columns(["n", "code"]);
    let frame = file.column_type("code", ColumnType::String).column_type("n", ColumnType::Float).collect();
    let frame = frame.expect("a frame");
    assert_eq!(frame.get_column_names(), ["n", "code"]);
    assert_eq!(row(&frame, 0), [AnyValue::Float64(2.0), AnyValue::String("1")]);
}

#[test]
fn json_lines_and_an_array_are_the_same_rows() {
    let records = [
        r#"{"z": 1, "at": "2020-01-01T00:00:01Z", "src": {"offset": 5}, "tags": ["a", "b"], "mixed": 1}"#,
        r#"{"z": null, "day": "2020-01-01", "x": 1, "src": {"offset": 6}, "mixed": "one"}"#,
        r#"{"tags": [], "x": 0.5, "number": "7", "mixed": {"deep": true}}"#,
    ];
    let lines = frame("a.jsonl", records.join("\n") + "\n");
    let array = frame("a.json", format!("\u{feff} [{}]", records.join(",\n")));
    assert!(lines.equals_missing(&array));
    assert_eq!(
        lines.get_column_names(),
        ["z", "at", "src.offset", "tags", "mixed", "day", "x", "number", "mixed.deep"]
    );
    let text = DataType::String;
    let kinds = [
        DataType::Int64,
        INSTANT,
        DataType::Int64,
        DataType::List(Box::new(text.clone())),
        text.clone(),
        DataType::Date,
        DataType::Float64,
        text,
        DataType::Boolean,
    ];
    assert_eq!(lines.dtypes(), kinds);
    assert_eq!(row(&lines, 0)[4], AnyValue::String("1"));
    assert_eq!(row(&lines, 1)[0], AnyValue::Null);
    assert_eq!(row(&lines, 2)[6], AnyValue::Float64(0.5));
    assert_eq!((frame("a.json", "[]").height(), frame("b.json", "").height()), (0, 0));
}

#[test]
fn with_a_schema_records_are_read_as_by_ingest() {
    let schema = Schema::parse("imdb-review", IMDB_REVIEW).expect("the preset");
    let csv = "review_id,movie,rating,review_date,helpful\nrw1,Up (2009),8,24 July 2010,\"1,2\"\nrw2,Up (2009),Null,1 May 2011,\n";
    let (_folder, path) = file("a.csv", csv);
    let reviews = TableFile::new(&path).schema(&schema);
    let columns = ["review_id", "rating", "review_date", "helpful_total"];
    let frame = reviews.clone().columns(columns).collect().expect("reviews");
    use AnyValue::{Date, Int64, Null, String};
    assert_eq!(row(&frame, 0), [String("rw1"), Int64(8), Date(14_814), Int64(2)]);
    assert_eq!(row(&frame, 1), [String("rw2"), Null, Date(15_095), Null]);
    let unknown = reviews.columns(["stars"]).collect().expect_err("no column").to_string();
    assert!(unknown.contains("no column \"stars\"; it has review_id"), "{unknown}");

    let (_folder, path) =
        file("a.jsonl", r#"{"review_id": "rw1", "movie": "Up", "rating": "11", "review_date": "24 July 2010"}"#);
    let dead = TableFile::new(&path).schema(&schema).collect().expect_err("11 is no rating").to_string();
    assert!(dead.contains("record 1: ") && dead.contains("rating") && dead.contains("mend the record"), "{dead}");
}

#[test]
fn parquet_of_another_writer_is_read_by_its_types() {
    let schema = "message m {
        required int64 id; optional int64 at (TIMESTAMP(MICROS, true)); optional int96 old; required int32 u (INTEGER(32, false));
        optional float f; optional binary name (STRING); optional group tags (LIST) { repeated group list { optional int32 element; } }
    }";
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let (_folder, path) = file("a.parquet", "");
    let properties = Arc::new(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
    let output = fs::File::create(&path).expect("a file");
    let mut writer = SerializedFileWriter::new(output, schema, properties).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    while let Some(mut column) = group.next_column().expect("a column") {
        match column.untyped() {
            ColumnWriter::Int64ColumnWriter(writer) if writer.get_descriptor().name() == "id" => {
                writer.write_batch(&[1, 2], None, None)
            }
            ColumnWriter::Int64ColumnWriter(writer) => writer.write_batch(&[-1], Some(&[1, 0]), None),
            ColumnWriter::Int96ColumnWriter(writer) => {
                writer.write_batch(&[Int96::from(vec![1_000_000, 0, 2_440_588])], Some(&[1, 0]), None)
            }
            ColumnWriter::Int32ColumnWriter(writer) if writer.get_descriptor().name() == "u" => {
                writer.write_batch(&[-1, 1], None, None)
            }
            ColumnWriter::Int32ColumnWriter(writer) => writer.write_batch(&[], Some(&[0, 0]), Some(&[0, 0])),
            ColumnWriter::FloatColumnWriter(writer) => writer.write_batch(&[0.5], Some(&[0, 1]), None),
            ColumnWriter::ByteArrayColumnWriter(writer) => {
                writer.write_batch(&[ByteArray::from("기생충")], Some(&[0, 1]), None)
            }
            _ => unreachable!("no such column"),
        }
        .expect("values");
        column.close().expect("a column");
    }
    group.close().expect("a group");
    writer.close().expect("a file").file_metadata();

    let whole = read_file(&path).expect_err("a list").to_string();
    assert!(whole.contains("\"tags.list.element\" holds lists") && whole.contains("name the other columns"), "{whole}");
    let frame = TableFile::new(&path).columns(["id", "at", "old", "u", "f", "name"]).collect().expect("a frame");
    use AnyValue::{Datetime, Float64, Int64, Null, String};
    let instant = |millis| Datetime(millis, TimeUnit::Milliseconds, None);
    assert_eq!(row(&frame, 0), [Int64(1), instant(-1), instant(1), Int64(4_294_967_295), Null, Null]);
    assert_eq!(row(&frame, 1), [Int64(2), Null, Null, Int64(1), Float64(0.5), String("기생충")]);
    let typed =
        TableFile::new(&path).column_type("id", ColumnType::Float).collect().expect_err("own types").to_string();
    assert!(typed.contains("types of its own"), "{typed}");
    let mut broken = fs::OpenOptions::new().append(true).open(&path).expect("a file");
    broken.write_all(b"more").expect("written");
    assert!(read_file(&path).is_err());
}

#[test]
fn parquet_times_of_day_are_texts_in_every_unit() {
    let schema = "message m {
        required int64 n; required int32 millis (TIME(MILLIS, true)); required int64 micros (TIME(MICROS, true));
        required int64 nanos (TIME(NANOS, true));
    }";
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let (_folder, path) = file("a.parquet", "");
    let properties = Arc::new(WriterProperties::builder().build());
    let output = fs::File::create(&path).expect("a file");
    let mut writer = SerializedFileWriter::new(output, schema, properties).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    while let Some(mut column) = group.next_column().expect("a column") {
        match column.untyped() {
            ColumnWriter::Int32ColumnWriter(writer) => writer.write_batch(&[7], None, None),
            ColumnWriter::Int64ColumnWriter(writer) => writer.write_batch(&[7], None, None),
            _ => unreachable!("no such column"),
        }
        .expect("values");
        column.close().expect("a column");
    }
    group.close().expect("a group");
    writer.close().expect("a file").file_metadata();

    let times = TableFile::new(&path).columns(["millis", "micros", "nanos"]).collect().expect("a frame");
    use AnyValue::String;
    assert_eq!(row(&times, 0), [String("00:00:00.007"), String("00:00:00.000007"), String("00:00:00.000000007")]);
    let numbers = TableFile::new(&path).columns(["n"]).collect().expect("a frame");
    assert_eq!(row(&numbers, 0), [AnyValue::Int64(7)]);
}

#[test]
fn a_column_that_is_asked_for_twice_is_named() {
    let twice = |file: TableFile| file.columns(["n", "n"]).collect().expect_err("twice").to_string();
    for (name, content) in [("a.csv", "n,m\n1,2\n"), ("a.json", "[{\"n\": 1}]")] {
        let (_folder, path) = file(name, content);
        let error = twice(TableFile::new(&path));
        assert!(error.ends_with("column \"n\" is asked for twice; a frame has a column once"), "{error}");
    }
    let schema = Schema::parse("imdb-review", IMDB_REVIEW).expect("the preset");
    let (_folder, path) = file("a.csv", "review_id\nrw1\n");
    let reviews = TableFile::new(&path).schema(&schema).columns(["rating", "rating"]);
    let error = reviews.collect().expect_err("twice").to_string();
    assert!(error.ends_with("column \"rating\" is asked for twice; a frame has a column once"), "{error}");
}

#[test]
fn a_text_in_quotes_that_does_not_end_is_refused() {
    for (content, row, line) in [("a,b\n1,2\n\n\"x\ny\",\"oh\"\"\n", 2, 5), ("a,b\n1,\"oh\n", 1, 2)] {
        let (_folder, path) = file("a.csv", content);
        match read_file(&path).expect_err("an open quote") {
            FileError::Input(::files::FileError {
                trouble: Trouble::OpenQuote { number, line: found, .. }, ..
            }) => {
                assert_eq!((number, found), (row, line), "{content}");
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(broken("a.csv", "a,b\n1,\"o\"h\"\n"), (1, Some(2)));
    // A last line without an end, and quotes within a text, are none.
    for whole in ["a,b\n1,\"oh\"", "a,b\n1,\"o\"\"h\"", "a,b\n1,o\"h", "a,b\n1,", "a,b\n1,\"\""] {
        assert_eq!(frame("a.csv", whole).height(), 1, "{whole}");
    }
}

#[test]
fn files_are_read_as_ingest_reads_them() {
    let gzip = |content: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content.as_bytes()).expect("packed");
        encoder.finish().expect("packed")
    };
    let utf16 = |content: &str| content.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let csv = "id;amount\n1;1.234,56\n2;0,5\n";
    for (name, content) in [
        ("a.csv", csv.into()),
        ("a.csv", csv.replace('\n', "\r").into()),
        ("a.csv.gz", gzip(csv)),
        ("a.csv", gzip(csv)),
        ("a.csv", utf16(csv)),
        ("a", csv.into()),
        ("a.tsv", "id\tamount\n1\t1234.56\n2\t0.5\n".into()),
        ("a.jsonl.gz", gzip("{\"id\": 1, \"amount\": 1234.56}{\"id\": 2, \"amount\": 0.5}")),
        ("a.json", b"[{\"id\": 1, \"amount\": 1234.56},\n{\"id\": 2, \"amount\": 0.5}]\n[]".to_vec()),
    ] {
        let frame = frame(name, content);
        assert_eq!(row(&frame, 0), [AnyValue::Int64(1), AnyValue::Float64(1234.56)], "{name}");
        assert_eq!(row(&frame, 1), [AnyValue::Int64(2), AnyValue::Float64(0.5)], "{name}");
    }
}

#[test]
fn broken_records_are_told_once_and_left_out() {
    for (name, content, numbers) in [
        ("a.json", "[{\"n\": 1}, {\"n\": NaN}, {\"n\": Infinity}, {\"n\": 4}]", [2, 3]),
        ("a.csv", "n,m\n1,1\n2\n3,\"x\"y\n4,4\n", [2, 3]),
    ] {
        let (_folder, path) = file(name, content);
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&told);
        let frame = TableFile::new(&path).on_broken(move |error| match &error.trouble {
            Trouble::Broken(record) => hears.lock().expect("no panic").push(record.number),
            other => panic!("{other}"),
        });
        let frame = frame.collect().expect("the rest");
        assert_eq!(row(&frame, 1)[0], AnyValue::Int64(4), "{name}");
        assert_eq!((frame.height(), told.lock().expect("no panic").as_slice()), (2, numbers.as_slice()), "{name}");
        assert!(read_file(&path).is_err(), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_once_and_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let lines: String = (0..50_000).map(|n| format!("{{\"n\": {n}}}\n")).collect();
    let writer = std::thread::spawn({
        let path = path.clone();
        move || fs::write(path, lines)
    });
    let numbers = TableFile::new(&path);
    assert_eq!(numbers.collect().expect("a frame").height(), 50_000);
    writer.join().expect("no panic").expect("written");
    assert_eq!(numbers.collect().expect("the same").height(), 50_000);
}

#[test]
fn two_values_of_one_name_in_a_record_are_named() {
    for record in ["{\"a\": {\"b\": 1}, \"a.b\": 2}", "{\"a.b\": 1, \"a.b\": 2}"] {
        let error = error("a.jsonl", format!("{{\"a.b\": 0}}\n{record}\n"));
        assert_eq!(error, "/a.jsonl, record 2: there are two values for \"a.b\"; give one of them another name");
    }
}

#[test]
fn words_for_nothing_among_numbers_are_nulls() {
    for word in ["NA", "n/a", "NaN", "NULL", "null", "None", "-", "--", "?", "#N/A", "\" \"", "\"\""] {
        let frame = frame("a.csv", format!("k,x\na,10\nb,{word}\nc,30\n"));
        let x = frame.column("x").expect("x");
        assert_eq!(
            (x.dtype(), x.null_count(), x.get(2).expect("a value")),
            (&DataType::Int64, 1, AnyValue::Int64(30)),
            "{word}"
        );
    }
    let kind = |content: &str| frame("a.csv", content).dtypes()[0].clone();
    for (content, expected) in [
        ("x\n10\nunknown\n", DataType::String),
        ("x\nNA\nNA\n", DataType::String),
        ("x\nUp\nNA\n", DataType::String),
        ("x\n2020-05-31\n-\n", DataType::Date),
        ("x\ntrue\nNA\nFALSE\n", DataType::Boolean),
        ("x\n\"1,000,000\"\n\"1,500\"\n7\n", DataType::Int64),
        ("x\n\"1,000\"\n\"1,500\"\n", DataType::String),
        ("x\n\"1,5\"\n\"2,5\"\n", DataType::String),
        ("x\n10%\n20%\n", DataType::String),
        ("x\n01234\n00501\n", DataType::String),
        ("x\n76561198003753555\n0.5\n", DataType::String),
        ("x\n76561198003753555\n\n", DataType::Int64),
        ("x\n9007199254740993\n1.25\n", DataType::String),
        ("x\n20000000000000000001\n7\n", DataType::String),
    ] {
        assert_eq!(kind(content), expected, "{content}");
    }
}

#[test]
fn numbers_of_json_keep_their_digits() {
    for (content, expected) in [
        ("[{\"id\": 20000000000000000001}, {\"id\": 7}]", ["20000000000000000001", "7"]),
        ("[{\"id\": 18446744073709551615}, {\"id\": 1}]", ["18446744073709551615", "1"]),
        ("[{\"id\": 76561198003753555}, {\"id\": 0.5}]", ["76561198003753555", "0.5"]),
        ("[{\"id\": 9007199254740993}, {\"id\": 1e3}]", ["9007199254740993", "1e3"]),
        ("[{\"id\": [1, 20000000000000000001]}, {\"id\": \"x\"}]", ["[1, 20000000000000000001]", "x"]),
    ] {
        let frame = frame("a.json", content);
        let texts = frame.column("id").expect("id").str().expect("texts");
        assert_eq!([texts.get(0), texts.get(1)], expected.map(Some), "{content}");
    }
    let ints =
        frame("a.jsonl", "{\"id\": 76561198003753555}\n{\"id\": null}\n{\"a\": {\"b\": -9223372036854775808}}\n");
    assert_eq!(ints.dtypes(), [DataType::Int64, DataType::Int64]);
    assert_eq!(row(&ints, 0)[0], AnyValue::Int64(76_561_198_003_753_555));
}

#[test]
fn extended_json_is_what_it_stands_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("orders.json");
    let record = r#"{"_id": {"$oid": "65f1"}, "day": {"$date": "1970-01-01T00:00:01Z"}, "n": {"$numberLong": "9007199254740993"},
        "x": {"$numberDouble": "0.5"}, "old": {"$date": {"$numberLong": "-1"}}, "gone": {"$undefined": true},
        "tags": [{"$symbol": "a"}, "b"], "nan": {"$numberDouble": "NaN"}, "own": {"$gt": 1}}"#;
    std::fs::write(&path, record).expect("written");
    let frame = TableFile::new(&path).collect().expect("a frame");
    let names = ["_id", "day", "n", "x", "old", "gone", "tags", "nan", "own.$gt"];
    assert_eq!(frame.get_column_names(), names);
    let value = |name: &str| frame.column(name).expect("a column").get(0).expect("a value").into_static();
    assert_eq!(value("_id"), AnyValue::String("65f1").into_static());
    for (name, millis) in [("day", 1_000), ("old", -1)] {
        assert_eq!(value(name), AnyValue::Datetime(millis, TimeUnit::Milliseconds, None).into_static());
    }
    assert_eq!((value("n"), value("x")), (AnyValue::Int64(9_007_199_254_740_993), AnyValue::Float64(0.5)));
    assert_eq!((value("gone"), value("nan"), value("own.$gt")), (AnyValue::Null, AnyValue::Null, AnyValue::Int64(1)));
    assert!(matches!(frame.column("tags").expect("a column").dtype(), DataType::List(_)));
}

#[test]
fn times_without_an_offset_are_those_of_the_zone_that_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").expect("a zone");
    for (name, text) in [
        ("a.csv", "at\n1970-01-01 01:00:00\n1970-01-01T00:00:00Z\n"),
        ("a.jsonl", "{\"at\": \"1970-01-01T01:00:00\"}\n{\"at\": \"1970-01-01T00:00:00Z\"}\n"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        let millis = |file: TableFile| -> Vec<AnyValue<'static>> {
            let frame = file.collect().expect("a frame");
            (0..2).map(|row| frame.columns()[0].get(row).expect("a value").into_static()).collect()
        };
        let instants =
            |millis: [i64; 2]| millis.map(|at| AnyValue::Datetime(at, TimeUnit::Milliseconds, None).into_static());
        assert_eq!(millis(TableFile::new(&path)), instants([3_600_000, 0]), "{name}");
        assert_eq!(millis(TableFile::new(&path).in_zone(zone.clone())), instants([0, 0]), "{name}");
    }
}
