//! JSON in the shapes that programs and people leave it in, other encodings, and compressed files with something behind.

use files::{FileError, Form, Options, RecordFile, Trouble};
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use std::sync::mpsc;

/// The records, the numbers of the broken ones, and what ended the file early.
fn read(name: &str, content: &[u8], form: Form) -> (Vec<Value>, Vec<u64>, Option<Trouble>) {
    let options = Options { form, ..Options::default() };
    let (mut records, mut broken, mut ended) = (Vec::new(), Vec::new(), None);
    let mut file = match RecordFile::from_reader(Path::new(name), Cursor::new(content.to_vec()), &options) {
        Ok(file) => file,
        Err(error) => return (records, broken, Some(error.trouble)),
    };
    while let Some(record) = file.next_record() {
        match record.map(|record| serde_json::from_slice(record.json).expect("records are JSON")) {
            Ok(record) => records.push(record),
            Err(FileError { trouble: Trouble::Broken(one), .. }) => broken.push(one.number),
            Err(error) => ended = Some(error.trouble),
        }
    }
    (records, broken, ended)
}

fn whole(name: &str, content: impl AsRef<[u8]>) -> Vec<Value> {
    let (records, broken, ended) = read(name, content.as_ref(), Form::default());
    assert!(broken.is_empty() && ended.is_none(), "{broken:?} {ended:?}");
    records
}

fn objects(count: usize) -> Vec<String> {
    (1..=count).map(|id| json!({"id": id, "text": "a}, {b"}).to_string()).collect()
}

fn values(count: usize) -> Vec<Value> {
    objects(count).iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

#[test]
fn objects_are_found_however_they_are_joined() {
    let five = objects(5);
    let lines: Vec<_> = five.iter().map(|object| format!("[{object}]")).collect();
    let records: Vec<_> = five.iter().map(|object| format!("\u{1e}{object}\n")).collect();
    for content in [
        five.join(""),
        five.join(" "),
        five.join("\t") + "\n",
        five.join("\r"),
        five.join("\r") + "\r",
        five.join(",\n") + ",\n",
        five.join(",\r\n"),
        five.join("\n,"),
        five.join(", "),
        format!("{}\n{}{}\n{}\n{}", five[0], five[1], five[2], five[3], five[4]),
        format!("{}{}\n{}\n{}{}", five[0], five[1], five[2], five[3], five[4]),
        format!("[\n{}\n]", five.join("\n")),
        lines.join("\n"),
        lines.join(""),
        records.concat(),
        format!("\u{feff}{}", five.join("")),
    ] {
        assert_eq!(whole("a.jsonl", &content), values(5), "{content}");
        assert_eq!(whole("-", &content), values(5), "{content}");
    }
    let pretty: Vec<_> = values(5).iter().map(|value| serde_json::to_string_pretty(value).unwrap()).collect();
    for between in ["", "\n", ",\n", "\r", "\n\u{1e}"] {
        assert_eq!(
            whole("a.json", pretty.join(between).replace("\n ", if between == "\r" { "\r " } else { "\n " })),
            values(5)
        );
    }
}

#[test]
fn many_objects_on_one_line_need_no_memory_for_the_line() {
    let line = objects(1).concat().repeat(50_000);
    let options = Options { max_record_bytes: 1000, ..Options::default() };
    let mut file = RecordFile::from_reader(Path::new("a.jsonl"), Cursor::new(line), &options).unwrap();
    let mut records = 0;
    while let Some(record) = file.next_record() {
        record.unwrap();
        records += 1;
    }
    assert_eq!(records, 50_000);
}

#[test]
fn a_broken_line_costs_no_other() {
    let (records, broken, _) = read(
        "a.jsonl",
        b"{\"a\": 1}{\"a\": }\n{\"a\": 2}oops\n{\"a\": 3}{\"a\": 4}\n\0\0\n{\"a\": 5}",
        Form::default(),
    );
    assert_eq!(records, [1, 3, 4, 5].map(|a| json!({ "a": a })));
    assert_eq!(broken, [2, 3, 6]);
}

#[test]
fn a_value_that_json_does_not_have_costs_one_record() {
    for (name, start, between, end) in [("a.json", "[", ",\n", "]"), ("a.jsonl", "", "\n", "\n"), ("-", "", "", "")] {
        for word in ["NaN", "-Infinity", "Infinity", "nan", "None", "True", "undefined"] {
            let bad = format!("{{\"id\": 2, \"x\": {word}}}");
            let content = format!("{start}{}{end}", [r#"{"id": 1}"#, &bad, r#"{"id": 3, "x": 4.5}"#].join(between));
            let (records, broken, ended) = read(name, content.as_bytes(), Form::default());
            let ids: Vec<_> = records.iter().map(|record| record["id"].clone()).collect();
            assert_eq!((ids, broken), (vec![json!(1), json!(3)], vec![2]), "{content}");
            assert!(ended.is_none());
        }
    }
}

fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

#[test]
fn utf16_is_read_with_and_without_a_mark() {
    let texts = [
        ("a.csv", "id,film\n1,기생충\n2,Été\n"),
        ("a.tsv", "id\tfilm\r\n1\t기생충\r\n2\tÉté\r\n"),
        ("a.json", "[{\"id\": \"1\", \"film\": \"기생충\"}, {\"id\": \"2\", \"film\": \"Été\"}]"),
        ("a.jsonl", "{\"id\": \"1\", \"film\": \"기생충\"}\n{\"id\": \"2\", \"film\": \"Été\"}\n"),
    ];
    let expected = [json!({"id": "1", "film": "기생충"}), json!({"id": "2", "film": "Été"})];
    for (name, text) in texts {
        for to_bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            for mark in ["", "\u{feff}"] {
                let content = utf16(&format!("{mark}{text}"), to_bytes);
                assert_eq!(whole(name, &content), expected, "{name}");
                let file = RecordFile::from_reader(Path::new(name), Cursor::new(content), &Options::default()).unwrap();
                assert!(file.noticed().is_some_and(|said| said.contains("UTF-16") && said.contains("--encoding")));
            }
        }
    }
    let lone =
        utf16("id,film\n1,x", u16::to_le_bytes).into_iter().chain([0, 0xd8]).chain(utf16("\n2,y\n", u16::to_le_bytes));
    let (records, broken, _) = read("a.csv", &lone.collect::<Vec<_>>(), Form::default());
    assert_eq!((records, broken), (vec![json!({"id": "2", "film": "y"})], vec![1]));
}

#[test]
fn encodings_of_one_byte_are_named_and_not_guessed() {
    let named = |name: &str| Form { encoding: Some(name.parse().unwrap()), ..Form::default() };
    for (encoding, bytes, text) in [
        ("windows-1252", b"caf\xe9 \x80".as_slice(), "café €"),
        ("latin1", b"\xdcbung", "Übung"),
        ("windows-1251", b"\xcc\xe8\xf0", "Мир"),
        ("euc-kr", b"\xb1\xe2\xbb\xfd\xc3\xe6", "기생충"),
    ] {
        let csv = [b"id,name\n1,".as_slice(), bytes, b"\n2,tea\n"].concat();
        assert_eq!(read("a.csv", &csv, named(encoding)).0[0], json!({"id": "1", "name": text}), "{encoding}");
        let (records, broken, _) = read("a.csv", &csv, Form::default());
        assert_eq!((records, broken), (vec![json!({"id": "2", "name": "tea"})], vec![1]), "{encoding}");
        let lines = [b"{\"name\": \"".as_slice(), bytes, b"\"}\n{\"name\": \"tea\"}\n"].concat();
        assert_eq!(read("a.jsonl", &lines, named(encoding)).0[0], json!({ "name": text }), "{encoding}");
        assert_eq!(read("a.jsonl", &lines, Form::default()).1, [1], "{encoding}");
    }
    assert!("no-such".parse::<files::Encoding>().is_err());
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn what_stands_behind_a_gzip_stream_is_padding_or_an_error() {
    let lines = objects(5).join("\n");
    let (front, back) = lines.split_at(60);
    let members = [gzip(front.as_bytes()), gzip(b""), gzip(back.as_bytes())].concat();
    for padding in [0, 1, 512, 100_000] {
        assert_eq!(whole("a.jsonl.gz", [members.clone(), vec![0; padding]].concat()), values(5), "{padding}");
    }
    for garbage in [b"hello".as_slice(), b"\0\0x", b"\x1f", b"{\"id\": 6}"] {
        let (records, _, ended) = read("a.jsonl.gz", &[&members, garbage].concat(), Form::default());
        assert_eq!(records, values(5));
        assert!(ended.is_some(), "{garbage:?}");
    }
    assert_eq!(whole("a.csv", gzip(b"a,b\n1,2\n")), [json!({"a": "1", "b": "2"})]);
}

#[test]
fn a_compressed_file_that_is_cut_short_gives_what_is_there() {
    let lines = objects(5).join("\n");
    let packed = gzip(lines.as_bytes());
    for cut in 1..9 {
        let (records, _, ended) = read("a.jsonl.gz", &packed[..packed.len() - cut], Form::default());
        assert!(matches!(ended, Some(Trouble::CutShort { compression: "gzip", .. })), "{cut}: {ended:?}");
        assert!(records.len() >= 4, "{cut}: {}", records.len());
    }
    let (records, _, ended) = read("a.jsonl.gz", &packed[..packed.len() - 14], Form::default());
    assert!(records.len() < 5 && matches!(ended, Some(Trouble::CutShort { .. })), "{ended:?}");
}

#[test]
fn a_zstd_window_beyond_memory_is_named() {
    let frame = |header: &[u8]| [b"\x28\xb5\x2f\xfd", header, &[0; 16]].concat();
    let skippable = |frame: Vec<u8>| [b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec(), frame].concat();
    let window = |log: u8, eighths: u8| (log - 10) << 3 | eighths;
    for (header, expected) in [
        (&[0x00, window(31, 0)][..], (2048, 31)),
        (&[0x04, window(28, 0)], (256, 28)),
        (&[0x00, window(27, 1)], (144, 28)),
        (&[0xa0, 0, 0, 0, 0x10], (256, 28)),
        (&[0xe1, 7, 0, 0, 0, 0, 1, 0, 0, 0], (4096, 32)),
    ] {
        for content in [frame(header), skippable(frame(header))] {
            let ended = read("a.jsonl.zst", &content, Form::default()).2;
            let Some(Trouble::WideWindow { megabytes, log }) = ended else { panic!("{header:?}: {ended:?}") };
            assert_eq!((megabytes, log), expected, "{header:?}");
        }
    }
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(objects(5).join("\n").as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    assert_eq!(whole("a.jsonl.zst", &packed), values(5));
    assert_eq!(whole("a.jsonl.zst", skippable(packed)), values(5));
}

#[test]
fn other_kinds_of_files_are_named() {
    for content in [b"PK\x03\x04....".as_slice(), b"PAR1....", b"Obj\x01....", b"BZh9....", b"\xfd7zXZ\0.."] {
        assert!(matches!(read("a.csv", content, Form::default()).2, Some(Trouble::OtherFile(_))), "{content:?}");
    }
}

/// Hands out what it is sent, and waits for the rest.
struct Live {
    pieces: mpsc::Receiver<Vec<u8>>,
    piece: Cursor<Vec<u8>>,
}

impl Read for Live {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.piece.read(buffer)?;
        if taken > 0 {
            return Ok(taken);
        }
        self.piece = Cursor::new(self.pieces.recv().unwrap_or_default());
        self.piece.read(buffer)
    }
}

#[test]
fn of_a_pipe_the_first_line_is_enough() {
    for (name, header, row) in [("-", "", "{\"id\": 1}\n"), ("a.csv", "id,n\n", "1,2\n")] {
        let (writer, pipe) = mpsc::channel();
        writer.send([header, row].concat().into_bytes()).unwrap();
        let mut file = RecordFile::from_reader(
            Path::new(name),
            Live { pieces: pipe, piece: Cursor::default() },
            &Options::default(),
        )
        .unwrap();
        assert!(file.next_record().unwrap().is_ok(), "{name}");
        writer.send(row.as_bytes().to_vec()).unwrap();
        drop(writer);
        assert!(file.next_record().unwrap().is_ok(), "{name}");
        assert!(file.next_record().is_none(), "{name}");
    }
}
