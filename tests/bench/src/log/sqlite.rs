//! SQLite as a log: one table, WAL, `synchronous=FULL`, and one thread that commits all that waits.
//!
//! Must never be given less grouping than the log gives itself.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::group::{Append, Queue, Store};

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

impl Store for Sqlite {
    fn writer(&self) -> anyhow::Result<Append<'_>> {
        Ok(Box::new(|record| {
            self.queue.append(record);
            Ok(())
        }))
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.queue.close();
        // A panic of the thread was printed by its hook.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
