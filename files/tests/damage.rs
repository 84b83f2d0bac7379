//! Damaged JSON: what a record costs that is broken, and that this depends on the bytes alone.

use files::{BrokenRecord, FileError, Form, Format, Options, RecordFile, Trouble};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io::{self, Cursor, Read};
use std::mem::Discriminant;
use std::path::Path;

/// Gives out a stream in pieces of the given lengths, over and over.
struct Pieces {
    content: Cursor<Vec<u8>>,
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

/// What a file gives, in order.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Record(u64, String),
    Broken(BrokenRecord),
    Ended(Discriminant<Trouble>),
}

fn read(content: impl Into<Vec<u8>>, format: Format, longest: usize, lengths: &[usize]) -> Vec<Seen> {
    let form = Form { format: Some(format), encoding: Some("utf-8".parse().unwrap()), ..Form::default() };
    let options = Options { form, key_field: None, max_record_bytes: longest };
    let pieces = Pieces { content: Cursor::new(content.into()), lengths: lengths.to_vec(), next: 0 };
    let mut file = RecordFile::from_reader(Path::new("a"), pieces, &options).unwrap();
    let mut seen = Vec::new();
    while let Some(next) = file.next_record() {
        seen.push(match next {
            Ok(record) => Seen::Record(record.byte, String::from_utf8(record.json.to_vec()).unwrap()),
            Err(FileError { trouble: Trouble::Broken(broken), .. }) => Seen::Broken(broken),
            Err(error) => Seen::Ended(std::mem::discriminant(&error.trouble)),
        });
    }
    seen
}

/// The ids of the records, and the numbers of the broken ones; nothing else.
fn outcome(content: &str, format: Format) -> (Vec<Value>, Vec<u64>) {
    let (mut ids, mut broken) = (Vec::new(), Vec::new());
    for seen in read(content, format, 16 << 20, &[usize::MAX]) {
        match seen {
            Seen::Record(_, json) => ids.push(serde_json::from_str::<Value>(&json).unwrap()["id"].clone()),
            Seen::Broken(one) => broken.push(one.number),
            Seen::Ended(_) => panic!("{content} ended early"),
        }
    }
    (ids, broken)
}

#[test]
fn a_record_that_is_broken_within_a_token_costs_nothing_else_whatever_is_nested_in_it() {
    let nested = r#""i": [{"id": 21}, {"id": 22}]"#;
    let good = |id: u32| format!(r#"{{"id": {id}, "x": 1.5, "i": [{{"id": {id}8}}, {{"id": {id}9}}]}}"#);
    for bad in [
        r#""x": NaN, NESTED"#,
        r#""x": -Infinity, NESTED"#,
        r#""x": None, NESTED"#,
        r#""x": undefined, NESTED"#,
        r#"x: 1, NESTED"#,
        r#""x": 'single', NESTED"#,
        r#""x": 01, NESTED"#,
        r#""x": 1., NESTED"#,
        r#""x": 10:30, NESTED"#,
        r#""x": "\d", NESTED"#,
        "\"x\": \"a\nb\", NESTED",
        r#""x": , NESTED"#,
        r#""x": 1,, NESTED"#,
        r#""x": 1 NESTED"#,
        r#""x" 1, NESTED"#,
        r#"NESTED, "x": NaN"#,
        r#"NESTED, "j": [{"id": NaN}, {"id": 23}, {"id": NaN}]"#,
        r#""j": [{"id": 20, "x": NaN}, {"id": NaN}], NESTED"#,
    ] {
        let bad = format!(r#"{{"id": 2, {}}}"#, bad.replace("NESTED", nested));
        // A missing colon before a number is not told from a missing quote, so there the nested records may be taken for others.
        let is_sure = !bad.contains(r#""x" 1"#);
        for (start, between, end) in [("[", ",", "]"), ("[\n", ",\n  ", "\n]"), ("", "\n", "\n"), ("", "", "")] {
            let content = format!("{start}{}{end}", [good(1), bad.clone(), good(3)].join(between));
            let formats: &[Format] =
                if start.is_empty() && !bad.contains('\n') { &[Format::Json, Format::Lines] } else { &[Format::Json] };
            for format in formats.iter().filter(|_| is_sure) {
                assert_eq!(outcome(&content, *format), (vec![json!(1), json!(3)], vec![2]), "{format:?} {content}");
            }
        }
    }
    let bytes = [br#"[{"id":1},{"id":2,"x":"caf"#.as_slice(), b"\xe9\",\"i\":[{\"id\":21},{\"id\":22}]},{\"id\":3}]"];
    let seen = read(bytes.concat(), Format::Json, 1000, &[1000]);
    assert!(matches!(&seen[..], [Seen::Record(..), Seen::Broken(_), Seen::Record(56, _)]), "{seen:?}");
}

#[test]
fn the_place_and_the_reason_are_those_of_the_first_fault() {
    let content = r#"[{"id":1,"i":[{"id":8},{"id":9}]},{"id":2,"x":NaN,"i":[{"id":21},{"id":22}]},{"id":3,"i":[]}]"#;
    let seen = read(content, Format::Json, 16 << 20, &[7]);
    let [Seen::Record(1, _), Seen::Broken(broken), Seen::Record(77, _)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((broken.number, broken.byte, broken.at, broken.skipped), (2, 34, 46, 42), "{broken:?}");
    assert!(broken.reason.contains("NaN"), "{broken:?}");
}

#[test]
fn a_bracket_too_many_does_not_make_records_of_what_is_behind_it() {
    for bad in [
        r#"{"id":}2,"x":"y"}"#,
        r#"{"id":]2,"x":","}"#,
        r#"{"id":2,"x":}"y"}"#,
        r#"{"id":2,"x":}}"#,
        r#"{"id":2,"x":]"y"}"#,
    ] {
        let content = format!(r#"[{{"id":1,"x":"a"}},{bad},{{"id":3,"x":"b"}}]"#);
        assert_eq!(outcome(&content, Format::Json), (vec![json!(1), json!(3)], vec![2]), "{content}");
    }
}

#[test]
fn files_that_were_joined_with_their_byte_order_marks_lose_nothing() {
    let ids = (vec![json!(1), json!(2), json!(3)], vec![]);
    for content in [
        "\u{feff}{\"id\": 1}\n\u{feff}{\"id\": 2}\n\u{feff}{\"id\": 3}\n",
        "{\"id\": 1}\u{feff}{\"id\": 2}\n{\"id\": 3}\u{feff}",
        "{\"id\": 1}\n\u{feff}\n \u{feff}{\"id\": 2}{\"id\": 3}",
    ] {
        assert_eq!(outcome(content, Format::Lines), ids, "{content}");
        assert_eq!(outcome(content, Format::Json), ids, "{content}");
    }
    let arrays = "\u{feff}[{\"id\": 1}]\n\u{feff}[{\"id\": 2}, \u{feff}{\"id\": 3}]\u{feff}";
    assert_eq!(outcome(arrays, Format::Json), ids);
    for length in 1..5 {
        assert_eq!(
            read(arrays, Format::Json, 1000, &[length]),
            read(arrays, Format::Json, 1000, &[1000]),
            "pieces of {length}"
        );
    }
    assert!(matches!(read("{\"id\": 1}\n\u{ef}", Format::Lines, 1000, &[1])[..], [Seen::Record(..), Seen::Broken(_)]));
}

#[test]
fn a_line_of_many_objects_is_read_one_by_one_and_may_be_longer_than_a_record() {
    let line: String = (0..40_000).map(|id| json!({"id": id, "text": "a}, {b"}).to_string()).collect();
    let content = format!("{line}\n{{\"id\": -1}}\n");
    for longest in [100, line.len() + 1, 16 << 20] {
        let seen = read(content.clone(), Format::Lines, longest, &[64 << 10]);
        assert_eq!(seen.len(), 40_001, "{longest}");
        assert!(seen.iter().all(|one| matches!(one, Seen::Record(..))));
    }
}

#[test]
fn one_of_several_objects_on_a_line_is_broken_alone_if_its_brackets_can_be_trusted() {
    for (line, expected) in [
        (r#"{"id": 1}{"id": NaN}{"id": 3}"#, (vec![1, 3, 4], vec![2])),
        (r#"{"id": 1} {"id": 2, "x": [{"id": 5} {]} {"id": 3}"#, (vec![1, 4], vec![2])),
        (r#"{"id": 1}{"id": 2, "x": "a"b"}{"id": 3}"#, (vec![1, 4], vec![2])),
        (r#"{"id": 1}, oops"#, (vec![4], vec![1])),
        (r#"{"id": 1}{"id": 2}oops"#, (vec![1, 4], vec![2])),
        (r#"{"id": NaN}{"id": NaN}"#, (vec![4], vec![1, 2])),
    ] {
        let (ids, broken) = outcome(&format!("{line}\n{{\"id\": 4}}\n"), Format::Lines);
        assert_eq!((ids, broken), (expected.0.into_iter().map(Value::from).collect(), expected.1), "{line}");
    }
}

#[test]
fn a_bad_quote_or_bracket_costs_one_record_although_lists_have_objects_of_the_same_first_field() {
    let good =
        |id: u32| format!(r#"{{"id": {id}, "x": "fine", "i": [{{"id": {id}7}}, {{"id": {id}8}}, {{"id": {id}9}}]}}"#);
    let nested = r#""i": [{"id": 21}, {"id": 22}, {"id": 23}]"#;
    for bad in [
        r#"{"id": 2, "x": "one " quote", NESTED}"#,
        r#"{"id": 2, "x": "no end, NESTED}"#,
        r#"{"id": 2, "x": no start", NESTED}"#,
        r#"{"id": 2, "x": "back\", NESTED}"#,
        r#"{"id": 2, "x" 1, NESTED}"#,
        r#"{"id": 2, "x": [1, NESTED}"#,
        r#"{"id": 2, "x": {"a": 1, NESTED}"#,
        r#"{"id": 2, "i": [{"id": "a"b"}, {"id": 22}, {"id": 23}], "n": 1}"#,
        r#"{"id": 2, "i": [{"id": 21, {"id": 22}, {"id": 23}]}"#,
        r#"{"id": 2, "i": [{"id": 21}}, {"id": 22}, {"id": 23}]}"#,
        r#"{"id": 2, "i": [{{"id": 21}, {"id": 22}, {"id": 23}]}"#,
        r#"{"id": 2, "i": {"id": 21}, {"id": 22}, {"id": 23}]}"#,
    ] {
        let bad = bad.replace("NESTED", nested);
        for between in [", ", ",\n", "\n"] {
            let content = format!("[{}]", [good(1), bad.clone(), good(3), good(4)].join(between));
            let seen = read(content.clone(), Format::Json, 16 << 20, &[11]);
            let records = seen.iter().filter_map(|one| match one {
                Seen::Record(_, json) => Some(json.clone()),
                _ => None,
            });
            let records: Vec<_> = records.collect();
            assert_eq!(records, [good(1), good(3), good(4)], "{content}");
            assert!(!seen.iter().any(|one| matches!(one, Seen::Ended(_))), "{content}");
        }
    }
}

/// Text of several records, JSON or nearly.
fn damaged() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\\",
        "NaN",
        " ",
        "\n",
        "1",
        "-",
        "a",
        "\"id\":",
        "},{\"id\":",
        "{\"id\":",
        "\u{feff}",
        "é",
        "\t",
        "                    ",
    ]);
    let record = "[a-z ,:{}\\[\\]]{0,12}"
        .prop_map(|text| json!({"id": 7, "text": text, "list": [{"id": 8}, {"id": 9, "text": "x"}]}).to_string());
    let records = prop::collection::vec(record, 1..6);
    let changes = prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4, piece), 1..5);
    (records, changes, prop::sample::select(vec![",", ", ", "\n", ""])).prop_map(|(records, changes, between)| {
        let mut text = format!("[{}]", records.join(between)).into_bytes();
        for (place, removed, added) in changes {
            let place = place.index(text.len() + 1);
            let end = (place + removed).min(text.len());
            text.splice(place..end, added.bytes());
        }
        String::from_utf8_lossy(&text).into_owned()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_pieces_in_which_a_damaged_file_comes_make_no_difference(
        text in damaged(),
        in_array in any::<bool>(),
        lengths in prop::collection::vec(1..30_usize, 1..5),
        longest in prop::sample::select(vec![16 << 20, 300, 60, 20]),
    ) {
        let content = if in_array { text.as_str() } else { text.trim_start_matches('[') };
        for format in [Format::Json, Format::Lines] {
            let whole = read(content, format, longest, &[usize::MAX]);
            prop_assert_eq!(read(content, format, longest, &lengths), whole);
        }
    }

    #[test]
    fn damage_costs_the_damaged_record_only(
        records in prop::collection::vec("[a-z ,:{}]{0,20}", 3..10),
        damaged in any::<prop::sample::Index>(),
        damage in prop::sample::select(vec!["\"", "{", "[", "}", "]", "\\", "\",", "\"x\"", "]]", ",", ":"]),
        at in any::<prop::sample::Index>(),
        length in 1..40_usize,
    ) {
        let record = |(id, text): (usize, &String)| json!({ "id": id, "text": text }).to_string();
        let mut texts: Vec<_> = records.iter().enumerate().map(record).collect();
        let damaged = damaged.index(texts.len());
        // Behind the first field name, so that the record can still be told from the others.
        let first = r#"{"id":"#.len();
        let at = first + at.index(texts[damaged].len() - first);
        texts[damaged].insert_str(at, damage);
        let seen = read(format!("[{}]", texts.join(",\n")), Format::Json, 1 << 20, &[length]);
        for (id, text) in texts.iter().enumerate().filter(|(id, _)| *id != damaged) {
            let is_seen = seen.iter().any(|one| matches!(one, Seen::Record(_, json) if json == text));
            prop_assert!(is_seen, "record {} was lost: {:?}", id, seen);
        }
    }

    #[test]
    fn a_word_in_the_place_of_a_value_costs_its_record_only(
        count in 2_usize..6,
        damaged in any::<prop::sample::Index>(),
        word in "[A-Za-z_.+-][A-Za-z0-9_.+ '-]{0,8}",
        nested in 0_usize..4,
        length in 1..40_usize,
    ) {
        prop_assume!(serde_json::from_str::<Value>(&word).is_err());
        let damaged = damaged.index(count);
        let record = |id: usize| {
            let x = if id == damaged { word.clone() } else { "1".to_owned() };
            let list: Vec<_> = (0..nested).map(|inner| format!("{{\"id\": \"{id}-{inner}\"}}")).collect();
            format!("{{\"id\": {id}, \"x\": {x}, \"list\": [{}]}}", list.join(", "))
        };
        let content = format!("[{}]", (0..count).map(record).collect::<Vec<_>>().join(", "));
        let seen = read(content, Format::Json, 1 << 20, &[length]);
        for (id, one) in seen.iter().enumerate() {
            match one {
                Seen::Record(_, json) => prop_assert_eq!(json, &record(id)),
                Seen::Broken(broken) => prop_assert_eq!(broken.number as usize, damaged + 1),
                Seen::Ended(_) => prop_assert!(false, "ended early"),
            }
        }
        prop_assert_eq!(seen.len(), count);
    }
}

#[test]
fn the_pieces_make_no_difference_where_much_is_looked_at() {
    let long = "x".repeat(70_000);
    let gap = " ".repeat(70_000);
    let good = |id: usize| format!(r#"{{"id": {id}, "text": "{long}"}}"#);
    for bad in [
        format!(r#"{{"id": 2, "text": "a"b", "more": "{long}"}}"#),
        format!(r#"{{"id": 2, "text": NaN, "more": "{long}"}}"#),
        format!(r#"{{"id": 2, "more": "{long}", "text": NaN, "list": [{{"id": 8}}, {{"id": 9}}]}}"#),
        format!(r#"{{"id": 2, "text": "a"b"}}{gap}"#),
        format!(r#"{{"id": 2, "text": "a"b"}},{gap}{{"id": 3}}"#),
        format!(r#"{{"id": 2, "text": }}{gap}"#),
        format!("oops{gap}"),
        format!("12{gap}"),
        format!("oops{long}"),
    ] {
        let content = format!("[{}]", [good(1), bad, good(4), good(5)].join(", "));
        for longest in [16 << 20, 100_000, 50_000] {
            let whole = read(content.clone(), Format::Json, longest, &[usize::MAX]);
            for length in [1_000, 4_096, 65_535, 65_536, 65_537] {
                assert_eq!(read(content.clone(), Format::Json, longest, &[length]), whole, "{longest} {length}");
            }
        }
    }
}
