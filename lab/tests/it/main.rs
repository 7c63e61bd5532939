//! Whole scenarios: from text to result.

mod dns;
mod examples;
mod harness;
mod kinds;
mod laws;
mod theory;
mod topology;
