//! Whole outputs from fixed results.

mod charts;
mod exports;
#[expect(unreachable_pub, reason = "tests of other crates see it from outside")]
#[path = "../../../fuzz/src/mutate.rs"]
mod mutate;
mod names;
mod predicates;
mod raw;
mod sample;
mod sweeps;
mod text;
#[path = "../../../lab/tests/it/topology.rs"]
mod topology;
mod troubles;
mod verdicts;
