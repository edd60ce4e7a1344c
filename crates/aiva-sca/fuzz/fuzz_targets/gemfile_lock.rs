//! Feeds arbitrary bytes to the check `gemfile_lock`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("gemfile_lock", bytes));
