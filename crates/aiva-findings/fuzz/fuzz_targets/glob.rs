//! Feeds arbitrary bytes to the check `glob`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_findings_fuzz::feed("glob", bytes));
