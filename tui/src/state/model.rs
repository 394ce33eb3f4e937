//! The model: all that is on the screens, and how messages change it.
//!
//! Must never wait for anything or touch a terminal: what it wants of the daemon goes to the
//! outbox.

use std::collections::{BTreeMap, BTreeSet};

use aiflow_model::digest::Digest;
use aiflow_model::state::Run;
use aiflow_model::time::Timestamp;
use aiflow_model::why::Link as Cause;
use aiflow_model::{Namespace, Offset, RunId, Sequence, State, TaskName, WorkflowName};

use super::chore::Chore;
use super::health::Health;
use super::item::Item;
use super::log::{LogTarget, LogView};
use super::mark::Tone;
use super::past::Past;
use super::rates::Rates;
use super::receipts::Receipts;
use super::recent::{Recent, Seen};
use super::screen::{Pane, Screen};
use super::streams::Sight;
use super::world::World;
use super::{Dialog, runs, tasks};
use crate::actions::keymap::Keymap;
use crate::state::command::Command;
use crate::state::exchange::Request;

/// How the connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    Connecting,
    Live,
    /// There is none: a copied log is looked at.
    Copy,
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
    /// When the user looked last, before now.
    pub(crate) last_looked: Option<Timestamp>,
    /// What has happened since, once the daemon has said so.
    pub(crate) digest: Option<Digest>,
    /// How the latest execution of a task came to be, as the daemon says.
    pub(crate) chain: Option<(Item, Vec<Cause>)>,
    /// What became of the event that is looked at.
    pub(crate) receipts: Receipts,
    /// What is followed.
    pub(crate) live: World,
    /// What was, while somebody looks at it.
    pub(crate) past: Option<Past>,
    /// A state has come; until then nothing is known.
    pub(crate) is_loaded: bool,
    pub(crate) link: Link,
    /// How the daemon was when it was asked.
    pub(crate) health: Health,
    pub(crate) keymap: Keymap,
    /// Nothing may be changed from here.
    pub(crate) read_only: bool,
    pub(crate) screen: Screen,
    pub(crate) pane: Pane,
    /// How much of the time bars show.
    pub(crate) span: usize,
    /// Which of its views each screen shows.
    pub(crate) views: BTreeMap<Screen, usize>,
    /// The pane that has the keys is shown alone.
    pub(crate) is_zoomed: bool,
    /// The run that is open; chosen by itself until somebody opens one.
    pub(crate) run: Option<RunId>,
    pub(crate) run_was_chosen: bool,
    /// The workflow that is open without a run.
    pub(crate) workflow: Option<(Namespace, WorkflowName)>,
    pub(crate) runs_cursor: usize,
    pub(crate) task_cursor: usize,
    pub(crate) workflow_cursor: usize,
    pub(crate) clock_cursor: usize,
    /// The execution that is looked at; none: the one that says most.
    pub(crate) execution: Option<Sequence>,
    /// The event that is looked at; none: the newest, whatever comes.
    pub(crate) event_cursor: Option<Offset>,
    /// Lines that a text is scrolled by: a definition, details.
    pub(crate) scroll: usize,
    pub(crate) filter: String,
    /// Workflows whose runs are folded away.
    pub(crate) folded: BTreeSet<(Namespace, WorkflowName)>,
    /// Only what is one step away from the selected task.
    pub(crate) is_focused: bool,
    /// Values are shown whole.
    pub(crate) is_unfolded: bool,
    pub(crate) marks: BTreeSet<Item>,
    pub(crate) last_mark: Option<Item>,
    pub(crate) log: Option<LogView>,
    pub(crate) wraps: bool,
    pub(crate) shows_times: bool,
    pub(crate) theme: usize,
    pub(crate) has_mouse: bool,
    pub(crate) dialog: Option<Dialog>,
    pub(crate) notice: Option<Notice>,
    /// What was done from the palette, the newest last.
    pub(crate) palette_history: Vec<String>,
    /// Counts what was foretold, so that an old answer is known.
    pub(crate) foretold: u64,
    /// What the daemon is to be asked; the loop takes it.
    pub(crate) outbox: Vec<Request>,
    /// What else is to be done; the loop takes it.
    pub(crate) chores: Vec<Chore>,
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
            last_looked: None,
            digest: None,
            chain: None,
            receipts: Receipts::default(),
            live: World::default(),
            past: None,
            is_loaded: false,
            link: Link::Connecting,
            health: Health::default(),
            keymap: Keymap::default(),
            read_only: false,
            screen: Screen::Overview,
            pane: Pane::Tasks,
            span: 0,
            views: BTreeMap::new(),
            is_zoomed: false,
            run: None,
            run_was_chosen: false,
            workflow: None,
            runs_cursor: 0,
            task_cursor: 0,
            workflow_cursor: 0,
            clock_cursor: 0,
            execution: None,
            event_cursor: None,
            scroll: 0,
            filter: String::new(),
            folded: BTreeSet::new(),
            is_focused: false,
            is_unfolded: false,
            marks: BTreeSet::new(),
            last_mark: None,
            log: None,
            wraps: false,
            shows_times: false,
            theme: 0,
            has_mouse: false,
            dialog: None,
            notice: None,
            palette_history: Vec::new(),
            foretold: 0,
            outbox: Vec::new(),
            chores: Vec::new(),
            quits: false,
            page: 10,
        }
    }

    /// What is shown: what was, while somebody looks at it, else what is.
    pub(crate) fn world(&self) -> &World {
        self.past.as_ref().and_then(Past::world).unwrap_or(&self.live)
    }

    /// The state that is shown.
    pub(crate) fn state(&self) -> &State {
        &self.world().state
    }

    /// The events that are shown.
    pub(crate) fn recent(&self) -> &Recent {
        &self.world().recent
    }

    /// Their rates.
    pub(crate) fn rates(&self) -> &Rates {
        &self.world().rates
    }

    /// The time that is shown: of the record that is looked at, in the past.
    pub(crate) fn time(&self) -> Timestamp {
        self.past.as_ref().and_then(Past::time).unwrap_or(self.now)
    }

    /// Which view the open screen shows.
    pub(crate) fn view(&self) -> usize {
        self.views.get(&self.screen).copied().unwrap_or(0)
    }

    /// Asks what commands would cause; the number that the answer will carry.
    pub(crate) fn foretell(&mut self, commands: Vec<Command>) -> u64 {
        self.foretold += 1;
        self.outbox.push(Request::Foretell { number: self.foretold, commands });
        self.foretold
    }

    /// Reads the output of a task, of one execution or of the newest.
    pub(crate) fn open_log(&mut self, run: RunId, task: TaskName, sequence: Option<Sequence>) {
        let generation = self.log.as_ref().map_or(0, |log| log.target.generation + 1);
        let target = LogTarget { run, task, sequence, is_whole: false, generation };
        self.log = Some(LogView::new(target));
    }

    /// The logs that are to be read while their screen is open.
    pub(crate) fn wanted_logs(&self) -> Vec<LogTarget> {
        let open = self.log.as_ref().filter(|_| self.screen == Screen::Log);
        open.map(LogView::targets).unwrap_or_default()
    }

    /// The run that is open.
    pub(crate) fn open_run(&self) -> Option<&Run> {
        self.state().run(self.run?)
    }

    /// The namespace that is looked at: the open run's.
    pub(crate) fn namespace(&self) -> Namespace {
        let run = self.open_run().filter(|_| self.screen != Screen::Overview);
        let run = run.map(|run| run.namespace.clone());
        let workflow = self.workflow.as_ref().map(|(namespace, _)| namespace.clone());
        run.or(workflow).unwrap_or_else(Namespace::default_namespace)
    }

    /// What views are computed from.
    pub(crate) fn sight(&self) -> Sight<'_> {
        let World { state, recent, rates } = self.world();
        Sight { state, recent, rates, now: self.time() }
    }

    /// The task that is selected in the open run.
    pub(crate) fn selected_task(&self) -> Option<(RunId, TaskName)> {
        let run = self.open_run()?;
        let spec = &self.state().snapshots.get(&run.snapshot)?.spec;
        let index = self.task_cursor.min(spec.tasks.len().checked_sub(1)?);
        spec.tasks.get(index).map(|task| (run.id, task.name.clone()))
    }

    /// Events that are shown, newest first.
    pub(crate) fn shown_events(&self) -> impl Iterator<Item = &Seen> {
        let run = (self.screen == Screen::Streams).then_some(self.run).flatten();
        let namespace = self.open_run().map(|run| &run.namespace);
        let filter = self.filter.to_lowercase();
        self.recent().iter().rev().filter(move |seen| match run {
            // Of the open run: its own and those to all.
            Some(run) => {
                seen.run.is_none_or(|of| of == run)
                    && namespace.is_none_or(|namespace| *namespace == seen.namespace)
            }
            None => is_wanted(seen, &filter),
        })
    }

    /// The event that is looked at: the chosen one, else the newest.
    pub(crate) fn selected_event(&self) -> Option<&Seen> {
        let cursor = self.event_cursor;
        self.shown_events().find(|seen| cursor.is_none_or(|cursor| seen.offset <= cursor))
    }

    /// Whether something on the screen changes with the seconds, though nothing happens.
    pub(crate) fn shows_running_time(&self) -> bool {
        if matches!(self.link, Link::Lost { .. }) {
            return true;
        }
        if self.past.is_some() {
            return false;
        }
        if self.live.rates.is_moving(self.now) {
            return true;
        }
        let state = &self.live.state;
        match self.screen {
            Screen::Overview | Screen::Workflow => {
                state.runs.values().any(|run| run.status.is_alive())
            }
            Screen::Streams | Screen::Run | Screen::Task => self.open_run().is_some_and(|run| {
                run.status.is_alive() && tasks::rows(state, run).iter().any(|t| t.is_running)
            }),
            // Times to the next tick run down.
            Screen::Clocks => state.triggers.values().any(|trigger| trigger.next_tick().is_some()),
            Screen::Events | Screen::Log | Screen::System => false,
        }
    }

    /// Runs of the workflow that is open, newest first.
    pub(crate) fn workflow_runs(&self) -> Vec<&Run> {
        let Some((namespace, workflow)) = self.open_workflow() else { return Vec::new() };
        let is_of = |run: &&Run| run.namespace == namespace && run.workflow == workflow;
        self.state().runs.values().rev().filter(is_of).take(runs::ENDED_RUNS_MAX).collect()
    }

    /// The workflow that is open: that of the open run, unless another was chosen.
    pub(crate) fn open_workflow(&self) -> Option<(Namespace, WorkflowName)> {
        let of_run = || self.open_run().map(|run| (run.namespace.clone(), run.workflow.clone()));
        self.workflow.clone().or_else(of_run)
    }

    /// Whether something may be changed from here; says why not.
    pub(crate) fn may_change(&mut self) -> bool {
        let why_not = match () {
            () if self.past.is_some() => "the past cannot be changed; q goes back to now",
            () if self.read_only => "read-only: nothing is asked of the daemon",
            () => return true,
        };
        self.say(why_not, Tone::Wait);
        false
    }

    /// Says something until the next key.
    pub(crate) fn say(&mut self, text: impl Into<String>, tone: Tone) {
        self.notice = Some(Notice { text: text.into(), tone });
    }
}

fn is_wanted(seen: &Seen, filter: &str) -> bool {
    filter.split_whitespace().all(|word| {
        seen.key.as_str().to_lowercase().contains(word)
            || seen.source.to_lowercase().contains(word)
            || seen.brief().to_lowercase().contains(word)
    })
}
