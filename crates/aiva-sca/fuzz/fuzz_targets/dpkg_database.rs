//! Feeds arbitrary bytes to the check `dpkg_database`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("dpkg_database", bytes));
