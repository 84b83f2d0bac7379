//! Several charts on one page: a grid of figures, and small multiples of one.

use std::{fmt, path::Path};

use polars::prelude::DataFrame;

use super::{
    ChartError, Figure, data, figure,
    page::Page,
    palette, raster,
    scene::{Rect, Scene},
    shared::{self, Extent, Shared},
    svg,
};
use crate::format::{one_line, words};

/// Facets that one page can hold.
const MOST_FACETS: usize = 24;
/// In a smaller panel a title of two lines would leave no room for the data.
const LEAST_PANEL: (u32, u32) = (180, 150);

/// Figures side by side on one page, from left to right and down. A name that several of them tell apart by the same column has one
/// colour on the page.
///
/// ```
/// use analysis::{chart::{Figure, Grid}, polars::prelude::df};
///
/// let frame = df!("year" => [2018, 2019, 2020], "reviews" => [2_412, 3_101, 1_874], "mean" => [7.1, 7.0, 6.8])?;
/// let figure = |y: &str| Figure::line(&frame).x("year").y(y).title(y);
/// let both = Grid::new([figure("reviews"), figure("mean")]).columns(2).title("Two charts").size(900, 360);
/// assert!(both.svg()?.starts_with("<svg "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a grid draws nothing before it is saved or displayed"]
#[derive(Debug, Clone)]
pub struct Grid {
    figures: Vec<Figure>,
    columns: Option<usize>,
    title: String,
    size: (u32, u32),
    dark: bool,
}

impl Grid {
    /// A page of these figures; their own sizes do not count.
    pub fn new(figures: impl IntoIterator<Item = Figure>) -> Self {
        let figures = figures.into_iter().collect();
        Self { figures, columns: None, title: String::new(), size: (1_000, 700), dark: false }
    }

    /// Figures in a row; unless set, as many rows as columns, or one less.
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = Some(columns.max(1));
        self
    }

    /// What the page says, above all figures.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Width and height of the page in pixels, 1000 × 700 unless set.
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = (width, height);
        self
    }

    /// Light lines on dark paper, in all figures.
    pub fn dark(mut self) -> Self {
        self.dark = true;
        self
    }

    /// The page as an SVG document.
    ///
    /// # Errors
    /// When there is no figure or no room for all of them, and as [`Figure::svg`].
    pub fn svg(&self) -> Result<String, ChartError> {
        svg::document(&self.scene()?)
    }

    /// The page as the bytes of a PNG file.
    ///
    /// # Errors
    /// As [`svg`](Grid::svg).
    pub fn png(&self) -> Result<Vec<u8>, ChartError> {
        raster::png(&self.scene()?)
    }

    /// Writes the page to a file in the format of its extension, `.svg` or `.png`.
    ///
    /// # Errors
    /// As [`svg`](Grid::svg), and when the extension is another one or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ChartError> {
        figure::save(path.as_ref(), || self.svg(), || self.png())
    }

    pub(super) fn scene(&self) -> Result<Scene, ChartError> {
        figure::check_size(self.size)?;
        let page = Page::new(self.size.0, self.size.1, &one_line(&self.title), "");
        let mut figures = self.figures.iter().map(Figure::prepared).collect::<Result<Vec<_>, _>>()?;
        shared::share_colors(&mut figures);
        let scene = panels(page, &figures, self.columns)?;
        Ok(if self.dark { scene.recolored(palette::on_dark_paper) } else { scene })
    }
}

/// The grid in words: `Two charts (2 figures)`.
impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} figures)", self.title, self.figures.len())
    }
}

/// A figure per value of `column`, texts in order of appearance, with one scale and one set of colours.
pub(super) fn scene(whole: &Figure, column: &str) -> Result<Scene, ChartError> {
    if whole.frame.height() == 0 {
        return Err(ChartError::NoRows);
    }
    let mut figures = split(whole, column)?;
    let extents: Vec<Result<Extent, ChartError>> = figures.iter().map(Figure::extent).collect();
    let all_empty = extents.iter().all(Result::is_err);
    let mut common = Extent::default();
    for (figure, extent) in figures.iter_mut().zip(extents) {
        match extent {
            Ok(extent) => common = common.and(extent),
            Err(error) if error.is_no_values() && !all_empty => figure.frame = figure.frame.clear(),
            Err(error) => return Err(error),
        }
    }
    figures.iter_mut().for_each(|figure| figure.shared.extent = common.clone());
    let value = whole.y.as_deref().or(whole.x.as_deref()).map(words).unwrap_or_default();
    panels(whole.page(&format!("{value} by {}", words(column))), &figures, None)
}

/// The figures of the rows of each value of `column`, those without one last.
fn split(whole: &Figure, column: &str) -> Result<Vec<Figure>, ChartError> {
    let places = data::levels(&whole.frame, column, "facet")?;
    let values = super::series::distinct(places.of_row.iter().flatten().copied());
    let none = places.of_row.contains(&None).then_some(None);
    let values: Vec<Option<f64>> = values.into_iter().map(Some).chain(none).collect();
    if values.len() > MOST_FACETS {
        return Err(ChartError::TooManyFacets { column: column.to_owned(), found: values.len(), most: MOST_FACETS });
    }
    let shared = Shared::of(whole)?;
    let panel = |value: Option<f64>| {
        let rows: Vec<bool> = places.of_row.iter().map(|place| *place == value).collect();
        Ok(Figure {
            frame: rows_where(&whole.frame, rows)?,
            facet: None,
            title: value.map_or_else(|| "none".to_owned(), |value| places.domain.describe(value)),
            subtitle: Some(String::new()),
            is_panel: true,
            shared: shared.clone(),
            ..whole.clone()
        })
    };
    values.into_iter().map(panel).collect()
}

fn rows_where(frame: &DataFrame, rows: Vec<bool>) -> Result<DataFrame, ChartError> {
    let mask = rows.into_iter().collect();
    frame.filter(&mask).map_err(|error| ChartError::Draw(error.to_string()))
}

/// The figures in what is free of the page.
fn panels(mut page: Page, figures: &[Figure], columns: Option<usize>) -> Result<Scene, ChartError> {
    if figures.is_empty() {
        return Err(ChartError::NoFigures);
    }
    let margin = page.free.left;
    let area = Rect {
        left: 0.0,
        right: page.scene.width as f32,
        top: page.free.top - margin * 0.6,
        bottom: page.scene.height as f32,
    };
    let most = ((area.width() / LEAST_PANEL.0 as f32) as usize).max(1);
    let wanted = columns.unwrap_or_else(|| (figures.len() as f32).sqrt().ceil() as usize);
    let columns = wanted.min(most).min(figures.len());
    let rows = figures.len().div_ceil(columns);
    let (width, height) = ((area.width() / columns as f32) as u32, (area.height() / rows as f32) as u32);
    if width < LEAST_PANEL.0 || height < LEAST_PANEL.1 {
        let most = most * (area.height() / LEAST_PANEL.1 as f32) as usize;
        return Err(ChartError::NoRoom { figures: figures.len(), most });
    }
    for (place, figure) in figures.iter().enumerate() {
        let sized = figure.clone().size(width, height);
        let scene = match &sized.facet {
            Some(column) => scene(&sized, column)?,
            // Of small multiples one may have nothing to show.
            None if sized.frame.height() == 0 && figures.iter().any(|figure| figure.frame.height() > 0) => {
                sized.empty()
            }
            None => sized.drawn()?,
        };
        let (column, row) = (place % columns, place / columns);
        page.scene.place(scene, (column as u32 * width) as f32, area.top.round() + (row as u32 * height) as f32);
    }
    Ok(page.scene)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::chart::{
        Kind,
        palette::CATEGORIES,
        scene::{Anchor, Color, Shape},
    };
    use polars::prelude::df;

    /// Two panels with very different places and values; the name and the number of "big" has one level less.
    fn frame() -> DataFrame {
        let frame = df!(
            "panel" => ["small", "small", "small", "big", "big", "big"],
            "x" => [1_i64, 2, 2, 2, 3, 4],
            "y" => [1_i64, 2, 12, 1_000, 2_000, 1_500],
            "name" => ["p", "p", "q", "q", "q", "q"],
            "rating" => [1_i64, 1, 10, 10, 10, 10],
        );
        frame.expect("a frame")
    }

    fn shapes(figure: Figure) -> Vec<Shape> {
        figure.facet("panel").size(900, 400).scene().expect("a scene").shapes
    }

    /// How often each text of one anchor appears.
    fn texts(shapes: &[Shape], anchor: Anchor) -> BTreeMap<&str, usize> {
        let mut texts = BTreeMap::new();
        for shape in shapes {
            if let Shape::Label(label) = shape
                && label.anchor == anchor
            {
                *texts.entry(label.text.as_str()).or_default() += 1;
            }
        }
        texts
    }

    #[test]
    fn panels_of_every_kind_have_one_scale() {
        for kind in Kind::ALL.into_iter().filter(|kind| !matches!(kind, Kind::Pie | Kind::HeatMap)) {
            let x = if kind == Kind::Histogram { "y" } else { "x" };
            let figure = Figure::new(kind, &frame()).x(x).y("y");
            let figure = match kind {
                Kind::Bar => Figure::bar(&frame().slice(2, 4)).x("x").y("y"),
                Kind::Histogram | Kind::Box => figure,
                _ => figure.by("name"),
            };
            let shapes = shapes(figure);
            for anchor in [Anchor::End, Anchor::Middle] {
                let mut texts = texts(&shapes, anchor);
                // Values over bars are each panel's own.
                let bars = matches!(kind, Kind::Bar | Kind::StackedBar);
                texts.retain(|text, _| anchor == Anchor::End || !bars || text.len() == 1);
                texts.retain(|_, _| anchor == Anchor::End || kind != Kind::Histogram);
                assert!(texts.values().all(|count| *count == 2), "{kind} {anchor:?}: {texts:?}");
            }
        }
        let log = shapes(Figure::line(&frame()).x("x").y("y").by("name").log());
        assert!(texts(&log, Anchor::End).values().all(|count| *count == 2));
        let heat = shapes(Figure::heat_map(&frame()).x("x").y("name").color("y"));
        let ramps = texts(&heat, Anchor::Start);
        assert_eq!((ramps.get("0"), ramps.get("2,000")), (Some(&2), Some(&2)), "{ramps:?}");
    }

    #[test]
    fn bars_of_one_value_are_equally_long_in_all_panels() {
        for x in ["x", "name"] {
            let frame =
                df!("panel" => ["a", "b", "b"], "x" => [1, 1, 2], "name" => ["p", "p", "q"], "y" => [1, 1, 1_000]);
            let shapes = shapes(Figure::bar(&frame.expect("a frame")).x(x).y("y"));
            let bars = shapes.iter().filter_map(|shape| match shape {
                Shape::Rect { area, fill } if *fill == CATEGORIES[0] => Some(area.height().min(area.width())),
                _ => None,
            });
            let bars: Vec<f32> = bars.collect();
            assert!(bars.iter().filter(|length| **length > 12.0).count() == 1, "{x}: {bars:?}");
        }
    }

    fn colors(shapes: &[Shape]) -> Vec<Color> {
        let color = |shape: &Shape| match shape {
            Shape::Line { stroke, .. } => Some(*stroke),
            Shape::Circle { fill, .. } => Some(*fill),
            Shape::Polygon { fill, .. } => Some(*fill),
            Shape::Rect { .. } | Shape::Label(_) => None,
        };
        shapes.iter().filter_map(color).collect()
    }

    #[test]
    fn a_colour_means_the_same_in_all_panels() {
        let both = shapes(Figure::scatter(&frame()).x("x").y("y").by("rating"));
        let one = |rating: usize| palette::ordered(rating, 2);
        assert_eq!(colors(&both), [one(0), one(0), one(1), one(1), one(1), one(1)]);
        let pies = df!("panel" => ["a", "a", "b", "b"], "x" => ["p", "q", "q", "p"], "y" => [3, 1, 30, 1]);
        let shapes = shapes(Figure::pie(&pies.expect("a frame")).x("x").y("y"));
        let slices = colors(&shapes).into_iter().filter(|color| CATEGORIES.contains(color)).collect::<Vec<_>>();
        assert_eq!(slices, [CATEGORIES[1], CATEGORIES[0], CATEGORIES[0], CATEGORIES[1]], "q has the larger sum");
    }

    #[test]
    fn the_largest_of_all_panels_have_a_colour_and_the_rest_is_grey() {
        let names: Vec<String> = (0..16).map(|row| format!("s{}", row / 2)).collect();
        let frame = df!(
            "panel" => (0..16).map(|row| if row % 2 == 0 { "a" } else { "b" }).collect::<Vec<_>>(),
            "x" => vec![1; 16], "name" => names, "y" => (0..16).map(|row| if row % 2 == 0 { 30 - row } else { 10 * row }).collect::<Vec<_>>(),
        );
        let shapes = shapes(Figure::stacked_bar(&frame.expect("a frame")).x("x").y("y").by("name"));
        let legend = texts(&shapes, Anchor::Start);
        assert_eq!(
            (legend.get("s7"), legend.get("s1"), legend.get("2 others")),
            (Some(&2), None, Some(&2)),
            "{legend:?}"
        );
    }

    #[test]
    fn goals_and_rows_without_a_panel_are_shown_and_a_panel_may_be_empty() {
        let frame = df!(
            "panel" => [Some("a"), Some("b"), Some("b"), None], "x" => [1, 1, 2, 2], "y" => [None, Some(1), Some(2), Some(3)],
        );
        let shapes = shapes(Figure::line(&frame.expect("a frame")).x("x").y("y").level(10.0, "goal"));
        assert_eq!(texts(&shapes, Anchor::End).get("goal"), Some(&2));
        let headings = texts(&shapes, Anchor::Start);
        assert!(headings.contains_key("none") && headings.get("no values") == Some(&1), "{headings:?}");
    }
}
