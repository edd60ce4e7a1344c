//! Feeds arbitrary bytes to the check `pdm_lock`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("pdm_lock", bytes));
