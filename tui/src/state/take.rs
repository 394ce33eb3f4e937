//! How what comes from the connection changes the model.
//!
//! Must never wait, nor take the same record twice.

use aiflow_model::{LoggedRecord, RunId, State};

use super::Dialog;
use super::mark::Tone;
use super::model::{Link, Model, Notice};
use super::runs;
use super::screen::Screen;
use super::world::World;
use crate::state::exchange::{Message, Request};

impl Model {
    /// Takes in what came from the connection.
    pub(crate) fn take(&mut self, message: Message) {
        match message {
            Message::Connecting => {
                if !matches!(self.link, Link::Lost { .. }) {
                    self.link = Link::Connecting;
                }
            }
            Message::Live => {
                self.link = Link::Live;
                self.receipts.forget_fault();
            }
            Message::Copy => {
                self.link = Link::Copy;
                self.read_only = true;
            }
            Message::Lost(reason) => {
                let since = match &self.link {
                    Link::Lost { since, .. } => *since,
                    Link::Live | Link::Connecting | Link::Copy => self.now,
                };
                self.link = Link::Lost { reason, since };
            }
            Message::State(state) => self.take_state(*state),
            Message::Past(events) => self.live.take_past(events),
            Message::Records(records) => self.take_records(&records),
            Message::Status(status) => self.health.take(*status, self.now),
            Message::Slice(slice) => super::travel::take(self, slice),
            Message::Since(digest) => self.digest = Some(*digest),
            Message::Chain(item, links) => self.chain = Some((item, links)),
            Message::Receipt(about, told) => self.receipts.take(about, told, self.now),
            Message::Diff(run, lines) => {
                if let Some(Dialog::Diff(diff)) = &mut self.dialog
                    && diff.run == run
                {
                    diff.told = Some(lines);
                }
            }
            Message::Foretold(number, lines) => self.take_foretold(number, lines),
            Message::Done(text) => self.notice = Some(Notice { text, tone: Tone::Good }),
            Message::Refused(text) => self.notice = Some(Notice { text, tone: Tone::Bad }),
            Message::Log(target, piece) => {
                if let Some(log) = &mut self.log {
                    log.take(&target, piece);
                }
            }
        }
    }

    fn take_state(&mut self, state: State) {
        let is_first = !self.is_loaded;
        self.live = World { rates: std::mem::take(&mut self.live.rates), ..World::of(state) };
        self.is_loaded = true;
        if self.run.is_some_and(|run| self.live.state.run(run).is_none()) {
            self.run = None;
            self.run_was_chosen = false;
        }
        self.choose_run();
        if let Some(since) = self.last_looked.filter(|_| is_first) {
            self.outbox.push(Request::Since(since));
        }
        if is_first && self.run.is_some() && self.screen == Screen::Overview {
            self.screen = self.first_screen();
        }
    }

    /// Where to begin: streams, where there are any, else the run as it goes.
    fn first_screen(&self) -> Screen {
        let snapshot = self.run.and_then(|run| self.live.state.snapshot_of(run));
        let is_stream =
            |task: &aiflow_model::TaskSpec| task.kind == aiflow_model::spec::TaskKind::Stream;
        let streams = snapshot.is_some_and(|snapshot| {
            snapshot.spec.has_clock() || snapshot.spec.tasks.iter().any(is_stream)
        });
        if streams { Screen::Streams } else { Screen::Run }
    }

    fn take_foretold(&mut self, number: u64, lines: Result<Vec<String>, String>) {
        match &mut self.dialog {
            Some(Dialog::Confirm(question)) if question.number == number => {
                question.foretold = Some(lines);
            }
            Some(Dialog::Form(form)) if form.number == number => form.foretold = Some(lines),
            _ => {}
        }
    }

    fn take_records(&mut self, records: &[LoggedRecord]) {
        use aiflow_model::Record;
        let mut runs_changed = false;
        for logged in records {
            if let Err(error) = self.live.take(logged) {
                let text = format!("{error}; asking for the whole state anew");
                self.notice = Some(Notice { text, tone: Tone::Bad });
                self.outbox.push(Request::Resync);
                return;
            }
            match &logged.record {
                Record::RunStarted(_) | Record::RunFinished { .. } => runs_changed = true,
                Record::RunArchived { run } => {
                    self.leave(*run, "is archived: aiflow workflow-execution show tells of it");
                }
                Record::RunDeleted { run } => self.leave(*run, "was deleted"),
                Record::AttemptQueued { id } => self.follow_attempt(id),
                _ => {}
            }
        }
        if runs_changed {
            self.choose_run();
        }
    }

    /// A run is no longer here: whoever looks at it is told so, and sees another.
    fn leave(&mut self, run: RunId, why: &str) {
        if self.run == Some(run) {
            self.run_was_chosen = false;
            self.choose_run();
            self.say(format!("run {run} {why}"), Tone::Wait);
        }
    }

    /// Until somebody opens one, the newest living run is the one that is shown.
    fn choose_run(&mut self) {
        if !self.run_was_chosen {
            self.run = runs::first_run(&self.live.state);
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
}
