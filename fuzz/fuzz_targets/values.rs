//! A text in the place of any value: see `checks::texts::values`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::texts::values(bytes));
