//! Secrets of a task: read from their files, handed over in memory, masked in the output.
//!
//! A task gets a descriptor of a file that lies in memory alone, and a variable that names it. A
//! value must never be in an argument, a variable or a file on the disk that we write.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, fchmod, fchown, memfd_create};
use rustix::process::{Gid, Uid};

use super::Failure;
use super::redact::Redactor;
use crate::user::User;

/// Longest secret, bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// The secrets of one task: what it inherits, and what is masked.
pub(crate) struct Secrets {
    descriptors: Vec<OwnedFd>,
    /// Where the task finds each.
    pub(crate) variables: Vec<(OsString, OsString)>,
    pub(crate) redactor: Redactor,
}

impl Secrets {
    /// Reads all.
    pub(crate) fn read(
        secrets: &[(String, PathBuf)],
        user: Option<&User>,
    ) -> Result<Self, Failure> {
        let (mut descriptors, mut variables, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (variable, file) in secrets {
            let value = read_value(file).map_err(Failure::at_io("read a secret"))?;
            let descriptor =
                in_memory(&value, user).map_err(Failure::at_io("keep a secret in memory"))?;
            let path = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
            variables.push((variable.into(), path.into()));
            descriptors.push(descriptor);
            values.push(value);
        }
        Ok(Self { descriptors, variables, redactor: Redactor::new(&values) })
    }

    /// In the child: its program inherits the descriptors.
    pub(crate) fn keep_on_exec(&self) -> rustix::io::Result<()> {
        for descriptor in &self.descriptors {
            rustix::io::fcntl_setfd(descriptor.as_fd(), rustix::io::FdFlags::empty())?;
        }
        Ok(())
    }
}

fn read_value(path: &PathBuf) -> std::io::Result<Vec<u8>> {
    let mut value = Vec::new();
    File::open(path)?.take(SECRET_BYTES_MAX + 1).read_to_end(&mut value)?;
    if value.len() as u64 > SECRET_BYTES_MAX {
        return Err(rustix::io::Errno::FBIG.into());
    }
    Ok(value)
}

/// A file in memory that its task alone may read.
fn in_memory(value: &[u8], user: Option<&User>) -> std::io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("secret", MemfdFlags::CLOEXEC)?);
    file.write_all(value)?;
    file.rewind()?;
    fchmod(&file, rustix::fs::Mode::RUSR)?;
    if let Some(user) = user {
        fchown(&file, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))?;
    }
    Ok(file.into())
}
