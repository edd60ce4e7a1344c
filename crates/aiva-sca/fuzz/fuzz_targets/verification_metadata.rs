//! Feeds arbitrary bytes to the check `verification_metadata`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("verification_metadata", bytes));
