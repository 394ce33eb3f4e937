//! The tables: an interface, specified in `docs/history.md`.
//!
//! Columns are only added. Must never hold anything that the log does not.

/// Raised when the tables have to be made anew.
pub const SCHEMA_VERSION: i64 = 1;

/// Makes what is not there. The same text for both databases.
pub(crate) const CREATE: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS aiflow_meta (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS runs (
        id BIGINT PRIMARY KEY, namespace TEXT NOT NULL, workflow TEXT NOT NULL,
        snapshot BIGINT NOT NULL, status TEXT NOT NULL, paused BIGINT NOT NULL,
        params TEXT NOT NULL, trigger_id BIGINT, events TEXT NOT NULL,
        window_start BIGINT, window_end BIGINT,
        started_at BIGINT NOT NULL, ended_at BIGINT, log_offset BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS task_executions (
        run BIGINT NOT NULL, task TEXT NOT NULL, sequence BIGINT NOT NULL,
        status TEXT NOT NULL, window_start BIGINT, window_end BIGINT, events TEXT NOT NULL,
        backfill BIGINT, item TEXT, created_at BIGINT NOT NULL, started_at BIGINT, ended_at BIGINT,
        log_offset BIGINT NOT NULL, PRIMARY KEY (run, task, sequence))",
    "CREATE TABLE IF NOT EXISTS attempts (
        run BIGINT NOT NULL, task TEXT NOT NULL, sequence BIGINT NOT NULL,
        attempt BIGINT NOT NULL, state TEXT NOT NULL, pid BIGINT, exit_code BIGINT,
        signal BIGINT, reason TEXT, queued_at BIGINT NOT NULL, started_at BIGINT,
        ended_at BIGINT, rss_bytes_max BIGINT NOT NULL, cpu_us BIGINT NOT NULL,
        log_offset BIGINT NOT NULL, PRIMARY KEY (run, task, sequence, attempt))",
    "CREATE TABLE IF NOT EXISTS events (
        log_offset BIGINT PRIMARY KEY, time BIGINT NOT NULL, namespace TEXT NOT NULL,
        key TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, run BIGINT,
        value_bytes BIGINT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS runs_by_workflow ON runs (namespace, workflow, id)",
    "CREATE INDEX IF NOT EXISTS runs_by_status ON runs (status, id)",
    "CREATE INDEX IF NOT EXISTS runs_by_start ON runs (started_at)",
];

pub(crate) const DROP: &[&str] = &[
    "DROP TABLE IF EXISTS events",
    "DROP TABLE IF EXISTS attempts",
    "DROP TABLE IF EXISTS task_executions",
    "DROP TABLE IF EXISTS runs",
    "DROP TABLE IF EXISTS aiflow_meta",
];

pub(crate) const READ_META: &str = "SELECT value FROM aiflow_meta WHERE name = ?1";
pub(crate) const BEGIN_META: &str =
    "INSERT INTO aiflow_meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
pub(crate) const MOVE_CHECKPOINT: &str =
    "UPDATE aiflow_meta SET value = ?2 WHERE name = 'checkpoint' AND value = ?1";
