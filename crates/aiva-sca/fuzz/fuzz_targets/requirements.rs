//! Feeds arbitrary bytes to the readers of the family `requirements`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("requirements", bytes));
