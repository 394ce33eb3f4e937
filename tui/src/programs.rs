//! The user's editor and pager, each given the terminal while it runs.
//!
//! Must never leave a file behind that others can read.

use std::io::{self, Write};
use std::process::{Command, Stdio};

/// Opens a copy of a text in `$VISUAL`, `$EDITOR`, or vi.
pub(crate) fn edit(name: &str, text: &str) -> io::Result<()> {
    let directory = private_directory()?;
    let path = directory.join(name.replace('/', "_"));
    let written = std::fs::write(&path, text);
    let editor = chosen(&["VISUAL", "EDITOR"]).unwrap_or_else(|| "vi".to_owned());
    let done = written.and_then(|()| {
        shell(&editor, &[path.as_os_str()]).status().map_err(|error| cannot(&editor, &error))
    });
    // It was a copy: nothing is lost with it.
    let _ = std::fs::remove_dir_all(&directory);
    done.map(|_| ())
}

/// Shows a text in `$PAGER`, or less.
pub(crate) fn page(text: &str) -> io::Result<()> {
    let pager = chosen(&["PAGER"]).unwrap_or_else(|| "less -R".to_owned());
    let mut command = shell(&pager, &[]);
    let mut child =
        command.stdin(Stdio::piped()).spawn().map_err(|error| cannot(&pager, &error))?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(text.as_bytes()) {
            // Whoever has seen enough leaves before the end.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    child.wait().map(|_| ())
}

fn chosen(variables: &[&str]) -> Option<String> {
    variables.iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.is_empty())
}

/// The variable may hold options too, as is the custom.
fn shell(program: &str, arguments: &[&std::ffi::OsStr]) -> Command {
    let mut words = program.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).args(arguments);
    command
}

fn cannot(program: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot run {program}: {error}"))
}

/// A new directory that only this user may enter.
fn private_directory() -> io::Result<std::path::PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let name = format!("aiflow-{}", aiflow_client::new_id());
    let directory = std::env::temp_dir().join(name);
    std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
    Ok(directory)
}
