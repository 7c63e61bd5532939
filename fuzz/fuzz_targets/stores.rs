//! Overrides and metrics of any text: see `checks::texts::stores`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::texts::stores(bytes));
