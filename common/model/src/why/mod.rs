//! Why a task waits, or ran: the whole answer, made from the state alone, so that the CLI and the
//! TUI tell the same.
//!
//! Must never evaluate an expression or look at a clock, and never give a task that waits an empty
//! answer: what would start it stands last.

mod chain;
mod clock;
mod condition;
mod step;
mod task;

pub use chain::{Creations, Link, chain};
pub use step::{Need, Step, Sum};

use serde::{Deserialize, Serialize};

use crate::state::{Run, RunStatus, State};
use crate::time::Timestamp;
use crate::{Offset, RunId, Sequence, TaskName, WorkflowName};

/// Most offsets that a line carries: the newest.
const OFFSETS_MAX: usize = 10;
/// Most names that a line lists.
const NAMES_MAX: usize = 10;

/// The answer for a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// Which run.
    pub run: RunId,
    /// Of which workflow.
    pub workflow: WorkflowName,
    /// Everything before this offset was looked at.
    pub at: Offset,
    /// When.
    pub now: Timestamp,
    /// What holds for the run as a whole.
    pub lines: Vec<Line>,
    /// Its tasks, in the order of the definition.
    pub tasks: Vec<TaskWhy>,
}

/// The answer for a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskWhy {
    /// Which task.
    pub task: TaskName,
    /// Where it stands.
    pub stands: Stands,
    /// Why, part by part.
    pub lines: Vec<Line>,
    /// The smallest thing that would start it, in order; empty only of what runs already.
    pub needs: Vec<Need>,
    /// The execution whose chain of causes is told: the latest that began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<Sequence>,
    /// How that execution came to be, from its creation back to what came from outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<Link>,
}

/// Where a task stands, as whoever asks sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stands {
    /// Nothing of it is active: it waits for its condition, its turn or a slot.
    Waits,
    /// An attempt is being launched.
    Starts,
    /// It runs.
    Runs,
    /// It waits for its next attempt.
    Retries,
    /// It is being stopped.
    Stops,
    /// Its run has ended.
    Over,
}

impl Stands {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Starts => "starts",
            Self::Runs => "runs",
            Self::Retries => "retries",
            Self::Stops => "stops",
            Self::Over => "over",
        }
    }
}

/// One line of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// How deep it stands below the lines before it.
    pub depth: u32,
    /// What it says.
    pub text: String,
    /// Records that say so, the newest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offsets: Vec<Offset>,
}

impl Line {
    pub(crate) fn new(depth: u32, text: impl Into<String>) -> Self {
        Self { depth, text: text.into(), offsets: Vec::new() }
    }

    pub(crate) fn at(mut self, offsets: impl IntoIterator<Item = Offset>) -> Self {
        self.offsets.extend(offsets);
        self.offsets.sort_unstable();
        self.offsets.dedup();
        let surplus = self.offsets.len().saturating_sub(OFFSETS_MAX);
        self.offsets.drain(..surplus);
        self
    }
}

/// How the daemon is, as far as it keeps work from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// The disk is short of room: events and other new work are refused.
    pub disk_low: bool,
    /// The daemon is going down.
    pub stopping: bool,
}

/// What is looked at.
#[derive(Clone, Copy)]
struct Scene<'a> {
    state: &'a State,
    run: &'a Run,
    now: Timestamp,
    health: Health,
}

/// Why each task of a run waits or runs, or that of one task; none when there is no such run or
/// task. `now` is the time of whoever asks.
#[must_use]
pub fn why(
    state: &State,
    run: RunId,
    task: Option<&TaskName>,
    now: Timestamp,
    health: Health,
) -> Option<Why> {
    let (run, snapshot) = (state.run(run)?, state.snapshot_of(run)?);
    let scene = Scene { state, run, now, health };
    let wanted = snapshot.spec.tasks.iter().zip(&run.tasks);
    let wanted = wanted.filter(|(spec, _)| task.is_none_or(|task| spec.name == *task));
    let tasks: Vec<TaskWhy> = wanted.map(|(spec, known)| scene.task(spec, known)).collect();
    if task.is_some() && tasks.is_empty() {
        return None;
    }
    let (at, workflow) = (state.next_offset, run.workflow.clone());
    Some(Why { run: run.id, workflow, at, now, lines: scene.lines(), tasks })
}

impl Scene<'_> {
    /// What holds for the run as a whole.
    fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        if self.health.stopping {
            lines.push(Line::new(0, "the daemon is going down: nothing new is taken"));
        }
        if self.health.disk_low {
            lines.push(Line::new(0, "the disk is short of room: new work is refused"));
        }
        let run = self.run;
        let since = Line::new(0, format!("the run began at {}", run.started_at)).at([run.offset]);
        match run.status {
            RunStatus::Waiting => {
                let (active, before) = (self.active_runs(), self.runs_before());
                let text = format!(
                    "the run waits for its turn: {} of the workflow are active ({}), {before} wait \
                     before it; `max_active_runs` is {}",
                    active.len(),
                    names(&active),
                    self.runs_max().map_or_else(String::new, |max| max.to_string()),
                );
                lines.push(Line::new(0, text).at([run.offset]));
            }
            RunStatus::Running => lines.push(since),
            RunStatus::Stopping => {
                lines.push(since);
                lines.push(Line::new(0, "the run is being stopped: nothing starts in it"));
            }
            RunStatus::Success | RunStatus::Failed | RunStatus::Stopped => {
                lines.push(since);
                let ended = run.ended_at.map_or_else(String::new, |ended| format!(" at {ended}"));
                let text =
                    format!("the run ended{ended}: {}; nothing starts by itself", run.status);
                lines.push(Line::new(0, text));
            }
        }
        if run.paused {
            lines.push(Line::new(0, "the run is paused: what would start waits"));
        }
        lines
    }

    fn runs_max(&self) -> Option<u32> {
        self.state.snapshot_of(self.run.id).and_then(|snapshot| snapshot.spec.max_active_runs)
    }

    fn active_runs(&self) -> Vec<RunId> {
        let Run { namespace, workflow, .. } = self.run;
        self.state.pools.active(namespace, workflow).collect()
    }

    /// How many runs wait that come first.
    fn runs_before(&self) -> usize {
        let Run { namespace, workflow, id, .. } = self.run;
        self.state.pools.waiting(namespace, workflow).take_while(|other| other < id).count()
    }
}

/// A few names, and how many more there are.
fn names<T: ToString>(all: &[T]) -> String {
    let told: Vec<String> = all.iter().take(NAMES_MAX).map(ToString::to_string).collect();
    let more = all.len().saturating_sub(NAMES_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    if told.is_empty() { "none".to_owned() } else { told.join(", ") + &more }
}
