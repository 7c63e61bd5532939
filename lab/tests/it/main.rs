//! Whole scenarios: from text to result.

mod breakdown;
mod checks;
mod claims;
mod clients;
mod common_numbers;
mod connections;
mod corpus;
mod coverage;
mod demand;
mod digests;
mod dns;
#[path = "../../../language/tests/it/expect.rs"]
mod expect;
mod fleets;
mod gates;
mod guide;
mod happenings;
mod harness;
mod hedging;
mod interruptions;
mod junk;
mod kinds;
mod language;
mod laws;
mod limits;
mod live;
mod menu;
mod objectives;
mod plain_links;
mod queues;
mod requests;
mod resolved;
mod rest;
mod runtimes;
mod strikes;
mod topology;
