//! Users of the host, by name, for tasks that run as somebody else.
//!
//! It must never guess: a user that the host does not know runs nothing.

use std::io;

use crate::system;

/// A user with all groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The number.
    pub uid: u32,
    /// The group that files of the user get.
    pub gid: u32,
    /// All groups, `gid` among them.
    pub groups: Vec<u32>,
    /// Login name; empty where only the numbers are known.
    pub name: String,
    /// Home directory; empty where only the numbers are known.
    pub home: String,
}

/// A task cannot run as a user.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The host knows no such user.
    #[error("the host knows no user `{name}`")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Only root can run tasks as others.
    #[error("only a daemon of root can run a task as `{name}`")]
    NotRoot {
        /// The name.
        name: String,
    },
    /// The host's user database failed.
    #[error("user `{name}` cannot be looked up")]
    Database {
        /// The name.
        name: String,
        /// What the C library said.
        source: io::Error,
    },
}

impl User {
    /// Looks a user up that this process can become.
    ///
    /// # Errors
    /// [`UserError`].
    pub fn find(name: &str) -> Result<Self, UserError> {
        let failed = |source| UserError::Database { name: name.to_owned(), source };
        let account = system::find_user(name).map_err(failed)?;
        let account = account.ok_or_else(|| UserError::Unknown { name: name.to_owned() })?;
        let own = rustix::process::geteuid();
        if !own.is_root() && own.as_raw() != account.uid {
            return Err(UserError::NotRoot { name: name.to_owned() });
        }
        let groups = system::groups_of(&account.name, account.gid).map_err(failed)?;
        let system::Account { uid, gid, name, home } = account;
        Ok(Self { uid, gid, groups, name, home })
    }

    /// `UID:GID:GROUP,GROUP`, as the shim is given it.
    pub(crate) fn to_argument(&self) -> String {
        let groups: Vec<String> = self.groups.iter().map(u32::to_string).collect();
        format!("{}:{}:{}", self.uid, self.gid, groups.join(","))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (uid, gid, groups) = (parts.next()?, parts.next()?, parts.next()?);
        let groups: Option<Vec<u32>> = groups.split(',').map(|group| group.parse().ok()).collect();
        let (name, home) = (String::new(), String::new());
        let user =
            Self { uid: uid.parse().ok()?, gid: gid.parse().ok()?, groups: groups?, name, home };
        parts.next().is_none().then_some(user)
    }
}
