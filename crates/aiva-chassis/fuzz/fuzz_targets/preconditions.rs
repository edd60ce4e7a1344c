//! Feeds arbitrary bytes to the check `preconditions`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_chassis_fuzz::feed("preconditions", bytes));
