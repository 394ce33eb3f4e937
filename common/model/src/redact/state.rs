//! A state without what users put into it: as if it had been folded from redacted records, but for
//! the identities of events and requests, of which none is kept.
//!
//! Must never leave out a part that holds what a record brought.

use std::sync::Arc;

use super::Redactor;
use crate::State;
use crate::state::{
    Attempt, Backfill, Draft, Execution, Identities, NamespaceState, Run, Snapshot, TaskState,
    Trigger,
};

impl Redactor<'_> {
    /// A state without what users put into it, and without the identities of events and requests.
    #[must_use]
    pub fn state(&self, mut state: State) -> State {
        let State {
            next_offset: _,
            first_offset: _,
            epoch: _,
            boot_id,
            namespaces,
            snapshots,
            runs,
            archived: _,
            last_run: _,
            last_snapshot: _,
            triggers,
            last_trigger: _,
            drafts,
            last_draft: _,
            requests,
            run_requests,
            event_ids,
            subscriptions: _,
            deadlines: _,
            pools: _,
        } = &mut state;
        self.text(boot_id);
        for space in namespaces.values_mut() {
            let NamespaceState { workflows: _, disabled: _, event_count: _, properties } = space;
            properties.values_mut().for_each(|value| self.value(value));
        }
        for snapshot in snapshots.values_mut() {
            self.snapshot(Arc::make_mut(snapshot));
        }
        runs.values_mut().for_each(|run| self.run(run));
        triggers.values_mut().for_each(|trigger| self.trigger(trigger));
        drafts.values_mut().for_each(|draft| self.draft(draft));
        requests.clear();
        *run_requests = Identities::default();
        *event_ids = Identities::default();
        state.with_derived()
    }

    fn draft(&self, draft: &mut Draft) {
        let Draft {
            began,
            started_at: _,
            offset: _,
            conditions,
            firings: _,
            failures: _,
            failure,
            recent: _,
        } = draft;
        self.draft_started(Arc::make_mut(began));
        let nodes = conditions.iter_mut().flat_map(|nodes| nodes.values_mut());
        nodes.for_each(|node| self.node(node));
        failure.iter_mut().for_each(|failure| self.reason(failure));
    }

    fn by_request<T>(&self, (mut request, told): (String, T)) -> (String, T) {
        self.source(&mut request);
        (request, told)
    }

    fn snapshot(&self, snapshot: &mut Snapshot) {
        let Snapshot { number: _, namespace: _, spec, source, files, uploaded_at: _, offset: _ } =
            snapshot;
        self.spec(spec);
        self.definition(source);
        self.files(files);
    }

    fn run(&self, run: &mut Run) {
        let Run {
            id: _,
            namespace: _,
            workflow: _,
            snapshot: _,
            status: _,
            paused: _,
            params,
            started_at: _,
            late_at: _,
            ended_at: _,
            trigger: _,
            events: _,
            window: _,
            requests,
            offset: _,
            tasks,
            conditions,
        } = run;
        params.values_mut().for_each(|value| self.value(value));
        *requests =
            std::mem::take(requests).into_iter().map(|entry| self.by_request(entry)).collect();
        tasks.iter_mut().for_each(|task| self.task_state(task));
        let nodes = conditions.iter_mut().flat_map(|nodes| nodes.values_mut());
        nodes.for_each(|node| self.node(node));
    }

    fn task_state(&self, task: &mut TaskState) {
        let TaskState { executions, alive: _, backfills, fans: _, restart: _ } = task;
        executions.iter_mut().for_each(|execution| self.execution(execution));
        for backfill in backfills.values_mut() {
            let Backfill { parallel: _, request, windows: _, alive: _ } = backfill;
            self.request(request);
        }
    }

    fn execution(&self, execution: &mut Execution) {
        let Execution {
            sequence: _,
            status: _,
            window: _,
            events: _,
            backfill: _,
            item,
            attempts,
            created_at: _,
            ended_at: _,
            deadline: _,
            contact_due: _,
            silent_since: _,
            ready_at: _,
            stop: _,
            repeats: _,
            outputs,
            created: _,
            offset: _,
        } = execution;
        item.iter_mut().for_each(|item| self.item(item));
        outputs.values_mut().for_each(|value| self.value(value));
        for attempt in attempts {
            let Attempt {
                number: _,
                pid: _,
                queued_at: _,
                started_at: _,
                ended_at: _,
                outcome,
                usage: _,
                before_reboot: _,
            } = attempt;
            outcome.iter_mut().for_each(|outcome| self.outcome(outcome));
        }
    }

    fn trigger(&self, trigger: &mut Trigger) {
        let Trigger {
            id: _,
            namespace: _,
            workflow: _,
            condition,
            emission,
            origin: _,
            request,
            paused: _,
            nodes,
            firings: _,
            fired_at: _,
            offset: _,
        } = trigger;
        self.condition(condition);
        self.emission(emission);
        self.request(request);
        nodes.values_mut().for_each(|node| self.node(node));
    }
}
