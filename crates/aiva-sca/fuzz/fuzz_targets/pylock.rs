//! Feeds arbitrary bytes to the check `pylock`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("pylock", bytes));
