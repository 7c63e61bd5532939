//! What is known without a run and what theory says, held against runs.

mod advice;
mod databases;
mod examples;
mod explain;
#[path = "../../../lab/tests/it/harness.rs"]
#[allow(dead_code, reason = "the tests of the lab use all of it")]
mod harness;
mod oracle;
mod queues;
mod theory;
mod traces;
