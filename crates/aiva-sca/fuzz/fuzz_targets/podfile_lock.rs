//! Feeds arbitrary bytes to the check `podfile_lock`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("podfile_lock", bytes));
