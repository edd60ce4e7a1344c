//! Feeds arbitrary bytes to the check `deno_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("deno_json", bytes));
