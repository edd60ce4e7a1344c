//! Feeds arbitrary bytes to the OSV reader and the importer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("osv_record", bytes));
