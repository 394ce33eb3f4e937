//! Scenarios: given a definition, when inputs come, expect what the log says.
//!
//! Every scenario checks on its way that replay gives the live state.

use aiflow_core::{Answer, Decision, Effect, Engine, Input, Preview, effect_of};
use aiflow_model::record::{DaemonStarted, Outcome, Payload, Usage};
use aiflow_model::redact::{Keep, Redactor};
use aiflow_model::time::Span;
use aiflow_model::wire::StartRun;
use aiflow_model::{
    AttemptId, EventKey, JsonText, LoggedRecord, Namespace, Record, Rejection, RunId, State,
    TaskName, Timestamp,
};

/// A core with its log and a clock that the test moves.
pub(crate) struct Scenario {
    pub(crate) engine: Engine,
    pub(crate) log: Vec<LoggedRecord>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) now: Timestamp,
    /// Whether every step is followed by a replay of all before it.
    pub(crate) replays_each_step: bool,
    events: u64,
    seen: usize,
}

impl Scenario {
    /// A daemon that has just started, with one workflow uploaded.
    pub(crate) fn new(tasks: &str) -> Self {
        let indented: String = tasks.lines().map(|line| format!("  {line}\n")).collect();
        Self::of(&format!("workflow: w\nparams: {{days: 3}}\ntasks:\n{indented}"))
    }

    /// The same with the whole definition.
    pub(crate) fn of(source: &str) -> Self {
        let mut scenario = Self {
            engine: Engine::new(State::empty()),
            log: Vec::new(),
            effects: Vec::new(),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            replays_each_step: true,
            events: 0,
            seen: 0,
        };
        scenario.start_daemon("boot-1");
        scenario.upload(source);
        scenario
    }

    /// Uploads a definition.
    pub(crate) fn upload(&mut self, source: &str) -> Answer {
        let (namespace, source) = (Namespace::default_namespace(), source.to_owned());
        self.give(Input::Upload { namespace, source, files: vec![] })
    }

    /// How often the rules fired since the last call.
    pub(crate) fn firings(&mut self) -> usize {
        let new = self.log[self.seen..].iter();
        self.seen = self.log.len();
        new.filter(|logged| matches!(logged.record, Record::RuleFired { .. })).count()
    }

    /// A daemon takes over this log.
    pub(crate) fn start_daemon(&mut self, boot: &str) {
        let epoch = self.engine.state().epoch + 1;
        let boot_id = boot.to_owned();
        let version = "test".to_owned();
        self.give(Input::StartDaemon(DaemonStarted { version, epoch, boot_id, pid: 1 }));
    }

    /// Gives an input that is not refused.
    pub(crate) fn give(&mut self, input: Input) -> Answer {
        self.try_give(input).unwrap()
    }

    /// Gives an input.
    pub(crate) fn try_give(&mut self, input: Input) -> Result<Answer, Rejection> {
        // A preview looks at the whole state twice, which is large where steps are many.
        let is_tried = self.replays_each_step || self.log.len().is_multiple_of(97);
        let preview = is_tried.then(|| self.preview(&input));
        let decision = self.engine.decide(input, self.now);
        if let Some(preview) = preview {
            self.check_preview(preview, decision.as_ref());
        }
        let decision = decision?;
        for record in &decision.records {
            self.effects.extend(effect_of(self.engine.state(), &record.record));
        }
        self.log.extend(decision.records);
        if self.replays_each_step {
            self.check_replay();
        }
        Ok(decision.answer)
    }

    /// What an input would cause. That is found out without a trace.
    fn preview(&mut self, input: &Input) -> Result<Preview, Rejection> {
        let before = self.engine.state().clone();
        let preview = self.engine.preview(input.clone(), self.now);
        assert_eq!(*self.engine.state(), before, "a preview of {input:?} left a trace");
        preview
    }

    /// What was foretold is what came.
    fn check_preview(
        &self,
        preview: Result<Preview, Rejection>,
        decision: Result<&Decision, &Rejection>,
    ) {
        match (preview, decision) {
            (Ok(preview), Ok(decision)) => {
                assert_eq!(preview.records, decision.records);
                assert_eq!(preview.answer, decision.answer);
                let state = self.engine.state();
                let records = decision.records.iter();
                let effects = records.filter_map(|logged| effect_of(state, &logged.record));
                assert_eq!(preview.effects, effects.collect::<Vec<_>>());
            }
            (Err(foretold), Err(rejection)) => assert_eq!(foretold, *rejection),
            (preview, decision) => panic!("{preview:?} was foretold, {decision:?} came"),
        }
    }

    /// Replays the log and compares with the live state.
    pub(crate) fn check_replay(&self) {
        let (mut replayed, mut folded) = (State::empty(), State::empty());
        for record in &self.log {
            let text = serde_json::to_string(record).unwrap();
            replayed.apply(&serde_json::from_str::<LoggedRecord>(&text).unwrap()).unwrap();
            let payload = Payload { cause: record.cause, record: &record.record };
            let payload = serde_json::to_vec(&payload).unwrap();
            let borrowed = LoggedRecord::for_replay(record.offset, record.time, &payload).unwrap();
            folded.apply(&borrowed).unwrap();
        }
        assert_eq!(folded, replayed, "what replay reads differs from the whole records");
        assert_eq!(&replayed, self.engine.state(), "replay differs from the live state");
        let text = serde_json::to_string(&replayed).unwrap();
        let mut sent = serde_json::from_str::<State>(&text).unwrap().with_derived();
        sent.event_ids = replayed.event_ids.clone();
        sent.run_requests = replayed.run_requests.clone();
        assert_eq!(sent, replayed, "a state that was sent differs");
        let stored = State::from_stored(&replayed.to_stored().unwrap()).unwrap();
        assert_eq!(stored, replayed, "a state that was stored differs");
        // As dear as all of the above: now and then is enough.
        if self.log.len().is_multiple_of(4) {
            self.check_redaction(replayed);
        }
    }

    /// Redacted records give the redacted state, whatever they are.
    fn check_redaction(&self, state: State) {
        let hash = |bytes: &[u8]| -> u64 {
            bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
            })
        };
        let redactor = Redactor::new(&hash, Keep::default());
        let mut folded = State::empty();
        for record in &self.log {
            let mut record = record.clone();
            redactor.record(&mut record.record);
            let text = serde_json::to_string(&record).unwrap();
            folded.apply(&serde_json::from_str::<LoggedRecord>(&text).unwrap()).unwrap();
        }
        assert_eq!(
            folded.without_identities(),
            redactor.state(state),
            "a state of redacted records differs"
        );
    }

    /// Starts a run of the workflow `w`.
    pub(crate) fn run(&mut self) -> RunId {
        self.run_of("w")
    }

    /// Starts a run.
    pub(crate) fn run_of(&mut self, workflow: &str) -> RunId {
        let start = StartRun {
            namespace: Namespace::default_namespace(),
            workflow: workflow.parse().unwrap(),
            params: [].into(),
            request: None,
        };
        let Answer::Run(run) = self.give(Input::StartRun(start)) else { panic!("no run") };
        run
    }

    /// Emits an event to all runs.
    pub(crate) fn emit(&mut self, key: &str, value: &str) -> Answer {
        self.try_emit(key, value).unwrap()
    }

    /// As [`Self::emit`], for values that may be refused.
    pub(crate) fn try_emit(&mut self, key: &str, value: &str) -> Result<Answer, Rejection> {
        self.events += 1;
        self.try_give(event(key, value, &format!("event-{}", self.events), None))
    }

    /// Emits an event with an id of its own, perhaps to one run.
    pub(crate) fn emit_as(
        &mut self,
        key: &str,
        value: &str,
        id: &str,
        run: Option<RunId>,
    ) -> Answer {
        self.give(event(key, value, id, run))
    }

    /// Lets an attempt end with an exit code.
    pub(crate) fn exit(&mut self, attempt: &str, code: i32) {
        self.end(attempt, Outcome::Exited { code });
    }

    /// Lets an attempt end.
    pub(crate) fn end(&mut self, attempt: &str, outcome: Outcome) {
        let id: AttemptId = attempt.parse().unwrap();
        self.give(Input::AttemptStarted(id.clone(), 100));
        self.give(Input::AttemptEnded(id, outcome, Usage::default()));
    }

    /// Stops a task.
    pub(crate) fn stop_task(&mut self, run: RunId, task: &str) -> Result<Answer, Rejection> {
        self.try_give(Input::StopTask(run, TaskName::new(task).unwrap()))
    }

    /// Lets time pass and tells the core.
    pub(crate) fn pass(&mut self, span: &str) {
        self.now = self.now.plus(span.parse::<Span>().unwrap());
        self.give(Input::Tick);
    }

    /// The effects since the last call, as `launch 1.a.1.1`.
    pub(crate) fn effects(&mut self) -> Vec<String> {
        let show = |effect| match effect {
            Effect::Launch(id) => format!("launch {id}"),
            Effect::Stop(id) => format!("stop {id}"),
            Effect::ClearAway => "clear away".to_owned(),
            Effect::DropLog(before) => format!("drop the log before {before}"),
        };
        std::mem::take(&mut self.effects).into_iter().map(show).collect()
    }

    /// The executions of a task as `1:success`.
    pub(crate) fn executions(&self, run: RunId, task: &str) -> Vec<String> {
        let state = self.engine.state().task(run, &TaskName::new(task).unwrap()).unwrap();
        state.executions.iter().map(|e| format!("{}:{}", e.sequence, e.status)).collect()
    }

    /// The starts of the windows of a task's executions.
    pub(crate) fn windows(&self, run: RunId, task: &str) -> Vec<String> {
        let state = self.engine.state().task(run, &TaskName::new(task).unwrap()).unwrap();
        state.executions.iter().map(|e| e.window.unwrap().start.to_string()).collect()
    }

    /// The status of a run.
    pub(crate) fn status(&self, run: RunId) -> String {
        self.engine.state().run(run).unwrap().status.to_string()
    }

    /// How many records of the log the test is true of.
    pub(crate) fn count(&self, test: impl Fn(&Record) -> bool) -> usize {
        self.log.iter().filter(|logged| test(&logged.record)).count()
    }
}

fn event(key: &str, value: &str, id: &str, run: Option<RunId>) -> Input {
    Input::Emit {
        namespace: Namespace::default_namespace(),
        key: EventKey::new(key).unwrap(),
        value: JsonText::parse(value).unwrap(),
        source: "test".to_owned(),
        id: id.to_owned(),
        execution: run,
        speaker: None,
    }
}
