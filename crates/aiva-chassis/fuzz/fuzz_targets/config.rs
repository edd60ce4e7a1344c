//! Feeds arbitrary bytes to the check `config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_chassis_fuzz::feed("config", bytes));
