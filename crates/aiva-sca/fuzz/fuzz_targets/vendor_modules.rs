//! Feeds arbitrary bytes to the check `vendor_modules`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("vendor_modules", bytes));
