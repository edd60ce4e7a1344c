//! Feeds arbitrary bytes to the check `nuget_lock`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("nuget_lock", bytes));
