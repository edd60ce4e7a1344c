//! Feeds arbitrary bytes to the check `setup_cfg`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("setup_cfg", bytes));
