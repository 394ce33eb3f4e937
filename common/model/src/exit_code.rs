//! Exit codes of `aiflow` and `aiflowd`: documented, stable, never reused.
//!
//! Must never hold a code that no binary returns.

/// It worked; for `run --wait`: the run ended in success.
pub const SUCCESS: u8 = 0;
/// The run that was waited for failed.
pub const RUN_FAILED: u8 = 1;
/// The words of the command line are wrong.
pub const USAGE: u8 = 2;
/// The daemon refused the request: unknown name, invalid definition, a limit.
pub const REFUSED: u8 = 3;
/// No daemon answers on this home.
pub const NO_DAEMON: u8 = 4;
/// An operating error: a file, the disk, the socket.
pub const OPERATING: u8 = 5;
/// The run that was waited for was stopped.
pub const RUN_STOPPED: u8 = 6;
/// Another daemon holds this home.
pub const HOME_BUSY: u8 = 7;
/// The log is damaged or of a newer format; nothing was written.
pub const LOG_REFUSED: u8 = 8;
