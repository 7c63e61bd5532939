//! A scenario file of any bytes: see `checks::texts::document`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::texts::document(bytes));
