//! Feeds arbitrary bytes to the check `package_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("package_json", bytes));
