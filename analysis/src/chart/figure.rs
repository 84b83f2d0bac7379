//! The public face of charts: what to draw, in which size, in which format.

use std::{fmt, path::Path};

use model::layout::column::WINDOW_START;
use polars::prelude::DataFrame;

use super::{
    ChartError, Kind,
    facet::{self, Grid},
    marks::Marks,
    meaning::Meaning,
    raster,
    scene::Scene,
    shared::Shared,
    svg,
};
use crate::{format::words, whole_file};

/// A chart of a frame, drawn when it is asked for its [`svg`](Figure::svg) or [`png`](Figure::png).
///
/// `x` is `window_start` unless set. Dates and instants are drawn to scale, texts in order of appearance.
///
/// ```
/// use analysis::{chart::Figure, polars::prelude::df};
///
/// let frame = df!("year" => [2018, 2019, 2020], "reviews" => [2_412, 3_101, 1_874])?;
/// let figure = Figure::bar(&frame).x("year").y("reviews").title("Reviews per year").size(400, 260);
/// assert!(figure.svg()?.starts_with("<svg "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a figure draws nothing before it is saved or displayed"]
#[derive(Debug, Clone)]
pub struct Figure {
    pub(super) frame: DataFrame,
    pub(super) kind: Kind,
    pub(super) x: Option<String>,
    pub(super) y: Option<String>,
    pub(super) by: Option<String>,
    pub(super) color: Option<String>,
    pub(super) right: Option<String>,
    pub(super) facet: Option<String>,
    pub(super) title: String,
    pub(super) subtitle: Option<String>,
    pub(super) size: (u32, u32),
    pub(super) log: bool,
    pub(super) dark: bool,
    pub(super) marks: Marks,
    pub(super) range: Option<(f64, f64)>,
    pub(super) meaning: Meaning,
    /// What is said about the rows, below the subtitle.
    pub(super) remarks: Vec<String>,
    /// Whether this is one of several small charts, whose remarks stand above them all.
    pub(super) is_panel: bool,
    /// What small multiples agree on.
    pub(super) shared: Shared,
}

pub(super) const DEFAULT_SIZE: (u32, u32) = (800, 450);
const LEAST_SIZE: (u32, u32) = (200, 150);
const MOST_PIXELS: u32 = 6_000;

impl Figure {
    /// A chart of `frame`; the frame's columns are shared, not copied.
    pub fn new(kind: Kind, frame: &DataFrame) -> Self {
        Self {
            frame: frame.clone(),
            kind,
            x: None,
            y: None,
            by: None,
            color: None,
            right: None,
            facet: None,
            title: String::new(),
            subtitle: None,
            size: DEFAULT_SIZE,
            log: false,
            dark: false,
            marks: Marks::default(),
            range: None,
            meaning: Meaning::default(),
            remarks: Vec::new(),
            is_panel: false,
            shared: Shared::default(),
        }
    }

    /// A line chart. Windows without a row are gaps; with the [`table`](Figure::table) that they are of, counts and sums are 0 there.
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("day" => [1, 2, 3, 4, 5], "reviews" => [Some(70), Some(91), None, Some(64), Some(60)])?;
    /// let svg = Figure::line(&frame).x("day").y("reviews").svg()?;
    /// assert_eq!(svg.matches("<polyline").count(), 2, "a missing value is a gap, not a zero");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn line(frame: &DataFrame) -> Self {
        Self::new(Kind::Line, frame)
    }

    /// A line chart whose areas down to zero, or to the end of a [`range`](Figure::range) without it, are filled; several series lie
    /// over one another.
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let years = df!("year" => [2018, 2019, 2020], "reviews" => [2_412, 3_101, 1_874])?;
    /// let svg = Figure::area(&years).x("year").y("reviews").svg()?;
    /// assert!(svg.contains("<polygon"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn area(frame: &DataFrame) -> Self {
        Self::new(Kind::Area, frame)
    }

    /// Areas that stand on one another, a series of [`by`](Figure::by) each; a missing value counts as zero.
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("year" => [2019, 2019, 2020, 2020], "rating" => ["7", "8", "7", "8"], "reviews" => [9, 14, 11, 8])?;
    /// let svg = Figure::stacked_area(&frame).x("year").y("reviews").by("rating").svg()?;
    /// assert_eq!(svg.matches("<polygon").count(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stacked_area(frame: &DataFrame) -> Self {
        Self::new(Kind::StackedArea, frame)
    }

    /// A bar chart; bars of several series, told apart with [`by`](Figure::by), stand side by side.
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("movie" => ["Up (2009)", "1917 (2019)"], "reviews" => [812, 640])?;
    /// let svg = Figure::bar(&frame).x("movie").y("reviews").svg()?;
    /// assert!(svg.contains("Up (2009)"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bar(frame: &DataFrame) -> Self {
        Self::new(Kind::Bar, frame)
    }

    /// A bar chart whose bars are stacks of the series of [`by`](Figure::by).
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("year" => [2019, 2019, 2020], "spoiler" => ["no", "yes", "no"], "reviews" => [90, 14, 110])?;
    /// let svg = Figure::stacked_bar(&frame).x("year").y("reviews").by("spoiler").svg()?;
    /// assert!(svg.contains("yes"), "the legend names every series");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stacked_bar(frame: &DataFrame) -> Self {
        Self::new(Kind::StackedBar, frame)
    }

    /// How many values of [`x`](Figure::x) lie in each of some equal ranges.
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("rating" => [7.1, 7.4, 8.0, 8.2, 8.3, 9.1])?;
    /// let svg = Figure::histogram(&frame).x("rating").title("Ratings").svg()?;
    /// assert!(svg.contains("Ratings"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn histogram(frame: &DataFrame) -> Self {
        Self::new(Kind::Histogram, frame)
    }

    /// Median, quartiles and range of [`y`](Figure::y) for each value of [`x`](Figure::x), or of all together.
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("movie" => ["Up (2009)", "Up (2009)", "1917 (2019)"], "rating" => [8, 10, 7])?;
    /// let svg = Figure::box_plot(&frame).x("movie").y("rating").svg()?;
    /// assert!(svg.contains("1917 (2019)"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn box_plot(frame: &DataFrame) -> Self {
        Self::new(Kind::Box, frame)
    }

    /// A point per row at [`x`](Figure::x) and [`y`](Figure::y), coloured by [`by`](Figure::by).
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("reviews" => [120, 340, 80], "rating_mean" => [7.9, 6.4, 8.8], "genre" => ["drama", "war", "drama"])?;
    /// let svg = Figure::scatter(&frame).x("reviews").y("rating_mean").by("genre").svg()?;
    /// assert!(svg.matches("<circle").count() >= 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn scatter(frame: &DataFrame) -> Self {
        Self::new(Kind::Scatter, frame)
    }

    /// Shares of the sum of [`y`](Figure::y), a slice for each value of [`x`](Figure::x), the six largest at most. Means, quantiles and
    /// other columns of a rollup that do not add up are refused, here and by bars and areas that are stacked.
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("rating" => ["7", "8", "9"], "reviews" => [50, 30, 20])?;
    /// let svg = Figure::pie(&frame).x("rating").y("reviews").svg()?;
    /// assert!(svg.contains("50 %"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pie(frame: &DataFrame) -> Self {
        Self::new(Kind::Pie, frame)
    }

    /// A heat map of [`x`](Figure::x) and [`y`](Figure::y), shaded by [`color`](Figure::color).
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("year" => [2019, 2019, 2020, 2020], "rating" => [7, 8, 7, 8], "reviews" => [90, 140, 110, 80])?;
    /// let svg = Figure::heat_map(&frame).y("rating").x("year").color("reviews").svg()?;
    /// assert!(svg.contains("<rect"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn heat_map(frame: &DataFrame) -> Self {
        Self::new(Kind::HeatMap, frame)
    }

    /// The column along the horizontal axis: dates, instants, numbers or texts.
    pub fn x(mut self, column: impl Into<String>) -> Self {
        self.x = Some(column.into());
        self
    }

    /// The column of values; for a heat map the column of rows.
    pub fn y(mut self, column: impl Into<String>) -> Self {
        self.y = Some(column.into());
        self
    }

    /// A second column of values with an axis of its own on the right; for lines and areas of one series.
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("year" => [2018, 2019, 2020], "reviews" => [2_412, 3_101, 1_874], "rating_mean" => [7.1, 7.0, 6.8])?;
    /// let svg = Figure::line(&frame).x("year").y("reviews").right("rating_mean").svg()?;
    /// assert!(svg.contains("rating mean (right)"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn right(mut self, column: impl Into<String>) -> Self {
        self.right = Some(column.into());
        self
    }

    /// The column that tells lines, areas, bars or points apart. Texts get a colour each, the largest six; numbers a ramp.
    pub fn by(mut self, column: impl Into<String>) -> Self {
        self.by = Some(column.into());
        self
    }

    /// The column of numbers that shades a heat map.
    pub fn color(mut self, column: impl Into<String>) -> Self {
        self.color = Some(column.into());
        self
    }

    /// A small chart for each value of this column, 24 at most, all with the same scales and colours; rows where it is null are
    /// one, too.
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("year" => [2019, 2020, 2019, 2020], "movie" => ["Up", "Up", "1917", "1917"], "reviews" => [9, 14, 11, 8])?;
    /// let svg = Figure::line(&frame).x("year").y("reviews").facet("movie").svg()?;
    /// assert_eq!(svg.matches("<polyline").count(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn facet(mut self, column: impl Into<String>) -> Self {
        self.facet = Some(column.into());
        self
    }

    /// A logarithmic scale of values, for lines; zero and negative values become gaps, and are counted below the subtitle.
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("year" => [1998, 1999, 2000], "reviews" => [3, 410, 95_000])?;
    /// let svg = Figure::line(&frame).x("year").y("reviews").log().svg()?;
    /// assert!(svg.contains("10,000"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn log(mut self) -> Self {
        self.log = true;
        self
    }

    /// Light lines on dark paper.
    pub fn dark(mut self) -> Self {
        self.dark = true;
        self
    }

    /// The scale of values runs from `low` to `high` at least, and farther where values or marks lie beyond; for lines and areas.
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("year" => [2018, 2019, 2020], "rating_mean" => [7.1, 7.0, 6.8])?;
    /// let svg = Figure::line(&frame).x("year").y("rating_mean").range(0.0, 10.0).svg()?;
    /// assert!(svg.contains("10"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn range(mut self, low: f64, high: f64) -> Self {
        self.range = Some(if low > high { (high, low) } else { (low, high) });
        self
    }

    /// Shades the part of a line or area chart from `from` to `to`, with words at its top: dates as `"2020-03"` where `x` has
    /// dates or instants, numbers where it has numbers.
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("year" => [2018, 2019, 2020, 2021], "reviews" => [2_412, 3_101, 1_874, 1_790])?;
    /// let figure = Figure::line(&frame).x("year").y("reviews").band("2020", "2021", "cinemas closed");
    /// let figure = figure.mark("2019", "most").level(2_000.0, "goal");
    /// let svg = figure.svg()?;
    /// assert!(["cinemas closed", "most", "goal"].iter().all(|words| svg.contains(words)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn band(mut self, from: &str, to: &str, words: impl Into<String>) -> Self {
        self.marks.bands.push((from.to_owned(), to.to_owned(), words.into()));
        self
    }

    /// Marks a place of a line or area chart, with words at its top: a date as `"2020-03-11"`, or a number, as [`band`](Figure::band).
    pub fn mark(mut self, place: &str, words: impl Into<String>) -> Self {
        self.marks.places.push((place.to_owned(), words.into()));
        self
    }

    /// Marks a value of a line or area chart, such as a goal, with words at its right end.
    pub fn level(mut self, value: f64, words: impl Into<String>) -> Self {
        self.marks.values.push((value, words.into()));
        self
    }

    /// What the chart says, in the reader's words.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// What is measured, with its unit; the names of the columns unless set.
    pub fn subtitle(mut self, subtitle: impl Into<String>) -> Self {
        self.subtitle = Some(subtitle.into());
        self
    }

    /// Width and height in pixels, 800 × 450 unless set.
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = (width, height);
        self
    }

    /// The chart as an SVG document.
    ///
    /// # Errors
    /// When the frame is empty, a column is missing, of the wrong type or without values, or rows repeat a place.
    pub fn svg(&self) -> Result<String, ChartError> {
        svg::document(&self.scene()?)
    }

    /// The chart as the bytes of a PNG file. Memory is bounded: 6000 × 6000 pixels are painted in bands.
    ///
    /// # Errors
    /// As [`svg`](Figure::svg).
    pub fn png(&self) -> Result<Vec<u8>, ChartError> {
        raster::png(&self.scene()?)
    }

    /// Writes the chart to a file in the format of its extension, `.svg` or `.png`.
    ///
    /// # Errors
    /// As [`svg`](Figure::svg), and when the extension is another one or the file cannot be written.
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("year" => [2018, 2019, 2020], "reviews" => [2_412, 3_101, 1_874])?;
    /// let folder = tempfile::tempdir()?;
    /// Figure::bar(&frame).x("year").y("reviews").save(folder.path().join("years.png"))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ChartError> {
        save(path.as_ref(), || self.svg(), || self.png())
    }

    pub(super) fn scene(&self) -> Result<Scene, ChartError> {
        check_size(self.size)?;
        let figure = self.prepared()?;
        let scene = match &figure.facet {
            Some(column) => facet::scene(&figure, column)?,
            None => figure.drawn()?,
        };
        Ok(if self.dark { scene.recolored(super::palette::on_dark_paper) } else { scene })
    }

    /// The column along the horizontal axis.
    pub(super) fn x_name(&self) -> &str {
        self.x.as_deref().unwrap_or(WINDOW_START)
    }
}

/// Refuses a size that cannot be read or drawn.
pub(super) fn check_size((width, height): (u32, u32)) -> Result<(), ChartError> {
    if width < LEAST_SIZE.0 || height < LEAST_SIZE.1 || width.max(height) > MOST_PIXELS {
        return Err(ChartError::Size { width, height });
    }
    Ok(())
}

/// Writes the form that the file's name asks for.
pub(super) fn save(
    path: &Path,
    svg: impl FnOnce() -> Result<String, ChartError>,
    png: impl FnOnce() -> Result<Vec<u8>, ChartError>,
) -> Result<(), ChartError> {
    let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
    let bytes = match extension.as_ref().and_then(|extension| extension.to_str()) {
        Some("svg") => svg()?.into_bytes(),
        Some("png") => png()?,
        _ => return Err(ChartError::Extension { path: path.to_owned() }),
    };
    whole_file::write(path, |file| file.write_all(&bytes))
        .map_err(|source| ChartError::Write { path: path.to_owned(), source })
}

impl From<Figure> for Grid {
    fn from(figure: Figure) -> Self {
        Self::new([figure])
    }
}

/// The chart in words: `Reviews per year (bar chart of 3 rows)`.
impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = crate::format::count(self.frame.height() as u64);
        write!(f, "{} ({} of {rows} rows)", self.title, words(&self.kind.name().replace('-', "_")))
    }
}

#[cfg(test)]
mod tests;
