//! A frame as a table and as the charts that it can be, behind a row of buttons that need no script.

use std::fmt;

use model::layout::column;
use polars::prelude::{DataFrame, DataType};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Table,
    html::escaped,
    notebook::{self, Block},
};
use crate::{
    chart::{self, ChartError, Figure, Kind},
    format,
};

/// Kinds that are offered, in the order of the buttons.
const KINDS: [Kind; 4] = [Kind::Line, Kind::Bar, Kind::Area, Kind::Scatter];

/// A frame that shows itself as a table, a line, bars, areas or points, whichever the reader clicks. A series has one colour in all
/// of them.
///
/// Everything is drawn beforehand and switched by style sheets, so it works in a saved notebook too. What cannot be drawn from the
/// frame has no button. The columns are chosen by their types unless [`x`](View::x), [`y`](View::y) and [`by`](View::by) say them.
///
/// ```
/// use analysis::{polars::prelude::df, show::View};
///
/// let frame = df!("year" => [2018, 2019, 2020], "reviews" => [2_412, 3_101, 1_874])?;
/// let html = View::new(&frame).title("Reviews per year").html();
/// assert!(html.contains("<table") && html.matches("<svg ").count() == 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a view shows nothing before it is displayed"]
#[derive(Debug, Clone)]
pub struct View {
    frame: DataFrame,
    x: Option<String>,
    y: Option<String>,
    by: Option<String>,
    title: String,
    first: Option<Kind>,
    dark: bool,
}

impl View {
    /// A view of `frame`; the frame's columns are shared, not copied.
    pub fn new(frame: &DataFrame) -> Self {
        Self { frame: frame.clone(), x: None, y: None, by: None, title: String::new(), first: None, dark: false }
    }

    /// The column along the horizontal axis.
    pub fn x(mut self, column: impl Into<String>) -> Self {
        self.x = Some(column.into());
        self
    }

    /// The column of values.
    pub fn y(mut self, column: impl Into<String>) -> Self {
        self.y = Some(column.into());
        self
    }

    /// The column that tells series apart.
    pub fn by(mut self, column: impl Into<String>) -> Self {
        self.by = Some(column.into());
        self
    }

    /// What the charts say.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// The kind that is shown first, where it can be drawn; the table unless set.
    pub fn first(mut self, kind: Kind) -> Self {
        self.first = Some(kind);
        self
    }

    /// Light lines on dark paper.
    pub fn dark(mut self) -> Self {
        self.dark = true;
        self
    }

    /// The figure of a kind from the columns that were named or chosen.
    pub fn figure(&self, kind: Kind) -> Figure {
        let mut roles = self.roles();
        if self.by.is_none() && !kind.has_series() {
            // Nobody asked for the column that was found.
            roles.by = None;
        }
        let negative = || roles.y.as_deref().is_some_and(|y| self.has_negative(y));
        let adds_up = || roles.y.as_deref().is_some_and(|y| chart::adds_up(&self.frame, y));
        let is_stack = kind == Kind::Bar && roles.by.is_some() && !negative() && adds_up();
        let kind = if is_stack { Kind::StackedBar } else { kind };
        let figure = Figure::new(kind, &self.frame).title(self.title.as_str());
        let figure = roles.x.into_iter().fold(figure, Figure::x);
        let figure = roles.y.into_iter().fold(figure, Figure::y);
        let figure = roles.by.into_iter().fold(figure, Figure::by);
        if self.dark { figure.dark() } else { figure }
    }

    /// Whether a value lies below zero, so that bars cannot be stacked.
    fn has_negative(&self, column: &str) -> bool {
        let numbers = self.frame.column(column).ok().and_then(|column| column.cast(&DataType::Float64).ok());
        let values = numbers.as_ref().and_then(|numbers| numbers.f64().ok());
        values.is_some_and(|values| values.iter().flatten().any(|value| value < 0.0))
    }

    /// The view as HTML that stands on its own: styles, but no script and nothing from a network.
    pub fn html(&self) -> String {
        let mut panels = vec![("table", Table::new(&self.frame).html())];
        let mut figures = KINDS.map(|kind| self.figure(kind));
        chart::share_colors(&mut figures);
        let drawn = |(kind, figure): (Kind, &Figure)| -> Result<_, ChartError> { Ok((kind.name(), figure.svg()?)) };
        panels.extend(KINDS.into_iter().zip(&figures).filter_map(|panel| drawn(panel).ok()));
        let first = self.first.map_or("table", Kind::name);
        let first = if panels.iter().any(|(name, _)| *name == first) { first } else { "table" };
        // The same view twice on a page is switched together, which does no harm; two different ones must not be.
        let content: String = panels.iter().map(|(_, content)| content.as_str()).collect();
        let id = format!("rushes-{:016x}", xxh3_64(content.as_bytes()));
        document(&id, &panels, first)
    }

    /// Displays the view in a notebook with the evcxr kernel, which calls this for a cell's last value.
    pub fn evcxr_display(&self) {
        notebook::display(&[Block::text("text/plain", &self.to_string()), Block::markup("text/html", &self.html())]);
    }

    fn roles(&self) -> Roles {
        let is_time = |kind: &DataType| matches!(kind, DataType::Date | DataType::Datetime(..));
        let is_number = |kind: &DataType| kind.is_numeric();
        let find = |fits: &dyn Fn(&str, &DataType) -> bool| {
            let columns = self.frame.columns().iter();
            let found =
                columns.map(|column| (column.name().as_str(), column.dtype())).find(|(name, kind)| fits(name, kind));
            found.map(|(name, _)| name.to_owned())
        };
        let time = || find(&|name, kind| is_time(kind) && name != column::WINDOW_END);
        let text = || find(&|_, kind| kind == &DataType::String);
        let x = self.x.clone().or_else(time).or_else(text).or_else(|| find(&|_, kind| is_number(kind)));
        let beside = |name: &str| Some(name) != x.as_deref() && ![column::RANK, column::REVISION].contains(&name);
        let y = self.y.clone().or_else(|| find(&|name, kind| is_number(kind) && beside(name)));
        let by = self.by.clone().or_else(|| find(&|name, kind| kind == &DataType::String && beside(name)));
        Roles { x, y, by }
    }
}

/// The columns of a figure.
struct Roles {
    x: Option<String>,
    y: Option<String>,
    by: Option<String>,
}

fn document(id: &str, panels: &[(&str, String)], first: &str) -> String {
    let mut html = format!("<div class=\"{id}\"><style>{}", style(id));
    for (name, _) in panels {
        html.push_str(&format!(".{id} #{id}-{name}:checked~.{name}{{display:block}}"));
    }
    html.push_str("</style>\n");
    for (name, _) in panels {
        let checked = if *name == first { " checked" } else { "" };
        html.push_str(&format!(
            "<input type=\"radio\" name=\"{id}\" id=\"{id}-{name}\"{checked}><label for=\"{id}-{name}\">{}</label>\n",
            escaped(&format::words(&name.replace('-', "_")))
        ));
    }
    for (name, content) in panels {
        html.push_str(&format!("<div class=\"panel {name}\">{content}</div>\n"));
    }
    html.push_str("</div>\n");
    html
}

/// The radio buttons are there for the keyboard and for readers of the screen, but not to be seen.
fn style(id: &str) -> String {
    format!(
        ".{id}>input{{position:absolute;opacity:0}}\
         .{id}>label{{display:inline-block;padding:.25em .8em;margin:0 .3em .5em 0;border:1px solid #9aa5b1;border-radius:4px;cursor:pointer}}\
         .{id}>input:checked+label{{background:#0072b2;border-color:#0072b2;color:#fff}}\
         .{id}>input:focus-visible+label{{outline:2px solid #e69f00}}\
         .{id}>.panel{{display:none}}.{id} svg{{max-width:100%;height:auto}}"
    )
}

/// The table, for where there is no HTML.
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Table::new(&self.frame).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{IntoLazy, col, df};

    fn films() -> DataFrame {
        let frame = df!(
            "window_start" => [18_262, 18_262, 18_293], "window_end" => [18_293, 18_293, 18_322],
            "movie" => ["<b>A", "B", "B"], "reviews" => [5_i64, 7, 8], "revision" => [1_i64, 1, 2],
        );
        let dates = [col("window_start").cast(DataType::Date), col("window_end").cast(DataType::Date)];
        frame.expect("a frame").lazy().with_columns(dates).collect().expect("dates")
    }

    #[test]
    fn a_rollup_needs_no_words_about_its_columns() {
        let view = View::new(&films()).title("Films & <i>more</i>").first(Kind::Line);
        let roles = view.roles();
        assert_eq!(
            (roles.x.as_deref(), roles.y.as_deref(), roles.by.as_deref()),
            (Some("window_start"), Some("reviews"), Some("movie"))
        );
        let html = view.html();
        assert_eq!((html.matches("<svg ").count(), html.matches("<input type=\"radio\"").count()), (4, 5));
        assert_eq!(html.matches(" checked>").count(), 1);
        assert!(
            html.contains("-line\" checked>")
                && !html.contains("<script")
                && !html.contains("<b>A")
                && !html.contains("<i>")
        );
    }

    #[test]
    fn what_cannot_be_drawn_has_no_button() {
        let names = df!("movie" => ["A", "B"]).expect("a frame");
        let html = View::new(&names).first(Kind::Line).html();
        assert!(html.matches("<input").count() == 1 && html.contains("-table\" checked>"), "{html}");
        let repeated = View::new(&films()).by("window_end").html();
        assert!(repeated.contains("<table"));
        assert!(View::new(&DataFrame::empty()).html().contains("<table"));
    }

    #[test]
    fn only_a_column_that_was_named_is_refused_by_a_kind_without_series() {
        let frame = films().tail(Some(2));
        for (kind, x) in [(Kind::Box, "window_start"), (Kind::Histogram, "reviews"), (Kind::Pie, "window_start")] {
            let view = View::new(&frame).x(x);
            let drawn = view.figure(kind).svg().map(drop);
            assert!(view.roles().by.is_some() && drawn.is_ok(), "{kind}: {drawn:?}");
            let error = view.by("movie").figure(kind).svg().expect_err("named").to_string();
            assert!(error.starts_with("by: a "), "{error}");
        }
    }

    #[test]
    fn values_below_zero_are_bars_side_by_side() {
        let frame = df!("year" => [2019, 2019, 2020], "movie" => ["A", "B", "B"], "change" => [-5, 7, 8]);
        let view = View::new(&frame.expect("a frame")).x("year").y("change").by("movie");
        assert!(view.html().contains("-bar\""), "a button");
        assert!(view.figure(Kind::Bar).svg().is_ok());
    }

    #[test]
    fn a_series_has_one_colour_in_all_panels() {
        // A has the larger sum, B more points.
        let frame = df!("x" => [1, 1, 2], "movie" => ["A", "B", "B"], "reviews" => [50_i64, 7, 8]).expect("a frame");
        let html = View::new(&frame).x("x").y("reviews").by("movie").html();
        let scatter = html.split("<div class=\"panel ").find(|panel| panel.starts_with("scatter")).expect("a panel");
        let circles = |color: &str| scatter.lines().filter(|l| l.starts_with("<circle") && l.contains(color)).count();
        assert_eq!((circles("#0072B2"), circles("#E69F00")), (1, 2), "{scatter}");
    }

    #[test]
    fn means_of_a_rollup_stand_side_by_side() {
        let frame = df!(
            "x" => [1, 1], "movie" => ["A", "B"], "rating_mean" => [5.0, 7.0], "is_final" => [true, true],
        );
        let view = View::new(&frame.expect("a frame")).x("x").y("rating_mean").by("movie");
        assert!(view.html().contains("-bar\"") && view.figure(Kind::StackedBar).svg().is_err());
    }

    #[test]
    fn two_views_of_one_page_are_switched_apart() {
        let (a, b) = (View::new(&films()).html(), View::new(&films().head(Some(1))).html());
        let id = |html: &str| html.split('"').nth(1).map(str::to_owned);
        assert_ne!(id(&a), id(&b));
        assert_eq!(a, View::new(&films()).html(), "the same bytes on every run");
    }
}
