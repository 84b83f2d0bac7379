//! Charts that follow the stream while other cells run.
//!
//! A kernel's output cannot change once it is sent, so it holds a frame, and the chart in the frame comes from a [`server`] inside
//! the kernel: on the loopback address only, on a free port, under a random name that nobody else knows. It reads the rollup when
//! a browser asks, at most twice a second, and ends with the kernel.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, Instant};

use polars::prelude::DataFrame;

use super::{
    NotebookError, Rollup, page,
    server::{self, Followed, locked},
};
use crate::chart::Figure;
use crate::show::html::escaped;
use crate::show::notebook::{Block, display};

/// A drawing is shown again, without a look into the database, for this long.
const FRESH: Duration = Duration::from_millis(500);

/// A chart that follows its rollup; the end of a cell shows it. A kernel follows the 32 charts that browsers asked for last.
#[derive(Debug, Clone)]
pub struct Live {
    url: String,
    /// As it was drawn at the beginning, for readers without this kernel.
    figure: Figure,
}

/// Shows the chart that `draw` makes of the rows of `query`, and draws it again as the rows change.
///
/// # Errors
/// When the rows cannot be read or drawn now, or no port is free.
///
/// ```no_run
/// use analysis::notebook::*;
///
/// let store = connect()?;
/// live(store.rollup("reviews_by_month"), |months| Figure::line(months).y("reviews").title("Reviews so far"))?;
/// # Ok::<(), NotebookError>(())
/// ```
pub fn live<F>(query: Rollup, draw: F) -> Result<Live, NotebookError>
where
    F: Fn(&DataFrame) -> Figure + Send + 'static,
{
    let figure = draw(&query.clone().collect()?);
    let shown = Mutex::new(Shown { svg: figure.svg()?.into(), drawn: Instant::now() });
    let url = server::follow(Drawing { source: Mutex::new((query, draw)), shown })?;
    Ok(Live { url, figure })
}

impl Live {
    /// Address of the chart alone, for a browser on this machine.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Displays the chart in a notebook with the evcxr kernel, which calls this for a cell's last value. Without a browser, or
    /// after the end of the kernel, it is the picture of this moment.
    pub fn evcxr_display(&self) {
        match self.blocks() {
            Ok(blocks) => display(&blocks),
            Err(error) => eprintln!("{error}"),
        }
    }

    fn blocks(&self) -> Result<[Block; 3], NotebookError> {
        let png = self.figure.png()?;
        let description = self.figure.to_string();
        Ok([
            Block::text("text/plain", &self.to_string()),
            Block::markup("text/html", &page::frame(&self.url, &png, &escaped(&description))),
            Block::binary("image/png", &png),
        ])
    }
}

impl fmt::Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, live", self.figure)
    }
}

/// What is drawn, and the drawing so far.
struct Drawing<F> {
    source: Mutex<(Rollup, F)>,
    shown: Mutex<Shown>,
}

#[derive(Clone)]
struct Shown {
    svg: Arc<str>,
    drawn: Instant,
}

impl<F: Fn(&DataFrame) -> Figure + Send> Followed for Drawing<F> {
    fn current(&self) -> Result<Arc<str>, String> {
        let shown = locked(&self.shown).clone();
        if shown.drawn.elapsed() <= FRESH {
            return Ok(shown.svg);
        }
        let source = match self.source.try_lock() {
            Ok(source) => source,
            Err(TryLockError::Poisoned(source)) => source.into_inner(),
            // Another browser's question is being answered.
            Err(TryLockError::WouldBlock) => return Ok(shown.svg),
        };
        let (query, draw) = &*source;
        let drawn = || Ok::<_, NotebookError>(draw(&query.clone().collect()?).svg()?);
        // The closure comes from a cell, and its mistakes must not end the thread that answers for all charts.
        let drawn = catch_unwind(AssertUnwindSafe(drawn)).map_err(|panic| message(panic.as_ref()))?;
        let svg: Arc<str> = drawn.map_err(|error| error.to_string())?.into();
        *locked(&self.shown) = Shown { svg: Arc::clone(&svg), drawn: Instant::now() };
        Ok(svg)
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the function that draws panicked: {}", text.unwrap_or("without a message"))
}
