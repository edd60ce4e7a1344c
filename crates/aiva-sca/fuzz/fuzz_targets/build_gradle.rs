//! Feeds arbitrary bytes to the check `build_gradle`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("build_gradle", bytes));
