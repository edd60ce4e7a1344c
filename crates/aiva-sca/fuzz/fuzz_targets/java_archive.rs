//! Feeds arbitrary bytes to the check `java_archive`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("java_archive", bytes));
