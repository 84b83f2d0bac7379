//! Fields of the schema that no record has: `check` and a run say so.

use crate::support::{Pipeline, text};
use serde_json::Value;

fn pipeline(test: &str, field: &str) -> Pipeline {
    let schema = format!(
        "stream = \"acts\"\nid = [\"id\"]\nevent_time = \"at\"\n[fields]\nid = {{ type = \"string\" }}\n\
         at = {{ type = \"timestamp\" }}\n{field}\n[[rollups]]\nname = \"acts_by_day\"\nwindow = \"day\"\n"
    );
    let pipeline = Pipeline::with_schema(test, &schema);
    let act = |n: usize| {
        format!("{{\"id\": \"a{n}\", \"at\": \"2024-05-01T00:00:{:02}Z\", \"actor\": {{\"login\": \"x\"}}}}\n", n % 60)
    };
    pipeline.produce(&pipeline.write("acts.jsonl", &(0..500).map(act).collect::<String>()));
    pipeline
}

/// The findings of `check` by what was looked at.
fn finding(pipeline: &Pipeline, what: &str) -> Value {
    let findings: Vec<Value> = serde_json::from_slice(&pipeline.output(&["check", "--json"]).stdout).unwrap();
    findings.into_iter().find(|finding| finding["what"] == what).unwrap_or(Value::Null)
}

#[test]
fn a_field_that_no_record_has_is_told_once() {
    for (field, warns, words) in [
        ("acter = { type = \"string\" }", true, &["acter", "in any of 500 records", "the records have actor, "][..]),
        ("login = { type = \"string\", from = \"actor.nobody\" }", true, &["login", "actor.nobody"]),
        ("note = { type = \"string\", from = \"actor_note\" }", true, &["note", "actor_note"]),
        ("time = { type = \"timestamp\", from = \"at\" }", false, &[]),
    ] {
        let pipeline = pipeline("absent", field);
        let fields = finding(&pipeline, "fields");
        assert_eq!((&fields["holds"], &fields["warns"]), (&true.into(), &warns.into()), "{fields}");
        let output = pipeline.output(&["run", "--until-end"]);
        let said = text(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert_eq!(said.matches("had no value in any").count(), usize::from(warns), "{said}");
        for word in words {
            assert!(
                said.contains(word) && fields["detail"].as_str().unwrap().contains(word),
                "{word}: {said} {fields}"
            );
        }
    }
}

#[test]
fn records_that_cannot_be_used_are_found_before_a_run() {
    let pipeline = pipeline("check-dead", "other = { type = \"int\", required = true }");
    let records = finding(&pipeline, "records");
    assert_eq!(records["holds"], false);
    assert!(records["detail"].as_str().unwrap().contains("missing_field"), "{records}");
    assert_eq!(finding(&pipeline, "fields"), Value::Null, "nothing is known of them");
    assert_eq!(pipeline.count("offsets", bson::doc! {}), 0, "nothing was consumed");
}
