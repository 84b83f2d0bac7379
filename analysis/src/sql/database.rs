//! The tables inside SQLite, and one query of them.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use model::layout::ColumnType;
use polars::prelude::DataFrame;
use rusqlite::{
    Connection, Statement,
    config::DbConfig,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
    params_from_iter,
    types::{ToSqlOutput, Value, ValueRef},
};

use super::{
    SqlError, answer,
    checked::{Class, Classes, checked},
    checks, digits, error, functions, joins,
    tables::{Field, Table, kind, tell_of_texts_among_numbers},
    tokens::tokens,
};
use crate::{
    cell::{Cell, Cells},
    format,
};

/// Steps of SQLite's machine between two looks at how many there were.
const STEPS_AT_ONCE: u32 = 1_000_000;
/// Bytes of a single value, so that no function makes one that fills the memory.
const MOST_VALUE_BYTES: i32 = 100 << 20;

/// Of the steps that a query may take, a recursion may take one in so many: each may leave a row in memory.
const RECURSION_SHARE: u64 = 100;

/// What a query reads: table and column, without a column where only rows are counted.
type Reads = BTreeSet<(String, String)>;

/// What SQLite tells of a query.
#[derive(Default)]
struct Seen {
    reads: Reads,
    is_recursive: bool,
}

/// A database in memory, for one query.
pub(super) struct Database {
    connection: Connection,
    tables: Vec<Table>,
    /// Rollups that cannot be tables, with the reason.
    refused: Vec<(String, String)>,
}

impl Database {
    /// The tables, without rows.
    pub fn new(tables: Vec<Table>) -> Result<Self, SqlError> {
        let connection = Connection::open_in_memory().map_err(SqlError::run)?;
        // Else a name in double quotes that no column has would pass for a text.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false).map_err(SqlError::run)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MOST_VALUE_BYTES).map_err(SqlError::run)?;
        functions::add_to(&connection)
            .and_then(|()| checks::add_to(&connection))
            .and_then(|()| digits::add_to(&connection))
            .map_err(SqlError::run)?;
        let mut database = Self { connection, tables: Vec::new(), refused: Vec::new() };
        for table in &tables {
            match (database.refusal(table, &tables), table.is_rollup()) {
                (None, _) => database.tables.push(table.clone()),
                (Some(reason), true) => database.refused.push((table.name.clone(), reason)),
                (Some(reason), false) => return Err(SqlError::Table { table: table.name.clone(), reason }),
            }
        }
        Ok(database)
    }

    /// Creates a table, or says why it cannot be one.
    fn refusal(&self, table: &Table, tables: &[Table]) -> Option<String> {
        let is_twin = |other: &&Table| {
            table.is_rollup() && other.name != table.name && other.name.eq_ignore_ascii_case(&table.name)
        };
        if let Some(other) = tables.iter().find(is_twin) {
            return Some(format!(
                "it differs from {:?} by case alone, which SQL does not tell apart; `analysis show {}` reads it",
                other.name, table.name
            ));
        }
        if table.fields.is_empty() {
            return Some("it has no columns".to_owned());
        }
        self.connection.execute(&creation(&table.name, &table.fields), []).err().map(|error| error::reason(&error))
    }

    /// Fills what the query reads, and runs it with checks, in no more than so many steps of SQLite's machine.
    pub fn query(mut self, query: &str, most_steps: u64) -> Result<DataFrame, SqlError> {
        let Seen { mut reads, is_recursive } = self.seen(query)?;
        let most_steps = if is_recursive { most_steps / RECURSION_SHARE } else { most_steps };
        self.add_joined(query, &mut reads);
        let mut classes = Classes::default();
        for table in &self.tables {
            let of_table = reads.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&table.name));
            let columns: Vec<&str> = of_table.map(|(_, column)| column.as_str()).collect();
            if !columns.is_empty() {
                unless_ambiguous(table, query)?;
                let frame = table.read(&columns)?;
                tell_of_texts_among_numbers(&table.name, &frame);
                let fields = fill(&mut self.connection, table, &frame).map_err(SqlError::run)?;
                fields.iter().for_each(|field| classes.add(&table.name, &field.name, class_of(field)));
            }
        }
        joins::refuse_other_times(query, &classes)?;
        let names: Vec<String> = self.prepare(query)?.column_names().map(str::to_owned).collect();
        let checked = checked(query, &classes).ok_or(SqlError::Unchecked)?;
        let mut rounds = most_steps.div_ceil(STEPS_AT_ONCE.into());
        let stop = move || {
            rounds = rounds.saturating_sub(1);
            rounds == 0
        };
        self.connection.progress_handler(STEPS_AT_ONCE as i32, Some(stop)).map_err(SqlError::run)?;
        answer::read(&mut self.connection.prepare(&checked).map_err(SqlError::run)?, &names, most_steps)
    }

    fn seen(&mut self, query: &str) -> Result<Seen, SqlError> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let watched = Arc::clone(&seen);
        let watch = move |context: AuthContext<'_>| authorize(context.action, &watched);
        self.connection.authorizer(Some(watch)).map_err(SqlError::run)?;
        let columns = self.prepare(query)?.column_count();
        self.connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).map_err(SqlError::run)?;
        if columns == 0 {
            return Err(SqlError::NotAQuery);
        }
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *seen))
    }

    /// Adds the columns by which `USING` and `NATURAL` join, of which SQLite does not say that it reads them: those that the query names,
    /// or that two of its tables have, or one that it joins to itself. A table or column too many costs time and changes no answer.
    fn add_joined(&self, query: &str, reads: &mut Reads) {
        let query = query.to_ascii_lowercase();
        let (using, natural) = (query.contains("using"), query.contains("natural"));
        let named: Vec<&Table> = match using || natural {
            true => self.tables.iter().filter(|table| occurrences(&query, &table.name) > 0).collect(),
            false => Vec::new(),
        };
        for table in &named {
            let joins = |column: &str| {
                let has_too =
                    |other: &&&Table| other.fields.iter().any(|field| field.name.eq_ignore_ascii_case(column));
                let shared = || named.iter().filter(has_too).count() > 1 || occurrences(&query, &table.name) > 1;
                using && occurrences(&query, column) > 0 || natural && shared()
            };
            let joined = table.fields.iter().map(|field| &field.name).filter(|column| joins(column));
            reads.extend(joined.chain([&String::new()]).map(|column| (table.name.clone(), column.clone())));
        }
    }

    fn prepare(&self, query: &str) -> Result<Statement<'_>, SqlError> {
        self.connection.prepare(query).map_err(|error| {
            let known = || self.tables.iter().map(|table| table.name.clone()).collect();
            match SqlError::of_statement(error, query, known) {
                SqlError::NoTable { table, known } => {
                    let refused = self.refused.iter().find(|(name, _)| name.eq_ignore_ascii_case(&table));
                    match refused {
                        Some((_, reason)) => SqlError::Table { table, reason: reason.clone() },
                        None => SqlError::NoTable { table, known },
                    }
                }
                error => error,
            }
        })
    }
}

/// How often a query in small letters has a name in it, as a word where the name is one.
fn occurrences(query: &str, name: &str) -> usize {
    let name = name.to_ascii_lowercase();
    let in_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    match name.chars().all(in_word) {
        true => query.split(|letter| !in_word(letter)).filter(|word| *word == name).count(),
        false => query.matches(&name.replace('"', "\"\"")).count(),
    }
}

/// Lets a statement read, and nothing else; notes what it reads (<https://sqlite.org/c3ref/set_authorizer.html>).
fn authorize(action: AuthAction<'_>, seen: &Mutex<Seen>) -> Authorization {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    match action {
        AuthAction::Read { table_name, column_name } => {
            seen.reads.insert((table_name.to_owned(), column_name.to_owned()));
            Authorization::Allow
        }
        AuthAction::Recursive => {
            seen.is_recursive = true;
            Authorization::Allow
        }
        AuthAction::Select | AuthAction::Function { .. } => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

/// How a column is declared. All but numbers are texts, so that `'2019'` compares with a date as a text and not as a
/// number
/// (<https://sqlite.org/datatype3.html>, 3.1).
pub(super) fn declared(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Int => "INTEGER",
        ColumnType::Float => "REAL",
        ColumnType::Bool => "BOOLEAN",
        ColumnType::Date => "DATE_TEXT",
        ColumnType::Timestamp => "TIMESTAMP_TEXT",
        ColumnType::String | ColumnType::StringList => "TEXT",
    }
}

fn creation(table: &str, fields: &[Field]) -> String {
    let order = |field: &Field| if field.is_long { format!(" COLLATE {}", digits::COLLATION) } else { String::new() };
    let column = |field: &Field| format!("{} {}{}", quoted(&field.name), field.kind.map_or("", declared), order(field));
    let columns: Vec<String> = fields.iter().map(column).collect();
    format!("CREATE TABLE {} ({})", quoted(table), columns.join(", "))
}

/// Refuses a query that may mean either of two columns that differ by case alone.
fn unless_ambiguous(table: &Table, query: &str) -> Result<(), SqlError> {
    let tokens = tokens(query).unwrap_or_default();
    // What AS gives a name to is no column of the table.
    let named = |place: usize| place.checked_sub(1).is_some_and(|before| tokens[before].is("AS"));
    let names = tokens.iter().enumerate().filter(|(place, _)| !named(*place)).filter_map(|(_, token)| token.name());
    let names: Vec<String> = names.collect();
    for field in table.fields.iter().filter(|field| field.name != field.source) {
        let first = table.fields.iter().find(|first| first.name.eq_ignore_ascii_case(&field.source));
        let Some(first) = first else { continue };
        if names.iter().any(|name| name.eq_ignore_ascii_case(&first.name) && *name != first.name) {
            return Err(SqlError::Case {
                table: table.name.clone(),
                first: first.source.clone(),
                second: field.source.clone(),
                name: field.name.clone(),
            });
        }
        tracing::warn!(
            "{}: SQL does not tell {} from {}; the second is called {}",
            table.name,
            first.source,
            field.source,
            field.name
        );
    }
    Ok(())
}

fn class_of(field: &Field) -> Class {
    match field.kind {
        Some(ColumnType::Int | ColumnType::Float | ColumnType::Bool) => Class::Number,
        Some(ColumnType::Date) => Class::Date,
        Some(ColumnType::Timestamp) => Class::Instant,
        Some(ColumnType::String) => Class::Text,
        Some(ColumnType::StringList) | None => Class::Unknown,
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Fills a table with the rows of a frame. What a file or a rollup holds is only certain now: a column whose values are of another
/// type than was announced is declared again.
fn fill(connection: &mut Connection, table: &Table, frame: &DataFrame) -> rusqlite::Result<Vec<Field>> {
    let mut fields = table.fields.clone();
    for field in &mut fields {
        if let Ok(column) = frame.column(&field.name) {
            field.kind = kind(column.dtype());
            field.is_long = digits::are_long(column);
        }
    }
    if fields != table.fields {
        connection.execute(&format!("DROP TABLE {}", quoted(&table.name)), [])?;
        connection.execute(&creation(&table.name, &fields), [])?;
    }
    insert(connection, &table.name, frame)?;
    Ok(fields)
}

fn insert(connection: &mut Connection, table: &str, frame: &DataFrame) -> rusqlite::Result<()> {
    let names: Vec<String> = frame.columns().iter().map(|column| quoted(column.name())).collect();
    let places = vec!["?"; names.len()].join(", ");
    let cells: Vec<Cells> = frame.columns().iter().map(Cells::new).collect();
    let transaction = connection.transaction()?;
    {
        let insertion = format!("INSERT INTO {} ({}) VALUES ({places})", quoted(table), names.join(", "));
        let mut statement = transaction.prepare(&insertion)?;
        for row in 0..frame.height() {
            statement.execute(params_from_iter(cells.iter().map(|cells| value(cells.get(row)))))?;
        }
    }
    transaction.commit()
}

fn value(cell: Option<Cell<'_>>) -> ToSqlOutput<'_> {
    match cell {
        None => ToSqlOutput::Borrowed(ValueRef::Null),
        Some(Cell::Int(value)) => ToSqlOutput::Borrowed(ValueRef::Integer(value)),
        Some(Cell::Float(value)) => ToSqlOutput::Borrowed(ValueRef::Real(value)),
        Some(Cell::Bool(value)) => ToSqlOutput::Borrowed(ValueRef::Integer(value.into())),
        Some(Cell::Text(text)) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        Some(Cell::Date(days)) => ToSqlOutput::Owned(Value::Text(format::date(days))),
        Some(Cell::Timestamp(millis)) => ToSqlOutput::Owned(Value::Text(format::exact_timestamp(millis))),
        Some(Cell::Other(text)) => ToSqlOutput::Owned(Value::Text(text)),
    }
}
