//! Feeds arbitrary bytes to the promise `address`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_outbound_fuzz::feed("address", bytes));
