//! What columns stored events have: by the schema, where it is at hand, else by the look of some events.

use bson::{RawDocument, RawDocumentBuf, raw::RawBsonRef};
use model::{
    layout::{Column, ColumnRole, ColumnType, source},
    schema::Schema,
};

use super::{Condition, StoreError, columns::kind_of, decode::AnswerColumn};

/// The columns of stored events.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventFields {
    /// All that can be named.
    columns: Vec<AnswerColumn>,
    /// As many of them as a frame has unless some are named; the rest is where an event came from.
    usual: usize,
    /// The column of the event time, where it is known.
    time: Option<String>,
}

impl EventFields {
    /// The fields of a schema, under the schema's names.
    pub fn of_schema(schema: &Schema) -> Self {
        let column = |field: &model::schema::Field| AnswerColumn {
            name: field.name.clone(),
            path: field.path(),
            kind: Some(field.kind.column_type()),
        };
        let columns = schema.fields().iter().map(column).collect();
        Self::with_source(columns, Some(schema.event_time().name.clone()))
    }

    /// What these events have, in the order in which they have it; an event time is known where only one column holds times.
    pub fn of_sample(events: &[RawDocumentBuf]) -> Self {
        let mut columns: Vec<AnswerColumn> = Vec::new();
        for event in events {
            for (name, value) in event.iter().flatten() {
                match value {
                    RawBsonRef::Document(_) if name == source::FIELD => {}
                    RawBsonRef::Document(members) => of_members(&mut columns, name.as_str(), members),
                    _ => note(&mut columns, name.as_str(), name.as_str(), value),
                }
            }
        }
        let is_time = |column: &&AnswerColumn| matches!(column.kind, Some(ColumnType::Date | ColumnType::Timestamp));
        let mut times = columns.iter().filter(is_time).map(|column| column.name.clone());
        let time = times.next().filter(|_| times.next().is_none());
        Self::with_source(columns, time)
    }

    fn with_source(mut columns: Vec<AnswerColumn>, time: Option<String>) -> Self {
        let usual = columns.len();
        let path = |member| format!("{}.{member}", source::FIELD);
        columns.extend(
            [
                (source::PARTITION, ColumnType::Int),
                (source::OFFSET, ColumnType::Int),
                (source::TIMESTAMP, ColumnType::Timestamp),
            ]
            .map(|(member, kind)| AnswerColumn {
                name: path(member),
                path: path(member),
                kind: Some(kind),
            }),
        );
        Self { columns, usual, time }
    }

    /// The named columns, or the usual ones.
    pub fn wanted(&self, names: Option<&[String]>) -> Result<Vec<AnswerColumn>, StoreError> {
        match names {
            None => Ok(self.columns[..self.usual].to_vec()),
            Some(names) => {
                StoreError::unless_once(names)?;
                names.iter().map(|name| self.find(name).cloned()).collect()
            }
        }
    }

    /// The column whose times a range is about.
    pub fn time(&self, named: Option<&str>) -> Result<&AnswerColumn, StoreError> {
        let name = named.or(self.time.as_deref()).ok_or_else(|| StoreError::NoTime { known: self.names() })?;
        self.find(name)
    }

    /// The filter of a condition.
    pub fn filter(&self, condition: &Condition) -> Result<bson::Document, StoreError> {
        let found = self.find(condition.column())?;
        let Some(kind) = found.kind else { return Ok(condition.to_open_filter(&found.path)) };
        let column =
            Column { name: found.path.clone(), kind, role: ColumnRole::Key, measure: None, relative_error: None };
        condition.to_filter(&column).map_err(|value| StoreError::Value {
            table: model::layout::EVENTS.to_owned(),
            column: found.name.clone(),
            kind,
            value,
        })
    }

    fn find(&self, name: &str) -> Result<&AnswerColumn, StoreError> {
        self.columns.iter().find(|column| column.name == name).ok_or_else(|| StoreError::NoColumn {
            table: model::layout::EVENTS.to_owned(),
            column: name.to_owned(),
            known: self.names(),
        })
    }

    fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }
}

/// The parts of an id of several fields, under their own names.
fn of_members(columns: &mut Vec<AnswerColumn>, name: &str, members: &RawDocument) {
    for (member, value) in members.iter().flatten() {
        note(columns, member.as_str(), &format!("{name}.{}", member.as_str()), value);
    }
}

/// Notes a column, or the type of one of which nothing but nulls were seen.
fn note(columns: &mut Vec<AnswerColumn>, name: &str, path: &str, value: RawBsonRef<'_>) {
    let kind = kind_of(value);
    match columns.iter_mut().find(|column| column.path == path) {
        Some(column) => {
            column.kind = match (column.kind, kind) {
                (Some(ColumnType::Int), Some(ColumnType::Float)) => Some(ColumnType::Float),
                (Some(ColumnType::Date), Some(ColumnType::Timestamp)) => Some(ColumnType::Timestamp),
                (known, kind) => known.or(kind),
            };
        }
        None => {
            let taken = columns.iter().any(|column| column.name == name);
            let name = if taken { format!("{path}{}", if path == name { "_" } else { "" }) } else { name.to_owned() };
            columns.push(AnswerColumn { name, path: path.to_owned(), kind });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::{Bson, doc};

    fn sample(events: &[bson::Document]) -> EventFields {
        let raw = |event| RawDocumentBuf::try_from(event).expect("a document");
        EventFields::of_sample(&events.iter().map(raw).collect::<Vec<_>>())
    }

    fn at(millis: i64) -> Bson {
        Bson::DateTime(bson::DateTime::from_millis(millis))
    }

    #[test]
    fn a_sample_tells_names_types_and_the_event_time() {
        let fields = sample(&[
            doc! { "_id": "rw1", "rating": null, "day": at(0), "src": { "partition": 0 } },
            doc! { "_id": "rw2", "rating": 8_i64, "day": at(86_400_000), "weight": 0.5 },
        ]);
        let usual = fields.wanted(None).expect("columns");
        let names: Vec<(&str, Option<ColumnType>)> =
            usual.iter().map(|column| (column.name.as_str(), column.kind)).collect();
        use ColumnType::{Date, Float, Int, String};
        assert_eq!(names, [("_id", Some(String)), ("rating", Some(Int)), ("day", Some(Date)), ("weight", Some(Float))]);
        assert_eq!(fields.time(None).expect("a time").name, "day");
        let source = fields.wanted(Some(&["src.offset".to_owned()])).expect("where it came from");
        assert_eq!(source[0].kind, Some(Int));
    }

    #[test]
    fn parts_of_an_id_have_names_of_their_own() {
        let fields = sample(&[doc! { "at": at(5), "_id": { "sensor": 4_i64, "at": at(1) } }]);
        let paths: Vec<(String, String)> =
            fields.wanted(None).expect("columns").into_iter().map(|column| (column.name, column.path)).collect();
        let pair = |name: &str, path: &str| (name.to_owned(), path.to_owned());
        assert_eq!(paths, [pair("at", "at"), pair("sensor", "_id.sensor"), pair("_id.at", "_id.at")]);
        assert!(matches!(fields.time(None), Err(StoreError::NoTime { .. })), "there are two");
        assert_eq!(fields.time(Some("_id.at")).expect("a time").path, "_id.at");
    }

    #[test]
    fn a_schema_names_the_id() {
        let schema = Schema::parse("imdb-review", model::schema::IMDB_REVIEW).expect("the preset");
        let fields = EventFields::of_schema(&schema);
        let id = &fields.wanted(None).expect("columns")[0];
        assert_eq!((id.name.as_str(), id.path.as_str()), ("review_id", "_id"));
        assert_eq!(fields.time(None).expect("a time").name, "review_date");
        let filter = fields.filter(&"review_id = rw1".parse().expect("a condition")).expect("a filter");
        assert_eq!(filter, doc! { "_id": { "$eq": "rw1" } });
        let error = fields.filter(&"rating > good".parse().expect("a condition")).expect_err("no number").to_string();
        assert_eq!(error, "events.rating holds integers; \"good\" is none");
    }

    #[test]
    fn a_column_that_is_asked_for_twice_is_named() {
        let fields = sample(&[doc! { "_id": "rw1", "rating": 8_i64 }]);
        let error = fields.wanted(Some(&["rating".to_owned(), "rating".to_owned()])).expect_err("twice").to_string();
        assert_eq!(error, "column \"rating\" is asked for twice; a frame has a column once");
    }
}
