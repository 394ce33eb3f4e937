//! One suite over both databases: the tables say what the state says, whatever is repeated, torn
//! or killed in between.

use aiflow_core::{Answer, Engine, Input};
use aiflow_history::{Postgres, Sqlite, Statement, Store, StoreError, executions_of, find_run};
use aiflow_history::{list_runs, project};
use aiflow_model::record::{DaemonStarted, Mark, Outcome, Usage};
use aiflow_model::state::RunStatus;
use aiflow_model::wire::{ExecutionView, RerunTask, RunOrder, RunQuery, RunView, StartRun};
use aiflow_model::wire::{TaskControl, TaskRequest};
use aiflow_model::{AttemptId, JsonText, LoggedRecord, Namespace, RunId, State, Timestamp};
use aiflow_test_support as support;

const DEFINITION: &str = "\
workflow: w
max_active_runs: 3
params: {day: 1}
tasks:
  a: {bash: x, start: {on: k}, overlap: queue, retry: {attempts: 2, backoff: 1s}}
  b: {bash: x, start: {after: a}}
  c: {bash: x, start: {every: 1h, clock: {watermark: m}}}
";

/// Numbers that are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A past of every kind of record, made by the real core.
struct Past {
    engine: Engine,
    log: Vec<LoggedRecord>,
    now: i64,
    numbers: Numbers,
}

impl Past {
    fn new(seed: u64, steps: usize) -> Self {
        let (engine, log) = (Engine::new(State::empty()), Vec::new());
        let mut past = Self { engine, log, now: 1_767_225_600_000_000, numbers: Numbers(seed) };
        let (version, boot_id) = ("test".to_owned(), "b".to_owned());
        past.give(Input::StartDaemon(DaemonStarted { version, epoch: 1, boot_id, pid: 1 }));
        let namespace = Namespace::default_namespace();
        past.give(Input::Upload { namespace, source: DEFINITION.to_owned(), files: vec![] });
        for step in 0..steps {
            past.step(step);
        }
        past
    }

    fn give(&mut self, input: Input) -> Option<Answer> {
        self.now += 1_000_001;
        let decision = self.engine.decide(input, Timestamp(self.now)).ok()?;
        self.log.extend(decision.records);
        Some(decision.answer)
    }

    fn emit(&mut self, key: &str, value: &str, step: usize) {
        self.give(Input::Emit {
            namespace: Namespace::default_namespace(),
            key: key.parse().unwrap(),
            value: JsonText::parse(value).unwrap(),
            source: "a\u{0}b'; --".to_owned(),
            id: step.to_string(),
            execution: None,
            speaker: None,
        });
    }

    fn step(&mut self, step: usize) {
        let (run, a) = (RunId(1 + self.numbers.below(8)), "a".parse().unwrap());
        let alive: Vec<AttemptId> =
            self.engine.state().alive_attempts().map(|(id, _)| id).collect();
        let some =
            alive.get(usize::try_from(self.numbers.below(alive.len().max(1) as u64)).unwrap());
        let some = some.cloned();
        let control = TaskControl { run, task: a, sequence: None, request: None };
        let task = control.task.clone();
        match self.numbers.below(20) {
            0 | 1 => {
                let (namespace, workflow) = (Namespace::default_namespace(), "w".parse().unwrap());
                let (params, request) = ([].into(), None);
                self.give(Input::StartRun(StartRun { namespace, workflow, params, request }));
            }
            2..=5 => self.emit("k", "{\"x\": \"'\"}", step),
            6 => {
                let time = Timestamp(self.now + 3_600_000_000 * step as i64 / 10);
                self.emit("m", &format!("\"{time}\""), step);
            }
            7 => drop(self.give(Input::StopRun(run))),
            8 => drop(self.give(Input::PauseRun(run))),
            9 => drop(self.give(Input::ResumeRun(run))),
            10 if self.numbers.below(4) == 0 => drop(self.give(Input::DeleteRun(run))),
            11 => drop(self.give(Input::MarkTask(control, Mark::Skipped))),
            12 => {
                let (sequence, from_here, request) = (None, false, None);
                self.give(Input::RerunTask(RerunTask { run, task, sequence, from_here, request }));
            }
            13 => drop(self.give(Input::RestartTask(TaskRequest { run, task, request: None }))),
            14 => drop(self.give(Input::Tick)),
            _ => {
                let Some(id) = some else { return };
                self.give(Input::AttemptStarted(id.clone(), 7));
                let outcome = match self.numbers.below(5) {
                    0 => Outcome::Exited { code: 1 },
                    1 => Outcome::Signaled { signal: 9 },
                    2 => Outcome::Unknown { reason: "lost".to_owned() },
                    _ => Outcome::Exited { code: 0 },
                };
                let usage = Usage { rss_bytes_max: 5, cpu_us: 6 };
                self.give(Input::AttemptEnded(id, outcome, usage));
            }
        }
    }

    fn statements(&self, from: u64, to: u64) -> Vec<Statement> {
        let wanted = self.log.iter().filter(|logged| (from..to).contains(&logged.offset.0));
        wanted.flat_map(project).collect()
    }
}

fn text<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// The tables say of runs and executions what the state says.
fn check(store: &mut dyn Store, state: &State) {
    let listed = list_runs(store, &RunQuery::default()).unwrap();
    let known: Vec<RunView> = state.runs.values().map(RunView::of).collect();
    assert_eq!(text(&listed), text(&known));
    for run in state.runs.keys() {
        let mut told = executions_of(store, *run).unwrap();
        let mut known = ExecutionView::all_of_run(state, *run).unwrap();
        let order = |view: &ExecutionView| (view.task.clone(), view.sequence);
        told.sort_by_key(order);
        known.sort_by_key(order);
        assert_eq!(text(&told), text(&known));
        assert_eq!(text(&find_run(store, *run).unwrap()), text(&state.run(*run).map(RunView::of)));
    }
    assert!(find_run(store, RunId(999_999)).unwrap().is_none());
    let events = store.query("SELECT COUNT(*) FROM events", &[]).unwrap();
    let space = &state.namespaces[&Namespace::default_namespace()];
    assert_eq!(events[0][0].int().unwrap(), i64::try_from(space.event_count).unwrap());
}

/// Filters, pages and orders, against the same on the state's views.
fn check_queries(store: &mut dyn Store, state: &State) {
    let known: Vec<RunView> = state.runs.values().map(RunView::of).collect();
    let ids = |store: &mut dyn Store, query: RunQuery| -> Vec<u64> {
        list_runs(store, &query).unwrap().iter().map(|run| run.id.0).collect()
    };
    for status in [RunStatus::Success, RunStatus::Failed, RunStatus::Stopped, RunStatus::Running] {
        let of_status = known.iter().filter(|run| run.status == status).map(|run| run.id.0);
        let query = RunQuery { status: Some(status), ..RunQuery::default() };
        assert_eq!(ids(store, query), of_status.collect::<Vec<_>>());
    }
    let all: Vec<u64> = known.iter().map(|run| run.id.0).collect();
    let (mut paged, mut before) = (Vec::new(), None);
    loop {
        let query = RunQuery { before, limit: Some(2), ..RunQuery::default() };
        let page = ids(store, query);
        let Some(first) = page.first() else { break };
        before = Some(RunId(*first));
        paged.splice(0..0, page);
    }
    assert_eq!(paged, all, "pages cover all, once each");
    let middle = state.runs.values().nth(all.len() / 2).unwrap().started_at;
    let since = RunQuery { since: Some(middle), ..RunQuery::default() };
    let later = state.runs.values().filter(|run| run.started_at >= middle).map(|run| run.id.0);
    assert_eq!(ids(store, since), later.collect::<Vec<_>>());
    let task = RunQuery { task: Some("c".parse().unwrap()), ..RunQuery::default() };
    let with_task = state.runs.values().filter(|run| !run.tasks[2].executions.is_empty());
    assert_eq!(ids(store, task), with_task.map(|run| run.id.0).collect::<Vec<_>>());
    let longest = RunQuery { order: RunOrder::Duration, limit: Some(1), ..RunQuery::default() };
    let took = |id: u64| {
        let run = state.run(RunId(id)).unwrap();
        run.ended_at.map_or(-1, |ended| ended.0 - run.started_at.0)
    };
    let most = all.iter().map(|id| took(*id)).max().unwrap();
    assert_eq!(ids(store, longest).into_iter().map(took).collect::<Vec<_>>(), [most]);
}

/// The suite: pieces of all sizes, repeats, torn transactions, and stores that are opened anew.
fn suite(mut open: impl FnMut(u64) -> Box<dyn Store>) {
    for seed in 1..4 {
        let past = Past::new(seed, 400);
        let end = past.log.len() as u64;
        let mut numbers = Numbers(seed + 100);
        let mut store = open(seed);
        let mut at = store.checkpoint().unwrap();
        while at < end {
            let to = end.min(at + 1 + numbers.below(60));
            let statements = past.statements(at, to);
            if numbers.below(4) == 0 {
                // A statement that fails takes all of it back.
                let mut torn = statements.clone();
                torn.push(Statement { sql: "INSERT INTO nowhere VALUES (1)", values: vec![] });
                store.take(at, &torn, to).unwrap_err();
                assert_eq!(store.checkpoint().unwrap(), at, "a torn transaction left a trace");
            }
            store.take(at, &statements, to).unwrap();
            let again = store.take(at, &statements, to).unwrap_err();
            assert!(matches!(again, StoreError::Moved { expected } if expected == at), "{again}");
            if numbers.below(5) == 0 {
                drop(store);
                store = open(seed);
            }
            at = store.checkpoint().unwrap();
            assert_eq!(at, to);
        }
        check(store.as_mut(), past.engine.state());
        check_queries(store.as_mut(), past.engine.state());
        // Made anew it is the same.
        store.clear().unwrap();
        assert_eq!(store.checkpoint().unwrap(), 0);
        store.take(0, &past.statements(0, end), end).unwrap();
        check(store.as_mut(), past.engine.state());
        store.clear().unwrap();
    }
}

#[test]
fn sqlite_keeps_the_history() {
    let directory = tempfile::tempdir().unwrap();
    suite(|_| Box::new(Sqlite::open(&directory.path().join("history.sqlite")).unwrap()));
}

#[test]
fn postgres_keeps_the_history() {
    let server = support::Postgres::start();
    suite(|_| Box::new(Postgres::connect(&server.url()).unwrap()));
}

#[test]
fn a_server_that_is_killed_loses_nothing_and_repeats_nothing() {
    let mut server = support::Postgres::start();
    let past = Past::new(9, 400);
    let end = past.log.len() as u64;
    let mut at = 0;
    let mut kills = 0;
    let mut store = Postgres::connect(&server.url()).unwrap();
    while at < end {
        let to = end.min(at + 40);
        store.take(at, &past.statements(at, to), to).unwrap();
        if kills < 3 && to > (kills + 1) * end / 4 {
            server.kill();
            kills += 1;
            let next = end.min(to + 40);
            store.take(to, &past.statements(to, next), next).unwrap_err();
            server.start_again();
            store = Postgres::connect(&server.url()).unwrap();
        }
        at = store.checkpoint().unwrap();
        assert_eq!(at, to, "what was committed is there, and nothing else");
    }
    assert_eq!(kills, 3);
    check(&mut store, past.engine.state());
}

#[test]
fn tables_of_another_build_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.sqlite");
    let mut store = Sqlite::open(&file).unwrap();
    let other = Statement {
        sql: "UPDATE aiflow_meta SET value = 999 WHERE name = 'schema'",
        values: vec![],
    };
    store.take(0, &[other], 0).unwrap();
    drop(store);
    assert!(matches!(Sqlite::open(&file), Err(StoreError::Schema { found: 999 })));
}
