//! Feeds arbitrary bytes to the check `rpm_database`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("rpm_database", bytes));
