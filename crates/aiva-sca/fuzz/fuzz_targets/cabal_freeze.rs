//! Feeds arbitrary bytes to the check `cabal_freeze`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("cabal_freeze", bytes));
