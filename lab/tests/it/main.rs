//! Whole scenarios: from text to result.

mod dns;
mod kinds;
