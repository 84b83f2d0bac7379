//! What cannot be drawn, in the words of the command line: its options instead of the library's methods.

use analysis::chart::ChartError;

/// The error with the options that help.
pub fn of_options(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<ChartError>().and_then(words) {
        Some(words) => anyhow::Error::msg(words),
        None => error,
    }
}

fn words(error: &ChartError) -> Option<String> {
    Some(match error {
        ChartError::NoRows => "there is nothing to draw: no rows; widen --from, --to or --where".to_owned(),
        ChartError::Unset { kind, role } => format!("a {kind} chart needs a column for {role}; name it with --{role}"),
        ChartError::Repeated { place } => {
            format!("several rows have {place}; tell them apart with --by or --facet, or choose some with --where")
        }
        ChartError::Negative { column } => format!(
            "column {column:?} has values below zero, which are no part of a stack or pie; take --kind bar for bars side by side, or \
             --kind line"
        ),
        ChartError::NoSum { column, what, kind } => format!(
            "{column} has {what}, and {what} do not add up to what a {kind} chart shows as a whole; take --kind bar or --kind line, \
             or name a count or a sum with --y"
        ),
        ChartError::NoLogarithm { column } => {
            format!("column {column:?} has no value above zero, so it has no logarithm; leave out --log")
        }
        ChartError::TooManyFacets { column, found, most } => {
            format!(
                "column {column:?} has {found} values, and a page holds {most} small charts; keep the largest with --top {most}"
            )
        }
        ChartError::TooMany { column, found, most } => format!(
            "column {column:?} has {found} values, and there is room for {most}; keep the largest with --top {most}, take longer \
             windows with --every, or a larger --width and --height"
        ),
        ChartError::Setting { setting, kind, kinds } => {
            format!("--{setting}: a {kind} chart has no such thing; it is for {kinds}")
        }
        ChartError::NoRoom { figures, most } => {
            format!("{figures} small charts do not fit, {most} do; take a larger --width and --height, or --top {most}")
        }
        ChartError::Size { width, height } => {
            format!(
                "{width} × {height} pixels cannot be drawn; take a --width of 200 to 6000 and a --height of 150 to 6000"
            )
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_is_an_option() {
        let column = || "who".to_owned();
        for (error, option) in [
            (ChartError::TooMany { column: column(), found: 1_000, most: 6 }, "--top 6"),
            (ChartError::TooManyFacets { column: column(), found: 1_000, most: 24 }, "--top 24"),
            (ChartError::Negative { column: column() }, "--kind bar"),
            (ChartError::NoSum { column: column(), what: "means", kind: "pie" }, "--kind line"),
            (ChartError::Unset { kind: "stacked-bar", role: "by" }, "--by"),
            (ChartError::NoLogarithm { column: column() }, "--log"),
            (ChartError::Repeated { place: column() }, "--facet"),
        ] {
            let words = of_options(error.into()).to_string();
            assert!(words.contains(option) && !words.contains('`'), "{words}");
        }
        let error = ChartError::NoValues { column: column() };
        assert!(of_options(error.into()).downcast_ref::<ChartError>().is_some());
    }
}
