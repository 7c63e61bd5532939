//! Overrides and metrics of any text: see `checks::names::names`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::names::names(bytes));
