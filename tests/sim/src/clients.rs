//! Clients: what they ask for, how they repeat it, and the spool that they write when no daemon
//! answers.
//!
//! Must never know what the daemon believes, beyond its answers and the ids that it lists.

use aiflow_core::{Answer, Input};
use aiflow_model::state::RunStatus;
use aiflow_model::time::Span;
use aiflow_model::wire::StartRun;
use aiflow_model::{JsonText, Namespace, RunId, TaskName, Timestamp, TriggerId};

use crate::bug::Bug;
use crate::oracle::{key, name};
use crate::world::World;

/// One request of a client, repeated until it is answered.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Which one of all.
    pub(crate) number: usize,
    pub(crate) input: Input,
    pub(crate) answer: Option<Answer>,
    pub(crate) is_refused: bool,
    /// It lies in the spool: the daemon takes it by itself.
    pub(crate) is_spooled: bool,
    /// The client has done with it: it was answered, or is in the spool.
    pub(crate) settled: bool,
    pub(crate) tries: usize,
}

/// A file of the spool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spooled {
    pub(crate) request: usize,
    /// It was removed, which nobody has synced.
    pub(crate) is_gone: bool,
}

impl World {
    pub(crate) fn ask(&mut self, input: Input) {
        let number = self.requests.len();
        self.requests.push(Request {
            number,
            input,
            answer: None,
            is_refused: false,
            is_spooled: false,
            settled: false,
            tries: 0,
        });
    }

    pub(crate) fn new_request(&mut self) {
        let number = self.requests.len();
        if number < 3 || self.rng.one_in(150) {
            let (workflow, params) = (name("w"), [].into());
            let request = Some(format!("run-{number}"));
            let namespace = Namespace::default_namespace();
            self.ask(Input::StartRun(StartRun { namespace, workflow, params, request }));
        } else if self.rng.one_in(10) {
            self.new_command();
        } else {
            let emit = self.new_event(number);
            let is_scoped = matches!(emit, Input::Emit { execution: Some(_), .. });
            self.ask(emit);
            if self.daemon.is_none() && !is_scoped && self.rng.one_in(2) {
                let request = &mut self.requests[number];
                (request.is_spooled, request.settled) = (true, true);
                self.spool.push(Spooled { request: number, is_gone: false });
            }
        }
    }

    fn new_event(&mut self, number: usize) -> Input {
        let (key_name, value) = match self.rng.below(42) {
            0 => ("begin", format!("{{\"n\":{number}}}")),
            40.. => {
                let parts = &["a", "b", "c"][..self.rng.below(4) as usize];
                ("parts", format!("{{\"n\":{number},\"parts\":{parts:?}}}"))
            }
            1..=15 => ("go", format!("{{\"n\":{number}}}")),
            16..=23 => ("other", format!("{{\"n\":{number}}}")),
            which => {
                let hours = self.rng.below(40) * 1_800_000_000;
                let time = Timestamp(1_700_000_000_000_000).plus(Span(hours));
                let key = if which % 2 == 0 { "f" } else { "w" };
                (key, format!("{{\"n\":{number},\"watermark\":\"{time}\"}}"))
            }
        };
        let execution = if self.rng.one_in(8) { self.some_run(|_| true) } else { None };
        Input::Emit {
            namespace: Namespace::default_namespace(),
            key: key(key_name),
            value: JsonText::parse(&value).unwrap_or_else(|_| JsonText::null()),
            source: "client".to_owned(),
            id: format!("event-{number}"),
            execution,
            speaker: None,
        }
    }

    /// What people do beside emitting.
    fn new_command(&mut self) {
        let (namespace, workflow) = (Namespace::default_namespace(), name("w"));
        let is_running = |status: RunStatus| status == RunStatus::Running;
        let input = match self.rng.below(16) {
            0..=5 => {
                const TASKS: [&str; 8] =
                    ["each", "third", "pair", "hourly", "parts", "hang", "tick", "stream"];
                let task = TASKS[self.rng.below(8) as usize];
                self.some_run(is_running).map(|run| Input::StopTask(run, task_name(task)))
            }
            6..=9 => {
                let task = ["each", "third", "pair", "hang"][self.rng.below(4) as usize];
                self.some_run(is_running).map(|run| Input::StartTask(run, task_name(task)))
            }
            10 => self.some_run(is_running).map(Input::StopRun),
            11 => self.some_run(|status| !status.is_alive()).map(Input::DeleteRun),
            12 => Some(Input::PauseTrigger(TriggerId(1))),
            13 => Some(Input::ResumeTrigger(TriggerId(1))),
            // More often enabled than not, so that something happens.
            which => Some(Input::EnableWorkflow(namespace, workflow, which == 15)),
        };
        if let Some(input) = input {
            self.ask(input);
        }
    }

    /// A run that the daemon lists, by chance.
    fn some_run(&mut self, is_wanted: impl Fn(RunStatus) -> bool) -> Option<RunId> {
        let runs = &self.daemon.as_ref()?.engine.state().runs;
        let wanted: Vec<RunId> =
            runs.values().filter(|run| is_wanted(run.status)).map(|run| run.id).collect();
        wanted.get(self.rng.below(wanted.len().max(1) as u64) as usize).copied()
    }

    /// A client sends what was not answered yet, new or again; now and then what was.
    pub(crate) fn send(&mut self) {
        let asks_again = !self.is_tail && self.rng.one_in(12);
        let may_be_sent = |request: &&Request| {
            let has_identity = matches!(request.input, Input::Emit { .. } | Input::StartRun(_));
            let is_again = asks_again && has_identity && request.answer.is_some();
            !request.is_spooled && (is_again || !request.settled)
        };
        let open: Vec<usize> = self.requests.iter().filter(may_be_sent).map(|r| r.number).collect();
        let Some(number) = open.get(self.rng.below(open.len().max(1) as u64) as usize).copied()
        else {
            return;
        };
        self.note(("send", number));
        let answered = self.requests.iter().filter(|request| request.settled).count();
        let request = &mut self.requests[number];
        request.tries += 1;
        let mut input = request.input.clone();
        match &mut input {
            Input::Emit { id, .. } if self.bug == Some(Bug::RepeatsUnderANewIdentity) => {
                *id = format!("{id}-{}", request.tries);
            }
            Input::Emit { id, .. } if self.bug == Some(Bug::CountsOnlyWhatWasAnswered) => {
                *id = format!("event-{answered}");
            }
            Input::StartRun(start) if self.bug == Some(Bug::StartsRunsWithoutAnIdentity) => {
                start.request = None;
            }
            _ => {}
        }
        if self.bug == Some(Bug::TakesSilenceForYes) && request.tries > 1 {
            request.settled = true;
            return;
        }
        if let Some(daemon) = &mut self.daemon {
            daemon.request(number, input, self.time);
        }
    }

    /// The daemon takes the next file of the spool, one at a time.
    pub(crate) fn drain(&mut self) {
        let is_there = |spooled: &Spooled| !spooled.is_gone;
        let place = match self.bug {
            Some(Bug::DrainsTheSpoolBackwards) => self.spool.iter().rposition(is_there),
            _ => self.spool.iter().position(is_there),
        };
        let (Some(place), None, Some(daemon)) = (place, self.draining, &mut self.daemon) else {
            return;
        };
        let number = self.spool[place].request;
        let request = &mut self.requests[number];
        request.tries += 1;
        let mut input = request.input.clone();
        if let Input::Emit { id, .. } = &mut input
            && self.bug == Some(Bug::DrainsUnderANewIdentity)
        {
            *id = format!("{id}-{}", request.tries);
        }
        self.draining = Some(place);
        self.spool[place].is_gone = self.bug == Some(Bug::RemovesFromTheSpoolTooSoon);
        daemon.request(number, input, self.time);
        self.note(("drain", number));
    }

    /// An answer has left the daemon.
    pub(crate) fn reply(&mut self, number: usize, answer: Option<&Answer>) -> Result<(), String> {
        let of_spool = self.draining.filter(|place| self.spool[*place].request == number);
        match of_spool {
            Some(place) => {
                self.draining = None;
                self.spool[place].is_gone = true;
            }
            None if self.fault(6, 4) => return Ok(()),
            None => {}
        }
        self.note(("reply", number));
        let request = &mut self.requests[number];
        request.settled = true;
        let Some(answer) = answer else {
            request.is_refused |= request.answer.is_none();
            return Ok(());
        };
        let known = request.answer.get_or_insert_with(|| answer.clone());
        self.oracle.check_same(known, answer)
    }
}

fn task_name(name: &str) -> TaskName {
    TaskName::new(name).unwrap_or_else(|error| panic!("{error}"))
}
