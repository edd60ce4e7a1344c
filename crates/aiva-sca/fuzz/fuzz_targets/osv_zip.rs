//! Feeds arbitrary bytes to the importer as a zip.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("osv_zip", bytes));
