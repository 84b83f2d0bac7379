//! Charts: one [`Figure`] from a frame, as SVG or PNG.
//!
//! The way of a figure, each step pure until the last:
//!
//! 1. `prepare` makes the frame that is drawn (hours in the table's zone, keys as names, rows for missing windows) with the help of
//!    `meaning` and `gaps`, and `notes` says below the subtitle what the picture leaves out or shows of rows that are not complete;
//! 2. `data` takes the columns out of the frame as positions, series and cells, and refuses what cannot be drawn;
//! 3. a kind (`line`, `bar`, `box_plot`, `pie` …) places shapes on a `page`, which owns title, legend and margins, inside `axes`;
//! 4. the result is a `scene`: a list of rectangles, lines, circles and texts in pixels, the same for both formats;
//! 5. `paint` hands it to a plotters backend, `svg` and `raster` make a document or an image of that.
//!
//! Equal frames give equal bytes: nothing depends on the clock, on hash order or on fonts of the machine. Text is measured with
//! the embedded font (Inter); PNG draws it, SVG names it first in a list of families that every browser resolves.
//!
//! Colours are those of Okabe and Ito for categories and a single ramp of growing darkness for quantities; both can be told
//! apart with any common colour blindness and in grey print.

mod axes;
mod bar;
mod box_plot;
mod category_bar;
mod data;
mod draw;
mod error;
mod facet;
mod figure;
mod font;
mod gaps;
mod heading;
mod heat_map;
mod histogram;
mod kind;
mod legend;
mod line;
mod marks;
mod meaning;
mod notes;
mod page;
mod paint;
mod palette;
mod pie;
mod prepare;
mod raster;
mod scale;
mod scatter;
mod scene;
mod series;
mod shared;
mod svg;
#[cfg(test)]
mod tests;
mod time_ticks;

pub use category_bar::share;
pub use error::ChartError;
pub use facet::Grid;
pub use figure::Figure;
pub use heading::heading;
pub use kind::Kind;
pub(crate) use meaning::adds_up;
pub(crate) use shared::share_colors;
