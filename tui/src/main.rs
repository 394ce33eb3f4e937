//! `aiflow`: with a verb the command line.
//!
//! Must never decide anything: it asks the daemon and shows what it says.

fn main() {}
