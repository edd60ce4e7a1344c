//! Feeds arbitrary bytes to the promise `authority`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_outbound_fuzz::feed("authority", bytes));
