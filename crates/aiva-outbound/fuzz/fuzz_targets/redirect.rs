//! Feeds arbitrary bytes to the promise `redirect`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_outbound_fuzz::feed("redirect", bytes));
