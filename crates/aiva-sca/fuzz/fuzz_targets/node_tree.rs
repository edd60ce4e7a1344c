//! Feeds arbitrary bytes to the check `node_tree`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("node_tree", bytes));
