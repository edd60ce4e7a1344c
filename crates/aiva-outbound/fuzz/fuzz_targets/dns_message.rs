//! Feeds arbitrary bytes to the promise `dns_message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_outbound_fuzz::feed("dns_message", bytes));
