//! The kinds of charts, by name.

use std::{fmt, str::FromStr};

/// A kind of chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// One line per series; nulls are gaps.
    Line,
    /// A line with the area down to zero filled.
    Area,
    /// Areas that stand on one another, one per series of `by`.
    StackedArea,
    /// One bar per place, upright for dates and numbers, a row each for texts; the series of `by` side by side.
    Bar,
    /// Bars whose parts are the series of `by`.
    StackedBar,
    /// How many values of `x` lie in each of some ranges.
    Histogram,
    /// Median, quartiles and range of `y` per `x`.
    Box,
    /// A point per row at `x` and `y`.
    Scatter,
    /// Shares of the sum of `y`, a slice per `x`.
    Pie,
    /// One cell per `x` and `y`, shaded by `color`.
    HeatMap,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Line,
        Self::Area,
        Self::StackedArea,
        Self::Bar,
        Self::StackedBar,
        Self::Histogram,
        Self::Box,
        Self::Scatter,
        Self::Pie,
        Self::HeatMap,
    ];

    /// Whether `by` tells its lines, areas, bars or points apart.
    pub fn has_series(self) -> bool {
        !matches!(self, Self::Histogram | Self::Box | Self::Pie | Self::HeatMap)
    }

    /// The name on the command line: `stacked-bar`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Area => "area",
            Self::StackedArea => "stacked-area",
            Self::Bar => "bar",
            Self::StackedBar => "stacked-bar",
            Self::Histogram => "histogram",
            Self::Box => "box",
            Self::Scatter => "scatter",
            Self::Pie => "pie",
            Self::HeatMap => "heat-map",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("no kind {name:?}; there are {}", known()))
    }
}
