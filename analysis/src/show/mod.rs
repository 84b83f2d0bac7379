//! Frames and figures for people: text for a terminal, rich output for a notebook.
//!
//! A notebook shows the best form it is allowed to: a [`Table`] sends HTML with text to fall back on, a
//! [`Figure`](crate::chart::Figure) SVG with PNG and text, because notebooks that are not trusted hide SVG. A [`View`] is both, to be switched by the reader.

mod columns;
pub(crate) mod html;
mod json;
pub(crate) mod notebook;
mod table;
mod view;

pub use json::json_rows;
pub use table::Table;
pub use view::View;
