//! The rules that `ingest` and `analysis` share: no I/O, no async, no system clock.
//!
//! The path of a record through this crate:
//!
//! | module | does |
//! | --- | --- |
//! | [`schema`] | describes the records of a stream |
//! | [`decode`] | turns JSON bytes into a document to store; [`number`] and [`moment`] are the grammars of numbers and times in texts |
//! | [`window`], [`calendar`] | assign an event time to windows |
//! | [`clock`], [`late`] | track event time and mark late events |
//! | [`rollup`], [`state`] | compute the states that an event changes, and the rows made of them |
//! | [`layout`] | names collections, columns and ids |
//! | [`mongodb_uri`], [`mongodb_reason`] | format connection strings and driver errors without secrets |

pub mod calendar;
pub mod clock;
pub mod decode;
pub mod late;
pub mod layout;
pub mod moment;
pub mod mongodb_reason;
pub mod mongodb_uri;
pub mod number;
pub mod rollup;
pub mod schema;
pub mod state;
pub mod window;
