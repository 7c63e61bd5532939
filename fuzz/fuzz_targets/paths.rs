//! Overrides and metrics of any text: see `checks::texts::paths`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::texts::paths(bytes));
