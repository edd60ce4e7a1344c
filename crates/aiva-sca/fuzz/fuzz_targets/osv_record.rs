//! Feeds arbitrary bytes to the check `osv_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("osv_record", bytes));
