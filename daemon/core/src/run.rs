//! Runs: how they start, how they are stopped, and when they are over.

use aiflow_model::record::{RunStarted, StopReason};
use aiflow_model::spec::{Clock, Condition};
use aiflow_model::state::{ExecutionStatus, NodeState, Run, RunStatus};
use aiflow_model::wire::StartRun;
use aiflow_model::{ErrorCode, Offset, Record, Rejection, RunId};

use crate::input::Answer;
use crate::task::Start;
use crate::transaction::Transaction;

impl Transaction<'_> {
    pub(crate) fn start_run(&mut self, start: StartRun) -> Result<Answer, Rejection> {
        self.check_namespace(&start.namespace)?;
        if let Some(answer) = self.answer_of_earlier_request(&start)? {
            return Ok(answer);
        }
        let name = &start.workflow;
        let Some(snapshot) =
            self.state.current_snapshot(start.namespace.as_str(), name.as_str()).cloned()
        else {
            let message = format!("there is no workflow {name} in namespace {}", start.namespace);
            return Err(
                Rejection::new(ErrorCode::UnknownWorkflow, message).hint("aiflow workflow list")
            );
        };
        let mut params = snapshot.spec.params.clone();
        for (param, value) in start.params {
            if params.insert(param.clone(), value).is_none() {
                let known: Vec<&str> = snapshot.spec.params.keys().map(String::as_str).collect();
                let message = format!("workflow {name} has no parameter {param:?}");
                return Err(Rejection::new(ErrorCode::UnknownParam, message)
                    .hint(format!("its parameters: {}", known.join(", "))));
            }
        }
        let run = self.state.next_run_id();
        let started = RunStarted {
            run,
            namespace: start.namespace,
            workflow: start.workflow,
            snapshot: snapshot.number,
            params,
            request: start.request,
        };
        let cause = self.record(None, Record::RunStarted(Box::new(started)));
        self.arm_clocks(run, cause);
        for task in snapshot.spec.tasks.iter().filter(|task| task.starts_with_run()) {
            self.start_task(run, task, Start::plain(cause));
        }
        self.unsettle(run);
        Ok(Answer::Run(run))
    }

    fn answer_of_earlier_request(&self, start: &StartRun) -> Result<Option<Answer>, Rejection> {
        let Some(request) = &start.request else { return Ok(None) };
        let Some(run) = self.state.requests.get(request).and_then(|id| self.state.run(*id)) else {
            return Ok(None);
        };
        if run.workflow == start.workflow && run.namespace == start.namespace {
            return Ok(Some(Answer::Run(run.id)));
        }
        let message = format!(
            "request {request:?} started run {} of workflow {}; it cannot start {}",
            run.id, run.workflow, start.workflow
        );
        Err(Rejection::new(ErrorCode::RequestConflict, message))
    }

    /// Wall clocks tick from now, and clocks with a first window from that; others arm themselves.
    fn arm_clocks(&mut self, run: RunId, cause: Offset) {
        let Some(snapshot) = self.snapshot(run) else { return };
        for (index, _, rule) in snapshot.spec.rules() {
            for (node, condition) in (0..).zip(rule.condition.nodes()) {
                let Condition::Every { period, clock, from } = condition else { continue };
                let (marks, next) = match clock {
                    Clock::Wall => {
                        (Vec::new(), Some(from.unwrap_or_else(|| self.now.floor_to(*period))))
                    }
                    Clock::Watermark(keys) => (vec![None; keys.len()], *from),
                };
                let state = NodeState::Clock { marks, next };
                let advanced = Record::ConditionAdvanced { run, rule: index, node, state };
                self.record(Some(cause), advanced);
            }
        }
    }

    pub(crate) fn stop_run(&mut self, id: RunId) -> Result<Answer, Rejection> {
        let run = self.find_run(id)?;
        match run.status {
            RunStatus::Running => {}
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
            for task in &snapshot.spec.tasks {
                stopping += self.stop_task(id, &task.name, StopReason::Run, Some(cause));
            }
        }
        self.unsettle(id);
        Ok(Answer::Stopping(stopping))
    }

    /// Ends the run if it is over.
    pub(crate) fn settle_run(&mut self, id: RunId) {
        let Some(run) = self.state.run(id) else { return };
        if !run.status.is_alive() || !run.is_idle() {
            return;
        }
        let has_clock = self.state.snapshot_of(id).is_some_and(|s| s.spec.has_clock());
        if let Some(status) = final_status(run, has_clock) {
            let ends = run.tasks.iter().filter_map(|task| task.latest()).map(|e| e.offset);
            let cause = ends.max();
            self.record(cause, Record::RunFinished { run: id, status });
        }
    }

    pub(crate) fn find_run(&self, id: RunId) -> Result<&Run, Rejection> {
        self.state.run(id).ok_or_else(|| {
            Rejection::new(ErrorCode::UnknownRun, format!("there is no run {id}"))
                .hint("aiflow workflow-execution list")
        })
    }

    pub(crate) fn find_living_run(&self, id: RunId) -> Result<&Run, Rejection> {
        let run = self.find_run(id)?;
        if run.status == RunStatus::Running {
            return Ok(run);
        }
        let message = format!("run {id} is {}; nothing starts in it any more", run.status);
        Err(Rejection::new(ErrorCode::RunEnded, message)
            .hint(format!("aiflow workflow-execution start {}", run.workflow)))
    }
}

/// How an idle run ends; none: it waits for events or its clocks.
fn final_status(run: &Run, has_clock: bool) -> Option<RunStatus> {
    if run.status == RunStatus::Stopping {
        return Some(RunStatus::Stopped);
    }
    let latest = |wanted: ExecutionStatus| {
        run.tasks.iter().filter(|t| t.latest().is_some_and(|e| e.status == wanted)).count()
    };
    if has_clock {
        None
    } else if latest(ExecutionStatus::Failed) > 0 {
        Some(RunStatus::Failed)
    } else if latest(ExecutionStatus::Stopped) > 0 {
        Some(RunStatus::Stopped)
    } else if latest(ExecutionStatus::Success) == run.tasks.len() {
        Some(RunStatus::Success)
    } else {
        None
    }
}
