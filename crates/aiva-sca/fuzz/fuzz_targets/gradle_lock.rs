//! Feeds arbitrary bytes to the check `gradle_lock`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("gradle_lock", bytes));
