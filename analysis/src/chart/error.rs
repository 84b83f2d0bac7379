//! Why a figure cannot be drawn, and what to change.

use std::path::PathBuf;

/// Why a figure cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// The frame is empty.
    #[error("there is nothing to draw: the frame has no rows; widen the time range or the conditions")]
    NoRows,
    /// The frame has no such column.
    #[error("the frame has no column {column:?}; it has {}", known.join(", "))]
    NoColumn {
        /// What was asked for.
        column: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A column that the kind of chart needs was not named.
    #[error("a {kind} needs a column for {role}; name it with `{role}`")]
    Unset {
        /// The kind of chart.
        kind: &'static str,
        /// What the column is for: `y`, `by`, `color`.
        role: &'static str,
    },
    /// Every value is null.
    #[error("column {column:?} has no values, only nulls")]
    NoValues {
        /// The column.
        column: String,
    },
    /// Every value is 0, so that none is a part of a whole.
    #[error("every value of column {column:?} is 0, so there are no shares to draw")]
    NoShares {
        /// The column.
        column: String,
    },
    /// Each column has values, but never in the same row.
    #[error("no row has a value in each of {}; fill their nulls first, or choose other columns", columns.join(", "))]
    NoWholeRow {
        /// The columns.
        columns: Vec<String>,
    },
    /// The column's type does not fit its role.
    #[error("column {column:?} is {found}; {role} needs {expected}")]
    Type {
        /// The column.
        column: String,
        /// Its type in polars.
        found: String,
        /// What it was to be used for.
        role: &'static str,
        /// Types that fit.
        expected: &'static str,
    },
    /// Two rows claim the same place.
    #[error("several rows have {place}; add up the rows first, choose one key, or tell them apart with `by`")]
    Repeated {
        /// The place, by its columns and values.
        place: String,
    },
    /// Values that do not add up, such as means, as parts of a whole.
    #[error(
        "{column} has {what}, and {what} do not add up to what a {kind} chart shows as a whole; draw lines or bars side by side"
    )]
    NoSum {
        /// The column.
        column: String,
        /// What it holds, in the plural.
        what: &'static str,
        /// The kind of chart.
        kind: &'static str,
    },
    /// Stacked values below zero would hide one another.
    #[error(
        "column {column:?} has values below zero, which are no part of a stack or pie; draw lines or bars side by side"
    )]
    Negative {
        /// The column.
        column: String,
    },
    /// A setting that the kind of chart does not have.
    #[error("{setting}: a {kind} chart has no such thing; it is for {kinds}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// The kind of chart.
        kind: &'static str,
        /// The kinds that have it.
        kinds: &'static str,
    },
    /// A value of `range` or `level` that the scale of values does not have.
    #[error("{setting}: {value} is not on the scale; give numbers that are {needed}")]
    OffScale {
        /// The setting.
        setting: &'static str,
        /// What was given.
        value: f64,
        /// What a value must be.
        needed: &'static str,
    },
    /// A place of a band or mark is neither a date nor a number.
    #[error("a band or mark: {reason}")]
    Place {
        /// What is wrong with it.
        reason: String,
    },
    /// No value is above zero.
    #[error("column {column:?} has no value above zero, so it has no logarithm; leave out `log`")]
    NoLogarithm {
        /// The column.
        column: String,
    },
    /// More small charts than a page can hold.
    #[error(
        "column {column:?} has {found} values, and a page holds {most} small charts; keep the largest with `keep_largest`"
    )]
    TooManyFacets {
        /// The column.
        column: String,
        /// How many values it has.
        found: usize,
        /// How many fit.
        most: usize,
    },
    /// More names or places than there are pixels for.
    #[error(
        "column {column:?} has {found} values, and there is room for {most}; keep the largest with `keep_largest`, or add windows up with `regroup`"
    )]
    TooMany {
        /// The column.
        column: String,
        /// How many values it has.
        found: usize,
        /// How many fit.
        most: usize,
    },
    /// A grid without figures.
    #[error("there is nothing to draw: the grid has no figures")]
    NoFigures,
    /// The panels of a page would be too small to read.
    #[error("{figures} figures do not fit, {most} do; make the page larger")]
    NoRoom {
        /// How many there are.
        figures: usize,
        /// How many fit.
        most: usize,
    },
    /// The picture is too small to read or too large to draw.
    #[error("{width} × {height} pixels cannot be drawn; use 200 × 150 to 6000 × 6000")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A file name that says neither SVG nor PNG.
    #[error("{} is neither .svg nor .png", path.display())]
    Extension {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The drawing backend failed.
    #[error("drawing failed: {0}")]
    Draw(String),
}

impl ChartError {
    /// Whether the chart could be drawn if there were values: other rows may help, other settings need not.
    pub fn is_no_values(&self) -> bool {
        matches!(
            self,
            Self::NoRows
                | Self::NoValues { .. }
                | Self::NoShares { .. }
                | Self::NoWholeRow { .. }
                | Self::NoLogarithm { .. }
        )
    }
}
