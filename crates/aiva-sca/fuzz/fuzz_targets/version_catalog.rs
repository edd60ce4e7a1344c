//! Feeds arbitrary bytes to the check `version_catalog`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("version_catalog", bytes));
