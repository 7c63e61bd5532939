//! Whole scenarios: from text to result.

mod bounds;
mod breakdown;
mod caching;
mod checks;
mod claims;
mod clients;
mod common_numbers;
mod completion;
mod connections;
mod corpus;
mod coverage;
mod demand;
mod differential;
mod digests;
mod dns;
#[path = "../../../language/tests/it/expect.rs"]
mod expect;
mod fifo;
mod fleets;
mod fuzzing;
mod gates;
mod giving_up;
mod guide;
mod happenings;
mod harness;
mod hedging;
mod hosts;
mod interruptions;
mod junk;
mod kinds;
mod language;
mod laws;
mod limits;
mod live;
mod measured;
mod memory;
mod menu;
#[expect(unreachable_pub, reason = "other crates' tests see it from outside")]
#[path = "../../../fuzz/src/mutate.rs"]
mod mutate;
mod objectives;
mod plain_links;
mod queue_scenarios;
mod queue_theory;
mod queues;
mod quotas;
mod rabbit;
mod requests;
mod resolved;
mod rest;
mod runtimes;
mod schedules;
mod sockets;
mod sqs;
mod strikes;
mod topology;
