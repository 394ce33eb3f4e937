//! The tables in SQLite: the default, a file of the home.
//!
//! A power cut may take back the latest transactions, rows and checkpoint together: they are made
//! again. Must never wait for a disk on each commit.

use std::path::Path;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql, params_from_iter};

use crate::schema;
use crate::store::{Statement, Store, StoreError, Value};

/// Statements that are kept compiled.
const COMPILED_MAX: usize = 32;

/// The tables in a file.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Int(number) => ToSqlOutput::Borrowed(ValueRef::Integer(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

fn value(of: ValueRef<'_>) -> Value {
    match of {
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        // The schema knows no others.
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => Value::Null,
    }
}

impl Sqlite {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// [`StoreError`]; also when another build made it.
    pub fn open(file: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", -1024)?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        connection.set_prepared_statement_cache_capacity(COMPILED_MAX);
        let mut store = Self { connection };
        store.begin()?;
        Ok(store)
    }

    /// Opens the file to ask it only; it has to be there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn read(file: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags)?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        Ok(Self { connection })
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        for sql in schema::CREATE {
            transaction.execute(sql, [])?;
        }
        let meta = [("schema", schema::SCHEMA_VERSION), ("checkpoint", 0)];
        for (name, value) in meta {
            transaction.execute(schema::BEGIN_META, (name, value))?;
        }
        let found: i64 = transaction.query_row(schema::READ_META, ["schema"], |row| row.get(0))?;
        transaction.commit()?;
        if found != schema::SCHEMA_VERSION {
            return Err(StoreError::Schema { found });
        }
        Ok(())
    }
}

impl Store for Sqlite {
    fn checkpoint(&mut self) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached(schema::READ_META)?;
        let offset: i64 = statement.query_row(["checkpoint"], |row| row.get(0))?;
        Ok(u64::try_from(offset).unwrap_or(0))
    }

    fn take(&mut self, from: u64, statements: &[Statement], to: u64) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        let moved = transaction
            .prepare_cached(schema::MOVE_CHECKPOINT)?
            .execute(params_from_iter([Value::from(from), Value::from(to)]))?;
        if moved != 1 {
            return Err(StoreError::Moved { expected: from });
        }
        for Statement { sql, values } in statements {
            transaction.prepare_cached(sql)?.execute(params_from_iter(values))?;
        }
        Ok(transaction.commit()?)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values))?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let cells = (0..columns).map(|column| row.get_ref(column).map(value));
            all.push(cells.collect::<Result<_, _>>()?);
        }
        Ok(all)
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        for sql in schema::DROP {
            self.connection.execute(sql, [])?;
        }
        self.begin()
    }
}
