//! Compiles the TOML form into a checked schema: resolves every name and checks every type against its use.

use super::field::{Comparable, DateFormat, Derivation, Field, FieldKind, Filter, NumberRange, Place, Source};
use super::file::{DeriveRule, FieldRule, FilterRule, LateRule, SchemaFile, TombstoneRule, TypeName};
use super::{Schema, SchemaError, Tombstones, names, range};
use crate::calendar::{DAY_MS, day_of_date};
use crate::clock::AllowedLateness;
use crate::late::LateRecords;
use crate::number::Mark;
use crate::rollup::RollupPlan;
use crate::window::{Timeline, parse_duration_ms};
use jiff::{civil::Date, tz::TimeZone};

const DEFAULT_IDLE_TIMEOUT_MS: i64 = 60_000;

pub(super) fn compile(name: &str, version: String, file: &SchemaFile) -> Result<Schema, SchemaError> {
    let compiler = Compiler { name, decimal: Mark::Point };
    let compiler = Compiler { name, decimal: compiler.decimal("decimal", file.decimal.as_deref(), Mark::Point)? };
    if file.stream.is_empty() || file.stream.contains(['.', '$', '\0']) {
        return Err(compiler.error(
            "stream",
            "the stream's name is also a column: it cannot be empty or hold a dot, a $ or a NUL character",
        ));
    }
    let mut fields = compiler.fields(file)?;
    let id = compiler.id(file, &mut fields)?;
    let event_time = compiler.event_time(file, &mut fields)?;
    let time_zone = compiler.time_zone(file)?;
    let timeline = match fields[event_time].kind {
        FieldKind::Date(_) => Timeline::Civil,
        _ => Timeline::Zoned(time_zone.clone()),
    };
    let filters = file.filter.iter().map(|rule| compiler.filter(rule, &fields)).collect::<Result<_, _>>()?;
    let rollups = RollupPlan::compile(&file.stream, &file.rollups, &fields, &timeline)
        .map_err(|error| compiler.error(&format!("rollups.{}", error.rollup), error.problem))?;
    Ok(Schema {
        name: name.to_owned(),
        version,
        definition: String::new(),
        number: file.version,
        stream: file.stream.clone(),
        fields,
        id,
        event_time,
        message_key: file.message_key.clone(),
        states_decimal: file.decimal.is_some() || file.fields.iter().any(|(_, rule)| rule.get("decimal").is_some()),
        filters,
        tombstones: match file.tombstones {
            TombstoneRule::Dead => Tombstones::Dead,
            TombstoneRule::Filtered => Tombstones::Filtered,
        },
        time_zone,
        allowed_lateness: compiler.allowed_lateness(file)?,
        late_records: match file.late_records {
            LateRule::Correct => LateRecords::Correct,
            LateRule::SetAside => LateRecords::SetAside,
        },
        max_ahead_ms: match &file.max_ahead {
            Some(text) => Some(compiler.duration("max_ahead", Some(text), 0)?),
            None => None,
        },
        idle_timeout_ms: compiler.duration("idle_timeout", file.idle_timeout.as_deref(), DEFAULT_IDLE_TIMEOUT_MS)?,
        rollups,
    })
}

struct Compiler<'a> {
    name: &'a str,
    /// Decimal separator of fields without their own.
    decimal: Mark,
}

impl Compiler<'_> {
    fn error(&self, place: &str, problem: impl Into<String>) -> SchemaError {
        SchemaError::new(self.name, place, problem)
    }

    fn fields(&self, file: &SchemaFile) -> Result<Vec<Field>, SchemaError> {
        let mut fields = Vec::new();
        let mut derived = Vec::new();
        for (name, value) in &file.fields {
            let place = format!("fields.{name}");
            let rule: FieldRule =
                value.clone().try_into().map_err(|error: toml::de::Error| self.error(&place, error.message()))?;
            match &rule.derive {
                Some(derivation) => {
                    self.check_derived(&place, &rule)?;
                    derived.push((fields.len(), derivation.clone()));
                    fields.push(self.field(&place, name, &rule, derived_kind(derivation))?);
                }
                None => self.read_field(&place, name, &rule, &mut fields)?,
            }
        }
        for (at, rule) in derived {
            fields[at].source = self.derivation(&fields[at].name, &rule, &fields)?;
        }
        for (at, field) in fields.iter().enumerate() {
            let place = format!("fields.{}", field.name);
            match names::alike(fields[..at].iter().map(|other| other.name.as_str()), &field.name) {
                None => {}
                Some(other) if other == field.name => return Err(self.error(&place, "two fields have this name")),
                Some(other) => {
                    let problem = format!(
                        "{}; read one under another name with `from`",
                        names::differ_by_case(other, &field.name)
                    );
                    return Err(self.error(&place, problem));
                }
            }
        }
        Ok(fields)
    }

    /// Adds the one field, or the pair of fields, that a rule describes.
    fn read_field(
        &self,
        place: &str,
        name: &str,
        rule: &FieldRule,
        fields: &mut Vec<Field>,
    ) -> Result<(), SchemaError> {
        let kind = rule.kind.ok_or_else(|| {
            self.error(place, "`type` is missing: string, int, float, bool, date, timestamp or \"string list\"")
        })?;
        let kind = self.kind(place, kind, rule)?;
        let from = rule.from.clone().unwrap_or_else(|| name.to_owned());
        let Some(pair) = &rule.pair else {
            let field = self.field(place, name, rule, kind)?;
            fields.push(Field { source: Source::Record(from), ..field });
            return Ok(());
        };
        for (item, name) in pair.iter().enumerate() {
            let field = self.field(place, name, rule, kind.clone())?;
            fields.push(Field { source: Source::Item { field: from.clone(), item }, ..field });
        }
        Ok(())
    }

    fn field(&self, place: &str, name: &str, rule: &FieldRule, kind: FieldKind) -> Result<Field, SchemaError> {
        if name.is_empty() || name.starts_with('$') || name.contains(['.', '\0']) || name == "_id" || name == "src" {
            let problem = format!(
                "\"{name}\" cannot be a field: no dots, no leading $, not _id and not src; read it under another name with `from`"
            );
            return Err(self.error(place, problem));
        }
        Ok(Field {
            name: name.to_owned(),
            kind,
            source: Source::Record(name.to_owned()),
            place: Place::Top,
            required: rule.required,
            null_words: rule.null.clone(),
            decimal: self.decimal(place, rule.decimal.as_deref(), self.decimal)?,
            allow_blank: rule.allow_blank,
            counted_as: rule.counted_as.clone().unwrap_or_else(|| format!("{name}_count")),
        })
    }

    fn kind(&self, place: &str, kind: TypeName, rule: &FieldRule) -> Result<FieldKind, SchemaError> {
        if rule.range.is_some() && !matches!(kind, TypeName::Int | TypeName::Float) {
            return Err(self.error(place, "`range` is for int and float fields"));
        }
        if !rule.formats.is_empty() && !matches!(kind, TypeName::Date | TypeName::Timestamp) {
            return Err(self.error(place, "`formats` are for date and timestamp fields"));
        }
        if rule.decimal.is_some() && !matches!(kind, TypeName::Int | TypeName::Float) {
            return Err(self.error(place, "`decimal` is for int and float fields"));
        }
        Ok(match kind {
            TypeName::String => FieldKind::String,
            TypeName::Int => {
                FieldKind::Int(range::of_ints(rule.range.as_ref()).map_err(|error| self.error(place, error))?)
            }
            TypeName::Float => {
                FieldKind::Float(range::of_floats(rule.range.as_ref()).map_err(|error| self.error(place, error))?)
            }
            TypeName::Bool => FieldKind::Bool,
            TypeName::Date => FieldKind::Date(self.formats(place, rule, DateFormat::Pattern("%Y-%m-%d".into()))?),
            TypeName::Timestamp => FieldKind::Timestamp(self.formats(place, rule, DateFormat::Rfc3339)?),
            TypeName::StringList => FieldKind::StringList,
        })
    }

    fn formats(&self, place: &str, rule: &FieldRule, default: DateFormat) -> Result<Vec<DateFormat>, SchemaError> {
        if rule.formats.is_empty() {
            return Ok(vec![default]);
        }
        rule.formats
            .iter()
            .map(|text| match text.as_str() {
                "rfc3339" => Ok(DateFormat::Rfc3339),
                "epoch_ms" => Ok(DateFormat::EpochMillis),
                "epoch_s" => Ok(DateFormat::EpochSeconds),
                pattern if pattern.contains('%') => Ok(DateFormat::Pattern(pattern.to_owned())),
                other => Err(self.error(
                    place,
                    format!(
                        "unknown format \"{other}\": use a pattern such as \"%d %B %Y\", or rfc3339, epoch_ms, epoch_s"
                    ),
                )),
            })
            .collect()
    }

    fn decimal(&self, place: &str, text: Option<&str>, default: Mark) -> Result<Mark, SchemaError> {
        let Some(text) = text else { return Ok(default) };
        Mark::parse(text).ok_or_else(|| {
            self.error(place, format!("`decimal` is \"{text}\": use \".\" for 1,234.5 or \",\" for 1.234,5"))
        })
    }

    fn check_derived(&self, place: &str, rule: &FieldRule) -> Result<(), SchemaError> {
        let extra = [
            (rule.kind.is_some(), "type"),
            (rule.from.is_some(), "from"),
            (rule.pair.is_some(), "pair"),
            (!rule.formats.is_empty(), "formats"),
            (!rule.null.is_empty(), "null"),
            (rule.range.is_some(), "range"),
            (rule.decimal.is_some(), "decimal"),
            (rule.required, "required"),
        ];
        match extra.iter().find(|(there, _)| *there) {
            Some((_, key)) => Err(self.error(place, format!("a derived field takes no `{key}`"))),
            None => Ok(()),
        }
    }

    fn derivation(&self, name: &str, rule: &DeriveRule, fields: &[Field]) -> Result<Source, SchemaError> {
        let place = format!("fields.{name}");
        let (how, of) = match rule {
            DeriveRule::Year(of) => (Derivation::Year, of),
            DeriveRule::Month(of) => (Derivation::Month, of),
            DeriveRule::TenDay(of) => (Derivation::TenDay, of),
            DeriveRule::TitleYear(of) => (Derivation::TitleYear, of),
        };
        let at = self.find(&place, of, fields)?;
        let fits = match how {
            Derivation::TitleYear => matches!(fields[at].kind, FieldKind::String),
            _ => matches!(fields[at].kind, FieldKind::Date(_) | FieldKind::Timestamp(_)),
        } && !matches!(fields[at].source, Source::Derived { .. });
        if !fits {
            let problem = format!("cannot be derived from \"{of}\", which is a {} field", fields[at].kind.name());
            return Err(self.error(&place, problem));
        }
        Ok(Source::Derived { of: at, how })
    }

    fn find(&self, place: &str, name: &str, fields: &[Field]) -> Result<usize, SchemaError> {
        fields.iter().position(|field| field.name == name).ok_or_else(|| {
            let known: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
            self.error(place, format!("there is no field \"{name}\"; the fields are {}", known.join(", ")))
        })
    }

    fn id(&self, file: &SchemaFile, fields: &mut [Field]) -> Result<Vec<usize>, SchemaError> {
        if file.id.is_empty() {
            return Err(self.error("id", "name at least one field whose value identifies an event"));
        }
        let id = file.id.iter().map(|name| self.find("id", name, fields)).collect::<Result<Vec<_>, _>>()?;
        if let Some(repeated) = (1..id.len()).find(|&at| id[..at].contains(&id[at])) {
            return Err(self.error("id", format!("\"{}\" is named twice", file.id[repeated])));
        }
        if let Some(at) = (0..fields.len()).find(|at| fields[*at].allow_blank && !id.contains(at)) {
            let place = format!("fields.{}", fields[at].name);
            return Err(
                self.error(&place, "`allow_blank` is for fields of the id; in other fields a blank text is a value")
            );
        }
        for &at in &id {
            if matches!(fields[at].kind, FieldKind::StringList | FieldKind::Float(_)) {
                let problem = format!("\"{}\" is a {}, which cannot be an id", fields[at].name, fields[at].kind.name());
                return Err(self.error("id", problem));
            }
            fields[at].required = true;
            fields[at].place = if id.len() == 1 { Place::Id } else { Place::IdMember };
        }
        Ok(id)
    }

    fn event_time(&self, file: &SchemaFile, fields: &mut [Field]) -> Result<usize, SchemaError> {
        let at = self.find("event_time", &file.event_time, fields)?;
        if !matches!(fields[at].kind, FieldKind::Date(_) | FieldKind::Timestamp(_)) {
            let problem =
                format!("\"{}\" is a {} field; use a date or timestamp", file.event_time, fields[at].kind.name());
            return Err(self.error("event_time", problem));
        }
        fields[at].required = true;
        Ok(at)
    }

    fn time_zone(&self, file: &SchemaFile) -> Result<TimeZone, SchemaError> {
        let name = file.time_zone.as_deref().unwrap_or("UTC");
        TimeZone::get(name).map_err(|_| {
            self.error(
                "time_zone",
                format!("unknown zone \"{name}\": use an IANA name such as Asia/Seoul or Europe/Berlin"),
            )
        })
    }

    fn allowed_lateness(&self, file: &SchemaFile) -> Result<AllowedLateness, SchemaError> {
        match file.allowed_lateness.as_deref() {
            Some("unbounded") => Ok(AllowedLateness::Unbounded),
            text => Ok(AllowedLateness::Millis(self.duration("allowed_lateness", text, 0)?)),
        }
    }

    fn duration(&self, place: &str, text: Option<&str>, default: i64) -> Result<i64, SchemaError> {
        let Some(text) = text else { return Ok(default) };
        parse_duration_ms(text).filter(|&ms| ms >= 0).ok_or_else(|| {
            self.error(place, format!("\"{text}\" is not a length of time such as \"90s\", \"2h\" or \"7d\""))
        })
    }

    fn filter(&self, rule: &FilterRule, fields: &[Field]) -> Result<Filter, SchemaError> {
        let place = format!("filter on {}", rule.field);
        let field = self.find("filter", &rule.field, fields)?;
        if rule.at_least.is_none() && rule.below.is_none() && rule.one_of.is_none() {
            return Err(self.error(&place, "say what passes: at_least, below or one_of"));
        }
        let value = |value: &toml::Value| {
            comparable(&fields[field].kind, value).ok_or_else(|| {
                self.error(&place, format!("{value} cannot be compared with a {} field", fields[field].kind.name()))
            })
        };
        Ok(Filter {
            field,
            at_least: rule.at_least.as_ref().map(value).transpose()?,
            below: rule.below.as_ref().map(value).transpose()?,
            one_of: rule.one_of.as_ref().map(|all| all.iter().map(value).collect()).transpose()?,
        })
    }
}

fn derived_kind(rule: &DeriveRule) -> FieldKind {
    match rule {
        DeriveRule::Year(_) | DeriveRule::TitleYear(_) => FieldKind::Int(NumberRange { first: -9999, last: 9999 }),
        DeriveRule::Month(_) => FieldKind::Int(NumberRange { first: 1, last: 12 }),
        DeriveRule::TenDay(_) => FieldKind::String,
    }
}

/// Converts a filter's value to the form in which the field's values are compared.
fn comparable(kind: &FieldKind, value: &toml::Value) -> Option<Comparable> {
    match (kind, value) {
        (FieldKind::String, toml::Value::String(text)) => Some(Comparable::String(text.clone())),
        (FieldKind::Int(_), toml::Value::Integer(number)) => Some(Comparable::Int(*number)),
        (FieldKind::Float(_), toml::Value::Float(number)) => Some(Comparable::Float(*number)),
        (FieldKind::Float(_), toml::Value::Integer(number)) => Some(Comparable::Float(*number as f64)),
        (FieldKind::Bool, toml::Value::Boolean(truth)) => Some(Comparable::Bool(*truth)),
        (FieldKind::Date(_) | FieldKind::Timestamp(_), toml::Value::String(text)) => moment(text),
        (FieldKind::Date(_) | FieldKind::Timestamp(_), toml::Value::Datetime(moment_)) => moment(&moment_.to_string()),
        _ => None,
    }
}

fn moment(text: &str) -> Option<Comparable> {
    if let Ok(date) = text.parse::<Date>()
        && text.len() <= "2020-01-01".len()
    {
        return Some(Comparable::Int(day_of_date(date) * DAY_MS));
    }
    crate::moment::parse(text).ok().map(Comparable::Int)
}
