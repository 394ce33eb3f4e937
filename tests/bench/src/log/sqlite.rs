//! SQLite as a log: one table, WAL, `synchronous=FULL`, and one thread that commits all that waits.
//!
//! Must never be given less grouping than the log gives itself.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::group::{Ends, Queue, Session, Store};

struct Sqlite {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

pub(super) fn open(directory: &Path) -> anyhow::Result<Box<dyn Store>> {
    let connection = Connection::open(directory.join("log.sqlite"))?;
    connection.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
         CREATE TABLE log (id INTEGER PRIMARY KEY, record BLOB NOT NULL);",
    )?;
    let queue = Arc::new(Queue::default());
    let worker = Arc::clone(&queue);
    let thread = std::thread::spawn(move || {
        if let Err(error) = work(connection, &worker) {
            // Nobody is told, so the run hangs rather than count what is not durable.
            crate::figures::progress(&format!("SQLite failed: {error}"));
        }
    });
    Ok(Box::new(Sqlite { queue, thread: Some(thread) }))
}

fn work(mut connection: Connection, queue: &Queue) -> rusqlite::Result<()> {
    while let Some((records, end)) = queue.take() {
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO log (record) VALUES (?1)")?;
            for record in &records {
                insert.execute([record])?;
            }
        }
        transaction.commit()?;
        queue.waiters.advance(end);
    }
    Ok(())
}

struct SqliteSession<'a> {
    queue: &'a Queue,
    ends: Ends,
}

impl Session for SqliteSession<'_> {
    fn submit(&mut self, record: &[u8]) -> anyhow::Result<()> {
        self.ends.push(self.queue.submit(record));
        Ok(())
    }

    fn wait(&mut self) -> anyhow::Result<usize> {
        Ok(self.ends.wait(&self.queue.waiters))
    }
}

impl Store for Sqlite {
    fn session(&self) -> anyhow::Result<Box<dyn Session + '_>> {
        Ok(Box::new(SqliteSession { queue: &self.queue, ends: Ends::default() }))
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.queue.close();
        // A panic of the thread was printed by its hook.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
