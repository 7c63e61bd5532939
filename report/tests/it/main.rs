//! Whole outputs from fixed results: what is read, parsed or looked at.

mod charts;
mod exports;
mod predicates;
mod raw;
mod sample;
mod sweeps;
mod text;
#[path = "../../../lab/tests/it/topology.rs"]
mod topology;
mod troubles;
mod verdicts;
