//! How a status is shown: by shape, by word and by tone, so that colour never carries it alone.
//!
//! Must never decide a status: it only names it.

use aiflow_model::state::{Execution, ExecutionStatus, Run, RunStatus};

/// What colour, if any, goes with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Dim,
    Good,
    Busy,
    Wait,
    Bad,
}

/// A status, shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) glyph: &'static str,
    pub(crate) word: &'static str,
    pub(crate) tone: Tone,
}

impl Mark {
    const fn new(glyph: &'static str, word: &'static str, tone: Tone) -> Self {
        Self { glyph, word, tone }
    }

    /// Nothing has happened yet.
    pub(crate) const IDLE: Self = Self::new("·", "idle", Tone::Dim);
    /// A window whose time has not come.
    pub(crate) const DUE: Self = Self::new("◌", "waits", Tone::Wait);

    /// Whether nothing more will come of it.
    pub(crate) fn is_over(self) -> bool {
        matches!(self.glyph, "✓" | "✗" | "■")
    }

    /// Of a run.
    pub(crate) const fn of_run(run: &Run) -> Self {
        let status = run.status;
        match status {
            RunStatus::Running if run.paused => Self::new("‖", "paused", Tone::Wait),
            RunStatus::Waiting => Self::new("○", status.word(), Tone::Wait),
            RunStatus::Running => Self::new("●", status.word(), Tone::Busy),
            RunStatus::Stopping => Self::new("◼", status.word(), Tone::Wait),
            RunStatus::Success => Self::new("✓", status.word(), Tone::Good),
            RunStatus::Failed => Self::new("✗", status.word(), Tone::Bad),
            RunStatus::Stopped => Self::new("■", status.word(), Tone::Dim),
        }
    }

    /// Of an execution; one that works on a window has a shape of its own while it runs, and so has
    /// one that nothing is heard of.
    pub(crate) const fn of_execution(execution: &Execution) -> Self {
        match execution.status {
            ExecutionStatus::Running if execution.silent_since.is_some() => {
                Self::new("?", "silent", Tone::Bad)
            }
            ExecutionStatus::Running if execution.ready_at.is_some() => {
                Self::new("●", "ready", Tone::Busy)
            }
            status => Self::of_status(status, execution.window.is_some()),
        }
    }

    /// Of a status.
    pub(crate) const fn of_status(status: ExecutionStatus, has_window: bool) -> Self {
        match status {
            ExecutionStatus::Waiting => Self::new("▷", status.word(), Tone::Wait),
            ExecutionStatus::Queued => Self::new("▷", "starting", Tone::Busy),
            ExecutionStatus::Running if has_window => Self::new("▶", status.word(), Tone::Busy),
            ExecutionStatus::Running | ExecutionStatus::Ready => {
                Self::new("●", status.word(), Tone::Busy)
            }
            ExecutionStatus::Retrying => Self::new("↻", status.word(), Tone::Wait),
            ExecutionStatus::Stopping => Self::new("◼", status.word(), Tone::Wait),
            ExecutionStatus::Success => Self::new("✓", status.word(), Tone::Good),
            ExecutionStatus::Failed => Self::new("✗", status.word(), Tone::Bad),
            ExecutionStatus::Stopped => Self::new("■", status.word(), Tone::Dim),
            ExecutionStatus::Skipped => Self::new("»", status.word(), Tone::Dim),
        }
    }
}
