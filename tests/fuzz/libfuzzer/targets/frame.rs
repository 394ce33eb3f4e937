//! Drives [`aiflow_fuzz::frame`]. Never: check anything itself, which no test would see.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aiflow_fuzz::frame(bytes));
