//! Feeds arbitrary bytes to the check `cvss`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("cvss", bytes));
