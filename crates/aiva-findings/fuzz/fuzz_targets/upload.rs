//! Feeds arbitrary bytes to the check `upload`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_findings_fuzz::feed("upload", bytes));
