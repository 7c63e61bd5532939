//! Converts a finished run to what people read: text, JSON, CSV, charts and HTML.
//!
//! Everything here is a pure function of a [`RunResult`](lab::result::RunResult), which is plain data: no component's
//! type, no clock, no terminal. The same result gives the same bytes everywhere.
//!
//! ```text
//!              ┌── text      one screen for a terminal
//!  RunResult ──┼── findings  what an operator would point out, in sentences
//!              ├── json, csv
//!              └── charts ──── SVG, PNG ── html   one self-contained page
//! ```

mod breakdown;
pub mod charts;
pub mod compare;
pub mod csv;
pub mod explain;
pub mod figures;
pub mod find;
pub mod findings;
pub mod folder;
pub mod happenings;
pub mod html;
pub mod json;
pub mod outcome;
pub mod over_time;
pub mod sweep;
pub mod text;
pub mod units;
pub mod validate;
pub mod words;

pub use lab::file;

// Each user needs a different part of the module.
#[cfg(test)]
#[allow(dead_code)]
#[path = "../tests/it/sample.rs"]
mod sample;
