//! `aiflow workflow check FILE`: asks the daemon's program, as a process, without a daemon.
//!
//! Must never read a definition itself: there is one reader, and it is the daemon's.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use aiflow_model::wire::CheckReply;
use aiflow_model::{ErrorCode, Rejection};

use super::definition;
use super::failure::Failure;
use super::files;
use super::output::note;
use super::python::Interpreter;
use super::server_start::find_daemon;
use super::session::Session;

/// Checks the definitions in `file`, and that the files are there which they list.
pub(crate) fn perform(
    session: &Session,
    file: &Path,
    interpreter: &Interpreter,
) -> Result<(), Failure> {
    let (mut replies, mut texts) = (Vec::new(), Vec::new());
    for definition in definition::read(file, interpreter)? {
        let reply = ask(&definition.source)?;
        let Some(workflow) = &reply.workflow else {
            let count = reply.faults.len();
            let noun = if count == 1 { "fault" } else { "faults" };
            let message = format!("the definition has {count} {noun}; an upload would be refused");
            let mut rejection = Rejection::new(ErrorCode::InvalidDefinition, message);
            rejection.diagnostics = reply.faults;
            return Err(definition.refused(rejection));
        };
        let directory = file.parent().unwrap_or(Path::new(""));
        files::find(directory, &files::listed(&definition.source))?;
        note(definition.warnings(&reply.warnings).trim_end());
        texts.push(match reply.warnings.len() {
            0 => format!("workflow {workflow} is good"),
            1 => format!("workflow {workflow} is good, with 1 warning"),
            count => format!("workflow {workflow} is good, with {count} warnings"),
        });
        replies.push(reply);
    }
    match replies.as_slice() {
        [reply] if !definition::is_python(file) => session.output.answer(reply, &texts[0]),
        replies => session.output.answers(replies, &texts),
    }
}

fn ask(source: &str) -> Result<CheckReply, Failure> {
    let program = find_daemon()?;
    let failed = |source| Failure::system(format!("cannot ask {}", program.display()), source);
    let mut command = Command::new(&program);
    command.arg("check").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // It reads all of it before it writes anything; one that is too long it does not read.
        match stdin.write_all(source.as_bytes()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                return Err(failed(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    let output = child.wait_with_output().map_err(failed)?;
    serde_json::from_slice(&output.stdout).map_err(|error| {
        let what = format!("{} did not tell what it found: {error}", program.display());
        Failure::input(what, Some("use aiflow and aiflowd of the same version"))
    })
}
