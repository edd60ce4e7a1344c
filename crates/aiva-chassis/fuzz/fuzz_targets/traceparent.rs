//! Feeds arbitrary bytes to the check `traceparent`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_chassis_fuzz::feed("traceparent", bytes));
