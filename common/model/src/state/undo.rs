//! The way back from records that were only tried: what they change is kept as it was before.
//!
//! Costs what the records touch, and never in proportion to the state: each run, trigger and
//! workflow that a record names, once. Must never leave a trace: a state that was brought back
//! equals the one before, derived parts included.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::identities::{Displaced, Identity};
use super::{Deadline, Draft, NamespaceState, Run, Snapshot, State, Trigger};
use crate::record::Record;
use crate::status::RunStatus;
use crate::{DraftId, Namespace, Offset, RunId, SnapshotNumber, TriggerId, WorkflowName};

/// What the state was before some records.
#[derive(Debug)]
pub struct Undo {
    next_offset: Offset,
    first_offset: Offset,
    epoch: u64,
    boot_id: String,
    last_run: RunId,
    last_snapshot: SnapshotNumber,
    last_trigger: TriggerId,
    last_draft: DraftId,
    namespaces: BTreeMap<Namespace, Option<NamespaceState>>,
    snapshots: BTreeMap<SnapshotNumber, Option<Arc<Snapshot>>>,
    runs: BTreeMap<RunId, Option<Run>>,
    /// Whether a run was archived.
    archived: BTreeMap<RunId, bool>,
    triggers: BTreeMap<TriggerId, Option<Trigger>>,
    drafts: BTreeMap<DraftId, Option<Draft>>,
    /// Of each request that started a run, and of each event, in order.
    run_requests: Vec<Displaced>,
    event_ids: Vec<Displaced>,
}

impl State {
    /// Begins to keep what records change.
    #[must_use]
    pub fn begin_undo(&self) -> Undo {
        Undo {
            next_offset: self.next_offset,
            first_offset: self.first_offset,
            epoch: self.epoch,
            boot_id: self.boot_id.clone(),
            last_run: self.last_run,
            last_snapshot: self.last_snapshot,
            last_trigger: self.last_trigger,
            last_draft: self.last_draft,
            namespaces: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            runs: BTreeMap::new(),
            archived: BTreeMap::new(),
            triggers: BTreeMap::new(),
            drafts: BTreeMap::new(),
            run_requests: Vec::new(),
            event_ids: Vec::new(),
        }
    }

    /// Brings back what was there before all that `undo` was told of.
    pub fn undo(&mut self, undo: Undo) {
        undo.triggers.keys().for_each(|id| self.look_away(*id));
        undo.drafts.keys().for_each(|id| self.watch_no_more(*id));
        undo.runs.keys().for_each(|id| self.forget_derived(*id));
        self.next_offset = undo.next_offset;
        self.first_offset = undo.first_offset;
        self.epoch = undo.epoch;
        self.boot_id = undo.boot_id;
        self.last_run = undo.last_run;
        self.last_snapshot = undo.last_snapshot;
        self.last_trigger = undo.last_trigger;
        self.last_draft = undo.last_draft;
        put_back(&mut self.namespaces, undo.namespaces);
        put_back(&mut self.snapshots, undo.snapshots);
        let (requests, events) = (undo.run_requests.into_iter(), undo.event_ids.into_iter());
        requests.rev().for_each(|displaced| self.run_requests.bring_back(displaced));
        events.rev().for_each(|displaced| self.event_ids.bring_back(displaced));
        let runs: Vec<RunId> = undo.runs.keys().copied().collect();
        put_back(&mut self.runs, undo.runs);
        for (run, was_archived) in undo.archived {
            self.archived.set(run, was_archived);
        }
        runs.into_iter().for_each(|id| self.derive(id));
        let triggers: Vec<TriggerId> = undo.triggers.keys().copied().collect();
        put_back(&mut self.triggers, undo.triggers);
        triggers.into_iter().for_each(|id| self.look(id));
        let drafts: Vec<DraftId> = undo.drafts.keys().copied().collect();
        put_back(&mut self.drafts, undo.drafts);
        drafts.into_iter().for_each(|id| self.watch(id));
    }

    fn derive(&mut self, id: RunId) {
        self.set_hook_deadlines(id);
        let Some(run) = self.runs.get(&id) else { return };
        self.pools.place_run(run);
        if !run.status.is_alive() {
            return;
        }
        let Some(snapshot) = self.snapshots.get(&run.snapshot).cloned() else { return };
        if run.status != RunStatus::Waiting {
            self.subscriptions.add_run(run, &snapshot.spec);
            self.deadlines.add_run(run, &snapshot.spec);
        }
        run.alive_ids(&snapshot.spec).iter().for_each(|id| self.place(id));
    }

    fn forget_derived(&mut self, id: RunId) {
        let Some(run) = self.runs.get(&id) else { return };
        self.deadlines.clear(Deadline::Late(id), run.late_at);
        self.pools.remove_run(run);
        let Some(snapshot) = self.snapshots.get(&run.snapshot) else { return };
        self.deadlines.remove_executions(run, &snapshot.spec);
        if !run.status.is_alive() {
            return;
        }
        for (task, state) in snapshot.spec.tasks.iter().zip(&run.tasks) {
            let demands = snapshot.spec.demands(&snapshot.namespace, task);
            self.pools.remove_task(id, &task.name, state, &demands);
        }
        self.subscriptions.remove_run(run, &snapshot.spec);
        self.deadlines.remove_run(run, &snapshot.spec);
    }
}

fn put_back<K: Ord, V>(present: &mut BTreeMap<K, V>, before: BTreeMap<K, Option<V>>) {
    for (key, value) in before {
        match value {
            Some(value) => drop(present.insert(key, value)),
            None => drop(present.remove(&key)),
        }
    }
}

impl Undo {
    /// Keeps what a record is about to change. The state has not taken it in yet.
    pub fn note(&mut self, state: &State, record: &Record) {
        match record {
            Record::DaemonStarted(_) => {
                let is_alive =
                    |run: &&Run| run.status.is_alive() || state.hook_alive(run.id).is_some();
                let alive = state.runs.values().filter(is_alive);
                alive.for_each(|run| self.run(state, run.id));
            }
            Record::NamespaceAdded { namespace, .. }
            | Record::NamespaceChanged { namespace, .. }
            | Record::NamespaceDeleted { namespace } => {
                self.namespace(state, namespace);
            }
            Record::WorkflowUploaded(uploaded) => {
                self.namespace(state, &uploaded.namespace);
                self.snapshot(state, uploaded.snapshot);
            }
            Record::EventEmitted(event) => {
                self.namespace(state, &event.namespace);
                let namespace = event.namespace.as_str();
                let identity = Identity::of_event(namespace, &event.source, &event.id);
                self.event_ids.push(state.event_ids.displaced_by(identity));
            }
            Record::RunStarted(started) => {
                self.run(state, started.run);
                if let Some(request) = &started.request {
                    let identity = Identity::of_request(request);
                    self.run_requests.push(state.run_requests.displaced_by(identity));
                }
            }
            Record::RunArchived { run } | Record::RunDeleted { run } => {
                self.run(state, *run);
                self.archived.entry(*run).or_insert_with(|| state.archived.contains(*run));
            }
            Record::TriggerAdded(added) => self.trigger(state, added.trigger),
            Record::TriggerChanged { trigger, .. } => self.trigger(state, *trigger),
            Record::DraftStarted(started) => self.draft(state, started.draft),
            Record::DraftChanged { draft, .. } => self.draft(state, *draft),
            Record::WorkflowEnabled { namespace, workflow, .. } => {
                self.workflow(state, namespace, workflow);
            }
            Record::WorkflowDeleted { namespace, workflow } => {
                self.workflow(state, namespace, workflow);
                let is_of = |run: &&Run| run.namespace == *namespace && run.workflow == *workflow;
                let runs = state.runs.values().filter(is_of);
                runs.for_each(|run| self.run(state, run.id));
                let is_of =
                    |s: &&Arc<Snapshot>| s.namespace == *namespace && s.spec.name == *workflow;
                let snapshots = state.snapshots.values().filter(is_of);
                snapshots.for_each(|snapshot| self.snapshot(state, snapshot.number));
            }
            Record::LogTrimmed { .. } => {}
            of_run => {
                if let Some(run) = of_run.run() {
                    self.run(state, run);
                }
            }
        }
    }

    fn namespace(&mut self, state: &State, name: &Namespace) {
        let before = || state.namespaces.get(name).cloned();
        self.namespaces.entry(name.clone()).or_insert_with(before);
    }

    fn snapshot(&mut self, state: &State, number: SnapshotNumber) {
        let before = || state.snapshots.get(&number).cloned();
        self.snapshots.entry(number).or_insert_with(before);
    }

    fn run(&mut self, state: &State, id: RunId) {
        self.runs.entry(id).or_insert_with(|| state.runs.get(&id).cloned());
    }

    fn trigger(&mut self, state: &State, id: TriggerId) {
        self.triggers.entry(id).or_insert_with(|| state.triggers.get(&id).cloned());
    }

    fn draft(&mut self, state: &State, id: DraftId) {
        self.drafts.entry(id).or_insert_with(|| state.drafts.get(&id).cloned());
    }

    fn workflow(&mut self, state: &State, namespace: &Namespace, workflow: &WorkflowName) {
        self.namespace(state, namespace);
        let triggers = state.triggers_of(namespace, workflow);
        triggers.into_iter().for_each(|id| self.trigger(state, id));
    }
}
