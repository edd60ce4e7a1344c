//! Feeds arbitrary bytes to the check `bill`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("bill", bytes));
