//! Feeds arbitrary bytes to the check `gemfile`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("gemfile", bytes));
