//! `TABLE.schema.json`: columns, types and meaning, as a Table Schema of Frictionless Data with a few properties more.

use serde_json::{Value, json};

use super::{
    meaning::{self, Aggregation},
    options::Settings,
    selection::OutputColumn,
};
use crate::load::{ColumnType, TableInfo};

/// The schema as a JSON text.
pub(crate) fn text(table: &TableInfo, columns: &[OutputColumn], settings: &Settings) -> String {
    let written = |name: &str| columns.iter().find(|column| column.source.name == name).map(|column| &column.name);
    let key: Option<Vec<_>> = meaning::identity(&table.columns).iter().map(|column| written(&column.name)).collect();
    let schema = json!({
        "$schema": "https://datapackage.org/profiles/2.0/tableschema.json",
        "name": table.name,
        "title": meaning::sentence_case(&table.name),
        "stream": table.stream,
        "window": table.window,
        "calendar_zone": table.time_zone,
        "zone": settings.zone,
        "missingValues": [""],
        "primaryKey": key,
        "fields": columns.iter().map(field).collect::<Vec<Value>>(),
    });
    let mut text = serde_json::to_string_pretty(&schema).expect("texts and lists have a JSON form");
    text.push('\n');
    text
}

fn field(column: &OutputColumn) -> Value {
    let aggregation = meaning::aggregation(column.role());
    let mut field = json!({
        "name": column.name,
        "type": type_name(column.kind()),
        "title": meaning::caption(column),
        "description": meaning::description(&column.source),
        "role": if aggregation.is_some() { "measure" } else { "dimension" },
        "meaning": column.role(),
        "aggregation": aggregation.map(aggregation_name),
    });
    if let Some(error) = column.source.relative_error {
        field["relative_error"] = error.into();
    }
    field
}

fn aggregation_name(aggregation: Aggregation) -> &'static str {
    match aggregation {
        Aggregation::Sum => "sum",
        Aggregation::Average => "mean",
        Aggregation::Minimum => "min",
        Aggregation::Maximum => "max",
    }
}

fn type_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::String | ColumnType::StringList => "string",
        ColumnType::Int => "integer",
        ColumnType::Float => "number",
        ColumnType::Bool => "boolean",
        ColumnType::Date => "date",
        ColumnType::Timestamp => "datetime",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::selection::select;
    use crate::load::tests::movies_by_month;

    #[test]
    fn tells_types_keys_and_how_rows_may_be_put_together() {
        let table = TableInfo::new(movies_by_month(), 0);
        let settings = Settings { renames: vec![("movie".into(), "Film".into())], ..Settings::default() };
        let columns = select(&table.name, &table.columns, &settings).expect("columns");
        let schema: Value = serde_json::from_str(&text(&table, &columns, &settings)).expect("JSON");
        assert_eq!(schema["primaryKey"], json!(["window_start", "Film"]));
        let field = |name: &str| {
            let fields = schema["fields"].as_array().expect("a list");
            fields.iter().find(|field| field["name"] == name).expect(name).clone()
        };
        assert_eq!(
            (&field("window_start")["type"], &field("updated_at")["type"]),
            (&json!("date"), &json!("datetime"))
        );
        assert_eq!(field("reviews")["aggregation"], "sum");
        assert_eq!(field("rating_mean")["aggregation"], "mean");
        assert_eq!((&field("Film")["role"], &field("Film")["aggregation"]), (&json!("dimension"), &Value::Null));
    }

    #[test]
    fn has_no_key_where_a_part_of_it_is_left_out() {
        let table = TableInfo::new(movies_by_month(), 0);
        let settings = Settings { columns: vec!["window_start".into(), "reviews".into()], ..Settings::default() };
        let columns = select(&table.name, &table.columns, &settings).expect("columns");
        let schema: Value = serde_json::from_str(&text(&table, &columns, &settings)).expect("JSON");
        assert_eq!(schema["primaryKey"], Value::Null);
    }
}
