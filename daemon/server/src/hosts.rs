//! The hosts of conditions: one process for each command of each version of a workflow, started
//! when it is asked first and ended when it was not asked for a while.
//!
//! Must never decide: a question and its answer go back to the loop.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aiflow_core::{Question, Verdict};
use aiflow_model::state::Snapshot;
use aiflow_model::{Namespace, Offset, SnapshotNumber, Timestamp};
use aiflow_supervise::CompanionOrder;
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

use crate::environment;
use crate::files::FileStore;
use crate::home::Home;
use crate::host::{self, Host};

/// A host that was not asked for so long is ended.
const IDLE_MAX: Duration = Duration::from_secs(600);

/// Answers to what one namespace has asked.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) namespace: Namespace,
    pub(crate) verdicts: Vec<(Question, Verdict)>,
}

/// A question, the version of the workflow that it is of, and where the event will stand unless
/// something comes before it.
pub(crate) type Ask = (Question, Option<Arc<Snapshot>>, Offset);

/// A command of one version of a workflow.
type Key = (SnapshotNumber, Vec<String>);

/// All hosts.
pub(crate) struct Hosts {
    home: Home,
    files: FileStore,
    heard: mpsc::UnboundedSender<Heard>,
    /// Each locked while it is asked.
    known: RefCell<BTreeMap<Key, Rc<Mutex<Seat>>>>,
}

/// The place of one host.
#[derive(Default)]
struct Seat {
    host: Option<Host>,
    /// Where its files are in place.
    placed: Option<PathBuf>,
    asked_at: Option<Instant>,
}

impl Hosts {
    pub(crate) fn new(home: Home, files: FileStore, heard: mpsc::UnboundedSender<Heard>) -> Self {
        // Copies of files, made again when they are needed.
        if let Err(error) = std::fs::remove_dir_all(home.hosts())
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the directory of hosts cannot be cleared");
        }
        Self { home, files, heard, known: RefCell::default() }
    }

    /// Asks, one question after the other; the answers come back as one [`Heard`].
    pub(crate) fn ask(self: &Rc<Self>, namespace: Namespace, asks: Vec<Ask>, now: Timestamp) {
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let mut verdicts = Vec::with_capacity(asks.len());
            for (question, snapshot, offset) in asks {
                let verdict = this.ask_one(&question, snapshot, (offset, now)).await;
                if let Err(reason) = &verdict {
                    tracing::warn!(rule = ?question.rule, reason, "a condition's host gave no answer");
                }
                verdicts.push((question, verdict));
            }
            // The loop is gone only when the daemon is.
            let _ = this.heard.send(Heard { namespace, verdicts });
        });
    }

    async fn ask_one(
        self: &Rc<Self>,
        question: &Question,
        snapshot: Option<Arc<Snapshot>>,
        place: (Offset, Timestamp),
    ) -> Verdict {
        let key = (question.snapshot, question.host.exec.clone());
        let seat = Rc::clone(self.known.borrow_mut().entry(key.clone()).or_default());
        let mut taken = seat.lock().await;
        let is_watched = taken.asked_at.replace(Instant::now()).is_some();
        let snapshot = snapshot.ok_or("the workflow is gone")?;
        let directory = match taken.placed.clone() {
            Some(placed) => placed,
            None => taken.placed.insert(self.place(&snapshot).await?).clone(),
        };
        let order = self.order(question, &snapshot, directory);
        let verdict = host::ask(&mut taken.host, &order, question, place).await;
        drop(taken);
        if !is_watched {
            tokio::task::spawn_local(Rc::clone(self).end_idle(key, seat));
        }
        verdict
    }

    async fn place(&self, snapshot: &Arc<Snapshot>) -> Result<PathBuf, String> {
        let directory = self.home.host(snapshot.number);
        let (files, target) = (self.files.clone(), directory.clone());
        let snapshot = Arc::clone(snapshot);
        let placed =
            tokio::task::spawn_blocking(move || files.place_beside(&target, &snapshot.files)).await;
        let failed = |error: &dyn std::fmt::Display| format!("its files cannot be placed: {error}");
        placed.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        Ok(directory.join("work"))
    }

    fn order(
        &self,
        question: &Question,
        snapshot: &Snapshot,
        directory: PathBuf,
    ) -> CompanionOrder {
        let mut environment = environment::of_host(&self.home, None);
        environment.push(("AIFLOW_NAMESPACE".into(), snapshot.namespace.as_str().into()));
        environment.push(("AIFLOW_WORKFLOW".into(), snapshot.spec.name.as_str().into()));
        CompanionOrder { command: question.host.exec.clone(), directory, environment }
    }

    /// Ends a host that nobody asks any more.
    async fn end_idle(self: Rc<Self>, key: Key, seat: Rc<Mutex<Seat>>) {
        loop {
            let asked_at = seat.lock().await.asked_at.unwrap_or_else(Instant::now);
            let until = asked_at + IDLE_MAX;
            if until <= Instant::now() {
                break;
            }
            tokio::time::sleep_until(until).await;
        }
        self.known.borrow_mut().remove(&key);
    }
}
