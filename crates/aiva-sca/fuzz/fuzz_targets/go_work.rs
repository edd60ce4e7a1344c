//! Feeds arbitrary bytes to the check `go_work`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("go_work", bytes));
