//! `aiflow-shim`: the small process above one attempt. Thin; everything is in
//! [`aiflow_supervise::shim`]. Never started by hand: the daemon passes its arguments.
//!
//! One is started for every attempt, so its own start counts. It begins at C's `main`, without
//! Rust's start-up code, which reads `/proc/self/maps` and prepares for threads; and a build whose
//! panics abort does without the unwinder, a shared library whose loading costs as much again. It
//! must use nothing that needs either: stack overflow reports, thread names, backtraces.
#![no_main]

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;

/// Where the C library starts the program.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "C's `main` has this name; no other `main` is linked")]
extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    let argument = |index: usize| -> OsString {
        // SAFETY: the C library passes `count` pointers to C strings that live as long as the
        // process.
        let bytes = unsafe { CStr::from_ptr(*arguments.add(index)) }.to_bytes();
        OsStr::from_bytes(bytes).to_owned()
    };
    let words: Vec<OsString> = (1..count).map(argument).collect();
    // What follows the program's name is shown by `ps`, and becomes what it should show.
    let mut none = [];
    let shown = match (words.first(), words.last()) {
        (Some(_), Some(last)) => {
            // SAFETY: the kernel lays the strings one behind the other in memory of the process
            // that may be written; what is needed was copied above, and nobody else reads them.
            unsafe {
                let first = (*arguments.add(1)).cast_mut().cast::<u8>();
                let end = (*arguments.add(count - 1)).cast::<u8>().add(last.len());
                let length = usize::try_from(end.offset_from(first)).unwrap_or(0);
                std::slice::from_raw_parts_mut(first, length)
            }
        }
        _ => none.as_mut_slice(),
    };
    c_int::from(aiflow_supervise::shim::main(words.into_iter(), shown))
}

/// Stands in for functions of the unwinder that std refers to and that are never called when a
/// panic aborts, except to print a backtrace, which nobody would see.
#[cfg(all(panic = "abort", not(target_feature = "crt-static")))]
macro_rules! never_unwound {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        #[expect(unsafe_code, reason = "the unwinder's functions have these names")]
        extern "C" fn $name() -> ! {
            std::process::abort()
        }
    )*};
}

#[cfg(all(panic = "abort", not(target_feature = "crt-static")))]
never_unwound! {
    _Unwind_Backtrace _Unwind_GetDataRelBase _Unwind_GetIP _Unwind_GetIPInfo
    _Unwind_GetLanguageSpecificData _Unwind_GetRegionStart _Unwind_GetTextRelBase
    _Unwind_Resume _Unwind_SetGR _Unwind_SetIP
}
