//! Frames and figures for people: text for a terminal, rich output for a notebook.
//!
//! A notebook shows the best form it is allowed to: a [`Table`] sends HTML with text to fall back on, a
//! [`Figure`](crate::chart::Figure) SVG with PNG and text, because notebooks that are not trusted hide SVG.

mod columns;
pub(crate) mod html;
mod json;
pub(crate) mod notebook;
mod table;

pub use json::json_rows;
pub use table::Table;
