//! The crate that becomes the dylib: `analysis` and everything below it. Compiled by `library.py`.
pub extern crate analysis;
