//! What functions and types make of values.

use super::Class;

/// Functions that take their arguments for numbers.
const OF_NUMBERS: [&str; 33] = [
    "sum",
    "total",
    "avg",
    "abs",
    "round",
    "sign",
    "ceil",
    "ceiling",
    "floor",
    "trunc",
    "sqrt",
    "exp",
    "ln",
    "log",
    "log2",
    "log10",
    "pow",
    "power",
    "mod",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "atan2",
    "degrees",
    "radians",
    "median",
    "stddev",
    "percentile",
    "percentile_cont",
    "percentile_disc",
];
/// Functions whose result is a number whatever their arguments are.
const NUMBERS: [&str; 17] = [
    "count",
    "length",
    "instr",
    "year",
    "month",
    "day",
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "unixepoch",
    "julianday",
    "unicode",
    "octet_length",
    "changes",
];
const TEXTS: [&str; 17] = [
    "time",
    "upper",
    "lower",
    "trim",
    "ltrim",
    "rtrim",
    "substr",
    "substring",
    "replace",
    "group_concat",
    "string_agg",
    "printf",
    "format",
    "typeof",
    "hex",
    "quote",
    "char",
];
/// Functions whose result is one of their arguments.
const PASSING: [&str; 11] =
    ["min", "max", "coalesce", "ifnull", "nullif", "lag", "lead", "first_value", "last_value", "nth_value", "likely"];

/// Whether a function takes its arguments for numbers.
pub(super) fn takes_numbers(function: &str) -> bool {
    OF_NUMBERS.contains(&function)
}

/// What a function does with times among its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OfTimes {
    /// It compares its arguments.
    Compares,
    /// It gives one of them.
    Chooses,
}

/// What a function of so many arguments does with times.
pub(super) fn of_times(function: &str, arguments: usize) -> Option<OfTimes> {
    match function {
        "min" | "max" if arguments > 1 => Some(OfTimes::Compares),
        "nullif" => Some(OfTimes::Compares),
        "coalesce" | "ifnull" => Some(OfTimes::Chooses),
        _ => None,
    }
}

/// <https://sqlite.org/datatype3.html>, 3.1; of a type without a rule, as `DATE`, a number.
pub(super) fn class_of_type(kind: &str) -> Class {
    let kind = kind.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| kind.contains(word));
    match () {
        () if has(&["INT"]) => Class::Number,
        () if has(&["CHAR", "CLOB", "TEXT"]) => Class::Text,
        () if kind.is_empty() || has(&["BLOB"]) => Class::Unknown,
        () => Class::Number,
    }
}

/// The class of a function's result.
pub(super) fn class_of_call(name: &str, arguments: &[Class]) -> Class {
    let is_in = |names: &[&str]| names.contains(&name);
    match name {
        _ if is_in(&OF_NUMBERS) || is_in(&NUMBERS) => Class::Number,
        _ if is_in(&TEXTS) => Class::Text,
        // The year of a date, which may be compared with a number.
        "strftime" => Class::Unknown,
        "date" => Class::Date,
        // With `subsec` it has other decimals than a column.
        "datetime" => Class::Time,
        _ if is_in(&PASSING) => arguments.iter().fold(Class::Null, |class, argument| class.and(*argument)),
        "iif" | "if" => arguments.iter().skip(1).fold(Class::Null, |class, argument| class.and(*argument)),
        _ => Class::Unknown,
    }
}
