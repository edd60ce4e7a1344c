//! Feeds arbitrary bytes to the reader of `preface`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_egress_fuzz::feed("preface", bytes));
