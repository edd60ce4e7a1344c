//! Feeds arbitrary bytes to the check `mix_exs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("mix_exs", bytes));
