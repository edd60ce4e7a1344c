//! Feeds arbitrary bytes to the check `program`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("program", bytes));
