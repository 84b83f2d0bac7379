//! Compiles the rollup rules of the schema into state tables and rollups.

use super::row::{Output, OutputColumn};
use super::{DistinctCount, GroupRows, Measure, MeasureKind, Rollup, RollupPlan, Slot, StateTable, Top};
use crate::layout::{Column, ColumnRole, ColumnType, LATE, RESERVED, column};
use crate::schema::file::{RollupRule, TopRule};
use crate::schema::{Field, FieldKind, names};
use crate::state::Histogram;
use crate::window::{Timeline, WindowKind, WindowSpec};
use std::borrow::Cow;

/// Maximum number of hopping windows of a record. Each one is a state to change and a row to write.
const MOST_WINDOWS: i64 = 1_000;

/// A rollup rule that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rollup}: {problem}")]
pub struct RollupError {
    /// Its name.
    pub rollup: String,
    /// What is wrong.
    pub problem: String,
}

impl RollupPlan {
    pub(crate) fn compile(
        stream: &str,
        rules: &[RollupRule],
        fields: &[Field],
        timeline: &Timeline,
    ) -> Result<Self, RollupError> {
        let mut plan = Self::default();
        for rule in rules {
            let fail = |problem: String| RollupError { rollup: rule.name.clone(), problem };
            check_name(&rule.name).map_err(fail)?;
            match names::alike(plan.rollups.iter().map(|rollup| rollup.name.as_str()), &rule.name) {
                None => {}
                Some(other) if other == rule.name => return Err(fail("two rollups have this name".into())),
                Some(other) => return Err(fail(names::differ_by_case(other, &rule.name))),
            }
            let table = plan.table(stream, rule, fields, timeline).map_err(fail)?;
            let columns = columns(stream, rule, &plan, &plan.tables[table]);
            check_columns(&columns).map_err(fail)?;
            let top = rule.top.as_ref().map(|top| order(top, stream, &columns)).transpose().map_err(fail)?;
            plan.rollups.push(Rollup { name: rule.name.clone(), table, columns, top });
        }
        plan.choose_group_rows();
        Ok(plan)
    }

    /// The first rollup of a table that publishes every group is the state collection. Without one, a hidden collection is.
    fn choose_group_rows(&mut self) {
        for (at, table) in self.tables.iter_mut().enumerate() {
            let whole = self.rollups.iter().position(|rollup| rollup.table == at && rollup.top.is_none());
            table.rows = match whole {
                Some(place) => GroupRows::Published(place),
                None => {
                    let ranked = self.rollups.iter().find(|rollup| rollup.table == at);
                    let ranked = ranked.expect("a table is made for the rollup that asks for it");
                    // Names of rollups contain no dot.
                    let name = format!("{}.groups", ranked.name);
                    let columns = ranked.columns.iter().filter(|column| column.output != Output::Rank).cloned();
                    GroupRows::Hidden(Box::new(Rollup { name, table: at, columns: columns.collect(), top: None }))
                }
            };
        }
    }

    /// Returns the index of the rule's state table, adding a new one if no earlier rollup has the same grouping.
    fn table(
        &mut self,
        stream: &str,
        rule: &RollupRule,
        fields: &[Field],
        timeline: &Timeline,
    ) -> Result<usize, String> {
        let kind = window_kind(rule)?;
        let keys = rule.keys.iter().map(|name| self.slot(name, fields, Use::Key)).collect::<Result<Vec<_>, _>>()?;
        let distinct = rule
            .distinct
            .iter()
            .map(|name| Ok(DistinctCount { name: name.clone(), slot: self.slot(name, fields, Use::Distinct)? }))
            .collect::<Result<Vec<_>, String>>()?;
        let measures = rule.measures.iter().map(|name| self.measure(name, fields)).collect::<Result<Vec<_>, _>>()?;
        let window = WindowSpec::new(kind, timeline.clone());
        let rows = GroupRows::Published(self.rollups.len());
        let mut table = StateTable { id: String::new(), window, keys, measures, distinct, rows };
        table.id = format!("{stream}/{}", self.definition(&table));
        Ok(self.tables.iter().position(|other| other.id == table.id).unwrap_or_else(|| {
            self.tables.push(table);
            self.tables.len() - 1
        }))
    }

    fn measure(&mut self, name: &str, fields: &[Field]) -> Result<Measure, String> {
        let slot = self.slot(name, fields, Use::Measure)?;
        let field = &self.slots[slot].field;
        let kind = match field.kind {
            FieldKind::Int(range) if Histogram::fits(range.first, range.last) => MeasureKind::Histogram(range),
            FieldKind::Int(_) => MeasureKind::Int,
            _ => MeasureKind::Float,
        };
        Ok(Measure { name: name.to_owned(), counted_as: field.counted_as.clone(), kind, slot })
    }

    fn slot(&mut self, name: &str, fields: &[Field], usage: Use) -> Result<usize, String> {
        let field = fields.iter().find(|field| field.name == name).ok_or_else(|| {
            let known: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
            format!("there is no field \"{name}\"; the fields are {}", known.join(", "))
        })?;
        usage.check(field)?;
        Ok(self.slots.iter().position(|slot| slot.field.name == name).unwrap_or_else(|| {
            self.slots.push(Slot { field: field.clone() });
            self.slots.len() - 1
        }))
    }

    /// Returns a text that identifies the states: window and zone, keys and measures with their types.
    fn definition(&self, table: &StateTable) -> String {
        let typed = |slot: &usize| {
            let field = &self.slots[*slot].field;
            let name = encoded(&field.name);
            match field.kind {
                FieldKind::String => name.into_owned(),
                _ => format!("{name}:{}", field.kind.name()),
            }
        };
        let zone = match (table.window.is_calendar(), table.window.zone().and_then(|zone| zone.iana_name())) {
            (true, Some(zone)) if zone != "UTC" => format!("@{zone}"),
            _ => String::new(),
        };
        let keys: Vec<_> = table.keys.iter().map(typed).collect();
        let measures: Vec<_> = table
            .measures
            .iter()
            .map(|measure| match measure.kind {
                MeasureKind::Histogram(range) => {
                    format!("{}:{}..{}", encoded(&measure.name), range.first, range.last)
                }
                _ => typed(&measure.slot),
            })
            .chain(table.distinct.iter().map(|distinct| format!("distinct {}", typed(&distinct.slot))))
            .collect();
        format!("{}{zone}/{}/{}", table.window.kind(), keys.join(","), measures.join(","))
    }
}

/// Encodes a field's name for a definition. If the name is ambiguous there, its special characters are written as `:HEX:`, which no name
/// of a type and no range contains. Stored tables have these names, so the encoding must never change.
fn encoded(name: &str) -> Cow<'_, str> {
    let is_suffix = |part: &str| {
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
            || ["string", "int", "float", "bool", "date", "timestamp", "string list"].contains(&part)
    };
    let is_plain =
        !name.contains([',', '/']) && !name.starts_with("distinct ") && !name.split(':').skip(1).any(is_suffix);
    if is_plain {
        return Cow::Borrowed(name);
    }
    let escape = |character: char| match character {
        ',' | '/' | ':' | ' ' => format!(":{:02x}:", u32::from(character)),
        other => other.to_string(),
    };
    Cow::Owned(name.chars().map(escape).collect())
}

/// Reads a rollup's window.
fn window_kind(rule: &RollupRule) -> Result<WindowKind, String> {
    let text = &rule.window;
    let kind = WindowKind::parse(text).map_err(|error| error.to_string())?;
    match kind {
        WindowKind::Session { .. } if rule.top.is_some() => {
            Err("`top` is for windows that many keys share; every session is of one key".into())
        }
        WindowKind::Hopping(hopping) if hopping.most_windows() > MOST_WINDOWS => Err(format!(
            "every record would be in {} windows of \"{text}\"; choose a longer step, so that it is in {MOST_WINDOWS} at most",
            hopping.most_windows()
        )),
        kind => Ok(kind),
    }
}

#[derive(Clone, Copy)]
enum Use {
    Key,
    Measure,
    Distinct,
}

impl Use {
    fn check(self, field: &Field) -> Result<(), String> {
        let (what, fits) = match self {
            Self::Key => ("a key", !matches!(field.kind, FieldKind::Float(_) | FieldKind::StringList)),
            Self::Measure => ("a measure", field.is_number()),
            Self::Distinct => ("counted as distinct", !matches!(field.kind, FieldKind::StringList)),
        };
        if fits {
            Ok(())
        } else {
            Err(format!("\"{}\" is a {} field and cannot be {what}", field.name, field.kind.name()))
        }
    }
}

/// Length limit of a rollup's name in bytes. With the database's name and the suffixes of temporary tables it fits into MongoDB's 255
/// bytes for a namespace; with an extension, into 255 bytes for a file name.
const MOST_NAME_BYTES: usize = 120;

fn check_name(name: &str) -> Result<(), String> {
    let valid =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if !valid {
        return Err(
            "a rollup's name has letters, digits, _ and - only: it is the name of a collection and of files".into()
        );
    }
    if name.len() > MOST_NAME_BYTES {
        return Err(format!(
            "the name has {} bytes; at most {MOST_NAME_BYTES} fit into the names of collections and files",
            name.len()
        ));
    }
    if let Some(taken) = names::alike(RESERVED.into_iter().chain([LATE]), name) {
        return Err(format!("\"{taken}\" is a collection of the product; choose another name"));
    }
    if is_device(&name.to_lowercase()) {
        return Err(format!("\"{name}\" cannot be the name of a file on Windows; choose another name"));
    }
    Ok(())
}

/// Names of devices, which Windows does not allow for files.
fn is_device(name: &str) -> bool {
    let numbered = name.strip_prefix("com").or_else(|| name.strip_prefix("lpt"));
    matches!(name, "con" | "prn" | "aux" | "nul")
        || numbered.is_some_and(|number| matches!(number.as_bytes(), [b'1'..=b'9']))
}

fn columns(stream: &str, rule: &RollupRule, plan: &RollupPlan, table: &StateTable) -> Vec<OutputColumn> {
    let moment = if table.window.is_calendar() { ColumnType::Date } else { ColumnType::Timestamp };
    let mut columns = vec![
        OutputColumn::new(column::WINDOW_START, moment, ColumnRole::WindowStart, None, Output::WindowStart),
        OutputColumn::new(column::WINDOW_END, moment, ColumnRole::WindowEnd, None, Output::WindowEnd),
    ];
    if rule.top.is_some() {
        columns.push(OutputColumn::new(column::RANK, ColumnType::Int, ColumnRole::Rank, None, Output::Rank));
    }
    for (at, &slot) in table.keys.iter().enumerate() {
        let field = &plan.slots[slot].field;
        columns.push(OutputColumn::new(&field.name, field.kind.column_type(), ColumnRole::Key, None, Output::Key(at)));
    }
    columns.push(OutputColumn::new(stream, ColumnType::Int, ColumnRole::Count, None, Output::Count));
    let histogram = rule.histogram.unwrap_or(rule.keys.is_empty());
    for (at, measure) in table.measures.iter().enumerate() {
        measure_columns(at, measure, histogram, &mut columns);
    }
    for (at, distinct) in table.distinct.iter().enumerate() {
        let name = format!("{}_distinct", distinct.name);
        columns.push(OutputColumn::new(&name, ColumnType::Int, ColumnRole::Distinct, None, Output::Distinct(at)));
    }
    columns.extend([
        OutputColumn::new(column::LATE, ColumnType::Int, ColumnRole::Late, None, Output::Late),
        OutputColumn::new(column::IS_FINAL, ColumnType::Bool, ColumnRole::IsFinal, None, Output::Publisher),
        OutputColumn::new(column::REVISION, ColumnType::Int, ColumnRole::Revision, None, Output::Publisher),
        OutputColumn::new(column::UPDATED_AT, ColumnType::Timestamp, ColumnRole::UpdatedAt, None, Output::Publisher),
    ]);
    columns
}

fn measure_columns(at: usize, measure: &Measure, histogram: bool, columns: &mut Vec<OutputColumn>) {
    let value = if measure.kind == MeasureKind::Float { ColumnType::Float } else { ColumnType::Int };
    let mut push = |name: String, kind, role, output| {
        columns.push(OutputColumn::new(&name, kind, role, Some(measure.name.clone()), output));
    };
    let name = |suffix: &str| format!("{}_{suffix}", measure.name);
    push(measure.counted_as.clone(), ColumnType::Int, ColumnRole::Count, Output::MeasureCount(at));
    push(name("sum"), value, ColumnRole::Sum, Output::Sum(at));
    push(name("mean"), ColumnType::Float, ColumnRole::Mean, Output::Mean(at));
    push(name("stddev"), ColumnType::Float, ColumnRole::Stddev, Output::Stddev(at));
    push(name("min"), value, ColumnRole::Min, Output::Min(at));
    push(name("max"), value, ColumnRole::Max, Output::Max(at));
    if let MeasureKind::Histogram(range) = measure.kind {
        push(name("p50"), ColumnType::Float, ColumnRole::Quantile, Output::Median(at));
        for value in (range.first..=range.last).filter(|_| histogram) {
            push(name(&value.to_string()), ColumnType::Int, ColumnRole::Histogram, Output::Bucket(at, value));
        }
    }
}

fn check_columns(columns: &[OutputColumn]) -> Result<(), String> {
    for (at, OutputColumn { column: Column { name, .. }, .. }) in columns.iter().enumerate() {
        if name == column::STATE {
            return Err(format!("\"{name}\" is where a row keeps its state; rename the field"));
        }
        match names::alike(columns[..at].iter().map(|other| other.column.name.as_str()), name) {
            None => {}
            Some(other) if other == name => {
                return Err(format!("two columns would be named \"{name}\"; rename the field or set `counted_as`"));
            }
            Some(other) => {
                return Err(format!(
                    "the columns {}; rename the field or set `counted_as`",
                    names::differ_by_case(other, name)
                ));
            }
        }
    }
    Ok(())
}

fn order(top: &TopRule, stream: &str, columns: &[OutputColumn]) -> Result<Top, String> {
    if top.rows == 0 {
        return Err("top.rows is 0: publish at least one row".into());
    }
    let by = top.by.as_deref().unwrap_or(stream);
    let numbers = |column: &&OutputColumn| {
        matches!(column.column.kind, ColumnType::Int | ColumnType::Float)
            && !matches!(column.output, Output::Rank | Output::Key(_) | Output::Publisher)
    };
    let place = columns.iter().position(|column| column.column.name == by && numbers(&column)).ok_or_else(|| {
        let known: Vec<_> = columns.iter().filter(numbers).map(|column| column.column.name.as_str()).collect();
        format!("top.by: rows cannot be ordered by \"{by}\"; use one of {}", known.join(", "))
    })?;
    Ok(Top { rows: top.rows as usize, by: place })
}
