//! `trial-task WITNESS [stream]`: a task that leaves a line with its attempt's id in a file that
//! all share, by one write that appends. Some end at once, some take some milliseconds, some leave
//! a process behind that would never end.
//!
//! `trial-task stranger SOCKET`: connects, sends its standard input, and gives what it is answered.
//!
//! Must never write its line twice, nor do anything before it.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// What the process that is left behind is called with.
const LINGER: &str = "linger";
/// What a client of another user is called with.
const STRANGER: &str = "stranger";
/// Exit code of a stranger who may not even connect.
const NO_CONNECTION: u8 = 9;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(witness), second) = (arguments.next(), arguments.next()) else {
        return ExitCode::from(2);
    };
    if let Some(socket) = second.as_ref().filter(|_| witness == STRANGER) {
        return speak(socket);
    }
    if witness == LINGER {
        return wait(Duration::MAX);
    }
    let Some(id) = std::env::var_os("AIFLOW_ATTEMPT_ID") else { return ExitCode::from(2) };
    let mut line = id.clone();
    line.push("\n");
    let file = OpenOptions::new().create(true).append(true).open(witness);
    // One write: two tasks never mix, and a kill leaves the whole line or nothing.
    let written = file.and_then(|mut file| file.write(line.as_encoded_bytes()));
    if written.ok() != Some(line.len()) {
        return ExitCode::from(3);
    }
    if second.is_some() {
        return wait(Duration::MAX);
    }
    match number(&id) % 8 {
        0 | 1 => leave_one_behind(),
        2..=4 => wait(Duration::from_millis(number(&id) % 16)),
        _ => ExitCode::SUCCESS,
    }
}

fn speak(socket: &OsString) -> ExitCode {
    let Ok(mut stream) = UnixStream::connect(socket) else { return ExitCode::from(NO_CONNECTION) };
    // It may be hung up on at any moment.
    let _ = std::io::copy(&mut std::io::stdin(), &mut stream);
    let _ = std::io::copy(&mut stream, &mut std::io::stdout());
    ExitCode::SUCCESS
}

/// Chance, from the attempt's id alone.
fn number(id: &OsString) -> u64 {
    let bytes = id.as_encoded_bytes().iter();
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    }) >> 20
}

/// A child in a group of its own, which no signal to the task's group reaches.
fn leave_one_behind() -> ExitCode {
    let Ok(own) = std::env::current_exe() else { return ExitCode::from(4) };
    match Command::new(own).arg(LINGER).process_group(0).spawn() {
        Ok(_) => wait(Duration::from_millis(2)),
        Err(_) => ExitCode::from(5),
    }
}

fn wait(time: Duration) -> ExitCode {
    let begin = std::time::Instant::now();
    while let Some(left) = time.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
    ExitCode::SUCCESS
}
