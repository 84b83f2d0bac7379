//! CSV files: delimiters, decimal marks, quotes, headers, line ends. What is not certain is refused or breaks its record.

use files::{Decimal, Delimiter, FileError, Form, Format, Options, RecordFile, Trouble};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io::Cursor;
use std::path::Path;

/// What a file gives.
#[derive(Debug, Default)]
struct Read {
    records: Vec<Value>,
    /// Number and line of each broken record.
    broken: Vec<(u64, u64)>,
    /// What ended the file early.
    ended: Option<Trouble>,
}

fn open(name: &str, content: &[u8], form: Form) -> Result<RecordFile, FileError> {
    let options = Options { form, ..Options::default() };
    RecordFile::from_reader(Path::new(name), Cursor::new(content.to_vec()), &options)
}

fn read(name: &str, content: impl AsRef<[u8]>, form: Form) -> Read {
    let mut read = Read::default();
    let mut file = match open(name, content.as_ref(), form) {
        Ok(file) => file,
        Err(error) => return Read { ended: Some(error.trouble), ..read },
    };
    while let Some(record) = file.next_record() {
        match record.map(|record| serde_json::from_slice(record.json).expect("records are JSON")) {
            Ok(record) => read.records.push(record),
            Err(FileError { trouble: Trouble::Broken(broken), .. }) => {
                read.broken.push((broken.number, broken.line.expect("rows have lines")));
            }
            Err(error) => read.ended = Some(error.trouble),
        }
    }
    read
}

fn csv(content: impl AsRef<[u8]>) -> Read {
    read("a.csv", content, Form::default())
}

fn rejection(content: impl AsRef<[u8]>) -> Trouble {
    let read = csv(content);
    assert!(read.records.is_empty(), "{read:?}");
    read.ended.expect("the file is refused")
}

#[test]
fn the_delimiter_is_recognised_and_said() {
    let row = json!({"id": "u1", "day": "2024-05-01", "units": "3"});
    for (content, is_said) in [
        ("id,day,units\nu1,2024-05-01,3\n", false),
        ("id;day;units\nu1;2024-05-01;3\n", true),
        ("id\tday\tunits\nu1\t2024-05-01\t3\n", true),
        ("id|day|units\r\nu1|2024-05-01|3\r\n", true),
        ("sep=;\nid;day;units\nu1;2024-05-01;3\n", false),
    ] {
        assert_eq!(csv(content).records, std::slice::from_ref(&row), "{content}");
        let file = open("a.csv", content.as_bytes(), Form::default()).unwrap();
        assert_eq!(file.noticed().is_some(), is_said, "{content}");
    }
    assert_eq!(read("a.tsv", "id\tday\n1\tMay 2,3\n", Form::default()).records, [json!({"id": "1", "day": "May 2,3"})]);
    let form = Form { delimiter: Some("^".parse().unwrap()), ..Form::default() };
    assert_eq!(read("a.csv", "a^b,c\n1^2\n", form).records, [json!({"a": "1", "b,c": "2"})]);
}

#[test]
fn what_could_be_split_in_two_ways_is_refused() {
    for content in ["id;price, EUR\n1;2,5\n2;3,5\n", "a|b;c\n1|2;3\n"] {
        assert!(matches!(rejection(content), Trouble::AmbiguousDelimiter(..)), "{content}");
        let form = Form { delimiter: Some(Delimiter::SEMICOLON), ..Form::default() };
        assert!(read("a.csv", content, form).ended.is_none());
    }
}

#[test]
fn numbers_with_a_decimal_comma_are_never_other_numbers() {
    let amounts = |read: Read| read.records.iter().map(|record| record["amount"].clone()).collect::<Vec<_>>();
    let proved = csv("id;amount\n1;1.234,56\n2;0,5\n3;12,00\n4;1.500\n5;1,500\n6;-7\n");
    assert_eq!(amounts(proved), ["1234.56", "0.5", "12.00", "1500", "1.500", "-7"]);
    let point = csv("id;amount\n1;0.5\n2;1,500\n");
    assert_eq!(amounts(point), ["0.5", "1,500"], "the mark is a point, and the schema reads the thousands");

    // Nothing proves the mark: a number that could be two is no record.
    let unknown = csv("id;amount\n1;12\n2;1,500\n3;1.500\n4;7\n");
    assert_eq!(
        (amounts(unknown), csv("id;amount\n1;12\n2;1,500\n3;1.500\n4;7\n").broken),
        (vec![json!("12"), json!("7")], vec![(2, 3), (3, 4)])
    );
    // Both marks are there.
    assert_eq!(csv("id;amount\n1;0,5\n2;0.5\n").broken, [(1, 2), (2, 3)]);
    let mixed = csv("id;amount\n1;12,50\n2;10.30\n3;0,99\n4;7\n");
    assert_eq!(
        (amounts(csv("id;amount\n1;12,50\n2;10.30\n3;0,99\n4;7\n")), mixed.broken),
        (vec![json!("12.50"), json!("0.99"), json!("7")], vec![(2, 3)])
    );

    let named = |decimal| Form { decimal: Some(decimal), ..Form::default() };
    let quoted = "id,amount\n1,\"1.234,56\"\n2,\"1,500\"\n3,1.500\n";
    assert_eq!(amounts(read("a.csv", quoted, named(Decimal::Comma))), ["1234.56", "1.500", "1500"]);
    let among_commas = csv(quoted);
    assert_eq!((among_commas.broken.clone(), amounts(among_commas)), (vec![(2, 3), (3, 4)], vec![json!("1.234,56")]));
    assert_eq!(
        amounts(csv("id,amount\n1,\"1,500\"\n2,\"2,250\"\n")),
        ["1,500", "2,250"],
        "a comma between the fields decides"
    );
    assert_eq!(amounts(read("a.csv", "id;amount\n1;1,500\n", named(Decimal::Point))), ["1,500"]);
    let json = read("a.jsonl", "{\"a\": \"1,5\"}\n", named(Decimal::Comma));
    assert!(matches!(json.ended, Some(Trouble::DecimalOfJson)), "{json:?}");
}

#[test]
fn the_decimal_mark_is_recognised_in_each_column_whatever_is_between_the_fields() {
    for delimiter in [";", "\t", "|", "^"] {
        let file = |rows: &[&str]| {
            let content = (rows.join("\n") + "\n").replace(';', delimiter);
            let read = read(if delimiter == "\t" { "a.tsv" } else { "a.csv" }, content, Form::default());
            let rows: Vec<Vec<String>> = read
                .records
                .iter()
                .map(|record| {
                    let cells = record.as_object().unwrap().values();
                    cells.map(|cell| cell.as_str().unwrap().to_owned()).collect()
                })
                .collect();
            (rows.iter().map(|row| row.join(" ")).collect::<Vec<_>>(), read.broken.len())
        };
        let read = |rows: &[&str]| file(rows);
        assert_eq!(read(&["amount;id", "1,500;1", "0,5;2"]), (vec!["1.500 1".into(), "0.5 2".into()], 0));
        assert_eq!(read(&["amount;id", "1,500;1", "0.5;2"]), (vec!["1,500 1".into(), "0.5 2".into()], 0));
        assert_eq!(read(&["amount;id", "1,500;1", "7;2"]), (vec!["7 2".into()], 1));
        assert_eq!(read(&["amount;id", "1.500;1", "7;2"]), (vec!["7 2".into()], 1));
        // A time or a date in another column is no proof, a number is.
        assert_eq!(read(&["amount;at", "1.500;10.30", "7;11.45"]), (vec!["7 11.45".into()], 1));
        assert_eq!(
            read(&["amount;at", "0,5;10.30", "1.500;11.45"]),
            (vec!["0.5 10.30".into(), "1500 11.45".into()], 0)
        );
        assert_eq!(read(&["amount;share", "1.500;0.75", "7;0.25"]), (vec!["1.500 0.75".into(), "7 0.25".into()], 0));
    }
}

#[test]
fn a_file_that_seems_to_be_one_column_says_what_may_be_between_its_fields() {
    let noticed = |content: &str| open("a.csv", content.as_bytes(), Form::default()).unwrap().noticed();
    for content in ["id^n\n1^2\n", "id~n\n1~2\n", "id\u{1}n\n1\u{1}2\n"] {
        assert_eq!(csv(content).records, [json!({"id": "1", "n": "2"})], "{content:?}");
        assert!(noticed(content).is_some_and(|said| said.contains("--delimiter")), "{content:?}");
    }
    for content in ["id:n\n1:2\n2:3\n", "id n\n1 2\n2 3\n", "id#n\n1#2\n2#3\n"] {
        assert_eq!(csv(content).records.len(), 2);
        assert!(noticed(content).is_some_and(|said| said.contains("--delimiter")), "{content:?}");
    }
    for content in ["id\n1\n2\n", "title\nAlien: Romulus\nUp\n", "first name\nAnn\nMary Ann\n", "id,n\n1,2:3\n"] {
        assert_eq!(noticed(content), None, "{content:?}");
    }
    let hive = Form { delimiter: Some("\\x01".parse().unwrap()), ..Form::default() };
    assert_eq!(read("a.csv", "id\u{1}n\n1\u{1}2\n", hive).records, [json!({"id": "1", "n": "2"})]);
    assert!("\\x0a".parse::<Delimiter>().is_err() && "\\xff".parse::<Delimiter>().is_err());
}

#[test]
fn texts_that_only_look_like_numbers_stay_as_they_are() {
    let form = Form { delimiter: Some(Delimiter::SEMICOLON), decimal: Some(Decimal::Comma), ..Form::default() };
    for text in
        ["192.168.100.200", "01.05.2024", "1,2,3", "v1.234", "1.234,56 €", "12:30", "+49170123456", "170 123 456"]
    {
        let read = read("a.csv", format!("id;x\n1;{text}\n"), form.clone());
        assert_eq!(read.records, [json!({"id": "1", "x": text})]);
    }
}

#[test]
fn two_columns_of_one_name_are_refused() {
    for content in ["id,day,id\n1,2,3\n", "id, id\n1,2\n", "\"a\",b,a\n1,2,3\n", ",column_1\n1,2\n"] {
        assert!(matches!(rejection(content), Trouble::RepeatedColumn(_)), "{content}");
    }
    assert_eq!(csv("id, day ,ID\n1,2,3\n").records, [json!({"id": "1", "day": "2", "ID": "3"})]);
    assert_eq!(csv(",a\n0,1\n").records, [json!({"column_1": "0", "a": "1"})]);
}

/// Rows of three columns, of which the third row has `third` for a text.
fn rows(third: &str, count: usize) -> String {
    let row = |number| match number {
        3 => format!("n3,{third}\n"),
        _ => format!("n{number},fine,{number}\n"),
    };
    format!("id,note,amount\n{}", (1..=count).map(row).collect::<String>())
}

#[test]
fn a_quote_that_is_not_closed_costs_one_row() {
    for third in
        ["\"he said so,3", "3,\"he said so", "\"he said \"so\",3", "\"he said \\\"so\\\", twice\",3", "\"x\" y,3"]
    {
        let read = csv(rows(third, 200));
        assert_eq!((read.records.len(), read.broken), (199, vec![(3, 4)]), "{third}");
        assert!(read.ended.is_none());
    }
    // The quote of a later row closes the text.
    let late = rows("3,\"he said", 200).replace("n150,fine,150", "n150,150,so\"");
    let read = csv(late);
    assert_eq!((read.records.len(), read.broken[0]), (199, (3, 4)), "{read:?}");
    // The last row, and one of which no row is left.
    let read = csv("id,note\n1,fine\n2,\"oh\n");
    assert!(matches!(read.ended, Some(Trouble::OpenQuote { number: 2, line: 3, .. })), "{read:?}");
    let read = csv("id,note\n1,\"oh\n\nno row, at, all\n");
    assert!(matches!(read.ended, Some(Trouble::OpenQuote { number: 1, line: 2, .. })), "{read:?}");
    assert!(matches!(rejection("id,\"note\n1,2\n"), Trouble::Header(_)));
}

#[test]
fn a_row_beyond_the_limit_is_broken_by_itself() {
    let long = "x".repeat(3000);
    let options = Options { max_record_bytes: 1000, ..Options::default() };
    for (content, expected) in [
        (format!("id,note\n1,a\n2,{long}\n3,b\n"), (2, 1)),
        (format!("id,note\n1,a\n2,\"{long}\"\n3,b\n"), (2, 1)),
        (format!("id,note\n1,a\n2,\"open\n{}", "3,b\n".repeat(1000)), (1001, 1)),
    ] {
        let mut file = RecordFile::from_reader(Path::new("a.csv"), Cursor::new(content), &options).unwrap();
        let (mut records, mut errors) = (0, 0);
        while let Some(record) = file.next_record() {
            match record {
                Ok(_) => records += 1,
                Err(_) => errors += 1,
            }
        }
        assert_eq!((records, errors), expected);
    }
}

#[test]
fn well_formed_texts_over_several_lines_are_texts() {
    let text = "Dear Sir,\nI like it, really,\n\nyours, etc, etc\n1,2,3\nPS: no, not, at all";
    let read = csv(format!("id,note,n\n1,\"{text}\",2\n"));
    assert_eq!(read.records, [json!({"id": "1", "note": text, "n": "2"})]);
}

#[test]
fn a_quote_that_a_later_row_closes_costs_one_row() {
    for (content, rows, line) in [
        ("id,note\n1,fine\n2,\"opens\n3,fine\n4,fine\n5,fine\n6,fine\n7,fine\n8,monitor 24\"\n9,fine", 8, 3),
        ("id,note\r\n1,\"opens\r\n2,fine\r\n3,monitor 24\"\r\n4,fine\r\n", 3, 2),
        ("id,note,n\n1,\"opens,5\n2,24\",5\n3,fine,5\n", 2, 2),
        ("day,note\n2024-05-01,\"opens\n2024-05-02,fine\n2024-05-02,24\"\n2024-05-03,fine\n", 3, 2),
    ] {
        let read = csv(content);
        let broken: Vec<_> = read.broken.iter().map(|(_, line)| *line).collect();
        assert_eq!((read.records.len(), broken), (rows, vec![line]), "{content}");
        assert!(read.ended.is_none());
    }
}

#[test]
fn one_row_that_a_quote_has_taken_in_is_found_or_pointed_out() {
    let doubted = |content: &str| {
        let mut file = open("a.csv", content.as_bytes(), Form::default()).unwrap();
        let mut broken = Vec::new();
        while let Some(row) = file.next_row() {
            if let Err(FileError { trouble: Trouble::Broken(one), .. }) = row {
                broken.push(one.number);
            }
        }
        (broken, file.doubted().is_some())
    };
    // The keys before and behind it count on.
    assert_eq!(doubted("id,note\n1,\"opens\n2,closes\"\n3,fine\n"), (vec![1], false));
    assert_eq!(doubted("id,note\n1,fine\n2,\"opens\n3,24\"\n4,fine\n"), (vec![2], false));
    // It may be a text.
    for content in [
        "id,note\n1,\"opens\n2,closes\"\n",
        "id,note\nn1,\"opens\nn2,closes\"\nn3,fine\n",
        "id,note\n1,\"opens\n2,closes\"\n2,fine\n",
        "id,note,n\na,\"opens,1\nb,closes\",2\n",
        "word,note\nup,\"opens\ndown,closes\"\nleft,fine\n",
    ] {
        assert_eq!(doubted(content), (vec![], true), "{content}");
    }
    for content in
        ["id,note\n1,\"Dear Sir,\nyours, me\"\n2,x\n", "id,note\n1,\"a\nb\"\n", "id,note\n1,\"a\n\n2,b\"\n2,x\n"]
    {
        assert_eq!(doubted(content), (vec![], false), "{content}");
    }
}

#[test]
fn legal_texts_over_several_lines_are_read_in_few_columns_too() {
    for text in [
        "Dear Sir,\nI like it, really,\nyours, etc",
        "great film\n\n10/10, would watch again",
        "We sold\n6,000 units",
        "Sales\n10,000 in May\n20,000 in June",
        "Roses are red, violets blue\nSugar is sweet, so are you\nNo more, no less",
        "shopping\n1,apples\n2,pears",
        "12 Main Street\nSpringfield, IL\nUSA",
    ] {
        let read = csv(format!("id,note\n4,fine\n5,\"{text}\"\n6,fine\n"));
        assert_eq!(read.records[1], json!({"id": "5", "note": text}));
        assert_eq!((read.records.len(), read.broken.len()), (3, 0), "{text}");
    }
}

#[test]
fn any_line_end_ends_a_row() {
    let expected = [json!({"id": "a", "n": "1"}), json!({"id": "b", "n": "2"}), json!({"id": "c", "n": "3"})];
    for content in ["id,n\ra,1\rb,2\rc,3\r", "id,n\r\na,1\rb,2\nc,3", "id,n\n\na,1\n\r\nb,2\n\rc,3\n\n"] {
        assert_eq!(csv(content).records, expected, "{content:?}");
    }
    let lines = csv("id,n\r\n\r\na,1\r\"x\ny\",1,1\r\nb,\0\nc,3");
    assert_eq!(lines.broken, [(2, 4), (3, 6)]);
}

#[test]
fn nul_bytes_and_other_bytes_break_their_row() {
    let read = csv(b"id,n\nz\0,1\nb,2\ncaf\xe9,3\nd,4\n");
    assert_eq!((read.records.len(), read.broken), (2, vec![(1, 2), (3, 4)]));
    assert!(matches!(rejection("id\0,n\n1,2\n"), Trouble::Header(_)));
    assert!(matches!(rejection(b"caf\xe9,n\n1,2\n"), Trouble::Header(_)));
    let padded = csv(b"id,n\na,1\n\0\0\0\0\0\0");
    assert_eq!((padded.records.len(), padded.broken.len()), (1, 1));
}

#[test]
fn a_byte_order_mark_within_a_file_is_where_another_one_begins() {
    let rows = [json!({"id": "1", "n": "a"}), json!({"id": "2", "n": "b"})];
    for content in [
        "\u{feff}id,n\n1,a\n\u{feff}id,n\n2,b\n",
        "id,n\n1,a\n\n\u{feff}\"id\", n\n2,b\n\u{feff}",
        "id,n\r\n\u{feff}id,n\r\n1,a\r\n2,b",
    ] {
        let read = csv(content);
        assert_eq!((read.records.as_slice(), read.broken.len()), (rows.as_slice(), 0), "{content}");
        assert!(read.ended.is_none());
    }
    for content in ["id,n\n1,a\n\u{feff}n,id\nb,2\n", "id,n\n1,a\n\u{feff}2,b\n", "id,n\n1,a\n\u{feff}id\n2\n"] {
        let read = csv(content);
        assert_eq!(read.records, rows[..1]);
        assert!(matches!(read.ended, Some(Trouble::OtherHeader { line: 3 })), "{:?}", read.ended);
    }
    let quoted = csv("id,n\n1,\"\u{feff}a\"\n2,b\u{feff}\n");
    assert_eq!(quoted.records, [json!({"id": "1", "n": "\u{feff}a"}), json!({"id": "2", "n": "b\u{feff}"})]);
}

#[test]
fn json_in_a_file_named_csv_is_json() {
    for content in ["{\"a\": 1}\n{\"a\": 2}\n", "[{\"a\": 1}, {\"a\": 2}]"] {
        let file = open("a.csv", content.as_bytes(), Form::default()).unwrap();
        assert!(file.noticed().is_some() && file.format() != Format::Csv);
        assert_eq!(csv(content).records.len(), 2);
    }
    assert_eq!(csv("[a],{b}\n1,2\n").records, [json!({"[a]": "1", "{b}": "2"})]);
}

#[test]
fn a_stream_without_a_name_is_csv_if_it_is_a_table() {
    let table = read("-", "id;n\n1;2\n2;3\n", Form::default());
    assert_eq!(table.records.len(), 2);
    for content in ["id\n1\n", "<html>,<b>\n<p>,<i>\n", "one, two\nno rows alike\n", "plain text, with a comma"] {
        assert!(matches!(read("-", content, Form::default()).ended, Some(Trouble::NotRecords { .. })), "{content}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        rows in prop::collection::vec(prop::collection::vec("[a-z,;\"\n\r é]{0,8}", 2..3), 1..20),
        delimiter in prop::sample::select(vec![",", ";", "\t", "|"]),
        line_end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let quoted = |text: &String| format!("\"{}\"", text.replace('"', "\"\""));
        let lines: Vec<_> = rows.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(delimiter)).collect();
        let content = format!("a{delimiter}b{line_end}{}", lines.join(line_end));
        let form = Form { delimiter: Some(delimiter.parse().unwrap()), decimal: Some(Decimal::Point), ..Form::default() };
        let expected: Vec<_> = rows.iter().map(|row| json!({"a": row[0], "b": row[1]})).collect();
        let seen = read("a.csv", content, form);
        prop_assert_eq!(seen.records, expected);
        prop_assert!(seen.broken.is_empty() && seen.ended.is_none());
    }

    #[test]
    fn one_bad_quote_costs_one_row_wherever_it_is(count in 3_usize..60, bad in any::<prop::sample::Index>(), at in 0_usize..3) {
        let bad = 1 + bad.index(count - 1);
        let row = |number: usize| {
            let mut fields = [format!("n{number}"), "fine".to_owned(), number.to_string()];
            if number == bad {
                fields[at].insert(0, '"');
            }
            fields.join(",")
        };
        let content = format!("id,note,amount\n{}\n", (1..=count).map(row).collect::<Vec<_>>().join("\n"));
        let seen = csv(content);
        prop_assert_eq!((seen.records.len(), seen.broken), (count - 1, vec![(bad as u64, bad as u64 + 1)]));
    }

    #[test]
    fn arbitrary_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[a1,;\"\r\n.]{0,200}") {
        for content in [bytes, text.into_bytes()] {
            let Ok(mut file) = open("a.csv", &content, Form::default()) else { continue };
            let mut calls = 0;
            while file.next_record().is_some() {
                calls += 1;
                prop_assert!(calls <= content.len() + 1);
            }
        }
    }
}
