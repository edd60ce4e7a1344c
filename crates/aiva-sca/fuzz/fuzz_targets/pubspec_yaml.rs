//! Feeds arbitrary bytes to the check `pubspec_yaml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("pubspec_yaml", bytes));
