//! Feeds arbitrary bytes to the check `forwarded`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_chassis_fuzz::feed("forwarded", bytes));
