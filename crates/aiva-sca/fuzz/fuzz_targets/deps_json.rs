//! Feeds arbitrary bytes to the check `deps_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("deps_json", bytes));
