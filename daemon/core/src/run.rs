//! Runs: how they start, how they are stopped, and when they are over.

use std::collections::BTreeMap;

use aiflow_model::record::{RunStarted, StopReason};
use aiflow_model::spec::{Hook, WorkflowSpec};
use aiflow_model::state::{ExecutionStatus, Identity, Run, RunStatus, Snapshot, TaskState};
use aiflow_model::time::Window;
use aiflow_model::wire::StartRun;
use aiflow_model::{ErrorCode, JsonText, Offset, Record, Rejection, RuleId, RunId, TriggerId};

use crate::input::Answer;
use crate::param;
use crate::task::Start;
use crate::transaction::Transaction;

/// How many runs that have ended stay in the state at most, when nothing else is said.
pub const ENDED_RUNS_KEPT: usize = 1_000;
/// How many executions those runs may have together; the last that ended stays in any case. So the
/// state stays small, and is sent fast to who follows it, however large runs are. A fan of most
/// items stays until about as much has ended after it: what failed of it can be done anew.
const ENDED_EXECUTIONS_KEPT: usize = 20_000;
/// Most runs that leave the state in one batch.
const ARCHIVED_PER_BATCH_MAX: usize = 16;

/// What a run begins with.
#[derive(Debug, Default)]
pub(crate) struct RunStart {
    /// Those that differ from the defaults.
    pub(crate) params: BTreeMap<String, JsonText>,
    pub(crate) request: Option<String>,
    pub(crate) trigger: Option<TriggerId>,
    pub(crate) events: Vec<Offset>,
    pub(crate) window: Option<Window>,
    pub(crate) cause: Option<Offset>,
}

impl Transaction<'_> {
    pub(crate) fn start_run(&mut self, start: StartRun) -> Result<Answer, Rejection> {
        self.check_namespace(&start.namespace)?;
        if let Some(answer) = self.answer_of_earlier_request(&start)? {
            return Ok(answer);
        }
        let name = &start.workflow;
        let snapshot = self.find_workflow(&start.namespace, name)?;
        let space = self.state.namespaces.get(&start.namespace);
        if space.is_some_and(|space| space.disabled.contains(name)) {
            let message = format!("workflow {name} is disabled; it starts nothing new");
            return Err(Rejection::new(ErrorCode::WorkflowDisabled, message)
                .hint(format!("aiflow workflow enable {name} -n {}", start.namespace)));
        }
        param::check(&snapshot, &start.params)?;
        let (params, request) = (start.params, start.request);
        let run = self.begin_run(&snapshot, RunStart { params, request, ..RunStart::default() });
        Ok(Answer::Run(run))
    }

    /// Starts a run of a snapshot. Its parameters are known to be the snapshot's.
    pub(crate) fn begin_run(&mut self, snapshot: &Snapshot, start: RunStart) -> RunId {
        let run = self.state.next_run_id();
        let mut params = snapshot.spec.params.clone();
        params.extend(start.params);
        let started = RunStarted {
            run,
            namespace: snapshot.namespace.clone(),
            workflow: snapshot.spec.name.clone(),
            snapshot: snapshot.number,
            params,
            request: start.request,
            trigger: start.trigger,
            events: start.events,
            window: start.window,
            waiting: self.is_full(snapshot),
        };
        let waiting = started.waiting;
        let cause = self.record(start.cause, Record::RunStarted(Box::new(started)));
        if !waiting {
            self.set_off(run, snapshot, cause);
        }
        run
    }

    /// Whether a new run of a snapshot waits for its turn.
    fn is_full(&self, snapshot: &Snapshot) -> bool {
        let (namespace, workflow) = (&snapshot.namespace, &snapshot.spec.name);
        let active = self.state.pools.active_runs(namespace, workflow);
        snapshot.spec.max_active_runs.is_some_and(|max| active >= max as usize)
    }

    /// Lets a run begin: its rules look from now on, and what starts with it starts.
    pub(crate) fn set_off(&mut self, run: RunId, snapshot: &Snapshot, cause: Offset) {
        let Some(known) = self.state.run(run) else { return };
        let (events, window) = (known.events.clone(), known.window);
        for (rule, _, definition) in snapshot.spec.rules() {
            self.arm(RuleId::Task { run, rule }, &definition.condition, Some(cause));
        }
        for task in snapshot.spec.tasks.iter().filter(|task| task.starts_with_run()) {
            let events = events.clone();
            let start = Start { cause: Some(cause), events, window, ..Start::default() };
            self.start_task(run, task, start);
        }
        self.unsettle(run);
    }

    fn answer_of_earlier_request(&self, start: &StartRun) -> Result<Option<Answer>, Rejection> {
        let Some(request) = &start.request else { return Ok(None) };
        let identity = Identity::of_request(request);
        let Some(id) = self.state.run_requests.find(identity).map(RunId) else { return Ok(None) };
        let Some(run) = self.state.run(id) else { return Ok(Some(Answer::Run(id))) };
        if run.workflow == start.workflow && run.namespace == start.namespace {
            return Ok(Some(Answer::Run(run.id)));
        }
        let message = format!(
            "request {request:?} started run {} of workflow {}; it cannot start {}",
            run.id, run.workflow, start.workflow
        );
        Err(Rejection::new(ErrorCode::RequestConflict, message))
    }

    pub(crate) fn stop_run(&mut self, id: RunId) -> Result<Answer, Rejection> {
        let run = self.find_run(id)?;
        match run.status {
            RunStatus::Waiting | RunStatus::Running => {}
            RunStatus::Stopping => return Ok(Answer::Stopping(0)),
            ended @ (RunStatus::Success | RunStatus::Failed | RunStatus::Stopped) => {
                let message = format!("run {id} has ended already: {ended}");
                return Err(Rejection::new(ErrorCode::RunEnded, message)
                    .hint("aiflow workflow-execution list"));
            }
        }
        let cause = self.record(None, Record::RunStopRequested { run: id });
        let mut stopping = 0;
        if let Some(snapshot) = self.snapshot(id) {
            for task in snapshot.spec.tasks.iter().filter(|task| task.hook.is_none()) {
                stopping += self.stop_task(id, &task.name, StopReason::Run, Some(cause));
            }
        }
        self.unsettle(id);
        Ok(Answer::Stopping(stopping))
    }

    /// Lets runs that ended first leave the state, when more have ended than are to stay. A few at
    /// a time: the rest leaves with the next decisions.
    pub(crate) fn archive_ended(&mut self, cause: Offset) {
        let ended = self.state.pools.ended();
        let (mut runs, mut executions) = (ended.len(), self.state.pools.ended_executions());
        let first = ended.take(ARCHIVED_PER_BATCH_MAX).take_while(|(_, own)| {
            let is_excess = runs > self.keep_runs || runs > 1 && executions > ENDED_EXECUTIONS_KEPT;
            (runs, executions) = (runs - 1, executions - own);
            is_excess
        });
        let hooks_ended = |run: &RunId| self.state.hook_alive(*run).is_none();
        let leaving: Vec<RunId> = first.map(|(run, _)| run).filter(hooks_ended).collect();
        for run in leaving {
            self.record(Some(cause), Record::RunArchived { run });
        }
    }

    pub(crate) fn delete_run(&mut self, id: RunId) -> Result<Answer, Rejection> {
        if self.state.archived.contains(id) {
            self.record(None, Record::RunDeleted { run: id });
            return Ok(Answer::Done);
        }
        let run = self.find_run(id)?;
        if run.status.is_alive() {
            let message = format!("run {id} cannot be deleted: it is {}", run.status);
            return Err(Rejection::new(ErrorCode::StillAlive, message)
                .hint(format!("aiflow workflow-execution stop {id}")));
        }
        self.check_hooks_ended(id)?;
        self.record(None, Record::RunDeleted { run: id });
        Ok(Answer::Done)
    }

    /// Ends the run if it is over.
    pub(crate) fn settle_run(&mut self, id: RunId) {
        let Some(run) = self.state.run(id) else { return };
        let Some(snapshot) = self.state.snapshot_of(id) else { return };
        let spec = &snapshot.spec;
        if !run.status.is_alive() || run.status == RunStatus::Waiting || !run.is_idle(spec) {
            return;
        }
        if let Some(status) = final_status(run, spec) {
            let ends = run.tasks.iter().filter_map(|task| task.latest()).map(|e| e.offset);
            let cause = ends.max();
            let (namespace, workflow) = (run.namespace.clone(), run.workflow.clone());
            let finished = self.record(cause, Record::RunFinished { run: id, status });
            if let Some(hook) = Hook::of(status) {
                self.run_hook(id, hook, finished);
            }
            self.end_drafts_beside(id, finished);
            self.forget_missing(id);
            self.begin_waiting_runs(&namespace, &workflow, Some(finished));
        }
    }

    pub(crate) fn find_run(&self, id: RunId) -> Result<&Run, Rejection> {
        self.state.run(id).ok_or_else(|| match self.state.archived.contains(id) {
            true => {
                let message = format!("run {id} ended long ago: nothing happens in it any more");
                Rejection::new(ErrorCode::RunEnded, message)
                    .hint(format!("what became of it: aiflow workflow-execution show {id}"))
            }
            false => Rejection::new(ErrorCode::UnknownRun, format!("there is no run {id}"))
                .hint("aiflow workflow-execution list"),
        })
    }

    pub(crate) fn find_living_run(&self, id: RunId) -> Result<&Run, Rejection> {
        let run = self.find_run(id)?;
        if run.status == RunStatus::Running {
            return Ok(run);
        }
        if run.status == RunStatus::Waiting {
            let message = format!("run {id} waits for its turn; nothing starts in it yet");
            return Err(Rejection::new(ErrorCode::RunEnded, message)
                .hint(format!("aiflow workflow-execution list {}", run.workflow)));
        }
        let message = format!("run {id} is {}; nothing starts in it any more", run.status);
        Err(Rejection::new(ErrorCode::RunEnded, message)
            .hint(format!("aiflow workflow-execution start {}", run.workflow)))
    }
}

/// Whether some clock of a run is not over.
fn still_ticks(run: &Run, spec: &WorkflowSpec) -> bool {
    spec.rules().any(|(index, _, rule)| {
        let mut nodes = (0..).zip(rule.condition.nodes());
        nodes.any(|(node, part)| part.is_clock() && !part.is_over(run.node_state(index, node)))
    })
}

/// How an idle run ends; none: it waits for events or its clocks.
fn final_status(run: &Run, spec: &WorkflowSpec) -> Option<RunStatus> {
    if run.status == RunStatus::Stopping {
        return Some(RunStatus::Stopped);
    }
    let standing = |task: &TaskState| task.latest().map(|latest| task.standing(latest).0);
    let latest = |wanted: ExecutionStatus| {
        run.own_tasks(spec).filter(|task| standing(task) == Some(wanted)).count()
    };
    if still_ticks(run, spec) {
        None
    } else if latest(ExecutionStatus::Failed) > 0 {
        Some(RunStatus::Failed)
    } else if latest(ExecutionStatus::Stopped) > 0 {
        Some(RunStatus::Stopped)
    } else if run.own_tasks(spec).all(|task| standing(task).is_some_and(ExecutionStatus::is_done)) {
        Some(RunStatus::Success)
    } else {
        None
    }
}
