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
    params_from_iter,
    types::{ToSqlOutput, Value, ValueRef},
};

use super::{SqlError, answer, error, functions, tables::Table};
use crate::{
    cell::{Cell, Cells},
    format,
};

/// What a query reads: table and column, without a column where only rows are counted.
type Reads = BTreeSet<(String, String)>;

/// A database in memory, for one query.
pub(super) struct Database {
    connection: Connection,
    tables: Vec<Table>,
}

impl Database {
    /// The tables, without rows.
    pub fn new(tables: Vec<Table>) -> Result<Self, SqlError> {
        let connection = Connection::open_in_memory().map_err(SqlError::run)?;
        // Else a name in double quotes that no column has would pass for a text.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false).map_err(SqlError::run)?;
        functions::add_to(&connection).map_err(SqlError::run)?;
        for table in &tables {
            let refused = |reason: String| SqlError::Table { table: table.name.clone(), reason };
            if table.columns.is_empty() {
                return Err(refused("it has no columns".to_owned()));
            }
            connection.execute(&creation(table), []).map_err(|error| refused(error::reason(&error)))?;
        }
        Ok(Self { connection, tables })
    }

    /// Fills what the query reads, and runs it.
    pub fn query(mut self, query: &str) -> Result<DataFrame, SqlError> {
        let mut reads = self.reads(query)?;
        self.add_joined(query, &mut reads);
        for table in &self.tables {
            let of_table = reads.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&table.name));
            let columns: Vec<&str> = of_table.map(|(_, column)| column.as_str()).collect();
            if !columns.is_empty() {
                let frame = table.read(&columns)?;
                insert(&mut self.connection, &table.name, &frame).map_err(SqlError::run)?;
            }
        }
        answer::read(&mut self.prepare(query)?)
    }

    fn reads(&mut self, query: &str) -> Result<Reads, SqlError> {
        let seen = Arc::new(Mutex::new(Reads::new()));
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
    /// or that two of its tables have. A table or column too many costs time and changes no answer.
    fn add_joined(&self, query: &str, reads: &mut Reads) {
        let query = query.to_ascii_lowercase();
        let (using, natural) = (query.contains("using"), query.contains("natural"));
        let named: Vec<&Table> = match using || natural {
            true => self.tables.iter().filter(|table| names(&query, &table.name)).collect(),
            false => Vec::new(),
        };
        for table in &named {
            let joins = |column: &str| {
                let has_too = |other: &&&Table| other.columns.iter().any(|(name, _)| name.eq_ignore_ascii_case(column));
                using && names(&query, column) || natural && named.iter().filter(has_too).count() > 1
            };
            let joined = table.columns.iter().map(|(column, _)| column).filter(|column| joins(column));
            reads.extend(joined.chain([&String::new()]).map(|column| (table.name.clone(), column.clone())));
        }
    }

    fn prepare(&self, query: &str) -> Result<Statement<'_>, SqlError> {
        self.connection.prepare(query).map_err(|error| {
            let known = || self.tables.iter().map(|table| table.name.clone()).collect();
            SqlError::of_statement(error, query, known)
        })
    }
}

/// Whether a query in small letters has a name in it, as a word where the name is one.
fn names(query: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let in_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    match name.chars().all(in_word) {
        true => query.split(|letter| !in_word(letter)).any(|word| word == name),
        false => query.contains(&name.replace('"', "\"\"")),
    }
}

/// Lets a statement read, and nothing else; notes what it reads (<https://sqlite.org/c3ref/set_authorizer.html>).
fn authorize(action: AuthAction<'_>, reads: &Mutex<Reads>) -> Authorization {
    match action {
        AuthAction::Read { table_name, column_name } => {
            let read = (table_name.to_owned(), column_name.to_owned());
            reads.lock().unwrap_or_else(PoisonError::into_inner).insert(read);
            Authorization::Allow
        }
        AuthAction::Select | AuthAction::Function { .. } | AuthAction::Recursive => Authorization::Allow,
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

fn creation(table: &Table) -> String {
    let column =
        |(name, kind): &(String, Option<ColumnType>)| format!("{} {}", quoted(name), kind.map_or("", declared));
    let columns: Vec<String> = table.columns.iter().map(column).collect();
    format!("CREATE TABLE {} ({})", quoted(&table.name), columns.join(", "))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
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
