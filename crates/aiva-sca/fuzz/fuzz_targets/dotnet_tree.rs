//! Feeds arbitrary bytes to the check `dotnet_tree`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("dotnet_tree", bytes));
