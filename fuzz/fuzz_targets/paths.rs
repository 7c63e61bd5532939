//! Overrides and metrics of any text: see `checks::paths`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::paths(bytes));
