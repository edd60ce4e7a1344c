//! Feeds arbitrary bytes to the check `pom_xml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("pom_xml", bytes));
