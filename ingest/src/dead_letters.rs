//! Dead letters: the records that could not be used, kept whole.
//!
//! A [`Letter`] is the stored form; [`LetterFilter`] says which are meant. [`replay`](mod@replay) decodes letters again, after the schema
//! or the program was corrected, and settles those that can be used now. [`text`] and [`json`] show them.

pub mod filter;
pub mod json;
mod letter;
pub mod replay;
mod settle;
pub mod text;

pub use filter::{LetterFilter, LetterState, ReasonCount};
pub use letter::{Header, Letter, LetterSummary, Outcome, Settled};
pub use settle::Settlement;
