//! Feeds arbitrary bytes to the check `idempotency_key`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_chassis_fuzz::feed("idempotency_key", bytes));
