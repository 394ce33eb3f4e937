//! The tables in Postgres: for whoever asks with `--postgres`.
//!
//! Statements of a transaction are sent without waiting for each other. Must never wait without a
//! limit: a server that hangs is as good as one that is away.

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::runtime::Runtime;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls};

use crate::schema;
use crate::store::{Statement, Store, StoreError, Value};

/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Longest wait for a transaction or a question.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// The tables on a server.
#[derive(Debug)]
pub struct Postgres {
    runtime: Runtime,
    client: Client,
    compiled: HashMap<String, tokio_postgres::Statement>,
}

impl ToSql for Value {
    fn to_sql(
        &self,
        of: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) => number.to_sql(of, out),
            Self::Text(text) => text.to_sql(of, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl FromSql<'_> for Value {
    fn from_sql(of: &Type, raw: &[u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match *of {
            Type::INT8 => i64::from_sql(of, raw).map(Self::Int),
            _ => String::from_sql(of, raw).map(Self::Text),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(of: &Type) -> bool {
        matches!(*of, Type::INT8 | Type::TEXT | Type::VARCHAR)
    }
}

fn failed(error: impl Error) -> StoreError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    StoreError::Postgres(text)
}

/// Waits, but not for ever.
async fn within<T, E: Error>(
    most: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(most, work).await {
        Ok(done) => done.map_err(failed),
        Err(_) => Err(StoreError::Postgres(format!("no answer within {most:?}"))),
    }
}

impl Postgres {
    /// Connects, and makes the tables where they are missing.
    ///
    /// # Errors
    /// [`StoreError`]; also when another build made the tables.
    pub fn connect(url: &str) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(async {
            let (client, connection) =
                within(CONNECT_MAX, tokio_postgres::connect(url, NoTls)).await?;
            // Ends with the client, or with the server: then every call fails.
            tokio::spawn(async move { drop(connection.await) });
            Ok::<_, StoreError>(client)
        })?;
        let mut store = Self { runtime, client, compiled: HashMap::new() };
        store.begin()?;
        Ok(store)
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        let mut text = schema::CREATE.join(";\n");
        for (name, value) in [("schema", schema::SCHEMA_VERSION), ("checkpoint", 0)] {
            text += &format!(
                ";\nINSERT INTO aiflow_meta (name, value) VALUES ('{name}', {value}) \
                 ON CONFLICT (name) DO NOTHING"
            );
        }
        self.runtime.block_on(within(ANSWER_MAX, self.client.batch_execute(&text)))?;
        let found = self.query(schema::READ_META, &["schema".into()])?;
        let found = found.first().and_then(|row| row.first()).and_then(Value::int).unwrap_or(0);
        if found != schema::SCHEMA_VERSION {
            return Err(StoreError::Schema { found });
        }
        Ok(())
    }

    fn compile(&mut self, sql: &str) -> Result<tokio_postgres::Statement, StoreError> {
        if let Some(known) = self.compiled.get(sql) {
            return Ok(known.clone());
        }
        // Both name places by number, with another sign.
        let text = sql.replace('?', "$");
        let compiled = self.runtime.block_on(within(ANSWER_MAX, self.client.prepare(&text)))?;
        self.compiled.insert(sql.to_owned(), compiled.clone());
        Ok(compiled)
    }
}

fn places(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl Store for Postgres {
    fn checkpoint(&mut self) -> Result<u64, StoreError> {
        let rows = self.query(schema::READ_META, &["checkpoint".into()])?;
        let offset = rows.first().and_then(|row| row.first()).and_then(Value::int);
        Ok(offset.and_then(|offset| u64::try_from(offset).ok()).unwrap_or(0))
    }

    fn take(&mut self, from: u64, statements: &[Statement], to: u64) -> Result<(), StoreError> {
        let mut compiled = Vec::with_capacity(statements.len());
        for statement in statements {
            compiled.push(self.compile(statement.sql)?);
        }
        let checkpoint = self.compile(schema::MOVE_CHECKPOINT)?;
        let Self { runtime, client, .. } = self;
        runtime.block_on(async {
            let transaction = within(ANSWER_MAX, client.transaction()).await?;
            let moved = [Value::from(from), Value::from(to)];
            let moved = transaction.execute(&checkpoint, &places(&moved)).await.map_err(failed)?;
            if moved != 1 {
                return Err(StoreError::Moved { expected: from });
            }
            let places: Vec<_> = statements.iter().map(|s| places(&s.values)).collect();
            // Polled in their order, so that they are sent in it.
            let sent = compiled.iter().zip(&places);
            let sent = try_join_all(sent.map(|(sql, values)| transaction.execute(sql, values)));
            within(ANSWER_MAX, sent).await?;
            within(ANSWER_MAX, transaction.commit()).await
        })
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, StoreError> {
        let compiled = self.compile(sql)?;
        let places = places(values);
        let asked = self.client.query(&compiled, &places);
        let rows = self.runtime.block_on(within(ANSWER_MAX, asked))?;
        let cells = |row: &tokio_postgres::Row| {
            (0..row.len()).map(|column| row.try_get::<_, Value>(column)).collect()
        };
        rows.iter().map(cells).collect::<Result<_, _>>().map_err(failed)
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        self.compiled.clear();
        let text = schema::DROP.join(";\n");
        self.runtime.block_on(within(ANSWER_MAX, self.client.batch_execute(&text)))?;
        self.begin()
    }
}
