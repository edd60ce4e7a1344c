//! Feeds arbitrary bytes to the check `index`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("index", bytes));
