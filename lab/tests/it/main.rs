//! Whole scenarios: from text to result.

mod breakdown;
mod common_numbers;
mod corpus;
mod diagnostics;
mod digests;
mod dns;
mod examples;
mod explain;
mod guide;
mod harness;
mod interruptions;
mod junk;
mod kinds;
mod language;
mod laws;
mod limits;
mod live;
mod menu;
mod objectives;
mod reference;
mod requests;
mod resolved;
mod strikes;
mod theory;
mod topology;
