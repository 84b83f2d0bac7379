//! Doing it again changes nothing but the count of duplicates (invariants I1, I4 and I5).

use crate::support::{Pipeline, counts, text};
use bson::{Document, doc};
use ingest::store::Counts;

fn without_publishing(mut rows: Vec<Document>) -> Vec<Document> {
    for row in &mut rows {
        row.remove("revision");
        row.remove("updated_at");
    }
    rows
}

#[test]
fn the_same_topic_and_the_same_files_again_are_only_duplicates() {
    let pipeline = Pipeline::new("repeat");
    let data = pipeline.reviews(3_000, 11);
    pipeline.produce(&data);
    let first = pipeline.drain(&[]);
    let positions = pipeline.documents("offsets", doc! {});
    let months = pipeline.documents("reviews_by_month", doc! {});
    let movies = pipeline.documents("top_movies_by_month", doc! {});

    assert_eq!(pipeline.drain(&[]), Counts::default(), "a second run finds nothing to read");
    assert_eq!(pipeline.documents("offsets", doc! {}), positions);
    assert_eq!(pipeline.documents("reviews_by_month", doc! {}), months, "not even a revision moves");

    pipeline.produce(&data);
    let again = pipeline.drain(&[]);
    let all_repeats =
        Counts { read: first.read, duplicate: first.stored + first.duplicate, dead: first.dead, ..Counts::default() };
    assert_eq!(again, all_repeats);
    assert_eq!(pipeline.count("events", doc! {}), u64::try_from(first.stored).unwrap());
    assert_eq!(without_publishing(pipeline.documents("reviews_by_month", doc! {})), without_publishing(months));
    assert_eq!(without_publishing(pipeline.documents("top_movies_by_month", doc! {})), without_publishing(movies));
    pipeline.assert_audit();
}

#[test]
fn another_group_of_the_same_database_stores_nothing_twice() {
    let pipeline = Pipeline::new("regroup");
    pipeline.produce(&pipeline.reviews(1_000, 12));
    let first = pipeline.drain(&[]);
    let letters = pipeline.documents("dead_letters", doc! {});
    assert!(!letters.is_empty());
    let again = pipeline.drain(&["--group", &format!("{}-other", pipeline.name)]);
    assert_eq!((again.stored, again.duplicate), (0, first.stored + first.duplicate));
    assert_eq!(pipeline.documents("dead_letters", doc! {}), letters, "a letter belongs to the group that counts it");
    pipeline.assert_audit();
}

#[test]
fn a_repeat_with_other_contents_is_counted_apart() {
    let pipeline = Pipeline::new("changed");
    let review = |id: u32, rating: u32, more: &str| {
        format!(
            r#"{{"review_id": "r{id}", "movie": "Up (2009)", "rating": {rating}, "review_date": "1 May 2009"{more}}}"#
        ) + "\n"
    };
    let produce = |lines: &[String]| pipeline.produce(&pipeline.write("reviews.jsonl", &lines.concat()));
    produce(&[review(1, 5, ""), review(2, 5, ""), review(3, 5, "")]);
    assert_eq!(pipeline.drain(&[]).stored, 3);
    // By another run, which has none of these ids in its memory; one of them twice in one batch, which the same partition guarantees.
    produce(&[
        review(1, 6, ""),
        review(2, 5, ", \"unknown\": 1"),
        review(4, 7, ""),
        review(4, 8, ""),
        review(4, 7, ""),
    ]);
    let output = pipeline.output(&["run", "--until-end"]);
    let counts = counts(&text(&output.stdout));
    let expected = Counts { read: 5, stored: 1, duplicate: 4, duplicate_changed: 2, ..Counts::default() };
    assert_eq!(counts, expected, "what the schema does not read is no content");
    assert_eq!(text(&output.stderr).matches("other contents").count(), 1, "told once: {}", text(&output.stderr));
    assert_eq!(pipeline.count("events", doc! { "rating": { "$in": [5, 7] } }), 4, "the first one stays");
    assert_eq!(pipeline.stored_counts(), Counts { read: 8, stored: 4, ..expected });
    pipeline.assert_audit();
}

#[test]
fn a_field_that_the_schema_has_got_since_is_no_change() {
    let preset = model::schema::IMDB_REVIEW;
    let pipeline = Pipeline::with_schema("changed-schema", preset);
    let line = "{\"review_id\": \"a\", \"movie\": \"Up (2009)\", \"review_date\": \"1 May 2009\", \"source\": \"x\"}\n";
    let file = pipeline.write("review.jsonl", line);
    pipeline.produce(&file);
    assert_eq!(pipeline.drain(&[]).stored, 1);
    pipeline.write("schema.toml", &preset.replacen("[fields]\n", "[fields]\nsource = { type = \"string\" }\n", 1));
    pipeline.produce(&file);
    assert_eq!(pipeline.drain(&[]), Counts { read: 1, duplicate: 1, ..Counts::default() });
}
