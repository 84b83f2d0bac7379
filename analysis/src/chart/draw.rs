//! From a figure's settings to a scene: checks what the kind needs, and hands over to it.

use super::{
    ChartError, Figure, Kind,
    bar::{self, Arrangement, Stacks},
    box_plot,
    category_bar::{self, Rows},
    data::{self, Domain},
    heat_map, histogram,
    line::{self, Options},
    page::Page,
    palette::{self, CATEGORIES},
    pie, scatter,
    scene::{Anchor, Point, Scene},
    series::{Roles, Series, SeriesSet},
    shared::Extent,
};
use crate::format::words;

/// Pixels that a box takes at least.
const LEAST_BOX: u32 = 4;

impl Figure {
    /// The scene on white paper, without regard to facets.
    pub(super) fn drawn(&self) -> Result<Scene, ChartError> {
        self.check_settings()?;
        match self.kind {
            Kind::HeatMap => self.heat_map_scene(),
            Kind::Histogram => self.histogram_scene(),
            Kind::Box => self.box_scene(),
            Kind::Scatter => self.scatter_scene(),
            Kind::Pie => self.pie_scene(),
            Kind::Line | Kind::Area | Kind::StackedArea => self.line_scene(),
            Kind::Bar | Kind::StackedBar => self.bar_scene(),
        }
    }

    /// The scene of a panel without values: its heading.
    pub(super) fn empty(&self) -> Scene {
        let mut page = self.page("");
        let at = Point { x: page.free.left, y: page.free.top + page.line_height() };
        page.label("no values".to_owned(), at, Anchor::Start, palette::MUTED);
        page.scene
    }

    /// Refuses parts of a whole that are none.
    pub(super) fn refuse_no_sum(&self) -> Result<(), ChartError> {
        let is_sum = matches!(self.kind, Kind::Pie | Kind::StackedBar | Kind::StackedArea);
        let Some(y) = self.y.as_deref().filter(|_| is_sum) else { return Ok(()) };
        let no_sum = |what| ChartError::NoSum { column: y.to_owned(), what, kind: self.kind.name() };
        self.meaning.no_sum(&self.frame, y).map_or(Ok(()), |what| Err(no_sum(what)))
    }

    /// Refuses settings that the kind does not have, rather than draw something else than was asked for.
    fn check_settings(&self) -> Result<(), ChartError> {
        let lines = matches!(self.kind, Kind::Line | Kind::Area | Kind::StackedArea);
        let wrong = [
            (self.by.is_some() && !self.kind.has_series(), "by", "a line, an area, a bar or a scatter plot"),
            (self.color.is_some() && self.kind != Kind::HeatMap, "color", "a heat map"),
            (self.log && self.kind != Kind::Line, "log", "a line"),
            (self.right.is_some() && !matches!(self.kind, Kind::Line | Kind::Area), "right", "a line or an area"),
            (self.right.is_some() && self.by.is_some(), "right", "a line or an area without `by`"),
            (self.right.is_some() && self.log, "right", "a line without `log`"),
            (!self.marks.is_empty() && !lines, "band, mark and level", "a line or an area"),
            (self.range.is_some() && !lines, "range", "a line or an area"),
        ];
        if let Some((_, setting, kinds)) = wrong.into_iter().find(|(wrong, ..)| *wrong) {
            return Err(ChartError::Setting { setting, kind: self.kind.name(), kinds });
        }
        let ends = self.range.into_iter().flat_map(|(low, high)| [("range", low), ("range", high)]);
        let levels = self.marks.values.iter().map(|(value, _)| ("level", *value));
        let off_scale = |(_, value): &(_, f64)| !value.is_finite() || (self.log && *value <= 0.0);
        if let Some((setting, value)) = ends.chain(levels).find(off_scale) {
            return Err(ChartError::OffScale {
                setting,
                value,
                needed: if self.log { "above zero" } else { "finite" },
            });
        }
        Ok(())
    }

    /// The series of lines or bars.
    fn series_set(&self) -> Result<SeriesSet, ChartError> {
        let y = self.need(self.y.as_deref(), "y")?;
        let stacked = matches!(self.kind, Kind::StackedArea | Kind::StackedBar);
        let by = if stacked { self.need(self.by.as_deref(), "by").map(Some)? } else { self.by.as_deref() };
        let mut set = SeriesSet::from_frame(&self.frame, Roles { x: self.x_name(), y, by })?;
        if stacked && set.value_range().0 < 0.0 {
            return Err(ChartError::Negative { column: y.to_owned() });
        }
        if self.log {
            set = set.logarithms();
            if !set.value_range().0.is_finite() {
                return Err(ChartError::NoLogarithm { column: y.to_owned() });
            }
        }
        Ok(set.sharing(&self.shared))
    }

    fn line_scene(&self) -> Result<Scene, ChartError> {
        let y = self.need(self.y.as_deref(), "y")?;
        let mut set = self.series_set()?;
        let right = self.right.as_deref().map(|right| self.right_series(right, &mut set, y)).transpose()?;
        let name = right.as_ref().map_or_else(|| words(y), |right| format!("{} (left), {}", words(y), right.name));
        let mut page = self.page(&described(&name, self.by.as_deref()));
        let marks = self.marks.on(&set.domain)?;
        let marks = if self.log { marks.logarithms() } else { marks };
        let options = Options {
            x_name: &words(self.x_name()),
            filled: self.kind == Kind::Area,
            log: self.log,
            right: right.as_ref(),
            marks: &marks,
            range: self.range.map(|(low, high)| if self.log { (low.log10(), high.log10()) } else { (low, high) }),
        };
        match self.kind == Kind::StackedArea {
            true => line::draw_stacked(&mut page, &set, &options),
            false => line::draw(&mut page, &set, &options),
        }
        Ok(page.scene)
    }

    /// The series of the second axis, at the places of the first.
    fn right_series(&self, column: &str, set: &mut SeriesSet, y: &str) -> Result<Series, ChartError> {
        let other = SeriesSet::from_frame(&self.frame, Roles { x: self.x_name(), y: column, by: None })?;
        if let Some(first) = set.series.first_mut() {
            first.name = words(y);
        }
        let points = other.series.into_iter().next().map(|series| series.points).unwrap_or_default();
        Ok(Series { name: format!("{} (right)", words(column)), color: CATEGORIES[3], points })
    }

    fn bar_scene(&self) -> Result<Scene, ChartError> {
        let y = self.need(self.y.as_deref(), "y")?;
        let set = self.series_set()?;
        let arrangement = self.arrangement();
        if arrangement == Arrangement::Grouped {
            self.refuse_unreadable_groups(&set)?;
        }
        let mut page = self.page(&described(&words(y), self.by.as_deref()));
        match &set.domain {
            Domain::Category(names) => {
                let are_parts = self.meaning.no_sum(&self.frame, y).is_none();
                category_bar::draw(&mut page, &set, arrangement, Rows { names, null: set.null, are_parts });
            }
            _ => bar::draw(&mut page, &set, arrangement, &words(self.x_name())),
        }
        Ok(page.scene)
    }

    /// How bars of several series stand.
    fn arrangement(&self) -> Arrangement {
        if self.kind == Kind::Bar { Arrangement::Grouped } else { Arrangement::Stacked }
    }

    /// Refuses more bars side by side than there are colours or pixels for: their sum would be no bar of the same measure.
    fn refuse_unreadable_groups(&self, set: &SeriesSet) -> Result<(), ChartError> {
        let (series, others) = (set.series.len(), set.others.len());
        if let Some(by) = self.by.as_deref().filter(|_| others > 0) {
            refuse_more(by, series + others, CATEGORIES.len() as u32)?;
        }
        match &set.domain {
            Domain::Category(_) => Ok(()),
            _ if series > 1 => refuse_more(self.x_name(), set.places().len(), self.size.0 / series as u32),
            _ => Ok(()),
        }
    }

    fn heat_map_scene(&self) -> Result<Scene, ChartError> {
        let color = self.need(self.color.as_deref(), "color")?;
        let y = self.need(self.y.as_deref(), "y")?;
        let roles = heat_map::Roles { x: self.x_name(), y, color };
        let cells = heat_map::Cells::from_frame(&self.frame, roles)?.sharing(&self.shared.extent);
        let (columns, rows) = cells.size();
        refuse_more(self.x_name(), columns, self.size.0)?;
        refuse_more(y, rows, self.size.1)?;
        let mut page = self.page(&described(&words(color), Some(y)));
        heat_map::draw(&mut page, &cells, &words(self.x_name()));
        Ok(page.scene)
    }

    fn histogram_scene(&self) -> Result<Scene, ChartError> {
        let x = self.need(self.x.as_deref(), "x")?;
        let mut bins = histogram::bins(&self.frame, x, self.shared.step)?;
        bins.set.extent = self.shared.extent.clone();
        let mut page = self.page(&format!("rows by {}", words(x)));
        histogram::draw(&mut page, &bins, &words(x));
        Ok(page.scene)
    }

    fn box_scene(&self) -> Result<Scene, ChartError> {
        let y = self.need(self.y.as_deref(), "y")?;
        let mut groups = box_plot::Groups::from_frame(&self.frame, self.x.as_deref(), y)?;
        if !self.shared.levels.is_empty() {
            groups = groups.among(self.shared.levels.clone());
        }
        refuse_more(self.x_name(), groups.count(), self.size.0 / LEAST_BOX)?;
        let mut page = self.page(&described(&words(y), self.x.as_deref()));
        box_plot::draw(&mut page, &groups, &self.x.as_deref().map(words).unwrap_or_default(), &self.shared.extent);
        Ok(page.scene)
    }

    fn scatter_scene(&self) -> Result<Scene, ChartError> {
        let y = self.need(self.y.as_deref(), "y")?;
        let roles = scatter::Roles { x: self.x_name(), y, by: self.by.as_deref() };
        let cloud = scatter::Cloud::from_frame(&self.frame, roles)?.sharing(&self.shared);
        let mut page = self.page(&described(&words(y), self.by.as_deref()));
        scatter::draw(&mut page, &cloud, &words(self.x_name()));
        Ok(page.scene)
    }

    fn pie_scene(&self) -> Result<Scene, ChartError> {
        let (x, y) = (self.need(self.x.as_deref(), "x")?, self.need(self.y.as_deref(), "y")?);
        let parts = pie::parts(&self.frame, x, y)?;
        let slices = pie::Slices::of(parts, &self.shared.color_of())
            .ok_or_else(|| ChartError::NoShares { column: y.to_owned() })?;
        let mut page = self.page(&described(&words(y), Some(x)));
        pie::draw(&mut page, &slices);
        Ok(page.scene)
    }

    /// How far the data of the chart reaches.
    pub(super) fn extent(&self) -> Result<Extent, ChartError> {
        let y = self.y.as_deref().unwrap_or_default();
        Ok(match self.kind {
            Kind::Line | Kind::Area | Kind::StackedArea | Kind::Bar | Kind::StackedBar => {
                let mut set = self.series_set()?;
                let right = self.right.as_deref().map(|right| self.right_series(right, &mut set, y)).transpose()?;
                let bars = (!matches!(self.kind, Kind::Line | Kind::Area)).then(|| self.arrangement());
                set_extent(&set, bars, right.map(|right| right.range()))
            }
            Kind::Histogram => {
                let bins = histogram::bins(&self.frame, self.need(self.x.as_deref(), "x")?, self.shared.step)?;
                set_extent(&bins.set, Some(Arrangement::Stacked), None)
            }
            Kind::Box => {
                let range = box_plot::Groups::from_frame(&self.frame, self.x.as_deref(), y)?.range();
                Extent { values: Some(range), ..Extent::default() }
            }
            Kind::Scatter => {
                let roles = scatter::Roles { x: self.x_name(), y, by: self.by.as_deref() };
                scatter::Cloud::from_frame(&self.frame, roles)?.extent()
            }
            Kind::HeatMap => {
                let color = self.need(self.color.as_deref(), "color")?;
                heat_map::Cells::from_frame(&self.frame, heat_map::Roles { x: self.x_name(), y, color })?.extent()
            }
            Kind::Pie => Extent::default(),
        })
    }

    fn need<'a>(&self, column: Option<&'a str>, role: &'static str) -> Result<&'a str, ChartError> {
        column.ok_or(ChartError::Unset { kind: self.kind.name(), role })
    }

    pub(super) fn page(&self, default_subtitle: &str) -> Page {
        let line = |text: &str| crate::format::one_line(text);
        let subtitle = self.subtitle.as_deref().unwrap_or(default_subtitle);
        let mut page = Page::new(self.size.0, self.size.1, &line(&self.title), &line(subtitle));
        let value = self.color.as_deref().or(self.y.as_deref());
        page.has_years = value.is_some_and(|value| data::are_years(&self.frame, value));
        if !self.is_panel {
            page.notes(&self.remarks.iter().map(|remark| line(remark)).collect::<Vec<_>>());
        }
        page
    }
}

/// How far series reach, bars and stacked areas from zero.
fn set_extent(set: &SeriesSet, bars: Option<Arrangement>, right: Option<(f64, f64)>) -> Extent {
    let values = bars.map_or_else(|| set.value_range(), |bars| Stacks::new(&set.layers(), bars).range());
    let places = if matches!(set.domain, Domain::Category(_)) { Vec::new() } else { set.places() };
    Extent { values: Some(values), fractions: !set.is_whole(), right, places }
}

/// Refuses what would lie on one another.
fn refuse_more(column: &str, found: usize, most: u32) -> Result<(), ChartError> {
    let most = most as usize;
    if found > most { Err(ChartError::TooMany { column: column.to_owned(), found, most }) } else { Ok(()) }
}

fn described(value: &str, by: Option<&str>) -> String {
    match by {
        Some(by) => format!("{value} by {}", words(by)),
        None => value.to_owned(),
    }
}
