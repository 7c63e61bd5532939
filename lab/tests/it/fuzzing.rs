//! The fuzzer's checks on pseudo-random texts, the same ones each time; see `fuzz/src/mutate.rs` for more of them.

use std::path::Path;

use crate::corpus::checks;
use crate::mutate::fuzz;

fn found() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

#[test]
fn fuzz_scenario_files() {
    fuzz("document", found(), checks::document);
}

#[test]
fn fuzz_values() {
    fuzz("values", found(), checks::values);
}

#[test]
fn fuzz_paths() {
    fuzz("paths", found(), checks::paths);
}

#[test]
fn fuzz_tables() {
    fuzz("traces", found(), checks::traces);
}

#[test]
fn fuzz_searches() {
    fuzz("searches", found(), checks::searches);
}

#[test]
fn fuzz_stores() {
    fuzz("stores", found(), checks::stores);
}
