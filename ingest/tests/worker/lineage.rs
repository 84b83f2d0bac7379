//! A schema that was replaced by another one is not applied again by accident.

use crate::rebuild::{BY_HOUR, BY_SENSOR, assert_in_order, catalog, change_schema, pipeline, produce, rows, schema};
use crate::support::Pipeline;

fn assert_replaced(pipeline: &Pipeline, old: &str) {
    let path = pipeline.write("old.toml", old);
    let path = path.to_str().unwrap();
    for arguments in [&["run", "--until-end", "--schema", path][..], &["rebuild", "by_hour", "--schema", path]] {
        let said = pipeline.fail(2, arguments);
        assert!(said.contains("was replaced by another one") && said.contains("--accept-older-schema"), "{said}");
    }
    assert_eq!(pipeline.output(&["check", "--schema", path]).status.code(), Some(1));
}

#[test]
fn a_worker_with_the_old_schema_that_is_started_again_takes_nothing_away() {
    let pipeline = pipeline("restarted", &[BY_HOUR], 300);
    change_schema(&pipeline, &[BY_HOUR, BY_SENSOR]);
    pipeline.drain(&[]);
    let before = rows(&pipeline, "by_sensor");
    produce(&pipeline, 300, 100);
    assert_replaced(&pipeline, &schema(&[BY_HOUR]));
    assert_replaced(&pipeline, &format!("# another text, and the same schema\n{}", schema(&[BY_HOUR])));
    assert_eq!((rows(&pipeline, "by_sensor"), catalog(&pipeline).len()), (before, 2));
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
}

#[test]
fn whatever_a_schema_has_changed_the_one_before_is_refused() {
    let first = schema(&[BY_HOUR, BY_SENSOR]);
    for (what, second) in [
        ("removed", schema(&[BY_HOUR])),
        ("field", first.replace("[fields]", "[fields]\nnote = { type = \"string\" }")),
        ("required", first.replace("celsius = { type = \"float\"", "celsius = { type = \"float\", required = true")),
        ("columns", format!("{first}histogram = true\n")),
        ("lateness", first.replace("10m", "1h")),
    ] {
        let pipeline = pipeline("any-change", &[BY_HOUR, BY_SENSOR], 50);
        assert_ne!(first, second, "{what}");
        pipeline.write("schema.toml", &second);
        pipeline.drain(&[]);
        assert_replaced(&pipeline, &first);
        pipeline.drain(&[]);
    }
}

#[test]
fn the_user_can_go_back_on_purpose() {
    let pipeline = pipeline("back", &[BY_HOUR], 300);
    let second = schema(&[BY_HOUR, BY_SENSOR]);
    pipeline.write("schema.toml", &second);
    pipeline.drain(&[]);
    change_schema(&pipeline, &[BY_HOUR]);
    pipeline.drain(&["--accept-older-schema"]);
    assert_in_order(&pipeline);
    assert_eq!(catalog(&pipeline), ["by_hour"]);
    assert_replaced(&pipeline, &second);
    pipeline.drain(&[]);
}

#[test]
fn a_lower_version_is_refused_though_the_database_has_never_had_it() {
    let version = |version: u32, rollups: &[&str]| format!("version = {version}\n{}", schema(rollups));
    let pipeline = pipeline("versions", &[BY_HOUR], 100);
    pipeline.write("schema.toml", &version(3, &[BY_HOUR, BY_SENSOR]));
    pipeline.drain(&[]);
    let before = catalog(&pipeline);
    for (old, states) in [
        (version(2, &[BY_SENSOR]), "is version 2"),
        (schema(&[BY_HOUR, "\n"]), "states no version"),
        (schema(&[BY_SENSOR]), "states no version"),
    ] {
        pipeline.write("old.toml", &old);
        let said = pipeline.fail(2, &["run", "--until-end", "--schema", "old.toml"]);
        assert!(said.contains(states) && said.contains("--accept-older-schema"), "{said}");
        assert_eq!(pipeline.output(&["check", "--schema", "old.toml"]).status.code(), Some(1));
    }
    assert_eq!(catalog(&pipeline), before);
    pipeline.write("schema.toml", &version(4, &[BY_SENSOR]));
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
    pipeline.write("schema.toml", &version(3, &[BY_HOUR]));
    pipeline.drain(&["--accept-older-schema"]);
    assert_eq!(catalog(&pipeline), ["by_hour"]);
}
