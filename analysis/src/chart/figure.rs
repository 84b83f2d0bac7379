//! The public face of charts: what to draw, in which size, in which format.

use std::{fmt, path::Path, str::FromStr};

use model::layout::column::WINDOW_START;
use polars::prelude::DataFrame;

use super::{
    ChartError, bar, category_bar,
    data::Domain,
    heat_map, line,
    page::Page,
    raster,
    scene::Scene,
    series::{Roles, SeriesSet},
    svg,
};
use crate::{format::words, whole_file};

/// A kind of chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// One line per series; nulls are gaps.
    Line,
    /// One bar per place, upright for dates and numbers, a row each for texts.
    Bar,
    /// Bars whose parts are the series of `by`.
    StackedBar,
    /// One cell per `x` and `y`, shaded by `color`.
    HeatMap,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Line, Self::Bar, Self::StackedBar, Self::HeatMap];

    /// The name on the command line: `stacked-bar`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Bar => "bar",
            Self::StackedBar => "stacked-bar",
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
    frame: DataFrame,
    kind: Kind,
    x: String,
    y: Option<String>,
    by: Option<String>,
    color: Option<String>,
    title: String,
    subtitle: Option<String>,
    size: (u32, u32),
}

const DEFAULT_SIZE: (u32, u32) = (800, 450);
const LEAST_SIZE: (u32, u32) = (200, 150);
const MOST_PIXELS: u32 = 6_000;

impl Figure {
    /// A chart of `frame`; the frame's columns are shared, not copied.
    pub fn new(kind: Kind, frame: &DataFrame) -> Self {
        Self {
            frame: frame.clone(),
            kind,
            x: WINDOW_START.to_owned(),
            y: None,
            by: None,
            color: None,
            title: String::new(),
            subtitle: None,
            size: DEFAULT_SIZE,
        }
    }

    /// A line chart.
    pub fn line(frame: &DataFrame) -> Self {
        Self::new(Kind::Line, frame)
    }

    /// A bar chart.
    pub fn bar(frame: &DataFrame) -> Self {
        Self::new(Kind::Bar, frame)
    }

    /// A bar chart whose bars are stacks of the series of [`by`](Figure::by).
    pub fn stacked_bar(frame: &DataFrame) -> Self {
        Self::new(Kind::StackedBar, frame)
    }

    /// A heat map of [`x`](Figure::x) and [`y`](Figure::y), shaded by [`color`](Figure::color).
    pub fn heat_map(frame: &DataFrame) -> Self {
        Self::new(Kind::HeatMap, frame)
    }

    /// The column along the horizontal axis: dates, instants, numbers or texts.
    pub fn x(mut self, column: impl Into<String>) -> Self {
        self.x = column.into();
        self
    }

    /// The column of values; for a heat map the column of rows.
    pub fn y(mut self, column: impl Into<String>) -> Self {
        self.y = Some(column.into());
        self
    }

    /// The column that tells series apart. Texts get a colour each, the largest six; numbers a ramp.
    pub fn by(mut self, column: impl Into<String>) -> Self {
        self.by = Some(column.into());
        self
    }

    /// The column of numbers that shades a heat map.
    pub fn color(mut self, column: impl Into<String>) -> Self {
        self.color = Some(column.into());
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

    /// The chart as the bytes of a PNG file.
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
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ChartError> {
        let path = path.as_ref();
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        let bytes = match extension.as_ref().and_then(|extension| extension.to_str()) {
            Some("svg") => self.svg()?.into_bytes(),
            Some("png") => self.png()?,
            _ => {
                return Err(ChartError::Extension { path: path.to_owned() });
            }
        };
        whole_file::write(path, |file| file.write_all(&bytes))
            .map_err(|source| ChartError::Write { path: path.to_owned(), source })
    }

    fn scene(&self) -> Result<Scene, ChartError> {
        let (width, height) = self.size;
        if width < LEAST_SIZE.0 || height < LEAST_SIZE.1 || width.max(height) > MOST_PIXELS {
            return Err(ChartError::Size { width, height });
        }
        match self.kind {
            Kind::HeatMap => self.heat_map_scene(),
            Kind::Line | Kind::Bar | Kind::StackedBar => self.series_scene(),
        }
    }

    fn heat_map_scene(&self) -> Result<Scene, ChartError> {
        let color = self.need(self.color.as_deref(), "color")?;
        let y = self.need(self.y.as_deref(), "y")?;
        let cells = heat_map::Cells::from_frame(&self.frame, heat_map::Roles { x: &self.x, y, color })?;
        let mut page = self.page(&format!("{} by {}", words(color), words(y)));
        heat_map::draw(&mut page, &cells, &words(&self.x));
        Ok(page.scene)
    }

    fn series_scene(&self) -> Result<Scene, ChartError> {
        let y = self.need(self.y.as_deref(), "y")?;
        let by = self.checked_by()?;
        let set = SeriesSet::from_frame(&self.frame, Roles { x: &self.x, y, by })?;
        if self.kind == Kind::StackedBar && set.value_range().0 < 0.0 {
            return Err(ChartError::Negative { column: y.to_owned() });
        }
        let subtitle = match by {
            Some(by) => format!("{} by {}", words(y), words(by)),
            None => words(y),
        };
        let mut page = self.page(&subtitle);
        match (self.kind, &set.domain) {
            (Kind::Line, _) => line::draw(&mut page, &set, &words(&self.x)),
            (_, Domain::Category(names)) => category_bar::draw(&mut page, &set, names),
            _ => bar::draw(&mut page, &set, &words(&self.x)),
        }
        Ok(page.scene)
    }

    /// The column of series, where the kind takes one.
    fn checked_by(&self) -> Result<Option<&str>, ChartError> {
        match (self.kind, self.by.as_deref()) {
            (Kind::Bar, Some(by)) => Err(ChartError::OneSeries { by: by.to_owned() }),
            (Kind::StackedBar, by) => self.need(by, "by").map(Some),
            (_, by) => Ok(by),
        }
    }

    fn need<'a>(&self, column: Option<&'a str>, role: &'static str) -> Result<&'a str, ChartError> {
        column.ok_or(ChartError::Unset { kind: self.kind.name(), role })
    }

    fn page(&self, default_subtitle: &str) -> Page {
        let line = |text: &str| crate::format::one_line(text);
        let subtitle = self.subtitle.as_deref().unwrap_or(default_subtitle);
        Page::new(self.size.0, self.size.1, &line(&self.title), &line(subtitle))
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
mod tests {
    use super::*;
    use crate::chart::{
        font,
        scene::{Anchor, Label, Rect, Shape},
    };
    use polars::prelude::{DataType, IntoLazy, col, df};

    /// 40 months from January 2018 with two series each, and names of any length.
    fn frame() -> DataFrame {
        let days: Vec<i32> = (0..80).map(|row| 17_532 + row / 2 * 31 - row / 2 * 31 % 28).collect();
        let movies = ["Up (2009)", "The Lord of the Rings: The Fellowship of the Ring (2001)"];
        let frame = df!(
            "window_start" => days,
            "movie" => (0..80).map(|row| movies[row % 2]).collect::<Vec<_>>(),
            "rating" => (0..80_i64).map(|row| row % 2 + 1).collect::<Vec<_>>(),
            "reviews" => (0..80_i64).map(|row| 1_000 + row * row * 37 % 9_000).collect::<Vec<_>>(),
        );
        let dates = col("window_start").cast(DataType::Date);
        frame.expect("a frame").lazy().with_column(dates).collect().expect("dates")
    }

    /// Nine series with long names.
    fn many() -> DataFrame {
        let names = (0..18).map(|row| format!("{}: a film with a name of its own", row % 9)).collect::<Vec<_>>();
        df!("x" => (0..18).map(|row| row / 9).collect::<Vec<_>>(), "y" => vec![5; 18], "film" => names)
            .expect("a frame")
    }

    fn figures() -> Vec<Figure> {
        let frame = frame();
        let one = frame.clone().lazy().filter(col("rating").eq(1)).collect().expect("rows");
        let names = one.clone().lazy().with_column(col("window_start").cast(DataType::String).alias("name"));
        vec![
            Figure::line(&frame).y("reviews").by("movie"),
            Figure::line(&one).x("reviews").y("rating"),
            Figure::bar(&one).y("reviews"),
            Figure::bar(&one.head(Some(7))).y("reviews"),
            Figure::bar(&names.collect().expect("names")).x("name").y("reviews"),
            Figure::stacked_bar(&frame).y("reviews").by("rating"),
            Figure::heat_map(&frame).y("rating").color("reviews"),
            Figure::heat_map(&frame).y("movie").color("reviews"),
            Figure::stacked_bar(&many()).x("x").y("y").by("film"),
            Figure::line(&many()).x("x").y("y").by("film"),
        ]
    }

    fn extent(label: &Label) -> Rect {
        let width = font::width(&label.text, label.face);
        let left = match label.anchor {
            Anchor::Start => label.at.x,
            Anchor::Middle => label.at.x - width / 2.0,
            Anchor::End => label.at.x - width,
        };
        let top = label.at.y - font::CAP_HEIGHT * label.face.size;
        Rect { left, right: left + width, top, bottom: label.at.y }
    }

    fn overlap(a: &Rect, b: &Rect) -> bool {
        a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
    }

    #[test]
    fn labels_stay_on_the_page_and_never_overlap_in_any_kind_and_size() {
        for (number, figure) in figures().into_iter().enumerate() {
            for (width, height) in [(200, 150), (400, 260), (800, 450), (1_200, 640), (3_000, 300)] {
                let scene = figure.clone().title("A title").size(width, height).scene().expect("a scene");
                let labels: Vec<(&str, Rect)> = scene
                    .shapes
                    .iter()
                    .filter_map(|shape| if let Shape::Label(label) = shape { Some(label) } else { None })
                    .map(|label| (label.text.as_str(), extent(label)))
                    .collect();
                for (place, (text, area)) in labels.iter().enumerate() {
                    let inside = area.left >= 0.0
                        && area.right <= width as f32
                        && area.top >= 0.0
                        && area.bottom <= height as f32;
                    assert!(inside, "figure {number} at {width} × {height}: {text:?} {area:?}");
                    let covered = labels[..place].iter().find(|(_, other)| overlap(area, other));
                    assert!(covered.is_none(), "figure {number} at {width} × {height}: {text:?} and {covered:?}");
                }
            }
        }
    }
}
