//! Feeds arbitrary bytes to the check `conan_lock`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("conan_lock", bytes));
