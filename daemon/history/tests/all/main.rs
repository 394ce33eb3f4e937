//! The history as a whole: one suite over SQLite and Postgres.

#[cfg(test)]
mod conformance;
