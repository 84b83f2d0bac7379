//! The readers against small files, against random JSON in random pieces, and against serde_json.

use super::*;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io::{self, Read, Write};

/// What a reader made of a file: `Ok(json)` or `Err(message)`, in order.
type Seen = Vec<Result<String, String>>;

fn read_all(mut file: RecordFile) -> Seen {
    let mut seen = Vec::new();
    while let Some(record) = file.next_record() {
        seen.push(record.map(|record| String::from_utf8(record.json.to_vec()).unwrap()).map_err(|e| e.to_string()));
    }
    assert!(file.next_record().is_none(), "a file that has ended stays ended");
    seen
}

fn read_file(name: &str, content: &[u8], options: &Options) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    match RecordFile::open(&path, options) {
        Ok(file) => read_all(file),
        Err(error) => vec![Err(error.to_string())],
    }
}

fn read_named(name: &str, content: &str) -> Seen {
    read_file(name, content.as_bytes(), &Options::default())
}

/// The records that could be read, and the messages of the others, shortened to their end.
fn split(seen: &Seen) -> (Vec<&str>, Vec<&str>) {
    let records = seen.iter().filter_map(|one| one.as_deref().ok()).collect();
    let errors = seen.iter().filter_map(|one| one.as_ref().err().map(String::as_str)).collect();
    (records, errors)
}

#[test]
fn arrays_give_their_elements_as_they_stand() {
    let seen =
        read_named("a.json", " [ {\"a\" : 1},\n\t{\"b\": [ {\"c\": \"]},{\"} ] }\r\n,[1, [2]], \"x\", 12 , null]\n");
    let expected = ["{\"a\" : 1}", "{\"b\": [ {\"c\": \"]},{\"} ] }", "[1, [2]]", "\"x\"", "12", "null"];
    assert_eq!(split(&seen), (expected.to_vec(), vec![]));
}

#[test]
fn empty_files_and_arrays_have_no_records() {
    for content in ["[]", " [ ] \n", "", " \n ", "\u{feff}[]", "[][ ]"] {
        assert_eq!(read_named("a.json", content), [], "{content:?}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped_and_counted() {
    for (name, content, start) in [("a.json", "[{\"a\": 1}]", 1), ("a.jsonl", "{\"a\": 1}", 0), ("a.csv", "a\n1\n", 2)]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, format!("\u{feff}{content}")).unwrap();
        let mut file = RecordFile::open(&path, &Options::default()).unwrap();
        assert_eq!(file.next_record().unwrap().unwrap().byte, 3 + start, "{name}");
    }
}

#[test]
fn joined_arrays_and_loose_commas_lose_nothing() {
    let seen = read_named("a.json", "[{\"a\": 1} {\"a\": 2},, {\"a\": 3},]\n[{\"a\": 4}]");
    assert_eq!(split(&seen).0, ["{\"a\": 1}", "{\"a\": 2}", "{\"a\": 3}", "{\"a\": 4}"]);
    assert_eq!(split(&seen).1.len(), 0);
}

#[test]
fn values_may_stand_without_an_array() {
    let seen = read_named("a.json", "{\n \"a\": 1\n}\n{\n \"a\": 2\n}");
    assert_eq!(split(&seen), (vec!["{\n \"a\": 1\n}", "{\n \"a\": 2\n}"], vec![]));
}

#[test]
fn a_broken_element_is_named_and_skipped() {
    let seen = read_named("a.json", r#"[{"a": 1}, {"a": }, oops, {"a": 2}, {"a" 3}, "\x", {"a": 4}]"#);
    let (records, errors) = split(&seen);
    assert_eq!(records, [r#"{"a": 1}"#, r#"{"a": 2}"#, r#"{"a": 4}"#]);
    assert_eq!(errors.len(), 4);
    assert!(
        errors[0].ends_with("a.json: record 2 at byte 11 is broken: expected value (at byte 17); 7 bytes skipped"),
        "{}",
        errors[0]
    );
    assert!(errors[1].contains("record 3 at byte 20 is broken"), "{}", errors[1]);
}

#[test]
fn a_quote_too_many_costs_one_record() {
    let good = |id| format!(r#"{{"id": {id}, "text": "fine, {{\"id\": }} text", "tags": [{{"id": 0}}, {{"id": 1}}]}}"#);
    let broken = [
        r#"{"id": 2, "text": "one " quote"}"#,
        r#"{"id": 2, "text": "no end}"#,
        r#"{"id": 2, "text": no start"}"#,
        r#"{"id": 2, "text": "x", "list": [1, 2}"#,
        r#"{"id": 2, "text": "x", "object": {"a": 1}"#,
        r#"{"id": 2, "text": "back\"}"#,
        "{\"id\": 2, \"text\": \"line\nend\"}",
        r#"{"id: 2, "text": "x"}"#,
        r#"{"id": 2, "a": "x", "b": }}"#,
    ];
    for broken in broken {
        for between in [", ", ",", ",\n", "\n,\n  "] {
            let content = format!("[{}]", [good(1), broken.to_owned(), good(3), good(4)].join(between));
            let seen = read_named("a.json", &content);
            let (records, errors) = split(&seen);
            assert_eq!(records, [good(1), good(3), good(4)], "{content}");
            assert!(errors[0].contains("record 2 at byte"), "{errors:?}");
        }
    }
}

#[test]
fn a_broken_first_or_last_record_costs_no_other() {
    let seen = read_named("a.json", r#"[{"id": 1, "t": "a"b"}, {"id": 2, "t": "c"}, {"id": 3, "t": "d"e"}]"#);
    let (records, errors) = split(&seen);
    assert_eq!(records, [r#"{"id": 2, "t": "c"}"#]);
    assert_eq!(errors.len(), 2, "{errors:?}");
}

#[test]
fn thousands_of_bad_quotes_cost_as_many_records() {
    let record = |id: usize| match id % 10 {
        5 => format!(r#"{{"id": {id}, "text": "a " b"}}"#),
        _ => format!(r#"{{"id": {id}, "text": "a b"}}"#),
    };
    let content = format!("[{}]", (0..20_000).map(record).collect::<Vec<_>>().join(", "));
    let seen = read_named("a.json", &content);
    let (records, errors) = split(&seen);
    assert_eq!((records.len(), errors.len()), (18_000, 2_000));
}

#[test]
fn a_truncated_array_gives_all_before_its_end() {
    let seen = read_named("a.json", r#"[{"a": 1}, {"a": 2}, {"a": "thr"#);
    let (records, errors) = split(&seen);
    assert_eq!(records, [r#"{"a": 1}"#, r#"{"a": 2}"#]);
    assert!(
        errors[0].contains(
            "ends at byte 31 inside record 3, which begins at byte 21; fetch the file again (records before that: 2)"
        ),
        "{errors:?}"
    );
    assert_eq!(split(&read_named("a.json", "[1, 23")).0, ["1"]);
    assert_eq!(split(&read_named("a.json", "[1, 23 ")).0, ["1", "23"]);
    let seen = read_named("a.json", r#"[{"a": 1}, "#);
    assert!(
        split(&seen).1[0]
            .contains("inside the array, which is not closed; fetch the file again (records before that: 1)"),
        "{seen:?}"
    );
}

#[test]
fn what_follows_an_array_is_an_error() {
    let seen = read_named("a.json", r#"[{"a": 1}] {"a": 2}"#);
    assert!(
        split(&seen).1[0].contains("the array ends after record 1, but at byte 11 there follows `{\\\"a\\\": 2}`"),
        "{seen:?}"
    );
}

#[test]
fn a_file_that_is_something_else_says_what_was_expected() {
    let error = |name: &str, content: &[u8]| read_file(name, content, &Options::default())[0].clone().unwrap_err();
    let html = error("a.json", b"<html>404</html>");
    assert!(html.contains("a.json: does not look like records: expected `[`") && html.contains("<html>"), "{html}");
    assert!(error("a.json", b"\xff\xfe\0\0[\0\0\0").contains("UTF-32"));
    assert!(error("a.json", b"PK\x03\x04....").contains("a zip archive or an Excel workbook; unpack it"));
    assert!(error("a.json", b"PAR1....").contains("a Parquet file"));
    assert!(error("a.txt", b"id\n1\n").contains("--format csv"));
}

#[test]
fn a_missing_file_is_named() {
    let error = RecordFile::open(Path::new("no/such/file.json"), &Options::default()).unwrap_err();
    let looked_for = std::path::absolute("no/such/file.json").unwrap();
    let told = format!("no/such/file.json: there is no such file; looked for at {}", looked_for.display());
    assert_eq!(error.to_string(), told);
}

#[test]
fn a_record_that_is_too_long_is_skipped() {
    let long = "x".repeat(700_000);
    let options = Options { max_record_bytes: 300_000, ..Options::default() };
    let short = Options { max_record_bytes: 1000, ..Options::default() };
    let array = format!(r#"[{{"a": 1}}, {{"a": ["{long}", {{}}]}}, {{"a": 2}}]"#);
    let lines = format!("{{\"a\": 1}}\n{{\"a\": [\"{long}\", {{}}]}}\n{{\"a\": 2}}\n");
    for (name, content) in [("a.json", array), ("a.jsonl", lines)] {
        for options in [&options, &short] {
            let seen = read_file(name, content.as_bytes(), options);
            let (records, errors) = split(&seen);
            assert_eq!(records, [r#"{"a": 1}"#, r#"{"a": 2}"#]);
            assert!(errors[0].contains("record 2 at byte") && errors[0].contains("longer than"), "{errors:?}");
        }
    }
}

#[test]
fn a_record_up_to_the_limit_is_kept() {
    let record = format!(r#"{{"a": "{}"}}"#, "x".repeat(1_000_000));
    let options = Options { max_record_bytes: record.len(), ..Options::default() };
    let seen = read_file("a.json", format!("[{record}, {record}]").as_bytes(), &options);
    assert_eq!(split(&seen), (vec![record.as_str(); 2], vec![]));
}

#[test]
fn lines_are_records_of_their_own() {
    let seen = read_named("a.jsonl", "{\"a\": 1}\r\n\n  {\"a\": \"x\"y\"} \n{\"a\": 2}\n{\"a\": 3}");
    let (records, errors) = split(&seen);
    assert_eq!(records, ["{\"a\": 1}", "{\"a\": 2}", "{\"a\": 3}"]);
    assert!(errors[0].contains("record 2 at byte 13 is broken"), "{errors:?}");
}

#[test]
fn a_broken_first_line_does_not_hide_the_others() {
    let seen = read_named("a.jsonl", "{\"a\": }\n{\"a\": 2}\n");
    assert_eq!(split(&seen).0, ["{\"a\": 2}"]);
}

#[test]
fn csv_rows_become_objects_of_strings() {
    let content = "id,movie,\"say \"\"hi\"\"\"\n1,\"Love, Été\n(2004)\",\"a \"\"b\"\"\"\n2,,x\r\n3,short\n4,last,y";
    let options = Options { key_field: Some("movie".into()), ..Options::default() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, content).unwrap();
    let mut file = RecordFile::open(&path, &options).unwrap();
    assert_eq!(file.format(), Format::Csv);
    let first = file.next_record().unwrap().unwrap();
    assert_eq!(first.json, r#"{"id": "1", "movie": "Love, Été\n(2004)", "say \"hi\"": "a \"b\""}"#.as_bytes());
    assert_eq!((first.number, first.key), (1, Some("Love, Été\n(2004)")));
    let second = file.next_record().unwrap().unwrap();
    assert_eq!((second.number, second.key), (2, None));
    let error = file.next_record().unwrap().unwrap_err();
    assert!(error.is_broken_record() && error.to_string().contains("2 fields where the header has 3"), "{error}");
    let fourth = file.next_record().unwrap().unwrap();
    assert_eq!((fourth.number, fourth.key), (4, Some("last")));
    assert_eq!(&content.as_bytes()[fourth.byte as usize..][..2], b"4,");
}

#[test]
fn the_format_can_be_told() {
    let options = |format| Options { form: Form { format: Some(format), ..Form::default() }, ..Options::default() };
    assert_eq!(split(&read_file("a.txt", b"a\n1\n", &options(Format::Csv))).0, [r#"{"a": "1"}"#]);
    assert_eq!(split(&read_file("a.csv", b"[{}]", &options(Format::Json))).0, ["{}"]);
    assert_eq!(split(&read_file("a", b"[1]\n[2]\n", &options(Format::Lines))).0, ["[1]", "[2]"]);
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_files_are_told_by_their_content() {
    let (front, back) = (b"[{\"a\": 1},".as_slice(), b" {\"a\": 2}]".as_slice());
    let zstd = |content| zstd::encode_all(content, 1).unwrap();
    for content in [[front, back].concat(), [gzip(front), gzip(back)].concat(), [zstd(front), zstd(back)].concat()] {
        let seen = read_file("a.bin", &content, &Options::default());
        assert_eq!(split(&seen), (vec!["{\"a\": 1}", "{\"a\": 2}"], vec![]));
    }
    let seen = read_file("a.csv.gz", &gzip(b"a\n1\n"), &Options::default());
    assert_eq!(split(&seen).0, [r#"{"a": "1"}"#]);
}

#[test]
fn a_compressed_file_that_is_cut_short_says_so() {
    let records: Vec<_> = (0..20_000).map(|id| json!({ "id": id, "square": id * id % 7919 })).collect();
    let whole = serde_json::to_vec(&records).unwrap();
    for packed in [gzip(&whole), zstd::encode_all(whole.as_slice(), 1).unwrap()] {
        let seen = read_file("a.json", &packed[..packed.len() / 2], &Options::default());
        let (records, errors) = split(&seen);
        assert!(records.len() > 1000, "{}", records.len());
        assert!(
            errors.len() == 1 && errors[0].contains("cut short") && errors[0].contains("fetch the file again"),
            "{errors:?}"
        );
    }
}

#[test]
fn bytes_read_reach_the_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json.gz");
    std::fs::write(&path, gzip(b"[{}, {}]")).unwrap();
    let mut file = RecordFile::open(&path, &Options::default()).unwrap();
    while file.next_record().is_some() {}
    assert_eq!(Some(file.bytes_read()), file.size());
}

/// Gives out a stream in pieces of the given lengths, over and over.
struct Pieces {
    content: io::Cursor<Vec<u8>>,
    lengths: Vec<usize>,
    next: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.lengths[self.next % self.lengths.len()].min(buffer.len());
        self.next += 1;
        self.content.read(&mut buffer[..length])
    }
}

fn values_of(content: Vec<u8>, lengths: Vec<usize>) -> JsonValues {
    let pieces = Pieces { content: io::Cursor::new(content), lengths, next: 0 };
    JsonValues::new(Window::new(Box::new(pieces)), Checker::new(Some("key"), "UTF-8"), 1 << 20)
}

/// Offset, text and key of a value.
type Element = (u64, Vec<u8>, Option<String>);

/// The values up to the first error, with their offsets and keys, and whether there was an error.
fn drain(mut values: JsonValues) -> (Vec<Element>, bool) {
    let mut seen = Vec::new();
    loop {
        match values.next_record() {
            Ok(Some(record)) => seen.push((record.byte, record.json.to_vec(), record.key.map(str::to_owned))),
            Ok(None) => return (seen, false),
            Err(_) => return (seen, true),
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["[a-z\"\\\\{}\\[\\], \n]{0,12}", "\\PC{0,6}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("key|[a-z\"{},]{0,6}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// An array of the values, each as it is written there, with white space of our choice between.
fn array_of(values: &[Value], gaps: &[String], pretty: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
    let texts: Vec<_> = values
        .iter()
        .map(|value| if pretty { serde_json::to_vec_pretty(value) } else { serde_json::to_vec(value) }.unwrap())
        .collect();
    let mut gaps = gaps.iter().cycle();
    let mut gap = || gaps.next().unwrap().as_bytes();
    let mut array = [gap(), b"["].concat();
    for (index, text) in texts.iter().enumerate() {
        let comma: &[u8] = if index > 0 { b"," } else { b"" };
        array = [array.as_slice(), gap(), comma, gap(), text].concat();
    }
    array = [array.as_slice(), gap(), b"]", gap()].concat();
    (array, texts)
}

proptest! {
    #[test]
    fn random_arrays_in_random_pieces_give_their_elements(
        values in prop::collection::vec(any_value(), 0..8),
        gaps in prop::collection::vec("[ \t\r\n]{0,3}", 1..5),
        lengths in prop::collection::vec(1..40_usize, 1..6),
        pretty in any::<bool>(),
    ) {
        let (array, texts) = array_of(&values, &gaps, pretty);
        let (seen, failed) = drain(values_of(array.clone(), lengths));
        prop_assert!(!failed);
        prop_assert_eq!(seen.iter().map(|(_, json, _)| json).collect::<Vec<_>>(), texts.iter().collect::<Vec<_>>());
        for ((byte, json, key), value) in seen.iter().zip(&values) {
            prop_assert_eq!(&array[*byte as usize..][..json.len()], json.as_slice());
            let expected = match value.get("key") {
                Some(Value::String(text)) => Some(text.clone()),
                Some(Value::Null | Value::Object(_) | Value::Array(_)) | None => None,
                Some(other) => Some(other.to_string()),
            };
            prop_assert_eq!(key, &expected);
        }
    }

    #[test]
    fn truncation_loses_no_complete_element(
        values in prop::collection::vec(any_value(), 1..6),
        cut in any::<prop::sample::Index>(),
        length in 1..40_usize,
    ) {
        let (array, _) = array_of(&values, &[" ".to_owned()], false);
        let (whole, _) = drain(values_of(array.clone(), vec![1]));
        let cut = cut.index(array.len() - 2).max(2);
        let (seen, failed) = drain(values_of(array[..cut].to_vec(), vec![length]));
        prop_assert!(failed);
        let complete = whole.iter().filter(|(byte, json, _)| {
            // A value without closing byte is known to be complete by what follows it.
            let end = *byte as usize + json.len();
            end < cut || (end == cut && matches!(json.last(), Some(b'}' | b']' | b'"')))
        });
        prop_assert_eq!(seen.iter().collect::<Vec<_>>(), complete.collect::<Vec<_>>());
    }

    #[test]
    fn arbitrary_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..400), brackets in "[\\[\\]{}\",: a]{0,200}") {
        for content in [bytes, format!("[{brackets}").into_bytes()] {
            let most = content.len() + 10;
            let mut values = values_of(content, vec![7]);
            let ended = (0..most).any(|_| match values.next_record() {
                Ok(None) => true,
                Err(trouble) => !matches!(trouble, Trouble::Broken(_)),
                Ok(Some(_)) => false,
            });
            prop_assert!(ended);
        }
    }
}
