//! `aiflow server start`: a daemon that outlives the terminal.
//!
//! Must never report success before the daemon has said that it serves.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use aiflow_client::{Client, Home, with_retry};
use aiflow_model::exit_code;
use aiflow_model::wire::Empty;

use super::failure::{Failure, shell_word};
use super::output::note;
use super::session::Session;

const DAEMON: &str = "aiflowd";
/// Lines of the daemon's log that are shown when it did not start.
const LAST_LINES: usize = 15;
/// How long another daemon may take to serve that was started at the same time.
const OTHER_READY_WITHIN: Duration = Duration::from_secs(30);

/// Starts the daemon unless one serves already.
pub(crate) async fn perform(session: &Session) -> Result<(), Failure> {
    let home = session.home()?;
    match Client::connect(home.socket()).await {
        Ok(client) => return say_running(session, &client).await,
        Err(error) if !error.is_absence() => return Err(error.into()),
        Err(_) => {}
    }
    let program = find_daemon()?;
    let directory = make_home(home)?;
    let log_path = directory.join("aiflowd.log");
    let failed = |source| Failure::system(format!("cannot write {}", log_path.display()), source);
    let mut log = OpenOptions::new();
    let log = log.create(true).append(true).mode(0o600).open(&log_path).map_err(failed)?;
    let log_begin = log.metadata().map_err(failed)?.len();
    let mut child = spawn(&program, &directory, log)?;
    if let Some(ready) = await_ready(&mut child)? {
        return session.output.write(ready.as_bytes());
    }
    let status = child.wait().map_err(|source| Failure::system("cannot wait", source))?;
    if status.code() == Some(i32::from(exit_code::HOME_BUSY)) {
        // Somebody else started one at the same time.
        let other = async |client: &Client| Ok(client.clone());
        if let Ok(client) = with_retry(home.socket(), Some(OTHER_READY_WITHIN), other).await {
            return say_running(session, &client).await;
        }
    }
    note(last_words(&log_path, log_begin).trim_end());
    Err(ended(status, &log_path))
}

async fn say_running(session: &Session, client: &Client) -> Result<(), Failure> {
    let status = client.status(Empty {}).await?;
    note(&format!("a daemon runs already: version {}, pid {}", status.version, status.pid));
    let socket = session.home()?.socket();
    session.output.write(format!("ready {}\n", socket.display()).as_bytes())
}

/// Beside this program, else on the path.
pub(super) fn find_daemon() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).map(Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = beside.into_iter().chain(std::env::split_paths(&path));
    let found = candidates
        .find_map(|directory| Some(directory.join(DAEMON)).filter(|program| program.is_file()));
    found.ok_or_else(|| {
        let what = format!("there is no {DAEMON} beside this program, nor on PATH");
        Failure::input(what, Some("install both programs into the same directory"))
    })
}

/// The home with its whole path: the daemon does not stand where this program stands.
fn make_home(home: &Home) -> Result<PathBuf, Failure> {
    let directory = home.directory();
    let failed = |source| Failure::system(format!("cannot make {}", directory.display()), source);
    DirBuilder::new().mode(0o700).recursive(true).create(directory).map_err(failed)?;
    directory.canonicalize().map_err(failed)
}

fn spawn(program: &Path, home: &Path, log: File) -> Result<Child, Failure> {
    let own = std::env::current_exe();
    let own = own.map_err(|source| Failure::system("cannot tell where this program is", source))?;
    let mut command = Command::new(own);
    command.args(["server", "detach", "--"]).arg(program).arg("--home").arg(home);
    command.current_dir(home).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    let failed = |source| Failure::system(format!("cannot run {}", program.display()), source);
    command.spawn().map_err(failed)
}

/// The line `ready <socket>` of the daemon; none when it ended before. However long it takes to
/// read its log: it is waited for as long as it lives.
fn await_ready(child: &mut Child) -> Result<Option<String>, Failure> {
    let Some(stdout) = child.stdout.take() else { return Ok(None) };
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(|source| Failure::system("cannot hear the daemon", source))?;
        if line.starts_with("ready ") {
            return Ok(Some(line + "\n"));
        }
        note(&line);
    }
    Ok(None)
}

/// What the daemon wrote to its log since `begin`.
fn last_words(log: &Path, begin: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(begin))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

fn ended(status: ExitStatus, log: &Path) -> Failure {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    let exit = match code {
        Some(code @ (exit_code::HOME_BUSY | exit_code::LOG_REFUSED)) => code,
        _ => exit_code::OPERATING,
    };
    let hint = format!("less {}", shell_word(&log.to_string_lossy()));
    let what = format!("the daemon did not start: it ended with {status}");
    Failure::Input { what, hint: Some(hint), exit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_those_of_this_start() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let lines: String = (0..100).map(|number| format!("line {number}\n")).collect();
        std::fs::write(&log, format!("old\n{lines}")).unwrap();
        assert!(last_words(&log, 4).starts_with("line 85\n"));
        assert!(last_words(&log, 4).ends_with("line 99"));
        assert_eq!(last_words(&directory.path().join("none"), 0), "");
    }
}
