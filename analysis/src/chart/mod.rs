//! Charts: one [`Figure`] from a frame, as SVG or PNG.
//!
//! The way of a figure, each step pure until the last:
//!
//! 1. `data` takes the columns out of the frame as positions, series and cells, and refuses what cannot be drawn;
//! 2. a kind (`line`, `bar`, `box_plot`, `pie` …) places shapes on a `page`, which owns title, legend and margins, inside `axes`;
//! 3. the result is a `scene`: a list of rectangles, lines, circles and texts in pixels, the same for both formats;
//! 4. `paint` hands it to a plotters backend, `svg` and `raster` make a document or an image of that.
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
mod heat_map;
mod histogram;
mod kind;
mod legend;
mod line;
mod marks;
mod page;
mod paint;
mod palette;
mod pie;
mod raster;
mod scale;
mod scatter;
mod scene;
mod series;
mod shared;
mod svg;
mod time_ticks;

pub use error::ChartError;
pub use facet::Grid;
pub use figure::Figure;
pub use kind::Kind;
