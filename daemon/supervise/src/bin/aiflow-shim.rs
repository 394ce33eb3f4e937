//! `aiflow-shim`: the small process above one attempt. Thin; everything is in
//! [`aiflow_supervise::shim`]. Never started by hand: the daemon passes its arguments.
//!
//! It starts at C's `main`, without Rust's own start-up code, which reads `/proc/self/maps` and
//! prepares for threads: a tenth of the time from spawn to exec. It must use nothing that needs
//! that code (stack overflow reports, the main thread's name).
#![no_main]

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;

/// Where the C library starts the program.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the symbol `main` must not be defined twice: this is the only one")]
extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    let argument = |index: usize| -> OsString {
        // SAFETY: the C library passes `count` pointers to C strings that live as long as the
        // process.
        let bytes = unsafe { CStr::from_ptr(*arguments.add(index)) }.to_bytes();
        OsStr::from_bytes(bytes).to_owned()
    };
    c_int::from(aiflow_supervise::shim::main((1..count).map(argument)))
}
