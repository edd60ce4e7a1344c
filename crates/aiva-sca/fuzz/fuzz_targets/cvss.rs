//! Feeds arbitrary bytes to the CVSS reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("cvss", bytes));
