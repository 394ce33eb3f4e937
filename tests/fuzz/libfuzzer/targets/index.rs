//! Drives [`aiflow_fuzz::index`]. Never: check anything itself, which no test would see.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiflow_fuzz::index(bytes));
