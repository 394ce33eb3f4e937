//! What a database has to be able to do.
//!
//! Must never let rows and checkpoint part: both change in one transaction, or neither does.

/// A value of a row: the schema knows whole numbers and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number; times are microseconds since 1970.
    Int(i64),
    /// Text.
    Text(String),
}

impl Value {
    /// The number, if it is one.
    #[must_use]
    pub const fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        // Offsets and ids stay far below.
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        // Postgres has no text with a zero in it.
        Self::Text(if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// SQL with its values; places are `?1`, `?2` and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The text, which is one of a few.
    pub sql: &'static str,
    /// In the order of the places.
    pub values: Vec<Value>,
}

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Postgres said no, or did not answer.
    #[error("Postgres: {0}")]
    Postgres(String),
    /// A directory or a thread could not be had.
    #[error(transparent)]
    System(#[from] std::io::Error),
    /// Another build made the tables.
    #[error("the tables have schema {found}, this program keeps {}", super::SCHEMA_VERSION)]
    Schema {
        /// Their version.
        found: i64,
    },
    /// Somebody else moved the checkpoint.
    #[error("the checkpoint is no longer {expected}: somebody else keeps these tables")]
    Moved {
        /// Where it was thought to be.
        expected: u64,
    },
}

/// A database that holds the tables.
pub trait Store: Send {
    /// Everything before this offset is in the tables.
    ///
    /// # Errors
    /// [`StoreError`].
    fn checkpoint(&mut self) -> Result<u64, StoreError>;

    /// Carries out the statements and moves the checkpoint, all in one transaction.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    fn take(&mut self, from: u64, statements: &[Statement], to: u64) -> Result<(), StoreError>;

    /// Rows of a question; whole numbers have to be `BIGINT`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, StoreError>;

    /// Empties the tables: the checkpoint is 0.
    ///
    /// # Errors
    /// [`StoreError`].
    fn clear(&mut self) -> Result<(), StoreError>;
}
