//! Daemon, shims and tasks are killed with SIGKILL at random moments, one by one, in pairs and all
//! at once, also while the daemon starts and while a shim is spawned; nothing may be lost, doubled
//! or left behind.
//!
//! `AIFLOW_KILL_CYCLES=10000 AIFLOW_KILL_STARTS=100000 cargo test -p aiflow-trials kills`;
//! `AIFLOW_KILL_SEED`: where its choices come from.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aiflow_log::testing::Rng;
use aiflow_test_support::{Daemon, Kind, pause, processes_of, program, run, wait_until};
use serde_json::{Value, json};

use crate::client::Client;
use crate::judge::{Case, read_log};
use crate::strike::{Killed, strike};

const CYCLES: u64 = 500;
const STARTS: u64 = 5_000;
/// Cycles of one home: its log does not grow for ever, and a fault is nearer to its cause.
const CYCLES_PER_HOME: u64 = 125;
/// Homes on trial at once.
const LANES: u64 = 4;
const CLIENTS: usize = 3;
/// Longest time for a new daemon to live before it is killed again.
const START_MAX_US: u64 = 60_000;

/// What starts by rules, and what never ends. The second workflow starts by requests and a trigger.
const TRIAL: &str = "
workflow: trial
tasks:
  keep: {kind: stream, exec: [TASK, stream], grace: 1s, restart: {on: failure, backoff: 10ms..40ms}}
  a: {exec: [TASK], overlap: queue, parallel: 4, start: {on: go.a}, RETRY}
  b: {exec: [TASK], overlap: queue, start: {on: go.b}, RETRY}
";
const ONE: &str = "
workflow: one
triggers: [{on: begin}]
tasks: {one: {exec: [TASK], RETRY}}
";

/// A definition whose tasks leave their lines in the witness file.
fn definition(form: &str, witness: &Path) -> String {
    let task = format!("{:?}, {:?}", env!("CARGO_BIN_EXE_trial-task"), witness.display());
    // So often that a task comes to its success however often it is killed.
    form.replace("TASK", &task).replace("RETRY", "retry: {attempts: 100, backoff: 1ms..8ms}")
}

/// A request with an identity; each starts one task.
#[derive(Debug, Clone, Copy)]
struct Ask(u64);

impl Ask {
    fn id(self) -> String {
        format!("ask-{}", self.0)
    }

    fn words(self) -> (&'static str, Value) {
        let key = match self.0 % 10 {
            0..=3 => "go.a",
            4..=7 => "go.b",
            8 => "begin",
            _ => return ("execution.start", json!({"workflow": "one", "request": self.id()})),
        };
        ("emit", json!({"key": key, "value": self.0, "source": "trial", "id": self.id()}))
    }
}

/// What came of a part of the trial.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    killed: Killed,
    starts: u64,
    attempts: u64,
    records: u64,
    repeats: u64,
    directories: u64,
}

#[test]
fn kills_at_any_moment_lose_nothing_and_double_nothing() {
    let setting = |name: &str| {
        let text = std::env::var(name).ok();
        text.map(|text| text.parse::<u64>().unwrap())
    };
    let cycles = setting("AIFLOW_KILL_CYCLES").unwrap_or(CYCLES);
    let starts = setting("AIFLOW_KILL_STARTS").unwrap_or(cycles * STARTS / CYCLES);
    let seed = setting("AIFLOW_KILL_SEED").unwrap_or(1);
    let homes = cycles.div_ceil(CYCLES_PER_HOME);
    let (next, total) = (AtomicU64::new(0), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                loop {
                    let home = next.fetch_add(1, Ordering::Relaxed);
                    if home >= homes {
                        break;
                    }
                    let tally = Trial::new(seed, home).run(cycles / homes, starts / cycles);
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    total.add(&tally);
                }
            });
        }
    });
    let total = total.into_inner().unwrap();
    let line = format!("{cycles} cycles on {homes} homes, seed {seed}: {total:?}");
    let _ = writeln!(std::io::stderr(), "{line}");
    assert!(total.starts >= starts - starts / 10, "too little happened: {line}");
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.killed.add(&other.killed);
        self.starts += other.starts;
        self.attempts += other.attempts;
        self.records += other.records;
        self.repeats += other.repeats;
        self.directories += other.directories;
    }
}

/// The trial of one home.
struct Trial {
    seed: u64,
    home: u64,
    rng: Rng,
    daemon: Daemon,
    arguments: Vec<&'static str>,
    asked: u64,
    answers: BTreeMap<u64, Value>,
    tally: Tally,
}

impl Trial {
    fn new(seed: u64, home: u64) -> Self {
        let arguments = match home % 2 {
            0 => {
                let mut arguments = vec!["--snapshot-every", "200", "--segment-bytes", "64KiB"];
                // What has ended goes at once, while shims of killed daemons may come late.
                arguments.extend(["--keep-output", "0s"]);
                arguments
            }
            _ => vec!["--snapshot-every", "1000000000"],
        };
        Self {
            seed,
            home,
            rng: Rng::new(seed.wrapping_mul(1_000_003).wrapping_add(home)),
            daemon: Daemon::on_fresh_home(),
            arguments,
            asked: 0,
            answers: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    fn run(mut self, cycles: u64, starts: u64) -> Tally {
        self.daemon.resume_with(&self.arguments);
        let witness = self.daemon.scratch().join("witness");
        let (ask_sender, asks) = channel();
        let (answer_sender, answers) = channel();
        let home = self.daemon.home();
        let mut client = Client::new(&home);
        for source in [TRIAL, ONE].map(|form| definition(form, &witness)) {
            client.ask("workflow.upload", &json!({"source": source}));
        }
        let main = client.ask("execution.start", &json!({"workflow": "trial", "request": "main"}));
        let main = main["run"].as_u64().unwrap();
        let asks = Mutex::new(asks);
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                let (asks, answers, home) = (&asks, answer_sender.clone(), &home);
                scope.spawn(move || serve(Client::new(home), asks, &answers));
            }
            drop(answer_sender);
            self.cycles((cycles, starts), ask_sender, &answers);
        });
        self.come_to_rest(main);
        self.verdict(main, &witness);
        self.tally
    }

    fn cycles(
        &mut self,
        (cycles, starts): (u64, u64),
        asks: Sender<Ask>,
        answers: &Receiver<(Ask, Value, u64)>,
    ) {
        for cycle in 0..cycles {
            for _ in 0..starts {
                asks.send(Ask(self.asked)).unwrap();
                self.asked += 1;
            }
            if strike(&mut self.rng, &mut self.daemon, &mut self.tally.killed) {
                self.revive();
            }
            let again = self.again();
            assert!(self.daemon.is_alive(), "cycle {cycle}: it ended by itself; {again}");
            self.take_answers(answers, self.asked.saturating_sub(2 * starts));
        }
        drop(asks);
        self.take_answers(answers, self.asked);
    }

    /// Starts a daemon; some are killed while they start.
    fn revive(&mut self) {
        loop {
            if self.rng.one_in(2) {
                pause(Duration::from_micros(self.rng.below(3_000)));
            }
            self.daemon.spawn(&program("aiflowd"), &self.arguments);
            if !self.rng.one_in(3) {
                return;
            }
            pause(Duration::from_micros(self.rng.below(START_MAX_US)));
            let again = self.again();
            assert!(self.daemon.is_alive(), "it ended by itself while it started; {again}");
            self.daemon.kill();
            self.tally.killed.daemons += 1;
            self.tally.killed.daemons_starting += 1;
        }
    }

    /// Waits until so many requests are answered.
    fn take_answers(&mut self, answers: &Receiver<(Ask, Value, u64)>, until: u64) {
        while (self.answers.len() as u64) < until {
            let (ask, answer, repeats) = match answers.recv_timeout(Duration::from_secs(120)) {
                Ok(answer) => answer,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no answers come: {}; {}", self.daemon.errors(), self.again())
                }
            };
            self.tally.repeats += repeats;
            let mut known = answer.clone();
            // A repeat says that it is one; else it says the same.
            known["duplicate"] = Value::Null;
            if let Some(before) = self.answers.insert(ask.0, known.clone()) {
                assert_eq!(before, known, "two answers to {ask:?}; {}", self.again());
            }
        }
    }

    /// Waits until all that was asked for is done, then stops the run that never ends.
    fn come_to_rest(&self, main: u64) {
        let mut client = Client::new(&self.daemon.home());
        let begin = Instant::now();
        loop {
            let status = client.ask("daemon.status", &json!({}));
            let view = client.ask("execution.show", &json!({"run": main}));
            if status["alive_runs"] == 1 && view["alive"] == 1 {
                break;
            }
            let waited = begin.elapsed();
            assert!(waited < Duration::from_secs(90), "{status} {view}; {}", self.again());
            pause(Duration::from_millis(20));
        }
        client.ask("execution.stop", &json!({"run": main}));
        wait_until("the run has ended", || {
            let view = client.ask("execution.show", &json!({"run": main}));
            (view["alive"] == 0).then_some(())
        });
    }

    fn verdict(&mut self, main: u64, witness: &Path) {
        let home = self.daemon.home();
        wait_until(&format!("nothing is left running; {}", self.again()), || {
            let left = processes_of(&home);
            // What this daemon forks its shims from, and none that did it for another.
            (left.len() <= 1 && left.iter().all(|left| left.kind == Kind::ForkServer)).then_some(())
        });
        if self.arguments.contains(&"--keep-output") {
            // A start looks the disk through.
            self.daemon.kill();
            self.daemon.resume_with(&self.arguments);
            wait_until(&format!("no directory of an attempt is left; {}", self.again()), || {
                attempt_directories(&home).is_empty().then_some(())
            });
        }
        Client::new(&home).ask("daemon.stop", &json!({}));
        assert_eq!(self.daemon.wait(), 0, "{}", self.daemon.errors());
        wait_until(&format!("nothing at all is left running; {}", self.again()), || {
            processes_of(&home).is_empty().then_some(())
        });
        let mut verify = std::process::Command::new(program("aiflowd"));
        let verified = run(verify.arg("--home").arg(&home).args(["log", "verify", "--deep"]));
        assert_eq!(verified.code, 0, "{}; {}", verified.stderr, self.again());

        let witnessed = std::fs::read_to_string(witness).unwrap();
        let mut case = Case {
            log: read_log(&home),
            witness: witnessed.lines().map(str::to_owned).collect(),
            ..Case::default()
        };
        case.runs.insert("main".to_owned(), main);
        for (number, answer) in &self.answers {
            let ask = Ask(*number);
            match answer["offset"].as_u64() {
                Some(offset) => drop(case.events.insert(ask.id(), offset)),
                None => drop(case.runs.insert(ask.id(), answer["run"].as_u64().unwrap())),
            }
        }
        let mut faults = case.faults();
        let attempts = case.attempts();
        let kept = attempt_directories(&home);
        for directory in kept.iter().filter(|directory| !attempts.contains(*directory)) {
            faults.push(format!("the directory of {directory}, which the log does not know"));
        }
        faults.truncate(20);
        assert!(faults.is_empty(), "{faults:#?}\n{}", self.again());
        case.try_the_judge();
        self.tally.starts = self.asked;
        self.tally.attempts = attempts.len() as u64;
        self.tally.records = case.log.len() as u64;
        self.tally.directories = kept.len() as u64;
    }

    fn again(&self) -> String {
        let (seed, home, cycles) = (self.seed, self.home, (self.home + 1) * CYCLES_PER_HOME);
        let settings = format!("AIFLOW_KILL_SEED={seed} AIFLOW_KILL_CYCLES={cycles}");
        format!("home {home} of seed {seed}; again: {settings} cargo test -p aiflow-trials kills")
    }
}

/// A client: takes requests, repeats each until it is answered, and some that were answered.
fn serve(mut client: Client, asks: &Mutex<Receiver<Ask>>, answers: &Sender<(Ask, Value, u64)>) {
    loop {
        let next = asks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(ask) = next else { return };
        let (method, params) = ask.words();
        let times = if ask.0 % 7 == 0 { 2 } else { 1 };
        for _ in 0..times {
            let answer = client.ask(method, &params);
            let repeats = std::mem::take(&mut client.repeats);
            // Nobody listens when the trial has failed.
            let _ = answers.send((ask, answer, repeats));
        }
    }
}

/// The attempts whose directories are there, by their ids.
fn attempt_directories(home: &Path) -> Vec<String> {
    let names = |path: &Path| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    for run in names(&home.join("runs")) {
        for attempt in names(&home.join("runs").join(&run).join("attempts")) {
            found.push(format!("{run}.{attempt}"));
        }
    }
    found
}
