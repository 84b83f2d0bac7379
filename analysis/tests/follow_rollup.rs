//! Rollups that are followed: after every refresh the frame is what the query would read.

mod support;

use analysis::load::{Rollup, Store};
use bson::{Document, doc};
use model::layout::{CatalogEntry, ColumnRole, ColumnType};
use support::{TestDatabase, day, movies_by_day};

const TABLE: &str = "movies_by_day";

/// Rows 0 to 399 under revision 3, as `movies_by_day` makes them.
fn published() -> (TestDatabase, Store, Vec<Document>) {
    let database = TestDatabase::new();
    let (entry, rows) = movies_by_day(200);
    database.publish(&entry, &[]);
    database.republish(TABLE, 3, &rows);
    let store = Store::connect(support::uri(), database.name()).expect("a store");
    (database, store, rows)
}

fn row(start: i64, movie: &str, reviews: i64) -> Document {
    doc! {
        "_id": { "window_start": day(start), "movie": movie },
        "window_start": day(start), "movie": movie, "reviews": reviews, "rated": reviews, "rating_sum": reviews * 8,
        "rating_mean": 8.0, "is_final": false, "updated_at": day(19_000),
    }
}

type NamedQuery<'a> = (&'a str, Box<dyn Fn() -> Rollup>);

fn assert_followed(queries: &[NamedQuery<'_>], steps: &[&dyn Fn()]) {
    let mut followers: Vec<_> = queries.iter().map(|(_, query)| query().follow().expect("a frame")).collect();
    for (step, change) in steps.iter().enumerate() {
        change();
        for ((name, query), follow) in queries.iter().zip(&mut followers) {
            follow.refresh().expect(name);
            assert_eq!(follow.frame(), &query().collect().expect(name), "{name} after step {step}");
        }
    }
}

#[test]
fn a_followed_query_is_the_query() {
    let (database, store, _) = published();
    let query = |narrow: fn(Rollup) -> Rollup| {
        let store = store.clone();
        Box::new(move || narrow(store.rollup(TABLE))) as Box<dyn Fn() -> Rollup>
    };
    let queries = [
        ("all", query(|rollup| rollup)),
        ("range", query(|rollup| rollup.from("2019-01").to("2019-03"))),
        (
            "a condition that rows come to meet, or no longer meet",
            query(|rollup| rollup.filter("reviews >= 6".parse().expect("a condition"))),
        ),
        ("columns without those that order the rows", query(|rollup| rollup.columns(["rating_mean", "reviews"]))),
        ("the largest", query(|rollup| rollup.top(3, "reviews"))),
        ("a limit", query(|rollup| rollup.limit(7))),
    ];
    let write = |revision, rows: Vec<Document>| database.republish(TABLE, revision, &rows);
    assert_followed(
        &queries,
        &[
            &|| {},
            &|| write(4, vec![row(17_900, "Up (2009)", 50)]),
            &|| write(5, vec![row(17_900, "Up (2009)", 1), row(17_901, "Amélie (2001)", 9)]),
            &|| write(6, vec![row(10, "Before all others", 7), row(30_000, "After all others", 7)]),
            &|| write(7, (17_895..17_995).map(|day| row(day, "Up (2009)", day % 12)).collect()),
            // As when sessions are joined: one row takes another one in.
            &|| {
                write(8, vec![row(17_900, "Up (2009)", 70)]);
                database.remove(TABLE, 8, doc! { "window_start": day(17_901), "movie": "Up (2009)" });
            },
            &|| write(9, vec![row(17_902, "Up (2009)", 71)]),
        ],
    );
}

#[test]
fn a_refresh_says_how_many_rows_are_new_and_changed_and_which() {
    let (database, store, _) = published();
    let mut follow = store.rollup(TABLE).columns(["movie", "reviews"]).follow().expect("a frame");
    assert!(follow.refresh().expect("nothing new").is_empty());
    database.republish(TABLE, 4, &[row(17_900, "Up (2009)", 50), row(17_900, "Amélie (2001)", 3)]);
    let news = follow.refresh().expect("news");
    assert_eq!(news.to_string(), "1 new row, 1 changed");
    assert_eq!(news.rows.shape(), (2, 2));
    let mut narrow =
        store.rollup(TABLE).filter("reviews = 50".parse().expect("a condition")).follow().expect("a frame");
    database.republish(TABLE, 5, &[row(17_900, "Up (2009)", 51)]);
    let news = narrow.refresh().expect("news");
    assert_eq!((news.removed, narrow.frame().height()), (1, 0));
}

#[test]
fn rows_of_a_round_that_is_not_complete_are_not_lost() {
    let (database, store, _) = published();
    let mut follow = store.rollup(TABLE).follow().expect("a frame");
    // A round under way has written a row under the next revision, and has not published it.
    database.republish(TABLE, 9, &[row(17_900, "Up (2009)", 60)]);
    database.republish(TABLE, 4, &[row(17_901, "Up (2009)", 61)]);
    follow.refresh().expect("revision 4");
    database.republish(TABLE, 9, &[]);
    follow.refresh().expect("revision 9");
    assert_eq!(follow.frame(), &store.rollup(TABLE).collect().expect("a frame"));
}

#[test]
fn another_definition_is_read_anew() {
    let (database, store, rows) = published();
    let mut follow = store.rollup(TABLE).follow().expect("a frame");
    let (entry, _) = movies_by_day(1);
    let mut columns = entry.columns.clone();
    columns.retain(|column| column.role != ColumnRole::Mean);
    columns.iter_mut().for_each(|column| {
        if column.name == "reviews" {
            column.kind = ColumnType::Int;
        }
    });
    let changed = CatalogEntry { definition_hash: "another".to_owned(), columns, ..entry };
    database.publish(&changed, &rows[..10]);
    let news = follow.refresh().expect("news");
    assert!(news.reloaded, "{news}");
    assert_eq!(follow.frame(), &store.rollup(TABLE).collect().expect("a frame"));
    assert_eq!(follow.frame().height(), 10);
}

#[test]
fn a_refresh_finds_what_is_new_by_an_index() {
    let (database, store, _) = published();
    database.index(TABLE, "revision");
    let queries = [
        store.rollup(TABLE),
        store.rollup(TABLE).from("2019-01").to("2019-03"),
        store.rollup(TABLE).filter("reviews >= 6".parse().expect("a condition")),
    ];
    let mut followers = queries.map(|query| query.follow().expect("a frame"));
    database.republish(TABLE, 4, &[row(17_900, "Up (2009)", 50)]);
    let reads = database.profiled(|| {
        for follow in &mut followers {
            follow.refresh().expect("news");
        }
    });
    assert!(reads.len() >= 6, "{reads:?}");
    for read in &reads {
        let plan = read.get_str("planSummary").expect("a plan");
        assert!(!plan.contains("COLLSCAN"), "{read}");
        assert!(read.get_i32("docsExamined").unwrap_or_default() <= 1, "{read}");
    }
}
