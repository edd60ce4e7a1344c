//! Feeds arbitrary bytes to the check `dist_info`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("dist_info", bytes));
