//! A scenario file of any bytes: see `checks::document`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::document(bytes));
