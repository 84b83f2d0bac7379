//! The `GROUP BY` of a rollup as an aggregation pipeline over the stored events.
//!
//! Written against MongoDB's own date arithmetic, so that it shares no rule with the code that it checks.

use super::Range;
use bson::{Bson, Document, doc};
use model::calendar::CalendarUnit;
use model::layout::{Column, ColumnRole, ColumnType, column, source};
use model::rollup::{Rollup, StateTable};
use model::schema::Schema;
use model::window::{Hopping, WindowKind};

/// Groups of the rollup whose windows begin in `range`, in the order of `_id: {w, k}`, with one member per column.
pub(super) fn group_by(schema: &Schema, rollup: &Rollup, range: Range) -> Vec<Document> {
    let table = &schema.rollups().tables()[rollup.table()];
    let columns = rollup.columns();
    let path = |name: &str| schema.field(name).map_or_else(|| format!("${name}"), |field| format!("${}", field.path()));
    let keys: Vec<String> =
        columns.iter().filter(|column| column.role == ColumnRole::Key).map(|column| path(&column.name)).collect();
    let time = path(&schema.event_time().name);
    let mut group = Document::new();
    for column in &columns {
        if let Some(expression) = accumulator(column, &path) {
            group.insert(column.name.clone(), expression);
        }
    }
    let of_events = range.of_events(&schema.event_time().path(), table.window().kind());
    let mut stages = vec![
        doc! { "$match": of_events },
        doc! { "$match": { format!("{}.{}", source::FIELD, source::LATE): { "$ne": true } } },
    ];
    if let WindowKind::Session { gap } = table.window().kind() {
        stages.extend(sessions(group, &time, &keys, gap));
    } else {
        let (each, window) = window_start(table, &time);
        stages.extend(each);
        group.insert("_id", doc! { "w": window, "k": keys });
        stages.push(doc! { "$group": group });
    }
    stages.extend([doc! { "$match": range.of_labels("_id.w") }, doc! { "$sort": { "_id": 1 } }]);
    stages
}

/// Groups by session: one begins where the key's event before is at least the gap earlier.
fn sessions(mut group: Document, time: &str, keys: &[String], gap: i64) -> [Document; 5] {
    // Members of `src`, where no field of the stream can be.
    const BEFORE: &str = "src.before";
    const BEGINS: &str = "src.begins";
    const SESSION: &str = "src.session";
    let in_order = |output: Document| {
        let key: Document = (0..).zip(keys).map(|(at, key)| (format!("k{at}"), Bson::from(key.as_str()))).collect();
        doc! { "$setWindowFields": { "partitionBy": key, "sortBy": { time.trim_start_matches('$'): 1 }, "output": output } }
    };
    let path = |name: &str| format!("${name}");
    let pause = doc! { "$subtract": [time, path(BEFORE)] };
    // The difference to nothing is null, which is before any number.
    let begins = doc! { "$cond": [{ "$and": [{ "$gte": [&pause, 0] }, { "$lt": [&pause, gap] }] }, 0, 1] };
    group.insert("_id", doc! { "k": keys, "session": path(SESSION) });
    group.insert(column::WINDOW_START, doc! { "$min": time });
    group.insert(column::WINDOW_END, doc! { "$max": time });
    [
        in_order(doc! { BEFORE: { "$shift": { "output": time, "by": -1 } } }),
        doc! { "$set": { BEGINS: begins } },
        in_order(doc! { SESSION: { "$sum": path(BEGINS), "window": { "documents": ["unbounded", "current"] } } }),
        doc! { "$group": group },
        // Not `$set`, which would keep the members that `_id` has.
        doc! { "$replaceWith": { "$mergeObjects": ["$$ROOT", {
            "_id": { "w": path(column::WINDOW_START), "k": "$_id.k" },
            column::WINDOW_END: { "$add": [path(column::WINDOW_END), gap] },
        }] } },
    ]
}

fn accumulator(column: &Column, path: &impl Fn(&str) -> String) -> Option<Document> {
    let measure = column.measure.as_deref().map(path);
    Some(match (column.role, measure) {
        (ColumnRole::Count, None) => doc! { "$sum": 1_i64 },
        (ColumnRole::Count, Some(value)) => {
            doc! { "$sum": { "$cond": [{ "$gt": [&value, Bson::Null] }, 1_i64, 0_i64] } }
        }
        // The server's sum of integers becomes a float beyond 64 bits; its decimals are exact.
        (ColumnRole::Sum, Some(value)) if column.kind == ColumnType::Int => doc! { "$sum": { "$toDecimal": value } },
        (ColumnRole::Sum, Some(value)) => doc! { "$sum": value },
        (ColumnRole::Mean, Some(value)) => doc! { "$avg": value },
        (ColumnRole::Stddev, Some(value)) => doc! { "$stdDevSamp": value },
        (ColumnRole::Min, Some(value)) => doc! { "$min": value },
        (ColumnRole::Max, Some(value)) => doc! { "$max": value },
        // The server of the local stack has no $median; the values come back and are counted here.
        (ColumnRole::Quantile, Some(value)) => doc! { "$push": value },
        (ColumnRole::Histogram, Some(value)) => {
            let bucket: i64 = column.name.rsplit('_').next()?.parse().ok()?;
            doc! { "$sum": { "$cond": [{ "$eq": [value, bucket] }, 1_i64, 0_i64] } }
        }
        (ColumnRole::Distinct, _) => doc! { "$addToSet": path(column.name.strip_suffix("_distinct")?) },
        _ => return None,
    })
}

/// What to do first so that there is a document per event and window, and then the window's start label, as the table has it.
fn window_start(table: &StateTable, time: &str) -> (Vec<Document>, Bson) {
    match table.window().kind() {
        WindowKind::Tumbling { size } => (Vec::new(), step_start(time, size)),
        WindowKind::Hopping(hopping) => every_start(time, hopping),
        WindowKind::Calendar(unit) => {
            let zone = table.window().zone().and_then(|zone| zone.iana_name()).unwrap_or("UTC");
            let parts = doc! { "$dateToParts": { "date": time, "timezone": zone } };
            (Vec::new(), doc! { "$let": { "vars": { "p": parts }, "in": label(unit) } }.into())
        }
        WindowKind::Session { .. } => unreachable!("sessions are no windows of a time alone"),
    }
}

/// The last multiple of `step` that is not after the time.
fn step_start(time: &str, step: i64) -> Bson {
    doc! { "$toDate": { "$subtract": [{ "$toLong": time }, since_step(time, step)] } }.into()
}

/// Milliseconds since the last multiple of `step`. The server's remainder has the sign of the dividend.
fn since_step(time: &str, step: i64) -> Document {
    doc! { "$mod": [{ "$add": [{ "$mod": [{ "$toLong": time }, step] }, step] }, step] }
}

/// A document for each hopping window that holds the time: the last one, and those a step earlier that have not ended yet.
fn every_start(time: &str, hopping: Hopping) -> (Vec<Document>, Bson) {
    // A member of `src`, where no field of the stream can be.
    const START: &str = "src.window_start";
    let steps = doc! { "$ceil": { "$divide": [{ "$subtract": [hopping.size(), since_step(time, hopping.step())] }, hopping.step()] } };
    let starts = doc! { "$map": {
        "input": { "$range": [0, { "$toInt": steps }] },
        "in": { "$subtract": [step_start(time, hopping.step()), { "$multiply": ["$$this", hopping.step()] }] },
    } };
    (vec![doc! { "$set": { START: starts } }, doc! { "$unwind": format!("${START}") }], format!("${START}").into())
}

/// The first civil date of the unit that holds the date with the parts `$$p`, at 00:00 UTC.
///
/// The server makes dates of the years 1 to 9999 alone. So they are made in the year that has the same place among the 400 after which the
/// calendar, with its weeks, begins again, and moved from there.
fn label(unit: CalendarUnit) -> Document {
    const MS_OF_400_YEARS: i64 = 146_097 * 86_400_000;
    let place = doc! { "$mod": [{ "$add": [{ "$mod": ["$$p.year", 400] }, 400] }, 400] };
    let year = doc! { "$add": [2000, place] };
    let moved = doc! { "$multiply": [{ "$subtract": ["$$p.year", &year] }, MS_OF_400_YEARS / 400] };
    doc! { "$add": [label_in(unit, &year), moved] }
}

fn label_in(unit: CalendarUnit, year: &Document) -> Document {
    let date = |month: Bson, day: Bson| doc! { "$dateFromParts": { "year": year, "month": month, "day": day } };
    match unit {
        CalendarUnit::Day => date("$$p.month".into(), "$$p.day".into()),
        CalendarUnit::Week => {
            doc! { "$dateTrunc": { "date": date("$$p.month".into(), "$$p.day".into()), "unit": "week", "startOfWeek": "monday" } }
        }
        CalendarUnit::TenDay => {
            let third = doc! { "$switch": {
                "branches": [
                    { "case": { "$lte": ["$$p.day", 10] }, "then": 1 },
                    { "case": { "$lte": ["$$p.day", 20] }, "then": 11 },
                ],
                "default": 21,
            } };
            date("$$p.month".into(), third.into())
        }
        CalendarUnit::Month => date("$$p.month".into(), 1.into()),
        CalendarUnit::Quarter => {
            let before = doc! { "$mod": [{ "$subtract": ["$$p.month", 1] }, 3] };
            date(doc! { "$subtract": ["$$p.month", before] }.into(), 1.into())
        }
        CalendarUnit::Year => date(1.into(), 1.into()),
    }
}
