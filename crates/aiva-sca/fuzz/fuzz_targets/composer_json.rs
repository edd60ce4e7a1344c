//! Feeds arbitrary bytes to the check `composer_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("composer_json", bytes));
