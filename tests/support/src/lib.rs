//! The harness of the end-to-end tests: real daemons on temporary homes, and waits for conditions.
//!
//! Must never sleep to let something happen: a wait has a condition, and says what it waited for
//! when it gives up.

mod daemon;
mod postgres;
mod processes;
mod socket;
mod terminal;
mod tmux;
mod wait;

pub use daemon::{Daemon, Output, program, repository, run};
pub use postgres::Postgres;
pub use processes::{Kind, Process, latest_child, processes_of};
pub use socket::Socket;
pub use terminal::Terminal;
pub use tmux::Tmux;
pub use wait::{pause, wait_until};
