//! Several charts on one page: a grid of figures, and small multiples of one.

use std::{fmt, path::Path};

use polars::prelude::DataFrame;

use super::{
    ChartError, Figure, data, figure,
    page::Page,
    palette, raster,
    scene::{Rect, Scene},
    svg,
};
use crate::format::{one_line, words};

/// Facets that one page can hold.
const MOST_FACETS: usize = 24;
/// In a smaller panel a title of two lines would leave no room for the data.
const LEAST_PANEL: (u32, u32) = (180, 150);

/// Figures side by side on one page, from left to right and down.
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

    fn scene(&self) -> Result<Scene, ChartError> {
        figure::check_size(self.size)?;
        let page = Page::new(self.size.0, self.size.1, &one_line(&self.title), "");
        let scene = panels(page, &self.figures, self.columns)?;
        Ok(if self.dark { scene.recolored(palette::on_dark_paper) } else { scene })
    }
}

/// The grid in words: `Two charts (2 figures)`.
impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} figures)", self.title, self.figures.len())
    }
}

/// A figure per value of `column`, in order of appearance, with one scale and one set of colours.
pub(super) fn scene(whole: &Figure, column: &str) -> Result<Scene, ChartError> {
    if whole.frame.height() == 0 {
        return Err(ChartError::NoRows);
    }
    let places = data::places(&whole.frame, column, "facet")?;
    let values = super::series::distinct(places.of_row.iter().flatten().copied());
    if values.len() > MOST_FACETS {
        return Err(ChartError::TooManyFacets { column: column.to_owned(), found: values.len(), most: MOST_FACETS });
    }
    let range = whole.range.or_else(|| whole.common_range());
    let names = names(whole)?;
    let panel = |value: &f64| -> Result<Figure, ChartError> {
        let rows: Vec<bool> = places.of_row.iter().map(|place| *place == Some(*value)).collect();
        let frame = rows_where(&whole.frame, rows)?;
        let title = places.domain.describe(*value);
        let panel = Figure {
            frame,
            facet: None,
            title,
            subtitle: Some(String::new()),
            range,
            names: names.clone(),
            ..whole.clone()
        };
        Ok(panel)
    };
    let figures = values.iter().map(panel).collect::<Result<Vec<Figure>, ChartError>>()?;
    let value = whole.y.as_deref().or(whole.x.as_deref()).map(words).unwrap_or_default();
    panels(whole.page(&format!("{value} by {}", words(column))), &figures, None)
}

/// The texts of `by`, those with most rows first, so that a colour means the same in every panel.
fn names(whole: &Figure) -> Result<Vec<String>, ChartError> {
    let Some(by) = &whole.by else { return Ok(Vec::new()) };
    let places = data::places(&whole.frame, by, "by")?;
    if !matches!(places.domain, data::Domain::Category(_)) {
        return Ok(Vec::new());
    }
    let all = super::series::distinct(places.of_row.iter().flatten().copied());
    Ok(all.into_iter().map(|place| places.domain.describe(place)).collect())
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
            None => sized.drawn()?,
        };
        let (column, row) = (place % columns, place / columns);
        page.scene.place(scene, (column as u32 * width) as f32, area.top.round() + (row as u32 * height) as f32);
    }
    Ok(page.scene)
}
