//! What is asked of a table, and the MongoDB `find` that answers it.

use bson::{Document, doc};
use model::layout::{CatalogEntry, Column, ColumnRole, column};
use polars::prelude::{DataFrame, PolarsResult};

use super::{
    Condition, Moment, MomentError, StoreError,
    decode::{AnswerColumn, Shape},
    events::{all_of, nothing},
    find::Find,
    progress::OnProgress,
};

/// What is asked of a table; nothing set asks for all of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    /// First window start, inclusive.
    pub from: Option<Result<Moment, MomentError>>,
    /// Last window start, exclusive.
    pub to: Option<Result<Moment, MomentError>>,
    /// All of them hold.
    pub conditions: Vec<Condition>,
    /// Wanted columns, in the wanted order.
    pub columns: Option<Vec<String>>,
    /// Order by this column, largest first.
    pub largest: Option<String>,
    /// At most so many rows.
    pub limit: Option<u32>,
    pub progress: OnProgress,
}

/// A `find` and the columns that its documents have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// `None` where every row is wanted.
    pub filter: Option<Document>,
    pub projection: Document,
    pub sort: Document,
    pub limit: Option<u32>,
    pub columns: Vec<Column>,
    /// The columns in `sort`.
    pub sorted_by: Vec<Column>,
}

impl Query {
    /// Checks every name and value against the catalog.
    pub fn plan(&self, table: &CatalogEntry) -> Result<Plan, StoreError> {
        let columns = self.wanted_columns(table)?;
        let mut projection = doc! { "_id": 0 };
        projection.extend(columns.iter().map(|column| (column.name.clone(), 1.into())));
        let sort = self.sort(table)?;
        let sorted_by = table.columns.iter().filter(|column| sort.contains_key(&column.name)).cloned().collect();
        Ok(Plan { filter: self.filter(table)?, projection, sort, limit: self.limit, columns, sorted_by })
    }

    fn wanted_columns(&self, table: &CatalogEntry) -> Result<Vec<Column>, StoreError> {
        match &self.columns {
            None => Ok(table.columns.clone()),
            Some(names) => {
                StoreError::unless_once(names)?;
                names.iter().map(|name| find_column(table, name).cloned()).collect()
            }
        }
    }

    fn filter(&self, table: &CatalogEntry) -> Result<Option<Document>, StoreError> {
        let mut all = Vec::new();
        for (bound, operator) in [(&self.from, "$gte"), (&self.to, "$lt")] {
            if let Some(moment) = bound {
                let moment = bson::DateTime::from_millis(moment.clone()?.millis());
                all.push(doc! { column::WINDOW_START: { operator: moment } });
            }
        }
        for condition in &self.conditions {
            let column = find_column(table, condition.column())?;
            let test = condition.to_filter(column).map_err(|value| StoreError::Value {
                table: table.name.clone(),
                column: column.name.clone(),
                kind: column.kind,
                value,
            })?;
            all.push(test);
        }
        Ok(all_of(all))
    }

    /// Window, rank, keys: the table's own order, so that equal data comes back equal.
    fn sort(&self, table: &CatalogEntry) -> Result<Document, StoreError> {
        let mut sort = Document::new();
        if let Some(name) = &self.largest {
            sort.insert(find_column(table, name)?.name.clone(), -1);
        }
        for role in [ColumnRole::WindowStart, ColumnRole::Rank, ColumnRole::Key] {
            for column in table.columns.iter().filter(|column| column.role == role) {
                if !sort.contains_key(&column.name) {
                    sort.insert(column.name.clone(), 1);
                }
            }
        }
        Ok(sort)
    }
}

impl Plan {
    /// The read of the rows.
    pub fn find(&self, table: &str, progress: OnProgress) -> Find {
        let mut pipeline: Vec<Document> = self.filter.iter().map(|filter| doc! { "$match": filter }).collect();
        pipeline.push(doc! { "$sort": &self.sort });
        if let Some(limit) = self.limit {
            // To MongoDB a limit of 0 is an error.
            pipeline.push(if limit == 0 {
                nothing()
            } else {
                doc! { "$limit": i64::from(limit) }
            });
        }
        pipeline.push(doc! { "$project": &self.projection });
        let columns = self.columns.iter().map(AnswerColumn::from).collect();
        let shape = Shape { columns, ..Shape::default() };
        Find { collection: table.to_owned(), pipeline, shape, progress, ..Find::default() }
    }

    /// The read of the rows with what identifies them, and with the columns that order them at the end.
    pub fn find_with_ids(&self, table: &str, progress: OnProgress) -> Find {
        let mut find = self.find(table, progress);
        find.shape.ids = true;
        let missing = self.sorted_by.iter().filter(|by| !self.columns.contains(by));
        find.shape.columns.extend(missing.map(AnswerColumn::from));
        let projection: Document =
            find.shape.columns.iter().map(|column| (column.path.clone(), bson::Bson::Int32(1))).collect();
        find.pipeline.retain(|stage| !stage.contains_key("$project"));
        find.pipeline.push(doc! { "$project": projection });
        find
    }

    /// The columns that were asked for.
    pub fn visible(&self, frame: &DataFrame) -> PolarsResult<DataFrame> {
        frame.select(self.columns.iter().map(|column| column.name.as_str()))
    }
}

fn find_column<'a>(table: &'a CatalogEntry, name: &str) -> Result<&'a Column, StoreError> {
    table.columns.iter().find(|column| column.name == name).ok_or_else(|| StoreError::NoColumn {
        table: table.name.clone(),
        column: name.to_owned(),
        known: table.columns.iter().map(|column| column.name.clone()).collect(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use bson::Bson;
    use model::layout::ColumnType;

    /// A table as the publisher describes it.
    pub(crate) fn movies_by_month() -> CatalogEntry {
        let column = |name: &str, kind, role, measure: Option<&str>| Column {
            name: name.into(),
            kind,
            role,
            measure: measure.map(Into::into),
            relative_error: None,
        };
        CatalogEntry {
            name: "movies_by_month".into(),
            stream: "reviews".into(),
            window: "month".into(),
            time_zone: "UTC".into(),
            definition_hash: "1".into(),
            columns: vec![
                column("window_start", ColumnType::Date, ColumnRole::WindowStart, None),
                column("window_end", ColumnType::Date, ColumnRole::WindowEnd, None),
                column("movie", ColumnType::String, ColumnRole::Key, None),
                column("reviews", ColumnType::Int, ColumnRole::Count, None),
                column("rated", ColumnType::Int, ColumnRole::Count, Some("rating")),
                column("rating_sum", ColumnType::Int, ColumnRole::Sum, Some("rating")),
                column("rating_mean", ColumnType::Float, ColumnRole::Mean, Some("rating")),
                column("is_final", ColumnType::Bool, ColumnRole::IsFinal, None),
                column("updated_at", ColumnType::Timestamp, ColumnRole::UpdatedAt, None),
            ],
            published_revision: 7,
            removed_revision: 0,
        }
    }

    #[test]
    fn asks_for_everything_in_table_order_by_default() {
        let plan = Query::default().plan(&movies_by_month()).expect("a plan");
        assert_eq!(plan.filter, None);
        assert_eq!(plan.sort, doc! { "window_start": 1, "movie": 1 });
        assert_eq!(plan.columns, movies_by_month().columns);
        assert_eq!(plan.projection.get("_id"), Some(&Bson::Int32(0)));
    }

    #[test]
    fn pushes_range_conditions_columns_and_limit_down() {
        let query = Query {
            from: Some("1970-01-02".parse()),
            to: Some("1970-01-03".parse()),
            conditions: vec!["reviews > 3".parse().expect("a condition")],
            columns: Some(vec!["reviews".into(), "movie".into()]),
            largest: Some("reviews".into()),
            limit: Some(5),
            ..Query::default()
        };
        let plan = query.plan(&movies_by_month()).expect("a plan");
        let day = |day: i64| bson::DateTime::from_millis(day * 86_400_000);
        assert_eq!(
            plan.filter.expect("a filter"),
            doc! { "$and": [
                { "window_start": { "$gte": day(1) } },
                { "window_start": { "$lt": day(2) } },
                { "reviews": { "$gt": 3_i64 } },
            ] }
        );
        assert_eq!(plan.projection, doc! { "_id": 0, "reviews": 1, "movie": 1 });
        assert_eq!(plan.sort, doc! { "reviews": -1, "window_start": 1, "movie": 1 });
        assert_eq!(plan.limit, Some(5));
    }

    #[test]
    fn an_unknown_column_is_answered_with_those_there_are() {
        let query = Query { columns: Some(vec!["film".into()]), ..Query::default() };
        let error = query.plan(&movies_by_month()).expect_err("no such column").to_string();
        assert!(error.contains("\"film\""), "{error}");
        assert!(error.contains("window_start, window_end, movie"), "{error}");
    }

    #[test]
    fn a_value_of_another_type_is_named_with_its_column() {
        let query = Query { conditions: vec!["reviews > many".parse().expect("a condition")], ..Query::default() };
        let error = query.plan(&movies_by_month()).expect_err("not a number").to_string();
        assert_eq!(error, "movies_by_month.reviews holds integers; \"many\" is none");
    }

    #[test]
    fn a_bound_that_is_no_date_is_an_error_of_the_query() {
        let query = Query { from: Some("soon".parse()), ..Query::default() };
        let error = query.plan(&movies_by_month()).expect_err("not a date").to_string();
        assert!(error.starts_with("\"soon\" is not a date"), "{error}");
    }

    #[test]
    fn a_column_that_is_asked_for_twice_is_named() {
        let query =
            Query { columns: Some(["movie", "reviews", "movie"].map(String::from).to_vec()), ..Query::default() };
        let error = query.plan(&movies_by_month()).expect_err("twice").to_string();
        assert_eq!(error, "column \"movie\" is asked for twice; a frame has a column once");
    }
}
