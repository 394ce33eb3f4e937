//! The model: all that is on the screens, and how messages change it.
//!
//! Must never wait for anything or touch a terminal: what it wants of the daemon goes to the
//! outbox.

use aiflow_model::state::Run;
use aiflow_model::time::Timestamp;
use aiflow_model::{Namespace, Offset, RunId, State, TaskName};

use super::log::{LogTarget, LogView};
use super::mark::Tone;
use super::rates::Rates;
use super::recent::{Recent, Seen};
use super::streams::Sight;
use super::{Dialog, runs, tasks};
use crate::conn::{Message, Request};

/// The screens, in the order of their tabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    Runs,
    Run,
    Events,
    Log,
}

/// The panes of the run's screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pane {
    Tasks,
    Events,
}

/// How the connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    Connecting,
    Live,
    /// Gone; why, and for how long.
    Lost {
        reason: String,
        since: Timestamp,
    },
}

/// A line about what was done, until the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// All that is on the screens.
#[derive(Debug)]
pub(crate) struct Model {
    /// Set by the loop before each key, message and frame.
    pub(crate) now: Timestamp,
    pub(crate) home: String,
    pub(crate) state: State,
    /// A state has come; until then nothing is known.
    pub(crate) is_loaded: bool,
    pub(crate) link: Link,
    pub(crate) recent: Recent,
    pub(crate) rates: Rates,
    /// Median time of a commit, in microseconds.
    pub(crate) commit_us: Option<u64>,
    pub(crate) screen: Screen,
    pub(crate) pane: Pane,
    /// The run that is open; chosen by itself until somebody opens one.
    pub(crate) run: Option<RunId>,
    pub(crate) run_was_chosen: bool,
    pub(crate) runs_cursor: usize,
    pub(crate) task_cursor: usize,
    /// The event that is looked at; none: the newest, whatever comes.
    pub(crate) event_cursor: Option<Offset>,
    pub(crate) filter: String,
    pub(crate) log: Option<LogView>,
    pub(crate) wraps: bool,
    pub(crate) shows_times: bool,
    pub(crate) dialog: Option<Dialog>,
    pub(crate) notice: Option<Notice>,
    /// What the daemon is to be asked; the loop takes it.
    pub(crate) outbox: Vec<Request>,
    pub(crate) quits: bool,
    /// Lines that a page key moves; set by the loop from the size of the terminal.
    pub(crate) page: usize,
}

impl Model {
    /// Before anything is known.
    pub(crate) fn new(home: String, now: Timestamp) -> Self {
        Self {
            now,
            home,
            state: State::empty(),
            is_loaded: false,
            link: Link::Connecting,
            recent: Recent::default(),
            rates: Rates::default(),
            commit_us: None,
            screen: Screen::Runs,
            pane: Pane::Tasks,
            run: None,
            run_was_chosen: false,
            runs_cursor: 0,
            task_cursor: 0,
            event_cursor: None,
            filter: String::new(),
            log: None,
            wraps: false,
            shows_times: false,
            dialog: None,
            notice: None,
            outbox: Vec::new(),
            quits: false,
            page: 10,
        }
    }

    /// Takes in what came from the connection.
    pub(crate) fn take(&mut self, message: Message) {
        match message {
            Message::Connecting => {
                if !matches!(self.link, Link::Lost { .. }) {
                    self.link = Link::Connecting;
                }
            }
            Message::Live => self.link = Link::Live,
            Message::Lost(reason) => {
                let since = match &self.link {
                    Link::Lost { since, .. } => *since,
                    Link::Live | Link::Connecting => self.now,
                };
                self.link = Link::Lost { reason, since };
            }
            Message::State(state) => self.take_state(*state),
            Message::Past(events) => self.recent.add_past(events, &self.state),
            Message::Records(records) => self.take_records(&records),
            Message::Commit(us) => self.commit_us = Some(us),
            Message::Done(text) => self.notice = Some(Notice { text, tone: Tone::Good }),
            Message::Refused(text) => self.notice = Some(Notice { text, tone: Tone::Bad }),
            Message::Log(target, piece) => {
                let Some(log) = self.log.as_mut().filter(|log| log.target == target) else {
                    return;
                };
                match piece {
                    Ok(piece) => log.take(&piece),
                    Err(fault) => log.fault = Some(fault),
                }
            }
        }
    }

    fn take_state(&mut self, state: State) {
        let is_first = !self.is_loaded;
        self.state = state;
        self.is_loaded = true;
        self.recent = Recent::default();
        if self.run.is_some_and(|run| self.state.run(run).is_none()) {
            self.run = None;
            self.run_was_chosen = false;
        }
        self.choose_run();
        if is_first && self.run.is_some() {
            self.screen = Screen::Run;
        }
    }

    fn take_records(&mut self, records: &[aiflow_model::LoggedRecord]) {
        use aiflow_model::Record;
        let mut runs_changed = false;
        for logged in records {
            // After a break some may come that are known already.
            if logged.offset < self.state.next_offset {
                continue;
            }
            if let Err(error) = self.state.apply(logged) {
                let text = format!("{error}; asking for the whole state anew");
                self.notice = Some(Notice { text, tone: Tone::Bad });
                self.outbox.push(Request::Resync);
                return;
            }
            self.recent.take(logged, &self.state);
            match &logged.record {
                Record::EventEmitted(event) => {
                    self.rates.count(&event.namespace, &event.key, logged.time);
                }
                Record::RunStarted(_) | Record::RunFinished { .. } => runs_changed = true,
                Record::AttemptQueued { id } => self.follow_attempt(id),
                _ => {}
            }
        }
        if runs_changed {
            self.choose_run();
        }
    }

    /// Until somebody opens one, the newest living run is the one that is shown.
    fn choose_run(&mut self) {
        if !self.run_was_chosen {
            self.run = runs::first_run(&self.state);
        }
    }

    /// The log of a task goes over to its next attempt.
    fn follow_attempt(&mut self, id: &aiflow_model::AttemptId) {
        let Some(log) = &self.log else { return };
        let ours = log.target.run == id.execution.run && log.target.task == id.execution.task;
        let wanted = log.target.sequence.is_none_or(|sequence| sequence == id.execution.sequence);
        if ours && wanted && log.ended && log.follows() {
            let (run, task) = (log.target.run, log.target.task.clone());
            self.open_log(run, task, log.target.sequence);
        }
    }

    /// Reads the output of a task, of one execution or of the newest.
    pub(crate) fn open_log(
        &mut self,
        run: RunId,
        task: TaskName,
        sequence: Option<aiflow_model::Sequence>,
    ) {
        let generation = self.log.as_ref().map_or(0, |log| log.target.generation + 1);
        let target = LogTarget { run, task, sequence, generation };
        self.log = Some(LogView::new(target));
    }

    /// The log that is to be read while its screen is open.
    pub(crate) fn wanted_log(&self) -> Option<&LogTarget> {
        self.log.as_ref().filter(|_| self.screen == Screen::Log).map(|log| &log.target)
    }

    /// The run that is open.
    pub(crate) fn open_run(&self) -> Option<&Run> {
        self.state.run(self.run?)
    }

    /// The namespace that is looked at: the open run's.
    pub(crate) fn namespace(&self) -> Namespace {
        let run = self.open_run().filter(|_| self.screen != Screen::Runs);
        run.map_or_else(Namespace::default_namespace, |run| run.namespace.clone())
    }

    /// What views are computed from.
    pub(crate) const fn sight(&self) -> Sight<'_> {
        Sight { state: &self.state, recent: &self.recent, rates: &self.rates, now: self.now }
    }

    /// The task that is selected in the open run.
    pub(crate) fn selected_task(&self) -> Option<(RunId, TaskName)> {
        let run = self.open_run()?;
        let spec = &self.state.snapshots.get(&run.snapshot)?.spec;
        let index = self.task_cursor.min(spec.tasks.len().checked_sub(1)?);
        spec.tasks.get(index).map(|task| (run.id, task.name.clone()))
    }

    /// Events that are shown, newest first.
    pub(crate) fn shown_events(&self) -> impl Iterator<Item = &Seen> {
        let run = (self.screen == Screen::Run).then_some(self.run).flatten();
        let namespace = self.open_run().map(|run| &run.namespace);
        let filter = self.filter.to_lowercase();
        self.recent.iter().rev().filter(move |seen| match run {
            // Of the open run: its own and those to all.
            Some(run) => {
                seen.run.is_none_or(|of| of == run)
                    && namespace.is_none_or(|namespace| *namespace == seen.namespace)
            }
            None => is_wanted(seen, &filter),
        })
    }

    /// Whether something on the screen changes with the seconds, though nothing happens.
    pub(crate) fn shows_running_time(&self) -> bool {
        if matches!(self.link, Link::Lost { .. }) || self.rates.is_moving(self.now) {
            return true;
        }
        match self.screen {
            Screen::Runs => self.state.runs.values().any(|run| run.status.is_alive()),
            Screen::Run => self.open_run().is_some_and(|run| {
                run.status.is_alive() && tasks::rows(&self.state, run).iter().any(|t| t.is_running)
            }),
            Screen::Events | Screen::Log => false,
        }
    }
}

fn is_wanted(seen: &Seen, filter: &str) -> bool {
    filter.split_whitespace().all(|word| {
        seen.key.as_str().to_lowercase().contains(word)
            || seen.source.to_lowercase().contains(word)
            || seen.brief().to_lowercase().contains(word)
    })
}
