//! Overrides and metrics of any text: see `checks::texts::searches`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::texts::searches(bytes));
