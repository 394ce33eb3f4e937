//! End-to-end tests: real binaries, real processes, real sockets, real kills; one module a subject.
//!
//! The programs have to be built before: `cargo build --workspace --bins`.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod answers_bundle;
#[cfg(test)]
mod answers_diff;
#[cfg(test)]
mod answers_past;
#[cfg(test)]
mod archive;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod check;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod confinement;
#[cfg(test)]
mod drafts;
#[cfg(test)]
mod dry_run;
#[cfg(test)]
mod flights;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod history;
#[cfg(test)]
mod home;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod slices;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod streams;
mod terminal;
#[cfg(test)]
mod terminal_tmux;
#[cfg(test)]
mod triggers;
