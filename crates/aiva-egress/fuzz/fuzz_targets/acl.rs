//! Feeds arbitrary bytes to the reader of `acl`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_egress_fuzz::feed("acl", bytes));
