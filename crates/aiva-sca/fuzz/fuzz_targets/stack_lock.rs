//! Feeds arbitrary bytes to the check `stack_lock`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("stack_lock", bytes));
