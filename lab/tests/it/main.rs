//! Whole scenarios: from text to result.

mod dns;
mod harness;
mod kinds;
mod laws;
mod topology;
