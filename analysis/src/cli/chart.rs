//! `analysis chart`: from a table and a few columns to a frame that a figure can show.
//!
//! What is asked for seldom has one row per place already: a chart of `movies_by_month` without a movie shows all movies
//! together, `--every year` shows years. Rows are then added up by what their columns mean.

mod frames;

use std::{path::PathBuf, thread, time::Duration};

use analysis::{
    chart::{ChartError, Figure, Kind, heading},
    load::{Store, TableInfo},
    polars::prelude::DataFrame,
    reshape::{ColumnRange, Every, regroup, rounded, unpivot},
};
use anyhow::{Context, bail, ensure};
use clap::Args;
use model::layout::column::WINDOW_START;

use super::{chart_words, rows::Rows};
use frames::{in_zone, is_key, is_text, largest, with_dates};

/// Draws a chart of a rollup.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Chart {
    /// The rollup, one of `analysis tables`
    table: String,
    /// line, area, stacked-area, bar, stacked-bar, histogram, box, scatter, pie or heat-map
    #[arg(long, default_value_t = Kind::Line)]
    kind: Kind,
    /// Column along the horizontal axis, window_start unless given
    #[arg(long, value_name = "COLUMN")]
    x: Option<String>,
    /// Column of values, the number of records unless given; or the columns of a histogram, FIRST..LAST.
    /// For a heat map the column of rows
    #[arg(long, value_name = "COLUMN")]
    y: Option<String>,
    /// Column that tells lines or parts of bars apart
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    /// Column that shades a heat map, the number of records unless given
    #[arg(long, value_name = "COLUMN")]
    color: Option<String>,
    #[command(flatten)]
    rows: Rows,
    /// Add the rows up to longer windows: day, week, month, quarter or year
    #[arg(long, value_name = "WINDOW")]
    every: Option<Every>,
    /// Only the N largest of the texts, or of the numbers of a key, that tell lines, parts or rows apart
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Heading; the table's name unless given
    #[arg(long)]
    title: Option<String>,
    /// Line under the heading; the columns' names unless given
    #[arg(long)]
    subtitle: Option<String>,
    /// Width in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 800)]
    width: u32,
    /// Height in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 450)]
    height: u32,
    /// Column with a small chart for each of its values
    #[arg(long, value_name = "COLUMN")]
    facet: Option<String>,
    /// Logarithmic scale of values, for lines
    #[arg(long)]
    log: bool,
    /// Light lines on dark paper
    #[arg(long)]
    dark: bool,
    /// Draw again whenever rows have changed, looking every so many seconds, until interrupted
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5", value_parser = clap::value_parser!(u64).range(1..))]
    watch: Option<u64>,
    /// The written files as a JSON array
    #[arg(long, conflicts_with = "watch")]
    json: bool,
    /// File to write, .svg or .png; may be repeated
    #[arg(short, long, value_name = "FILE", required = true)]
    output: Vec<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  analysis chart reviews_by_month --y rating_mean --title \"Mean rating\" -o rating.svg -o rating.png
  analysis chart reviews_by_month --kind stacked-bar --y rating_1..rating_10 --every year -o ratings.svg
  analysis chart reviews_by_month --kind heat-map --y rating_1..rating_10 --every year -o ratings.png
  analysis chart movies_by_month --kind bar --x movie --top 20 --from 2019 -o movies.svg
  analysis chart movies_by_month --by movie --top 5 --every year -o movies.svg
  analysis chart movies_by_month --kind scatter --x reviews --y rating_mean -o scatter.png
  analysis chart reviews_by_month --watch 2 -o live.svg";

/// What is drawn: one row per place, the columns by their roles, and what is to be said about the rows.
struct Shaped {
    frame: DataFrame,
    roles: Roles,
    note: Option<String>,
}

/// Columns of a figure by their role.
#[derive(Debug, Clone, PartialEq)]
struct Roles {
    x: String,
    y: String,
    by: Option<String>,
    color: Option<String>,
}

impl Chart {
    pub fn run(&self, store: &Store) -> anyhow::Result<()> {
        self.drawn(store).map_err(chart_words::of_options)
    }

    fn drawn(&self, store: &Store) -> anyhow::Result<()> {
        let table = store.table(&self.table)?;
        if let Some(seconds) = self.watch {
            return self.watch(store, &table, Duration::from_secs(seconds));
        }
        self.draw(&self.rows.of(store.rollup(&self.table)).collect()?, &table)?;
        match self.json {
            true => super::print_json(&self.output),
            false => self.print_files(),
        }
    }

    fn draw(&self, frame: &DataFrame, table: &TableInfo) -> anyhow::Result<()> {
        let frame = rounded(&in_zone(frame, table)?, &table.columns)?;
        let figure = self.figure(self.shaped(&frame, table)?, table);
        self.output.iter().try_for_each(|path| Ok(figure.save(path)?))
    }

    fn print_files(&self) -> anyhow::Result<()> {
        let files: String = self.output.iter().map(|path| format!("{}\n", path.display())).collect();
        Ok(super::print(&files)?)
    }

    /// Draws, and again after every change. A database that is away for a while is waited for, and so are the first rows.
    fn watch(&self, store: &Store, table: &TableInfo, pause: Duration) -> anyhow::Result<()> {
        let mut rows = self.rows.of(store.rollup(&self.table)).follow()?;
        let mut drawn = self.draw_or_wait(rows.frame(), table)?;
        if drawn {
            self.print_files()?;
        }
        loop {
            thread::sleep(pause);
            match rows.refresh() {
                Ok(news) if news.is_empty() => {}
                Ok(news) => {
                    eprintln!("{news}");
                    if self.draw_or_wait(rows.frame(), table)? && !drawn {
                        self.print_files()?;
                        drawn = true;
                    }
                }
                Err(error) => eprintln!("{error}; trying again in {} s", pause.as_secs()),
            }
        }
    }

    /// Whether there is something to draw, which then is drawn.
    fn draw_or_wait(&self, frame: &DataFrame, table: &TableInfo) -> anyhow::Result<bool> {
        let drawn = if frame.height() == 0 { Err(ChartError::NoRows.into()) } else { self.draw(frame, table) };
        match drawn {
            Err(error) if error.downcast_ref().is_some_and(ChartError::is_no_values) => {
                eprintln!("{}; waiting for rows", chart_words::of_options(error));
                Ok(false)
            }
            drawn => drawn.map(|()| true),
        }
    }

    fn x(&self) -> &str {
        self.x.as_deref().unwrap_or(WINDOW_START)
    }

    /// Whether every row is a point of its own.
    fn shows_rows(&self) -> bool {
        matches!(self.kind, Kind::Histogram | Kind::Box | Kind::Scatter)
    }

    /// Refuses what would be left out of the picture without a word.
    fn check(&self) -> anyhow::Result<()> {
        let kind = self.kind;
        ensure!(
            self.every.is_none() || !self.shows_rows(),
            "a {kind} chart shows each row, and --every adds rows up; leave out --every, or take another --kind"
        );
        ensure!(
            self.color.is_none() || kind == Kind::HeatMap,
            "--color shades a heat map; tell the parts of a {kind} chart apart with --by"
        );
        ensure!(
            self.by.is_none() || kind.has_series(),
            "a {kind} chart has no lines or parts for --by to tell apart; draw one for each value with --facet"
        );
        ensure!(
            kind != Kind::Histogram || self.x.is_none() || self.y.is_none(),
            "a histogram is of one column; leave out --x or --y"
        );
        Ok(())
    }

    fn shaped(&self, frame: &DataFrame, table: &TableInfo) -> anyhow::Result<Shaped> {
        self.check()?;
        let (frame, roles) = match self.histogram()? {
            Some(range) => self.histogram_rows(frame, table, &range)?,
            None => self.plain_rows(frame, table)?,
        };
        let (frame, note) = match (self.top, self.top_column(&frame, table, &roles)) {
            (None, _) => (frame, None),
            (Some(top), Some(column)) => largest(&frame, table, [column, roles.value()], top)?,
            (Some(_), None) => bail!(
                "--top needs a key, such as a column of texts: name it with --by, --facet, --x, or --y of a heat map"
            ),
        };
        let frame = match self.ranked_column(&frame, table, &roles) {
            Some(column) => largest(&frame, table, [column, roles.value()], usize::MAX)?.0,
            None => frame,
        };
        Ok(Shaped { frame, roles, note })
    }

    fn histogram(&self) -> anyhow::Result<Option<ColumnRange>> {
        let range = self.y.as_deref().filter(|y| y.contains(".."));
        Ok(range.map(str::parse).transpose()?)
    }

    /// The columns of a histogram as rows: levels and counts.
    fn histogram_rows(
        &self,
        frame: &DataFrame,
        table: &TableInfo,
        range: &ColumnRange,
    ) -> anyhow::Result<(DataFrame, Roles)> {
        let kind = self.kind;
        ensure!(
            !matches!(kind, Kind::Histogram | Kind::Box | Kind::Pie),
            "a {kind} chart is of one column, and {range} are several; name one, or take --kind stacked-bar or heat-map"
        );
        let heat_map = kind == Kind::HeatMap;
        ensure!(
            heat_map || self.by.is_none(),
            "{range} has a value per row and column, so its columns are what --by would tell apart; leave out --by"
        );
        let x = self.x();
        let level = range.name().unwrap_or(x).to_owned();
        let count = count_column(table)?;
        let frame = self.grouped(frame, table, &[x])?;
        let frame = unpivot(&frame, range, &[x], &count)?;
        let roles = if heat_map {
            Roles { x: x.to_owned(), y: level, by: None, color: Some(count) }
        } else {
            Roles { x: x.to_owned(), y: count, by: Some(level), color: None }
        };
        Ok((frame, roles))
    }

    fn plain_rows(&self, frame: &DataFrame, table: &TableInfo) -> anyhow::Result<(DataFrame, Roles)> {
        let count = || count_column(table);
        if self.shows_rows() {
            let of_x = self.x.clone().filter(|_| self.kind == Kind::Histogram);
            let y = self.y.clone().or(of_x).map_or_else(count, Ok)?;
            let x = if self.kind == Kind::Histogram { y.clone() } else { self.x().to_owned() };
            return Ok((frame.clone(), Roles { x, y, by: self.by.clone(), color: None }));
        }
        let roles = if self.kind == Kind::HeatMap {
            let y = self.y.clone().context("a heat map needs --y: a column, or FIRST..LAST of a histogram")?;
            Roles { x: self.x().to_owned(), y, by: None, color: Some(self.color.clone().map_or_else(count, Ok)?) }
        } else {
            let y = self.y.clone().map_or_else(count, Ok)?;
            Roles { x: self.x().to_owned(), y, by: self.by.clone(), color: None }
        };
        let mut keys = roles.keys();
        keys.extend(self.facet.as_deref().filter(|facet| !roles.keys().contains(facet)));
        let frame = self.grouped(frame, table, &keys)?;
        Ok((frame, roles))
    }

    /// `frame` with one row per value of `keys`; as it is where that already holds.
    fn grouped(&self, frame: &DataFrame, table: &TableInfo, keys: &[&str]) -> anyhow::Result<DataFrame> {
        let is_time = |key: &&str| frame.column(key).is_ok_and(|column| column.dtype().is_temporal());
        if let Some(every) = self.every.filter(|_| !keys.iter().any(is_time)) {
            bail!(
                "--every {} adds up windows along a column of times, and {} has none; leave out --every, or take --x {WINDOW_START}",
                every.name(),
                keys.join(", ")
            );
        }
        let known = keys.iter().all(|key| frame.column(key).is_ok());
        let repeated = known && frame.select(keys.iter().copied())?.is_duplicated()?.any();
        if self.every.is_none() && !repeated {
            return Ok(frame.clone());
        }
        if table.has_overlapping_windows() && (self.every.is_some() || !keys.contains(&WINDOW_START)) {
            bail!(
                "the windows of {} overlap ({}), so adding its rows up would count records several times; keep one point a window \
                 (--x {WINDOW_START} without --every), or take a table whose windows do not overlap",
                table.name,
                table.window
            );
        }
        if table.is_ranked() && (self.every.is_some() || !keys.contains(&WINDOW_START)) {
            bail!(
                "{} has only the first rows of each {}, so adding its rows up would leave the others out; take the table that has \
                 them all, or keep one point a window (--x {WINDOW_START} without --every)",
                table.name,
                table.window
            );
        }
        let grouped = regroup(frame, &table.columns, keys, self.every)?;
        let grouped = if self.every.is_some() { with_dates(grouped, keys)? } else { grouped };
        let value = self.color.as_ref().or(self.y.as_ref().filter(|_| self.kind != Kind::HeatMap));
        let lost = |value: &&String| frame.column(value).is_ok() && grouped.column(value).is_err();
        if let Some(value) = value.filter(lost) {
            bail!(
                "{value} of several rows cannot be put together; choose a count, sum, mean, minimum or maximum, or one row per place"
            );
        }
        Ok(grouped)
    }

    /// The column whose largest values --top keeps: texts, or a key of the table of any other type but time.
    fn top_column<'a>(&'a self, frame: &DataFrame, table: &TableInfo, roles: &'a Roles) -> Option<&'a str> {
        let heat_map_rows = (self.kind == Kind::HeatMap).then_some(roles.y.as_str());
        let columns = [roles.by.as_deref(), self.facet.as_deref(), heat_map_rows, Some(roles.x.as_str())];
        let mut columns = columns.into_iter().flatten();
        columns.find(|column| is_text(frame, column) || is_key(frame, table, column))
    }

    /// The column of names that become rows, which read best with the largest first; a few numbers stay in their order.
    fn ranked_column<'a>(&self, frame: &DataFrame, table: &TableInfo, roles: &'a Roles) -> Option<&'a str> {
        const FEW: usize = 12;
        let column = match self.kind {
            Kind::HeatMap => &roles.y,
            Kind::Bar | Kind::StackedBar => &roles.x,
            _ => return None,
        };
        let many_numbers = |column: &str| {
            let values = frame.column(column).and_then(|column| column.n_unique());
            self.kind != Kind::HeatMap && is_key(frame, table, column) && values.is_ok_and(|values| values > FEW)
        };
        Some(column.as_str()).filter(|column| is_text(frame, column) || many_numbers(column))
    }

    fn figure(&self, shaped: Shaped, table: &TableInfo) -> Figure {
        let Shaped { frame, roles, note } = shaped;
        let title = self.title.clone().unwrap_or_else(|| self.heading(table));
        let window = self.every.map_or_else(|| table.window.clone(), |every| every.name().to_owned());
        let figure = Figure::new(self.kind, &frame).table(&TableInfo { window, ..table.clone() });
        let figure = figure.x(roles.x).y(roles.y).title(title).size(self.width, self.height);
        let figure = if self.rows.leaves_out_values(table) { figure.excerpt() } else { figure };
        let figure = note.into_iter().fold(figure, Figure::note);
        let figure = roles.by.into_iter().fold(figure, Figure::by);
        let figure = roles.color.into_iter().fold(figure, Figure::color);
        let figure = self.facet.iter().cloned().fold(figure, Figure::facet);
        let figure = if self.log { figure.log() } else { figure };
        let figure = if self.dark { figure.dark() } else { figure };
        self.subtitle.iter().cloned().fold(figure, Figure::subtitle)
    }

    /// What is shown, as far as the axes do not tell: `Movies by year: movie = Up (2009)`.
    fn heading(&self, table: &TableInfo) -> String {
        let over_time = self.x() == WINDOW_START;
        let window = self.every.map_or(table.window.as_str(), |every| every.name());
        let name = heading(table, (over_time || self.shows_rows()).then_some(window));
        let range = self.rows.range_in_words().filter(|_| !over_time);
        let details: Vec<String> = self.rows.conditions_in_words().into_iter().chain(range).collect();
        let separator = if details.is_empty() { "" } else { ": " };
        format!("{name}{separator}{}", details.join(", "))
    }
}

impl Roles {
    /// Columns that together tell a place.
    fn keys(&self) -> Vec<&str> {
        let row = self.color.is_some().then_some(self.y.as_str());
        let mut keys = vec![self.x.as_str()];
        keys.extend(row.into_iter().chain(self.by.as_deref()).filter(|key| *key != self.x));
        keys
    }

    /// The column of values.
    fn value(&self) -> &str {
        self.color.as_deref().unwrap_or(&self.y)
    }
}

/// The column that counts records.
pub fn count_column(table: &TableInfo) -> anyhow::Result<String> {
    let count =
        table.count_column().with_context(|| format!("{} counts nothing; name a column of values", table.name))?;
    Ok(count.to_owned())
}
