//! A table of any bytes: see `checks::texts::traces`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::texts::traces(bytes));
