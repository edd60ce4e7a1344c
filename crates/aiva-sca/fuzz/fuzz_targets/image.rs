//! Feeds arbitrary bytes to the check `image`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("image", bytes));
