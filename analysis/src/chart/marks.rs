//! Bands and lines that say something about a part of a chart.

use super::{
    ChartError,
    axes::Plot,
    data::Domain,
    font,
    page::Page,
    palette,
    scene::{Anchor, Color, Point, Rect},
};
use crate::load::{Moment, MomentError};

/// Bands of places, and lines at values or places, with their words; a place is a text until its axis is known.
#[derive(Debug, Clone)]
pub(crate) struct Marks<Place = String> {
    pub bands: Vec<(Place, Place, String)>,
    pub places: Vec<(Place, String)>,
    pub values: Vec<(f64, String)>,
}

impl<Place> Default for Marks<Place> {
    fn default() -> Self {
        Self { bands: Vec::new(), places: Vec::new(), values: Vec::new() }
    }
}

const BAND: Color = Color(120, 130, 140);
const BAND_OPACITY: f32 = 0.14;
const DASH: f32 = 5.0;

/// Where `text` lies on an axis of `domain`.
fn place_of(text: &str, domain: &Domain) -> Result<f64, String> {
    match domain {
        Domain::Time { .. } => {
            text.parse().map(|moment: Moment| moment.millis() as f64).map_err(|error: MomentError| error.to_string())
        }
        Domain::Number => {
            let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
            number.ok_or_else(|| format!("{text:?} is not a number, as those along the axis are"))
        }
        Domain::Category(_) => Err(format!("{text:?} has no place among texts; take an `x` of dates or numbers")),
    }
}

impl Marks {
    pub fn is_empty(&self) -> bool {
        self.bands.is_empty() && self.places.is_empty() && self.values.is_empty()
    }

    /// The marks on an axis of `domain`.
    pub fn on(&self, domain: &Domain) -> Result<Marks<f64>, ChartError> {
        let place = |text: &String| place_of(text, domain).map_err(|reason| ChartError::Place { reason });
        let bands = self.bands.iter().map(|(from, to, words)| Ok((place(from)?, place(to)?, words.clone())));
        let places = self.places.iter().map(|(at, words)| Ok((place(at)?, words.clone())));
        Ok(Marks {
            bands: bands.collect::<Result<_, ChartError>>()?,
            places: places.collect::<Result<_, ChartError>>()?,
            values: self.values.clone(),
        })
    }
}

impl Marks<f64> {
    /// The marks on a logarithmic scale.
    pub fn logarithms(mut self) -> Self {
        self.values.iter_mut().for_each(|(value, _)| *value = value.log10());
        self
    }

    /// The range of values with all marked ones in it.
    pub fn widened(&self, (low, high): (f64, f64)) -> (f64, f64) {
        self.values.iter().fold((low, high), |(low, high), (value, _)| (low.min(*value), high.max(*value)))
    }
}

/// Draws the bands, below the data.
pub(crate) fn bands(page: &mut Page, plot: &Plot, marks: &Marks<f64>) {
    for (from, to, _) in &marks.bands {
        if let Some(area) = band_area(plot, *from, *to) {
            let corners =
                [(area.left, area.top), (area.right, area.top), (area.right, area.bottom), (area.left, area.bottom)];
            page.scene.polygon(corners.map(|(x, y)| Point { x, y }).to_vec(), BAND, BAND_OPACITY);
        }
    }
}

/// Draws lines and all words, over the data.
pub(crate) fn labels(page: &mut Page, plot: &Plot, marks: &Marks<f64>) {
    for (value, text) in &marks.values {
        let y = plot.y.at(*value).round();
        if (plot.area.top..=plot.area.bottom).contains(&y) {
            dashes(page, Point { x: plot.area.left, y }, Point { x: plot.area.right, y });
            let at = Point {
                x: plot.area.right,
                y: (y - page.label.size * 0.75).max(plot.area.top + page.label.size / 2.0),
            };
            words(page, plot, text, at, Anchor::End);
        }
    }
    let mut line = 0;
    for (from, to, text) in &marks.bands {
        if let Some(area) = band_area(plot, *from, *to) {
            top_words(page, plot, text, (area.left + area.right) / 2.0, &mut line);
        }
    }
    for (place, text) in &marks.places {
        let x = plot.x.at(*place).round();
        if (plot.area.left..=plot.area.right).contains(&x) {
            dashes(page, Point { x, y: plot.area.top }, Point { x, y: plot.area.bottom });
            top_words(page, plot, text, x, &mut line);
        }
    }
}

fn band_area(plot: &Plot, from: f64, to: f64) -> Option<Rect> {
    let (from, to) = (plot.x.at(from), plot.x.at(to));
    let left = from.min(to).max(plot.area.left);
    let right = from.max(to).min(plot.area.right);
    (left < right).then_some(Rect { left, right, ..plot.area })
}

/// Words at the top of the plot, each mark's on a line of its own so that none covers another.
fn top_words(page: &mut Page, plot: &Plot, text: &str, middle: f32, line: &mut u32) {
    let text = font::shortened(&crate::format::one_line(text), page.label, plot.area.width());
    let half = page.width(&text) / 2.0;
    let x = middle.max(plot.area.left + half).min(plot.area.right - half);
    let y = plot.area.top + page.label.size * 0.7 + *line as f32 * page.line_height();
    if y < plot.area.bottom {
        words(page, plot, &text, Point { x, y }, Anchor::Middle);
        *line += 1;
    }
}

fn words(page: &mut Page, plot: &Plot, text: &str, at: Point, anchor: Anchor) {
    let text = font::shortened(&crate::format::one_line(text), page.label, plot.area.width());
    if !text.is_empty() {
        clear_behind(page, &text, at, anchor);
        page.label(text, at, anchor, palette::INK);
    }
}

/// Paper behind words, through which data is only just seen.
fn clear_behind(page: &mut Page, text: &str, at: Point, anchor: Anchor) {
    let (width, half) = (page.width(text) + 4.0, page.label.size * 0.6);
    let left = match anchor {
        Anchor::Start => at.x - 2.0,
        Anchor::Middle => at.x - width / 2.0,
        Anchor::End => at.x - width + 2.0,
    };
    let corner = |x, y| Point { x, y };
    let corners = vec![
        corner(left, at.y - half),
        corner(left + width, at.y - half),
        corner(left + width, at.y + half),
        corner(left, at.y + half),
    ];
    page.scene.polygon(corners, palette::PAPER, 0.8);
}

fn dashes(page: &mut Page, from: Point, to: Point) {
    let length = (to.x - from.x).hypot(to.y - from.y);
    let at = |way: f32| {
        let share = (way / length).min(1.0);
        Point { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share }
    };
    for dash in 0..(length / (2.0 * DASH)).ceil() as u32 {
        let way = dash as f32 * 2.0 * DASH;
        page.scene.line(vec![at(way), at(way + DASH)], palette::MUTED, 1.0);
    }
}
