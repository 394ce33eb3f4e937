//! `aiflow-shim`: the small process above one attempt. Thin; everything is in
//! [`aiflow_supervise::shim`]. Never started by hand: the daemon passes its arguments.

use std::process::ExitCode;

fn main() -> ExitCode {
    aiflow_supervise::shim::main(std::env::args_os())
}
