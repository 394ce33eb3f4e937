//! What a definition would have done: recorded events are given to it again, at their times, in an
//! engine of its own.
//!
//! What a task did is taken from the run that is compared with: an attempt that it had ends as it
//! did then; one that it had not succeeds after the time that the task took on average. Must never
//! touch the daemon's state.

use std::collections::{BTreeMap, VecDeque};

use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::record::{DaemonStarted, Event, Outcome, RunControl, Usage};
use aiflow_model::spec::WorkflowSpec;
use aiflow_model::time::Span;
use aiflow_model::wire::{StartRun, WouldFire};
use aiflow_model::{
    AttemptId, JsonText, LoggedRecord, Namespace, Offset, Record, RunId, State, TaskName, Timestamp,
};

use crate::engine::Engine;
use crate::input::{Answer, Input};

/// The run that is compared with, as far as a backtest needs it.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Its id.
    pub run: RunId,
    /// Its parameters.
    pub params: BTreeMap<String, JsonText>,
    /// What it was pinned to.
    pub spec: WorkflowSpec,
    /// What its tasks did.
    pub attempts: Attempts,
}

/// What the tasks of a run did.
#[derive(Debug, Clone, Default)]
pub struct Attempts {
    /// When each attempt ended, if it has.
    ends: BTreeMap<AttemptId, Option<Timestamp>>,
    began: BTreeMap<AttemptId, Timestamp>,
    lasted: BTreeMap<TaskName, Lasted>,
}

impl Attempts {
    /// Takes in a record of the run.
    pub fn note(&mut self, logged: &LoggedRecord) {
        match &logged.record {
            Record::AttemptQueued { id } => drop(self.ends.insert(id.clone(), None)),
            Record::AttemptStarted { id, .. } => {
                self.began.insert(id.clone(), logged.time);
            }
            Record::AttemptEnded { id, .. } => {
                self.ends.insert(id.clone(), Some(logged.time));
                let Some(began) = self.began.get(id) else { return };
                let lasted = self.lasted.entry(id.execution.task.clone()).or_default();
                lasted.attempts += 1;
                lasted.total = Span(lasted.total.0.saturating_add(logged.time.since(*began).0));
            }
            _ => {}
        }
    }
}

/// What a task did.
#[derive(Debug, Clone, Copy, Default)]
struct Lasted {
    attempts: u64,
    total: Span,
}

/// A definition and the past that it has been given so far.
#[derive(Debug)]
pub struct Backtest {
    engine: Engine,
    namespace: Namespace,
    spec: WorkflowSpec,
    run: RunId,
    compared: Option<Compared>,
    /// Where the events that it was given stand in the log.
    recorded: BTreeMap<Offset, Offset>,
    /// Events of the log that rules derived.
    derived: std::collections::BTreeSet<Offset>,
    /// Ends that are not recorded, by their time.
    ends: BTreeMap<Timestamp, Vec<AttemptId>>,
    waiting: VecDeque<AttemptId>,
    new: Vec<WouldFire>,
    old: Vec<WouldFire>,
    events: u64,
}

/// Firings of the definition, and those of the run that it was compared with.
#[derive(Debug)]
pub struct Firings {
    /// Events that were given.
    pub events: u64,
    /// Those of the definition.
    pub new: Vec<WouldFire>,
    /// Those of the run.
    pub old: Vec<WouldFire>,
}

impl Backtest {
    /// Begins a run of the definition at `start`.
    ///
    /// # Errors
    /// The refusal that an upload or a start would meet.
    pub fn new(
        source: &str,
        namespace: Namespace,
        compared: Option<Compared>,
        start: Timestamp,
    ) -> Result<Self, Rejection> {
        let mut state = State::empty();
        // Waits that are drawn from an attempt's id are to be the same.
        state.last_run = RunId(compared.as_ref().map_or(0, |of| of.run.0.saturating_sub(1)));
        let mut engine = Engine::new(state);
        let (version, boot_id) = (String::new(), String::new());
        let daemon = DaemonStarted { version, epoch: 1, boot_id, pid: 0 };
        engine.decide(Input::StartDaemon(daemon), start)?;
        engine.decide(Input::AddNamespace(namespace.clone(), BTreeMap::new()), start)?;
        let (source, files) = (source.to_owned(), Vec::new());
        let upload = Input::Upload { namespace: namespace.clone(), source, files };
        let Answer::Uploaded { workflow, .. } = engine.decide(upload, start)?.answer else {
            return Err(Rejection::new(ErrorCode::Internal, "the definition was not stored"));
        };
        let spec = engine.state().current_snapshot(namespace.as_str(), workflow.as_str());
        let spec = spec.map(|snapshot| snapshot.spec.clone());
        let spec = spec.ok_or_else(|| Rejection::new(ErrorCode::Internal, "no definition"))?;
        let mut params = compared.as_ref().map(|of| of.params.clone()).unwrap_or_default();
        params.retain(|name, _| spec.params.contains_key(name));
        let mut backtest = Self {
            engine,
            namespace: namespace.clone(),
            spec,
            run: RunId(0),
            compared,
            recorded: BTreeMap::new(),
            derived: std::collections::BTreeSet::new(),
            ends: BTreeMap::new(),
            waiting: VecDeque::new(),
            new: Vec::new(),
            old: Vec::new(),
            events: 0,
        };
        let started = StartRun { namespace, workflow, params, request: None };
        if let Answer::Run(run) = backtest.give(Input::StartRun(started), start)? {
            backtest.run = run;
        }
        Ok(backtest)
    }

    /// The name of the workflow.
    #[must_use]
    pub const fn workflow(&self) -> &aiflow_model::WorkflowName {
        &self.spec.name
    }

    /// Gives it the next record of the log, behind the one that began the run.
    pub fn record(&mut self, logged: &LoggedRecord) {
        let compared = self.compared.as_ref().map(|compared| compared.run);
        let is_own = |run: RunId| compared == Some(run);
        match &logged.record {
            Record::EventEmitted(event) if logged.cause.is_none() => self.event(event, logged),
            Record::EventEmitted(_) => drop(self.derived.insert(logged.offset)),
            Record::AttemptStarted { id, pid } if is_own(id.execution.run) => {
                self.advance(logged.time);
                self.take(Input::AttemptStarted(id.clone(), *pid), logged.time);
            }
            Record::AttemptEnded { id, outcome, usage } if is_own(id.execution.run) => {
                self.advance(logged.time);
                let ended = Input::AttemptEnded(id.clone(), outcome.clone(), *usage);
                self.take(ended, logged.time);
            }
            Record::RunControlled(controlled) if is_own(controlled.run) => {
                let input = match controlled.control {
                    RunControl::Paused => Input::PauseRun(self.run),
                    RunControl::Resumed => Input::ResumeRun(self.run),
                    _ => return,
                };
                self.advance(logged.time);
                self.take(input, logged.time);
            }
            Record::RuleFired { run, rule, firing } if is_own(*run) => {
                let Some(of) = &self.compared else { return };
                let Some((task, definition)) = of.spec.rule(*rule) else { return };
                let events = firing.events.iter().filter(|event| !self.derived.contains(event));
                self.old.push(WouldFire {
                    time: logged.time,
                    task: task.name.clone(),
                    action: definition.action.word().to_owned(),
                    window: firing.window,
                    events: events.copied().collect(),
                });
            }
            _ => {}
        }
    }

    /// What has fired, after everything that falls due until then.
    #[must_use]
    pub fn finish(mut self, until: Timestamp) -> Firings {
        self.advance(until);
        Firings { events: self.events, new: self.new, old: self.old }
    }

    fn event(&mut self, event: &Event, logged: &LoggedRecord) {
        let scope = event.execution;
        let is_other = scope.is_some() && scope != self.compared.as_ref().map(|of| of.run);
        if event.namespace != self.namespace || is_other {
            return;
        }
        self.events += 1;
        self.advance(logged.time);
        let given = self.engine.state().next_offset;
        self.recorded.insert(given, logged.offset);
        let input = Input::Emit {
            namespace: event.namespace.clone(),
            key: event.key.clone(),
            value: event.value.clone(),
            source: event.source.clone(),
            id: event.id.clone(),
            execution: scope.map(|_| self.run),
            speaker: None,
        };
        self.take(input, logged.time);
    }

    /// Lets everything come that falls due until `time`.
    fn advance(&mut self, time: Timestamp) {
        loop {
            let due = self.engine.next_deadline().filter(|due| *due <= time);
            let end = self.ends.first_key_value().map(|(at, _)| *at).filter(|at| *at <= time);
            match (due, end) {
                (None, None) => return,
                (Some(due), end) if end.is_none_or(|end| due <= end) => {
                    // What is due at once has the earliest time there is.
                    let now = if due.0 == i64::MIN { time } else { due };
                    self.take(Input::Tick, now);
                }
                (_, Some(end)) => {
                    for id in self.ends.remove(&end).unwrap_or_default() {
                        let ended = Outcome::Exited { code: 0 };
                        self.take(Input::AttemptStarted(id.clone(), 0), end);
                        self.take(Input::AttemptEnded(id, ended, Usage::default()), end);
                    }
                }
                (Some(_), None) => return,
            }
        }
    }

    fn take(&mut self, input: Input, now: Timestamp) {
        // What is refused now had its place in another story.
        drop(self.give(input, now));
    }

    fn give(&mut self, input: Input, now: Timestamp) -> Result<Answer, Rejection> {
        let decision = self.engine.decide(input, now)?;
        for logged in &decision.records {
            match &logged.record {
                Record::AttemptQueued { id } => self.waiting.push_back(id.clone()),
                Record::RuleFired { rule, firing, .. } => {
                    let Some((task, definition)) = self.spec.rule(*rule) else { continue };
                    let known = firing.events.iter().filter_map(|event| self.recorded.get(event));
                    self.new.push(WouldFire {
                        time: logged.time,
                        task: task.name.clone(),
                        action: definition.action.word().to_owned(),
                        window: firing.window,
                        events: known.copied().collect(),
                    });
                }
                _ => {}
            }
        }
        while let Some(id) = self.waiting.pop_front() {
            self.foresee(id, now);
        }
        Ok(decision.answer)
    }

    /// An attempt that the run had ends when that did; any other is given an end.
    fn foresee(&mut self, id: AttemptId, now: Timestamp) {
        let is_stream = self
            .spec
            .task(id.execution.task.as_str())
            .is_some_and(|task| task.kind == aiflow_model::spec::TaskKind::Stream);
        let known = self.compared.as_ref().map(|compared| &compared.attempts);
        let recorded = known.and_then(|known| known.ends.get(&id));
        let will_end = recorded.is_some_and(|end| end.is_none_or(|end| end > now));
        if will_end || is_stream {
            return;
        }
        let lasted = known.and_then(|known| known.lasted.get(&id.execution.task));
        let lasted = lasted.copied().unwrap_or_default();
        let average = Span(lasted.total.0 / lasted.attempts.max(1));
        self.ends.entry(now.plus(average)).or_default().push(id);
    }
}
