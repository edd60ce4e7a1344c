//! Feeds arbitrary bytes to the check `workflow`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("workflow", bytes));
