//! A Postgres of a test's own, in a temporary directory, reached by a socket there.
//!
//! The server refuses to run as root: then it runs as the user `postgres`, or as nobody. Must
//! never touch another server.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::wait::wait_until;

/// The user and group that nobody is.
const NOBODY: u32 = 65_534;

/// A server, which goes when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    directory: tempfile::TempDir,
    user: Option<(u32, u32)>,
    server: Option<Child>,
}

/// Where the server's programs are.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(|one| one.join("initdb").exists());
    let installed = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let programs = versions.flatten().map(|version| version.path().join("bin"));
        programs.filter(|one| one.join("initdb").exists()).max()
    };
    let found = on_path.or_else(installed).expect("Postgres is installed: initdb, postgres");
    // A link to one of the programs leads to the others.
    let initdb = std::fs::canonicalize(found.join("initdb")).expect("a Postgres of the test");
    initdb.parent().expect("a Postgres of the test").to_owned()
}

/// As whom the server runs, where it may not run as this user.
fn user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let own = accounts.lines().find_map(|line| {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    Some(own.unwrap_or((NOBODY, NOBODY)))
}

impl Postgres {
    /// Makes a server's directory and starts it.
    ///
    /// # Panics
    /// If it cannot be had.
    #[must_use]
    pub fn start() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("aiflow-pg-")
            .tempdir_in("/tmp")
            .expect("a Postgres of the test");
        let user = user();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(directory.path(), Some(uid), Some(gid))
                .expect("a Postgres of the test");
        }
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o700))
            .expect("a Postgres of the test");
        let mut postgres = Self { directory, user, server: None };
        let mut command = postgres.command("initdb");
        command.args(["--auth=trust", "--no-sync", "--username=aiflow", "--pgdata"]);
        let made = command.arg(postgres.data()).output().expect("a Postgres of the test");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        postgres.start_again();
        postgres
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(programs().join(program));
        command.current_dir("/").env("LC_ALL", "C");
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// How a client finds it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("host={} user=aiflow dbname=postgres", self.directory.path().display())
    }

    /// Starts the server that was killed.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn start_again(&mut self) {
        let socket = self.directory.path().join(".s.PGSQL.5432");
        wait_until("Postgres is up", || {
            let is_running = self
                .server
                .as_mut()
                .is_some_and(|s| s.try_wait().expect("a Postgres of the test").is_none());
            if !is_running {
                // What is left of the one before may be in the way for a moment.
                let _ = std::fs::remove_file(&socket);
                self.server = Some(self.spawn());
            }
            let mut ready = self.command("pg_isready");
            ready.arg("-q").arg("-h").arg(self.directory.path());
            ready.status().expect("a Postgres of the test").success().then_some(())
        });
    }

    fn spawn(&self) -> Child {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.directory.path());
        command.args(["-c", "listen_addresses=", "-c", "max_connections=20"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("a Postgres of the test")
    }

    /// Kills the server at once, as a crash would.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("a Postgres of the test");
            server.wait().expect("a Postgres of the test");
        }
    }

    /// Where it lives.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
