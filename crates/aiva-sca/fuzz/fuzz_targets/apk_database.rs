//! Feeds arbitrary bytes to the check `apk_database`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("apk_database", bytes));
