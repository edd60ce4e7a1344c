//! Feeds arbitrary bytes to the check `dotnet_project`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("dotnet_project", bytes));
