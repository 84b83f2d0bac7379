//! Live charts over a real mongod: they follow the table, and nobody else can look at them.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use analysis::notebook::{Figure, Store, live};
use support::{TestDatabase, ratings_by_month};

/// What the server says to `GET path`: status line and body.
fn get(host: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(host).expect("the server listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "waited for: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_live_chart_follows_its_table() {
    let database = TestDatabase::new();
    let (entry, mut rows) = ratings_by_month();
    database.publish(&entry, &rows[..1]);
    let store = Store::connect(support::uri(), database.name()).expect("a store");
    let chart = live(store.rollup("ratings_by_month"), |months| {
        Figure::bar(months).y("reviews").title(format!("{} months", months.height()))
    });
    let chart = chart.expect("a chart");

    let address = chart.url().strip_prefix("http://").expect("an address");
    let (host, token) = address.split_once('/').expect("a path");
    let token = token.trim_end_matches('/');
    assert!(host.starts_with("127.0.0.1:"), "{host}");
    assert_eq!(token.len(), 32, "{token}");

    let (status, page) = get(host, &format!("/{token}/"));
    assert!(status.contains("200") && page.contains("fetch(\"chart\""), "{status} {page}");
    let drawn = || get(host, &format!("/{token}/chart")).1;
    assert!(drawn().contains("1 months"), "{}", drawn());
    for guess in
        ["/", "/chart", &format!("/{}/chart", "0".repeat(32)), &format!("/{token}"), &format!("/{token}x/chart")]
    {
        assert!(get(host, guess).0.contains("404"), "{guess}");
    }

    rows.truncate(2);
    database.publish(&entry, &rows);
    wait_until("the second month is drawn", || drawn().contains("2 months"));

    // Nothing to draw is said, and the chart comes back by itself.
    database.publish(&entry, &[]);
    wait_until("an empty table is told", || drawn().contains("there is nothing to draw"));
    database.publish(&entry, &rows);
    wait_until("the chart is back", || drawn().contains("2 months"));
}

#[test]
fn a_query_that_cannot_be_drawn_is_an_error_at_once() {
    let database = TestDatabase::new();
    let (entry, rows) = ratings_by_month();
    database.publish(&entry, &rows);
    let store = Store::connect(support::uri(), database.name()).expect("a store");
    let error = live(store.rollup("ratings_by_month"), |months| Figure::bar(months).y("views"));
    assert!(error.expect_err("no such column").to_string().contains("no column \"views\""));
    let error = live(store.rollup("ratings_by_year"), |years| Figure::bar(years).y("reviews"));
    assert!(error.expect_err("no such table").to_string().contains("no table \"ratings_by_year\""));
}
