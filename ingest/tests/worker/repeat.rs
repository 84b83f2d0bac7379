//! Doing it again changes nothing but the count of duplicates (invariants I1, I4 and I5).

use crate::support::Pipeline;
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
