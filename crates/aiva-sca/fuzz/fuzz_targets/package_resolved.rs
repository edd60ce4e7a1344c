//! Feeds arbitrary bytes to the check `package_resolved`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("package_resolved", bytes));
