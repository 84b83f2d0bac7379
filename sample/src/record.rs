//! A review as JSON, in the fields, the order and the spacing of the real files.

use super::review::{Flaw, Helpful, Review, date_text};
use std::io::Write;

/// How characters beyond ASCII are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As `\u00e9`, two of them for an emoji; most of the real files are like this.
    Ascii,
    /// As they are.
    Utf8,
}

impl Review {
    /// Appends the record.
    pub(super) fn write(&self, json: &mut Vec<u8>) {
        let rating = self.rating.map(|rating| rating.to_string());
        self.write_with(&self.id, rating.as_deref(), Some(&date_text(self.date)), json);
    }

    /// Appends the record with a flaw.
    pub(super) fn write_flawed(&self, flaw: Flaw, json: &mut Vec<u8>) {
        let rating = self.rating.map(|rating| rating.to_string());
        let (rating, date) = (rating.as_deref(), date_text(self.date));
        match flaw {
            Flaw::EmptyId => self.write_with("", rating, Some(&date), json),
            Flaw::UnreadableDate => self.write_with(&self.id, rating, Some("31 Febtober 2019"), json),
            Flaw::RatingOutOfRange => self.write_with(&self.id, Some("11"), Some(&date), json),
            Flaw::MissingDate => self.write_with(&self.id, rating, None, json),
            Flaw::NotAnObject => self.quote(json, &self.summary),
        }
    }

    fn write_with(&self, id: &str, rating: Option<&str>, date: Option<&str>, json: &mut Vec<u8>) {
        let fields = [
            ("review_id", Some(id)),
            ("reviewer", Some(&self.reviewer)),
            ("movie", Some(&self.movie)),
            ("rating", rating),
            ("review_summary", Some(&self.summary)),
            ("review_date", date),
        ];
        let mut separator = "{";
        for (name, value) in fields {
            push(json, format_args!("{separator}\"{name}\": "));
            match value {
                Some(value) => self.quote(json, value),
                None => json.extend_from_slice(b"null"),
            }
            separator = ", ";
        }
        push(json, format_args!(", \"spoiler_tag\": {}, \"review_detail\": ", u8::from(self.is_spoiler)));
        self.quote(json, &self.detail);
        match self.helpful {
            Helpful::Pair(found, total) => {
                push(json, format_args!(", \"helpful\": [\"{}\", \"{}\"]}}", grouped(found), grouped(total)));
            }
            Helpful::Text(found, total) => push(json, format_args!(", \"helpful\": \"{found},{total}\"}}")),
            Helpful::Missing => json.extend_from_slice(b", \"helpful\": null}"),
        }
    }

    fn quote(&self, json: &mut Vec<u8>, text: &str) {
        json.push(b'"');
        let mut rest = text;
        while let Some(at) = rest.bytes().position(|byte| needs_escape(byte, self.form)) {
            json.extend_from_slice(&rest.as_bytes()[..at]);
            let mut characters = rest[at..].chars();
            escape(json, characters.next().unwrap_or_default());
            rest = characters.as_str();
        }
        json.extend_from_slice(rest.as_bytes());
        json.push(b'"');
    }
}

/// Of a character of several bytes the first one decides, so what follows it is whole characters again.
fn needs_escape(byte: u8, form: Form) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\' || (byte >= 0x80 && form == Form::Ascii)
}

fn escape(json: &mut Vec<u8>, character: char) {
    match character {
        '"' => json.extend_from_slice(b"\\\""),
        '\\' => json.extend_from_slice(b"\\\\"),
        '\n' => json.extend_from_slice(b"\\n"),
        '\t' => json.extend_from_slice(b"\\t"),
        other => {
            for unit in other.encode_utf16(&mut [0; 2]) {
                push(json, format_args!("\\u{unit:04x}"));
            }
        }
    }
}

/// `1,234`.
fn grouped(number: u64) -> String {
    if number < 1000 { number.to_string() } else { format!("{},{:03}", grouped(number / 1000), number % 1000) }
}

fn push(json: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    json.write_fmt(text).expect("memory takes what is written");
}

#[cfg(test)]
mod tests {
    use super::super::calendar::Day;
    use super::*;
    use serde_json::{Value, json};

    fn review(form: Form) -> Review {
        Review {
            id: "rw1".into(),
            reviewer: "O\"Dwyer, the \\ second".into(),
            movie: "L'été (2004)".into(),
            rating: None,
            summary: "tab\tline\nbell\u{7}".into(),
            date: Day { year: 2005, month: 7, day: 4 },
            is_spoiler: true,
            detail: "😀 정말 \u{85}".into(),
            helpful: Helpful::Pair(999, 1_234_567),
            form,
        }
    }

    #[test]
    fn a_record_reads_back_in_both_forms() {
        for form in [Form::Ascii, Form::Utf8] {
            let mut json = Vec::new();
            review(form).write(&mut json);
            assert_eq!(json.is_ascii(), form == Form::Ascii);
            let expected = json!({
                "review_id": "rw1", "reviewer": "O\"Dwyer, the \\ second", "movie": "L'été (2004)", "rating": null,
                "review_summary": "tab\tline\nbell\u{7}", "review_date": "4 July 2005", "spoiler_tag": 1,
                "review_detail": "😀 정말 \u{85}", "helpful": ["999", "1,234,567"],
            });
            assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), expected);
        }
    }

    #[test]
    fn each_flaw_is_in_the_record() {
        let flawed = |flaw| {
            let mut json = Vec::new();
            review(Form::Ascii).write_flawed(flaw, &mut json);
            serde_json::from_slice::<Value>(&json).unwrap()
        };
        assert_eq!(flawed(Flaw::EmptyId)["review_id"], "");
        assert_eq!(flawed(Flaw::RatingOutOfRange)["rating"], "11");
        assert_eq!(flawed(Flaw::UnreadableDate)["review_date"], "31 Febtober 2019");
        assert_eq!(flawed(Flaw::MissingDate)["review_date"], Value::Null);
        assert!(flawed(Flaw::NotAnObject).is_string());
    }
}
