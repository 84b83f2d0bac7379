//! The rules that `ingest` and `analysis` share. Pure: no I/O, no async, no clock of its own.
//!
//! A record's way through this crate: [`schema`] says what a record is, [`decode`] turns its JSON bytes into a stored document (texts
//! with numbers and times have one grammar each, [`number`] and [`moment`]), [`window`] and [`calendar`] say which window its event time is
//! in, [`clock`] and [`late`] whether it is late, [`rollup`] which states it changes ([`state`]), and [`layout`] under which names all of
//! this is stored. [`mongodb_uri`] and [`mongodb_reason`] say how a connection string and a driver's error are shown to a person.

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
