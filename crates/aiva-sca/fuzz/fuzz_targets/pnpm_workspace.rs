//! Feeds arbitrary bytes to the check `pnpm_workspace`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiva_sca_fuzz::feed("pnpm_workspace", bytes));
