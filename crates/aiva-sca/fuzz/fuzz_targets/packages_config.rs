//! Feeds arbitrary bytes to the check `packages_config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("packages_config", bytes));
