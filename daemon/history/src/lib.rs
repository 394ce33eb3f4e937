//! The history: what the log says of runs, executions, attempts and events, as tables that SQL can
//! ask. One schema, in SQLite and in Postgres; `docs/history.md` is its specification.
//!
//! A projection: rows are made of records alone, and the checkpoint moves in the same transaction,
//! so that a crash or a repeat changes nothing, and the tables can be made again at will. Must
//! never be what a decision rests on, and never hold up the daemon.

mod postgres;
mod project;
mod query;
mod schema;
mod sqlite;
mod store;

pub use postgres::Postgres;
pub use project::project;
pub use query::{executions_of, find_run, list_runs};
pub use schema::SCHEMA_VERSION;
pub use sqlite::Sqlite;
pub use store::{Statement, Store, StoreError, Value};
