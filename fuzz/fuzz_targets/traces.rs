//! A table of any bytes: see `checks::traces`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::traces(bytes));
