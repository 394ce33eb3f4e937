//! The screens and their panes.

/// The screens, in the order of their tabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Screen {
    Overview,
    Streams,
    Run,
    Workflow,
    Task,
    Events,
    Log,
    Clocks,
    System,
}

/// The panes of the screen of streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pane {
    Tasks,
    Events,
}

impl Screen {
    /// All of them, in the order of their tabs.
    pub(crate) const ALL: [Self; 9] = [
        Self::Overview,
        Self::Streams,
        Self::Run,
        Self::Workflow,
        Self::Task,
        Self::Events,
        Self::Log,
        Self::Clocks,
        Self::System,
    ];

    /// The key that goes there, as its tab says it.
    pub(crate) fn number(self) -> usize {
        Self::ALL.iter().position(|screen| *screen == self).unwrap_or(0) + 1
    }

    /// Its name on its tab.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Streams => "Streams",
            Self::Run => "Run",
            Self::Workflow => "Workflow",
            Self::Task => "Task",
            Self::Events => "Events",
            Self::Log => "Log",
            Self::Clocks => "Clocks",
            Self::System => "System",
        }
    }

    /// Its name in links.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Streams => "streams",
            Self::Run => "run",
            Self::Workflow => "workflow",
            Self::Task => "task",
            Self::Events => "events",
            Self::Log => "log",
            Self::Clocks => "clocks",
            Self::System => "system",
        }
    }

    /// The name of going there in keymap files.
    pub(crate) const fn action(self) -> &'static str {
        match self {
            Self::Overview => "show-overview",
            Self::Streams => "show-streams",
            Self::Run => "show-run",
            Self::Workflow => "show-workflow",
            Self::Task => "show-task",
            Self::Events => "show-events",
            Self::Log => "show-log",
            Self::Clocks => "show-clocks",
            Self::System => "show-system",
        }
    }

    /// Names of its views, one of which is shown at a time; of most there is one alone.
    pub(crate) const fn views(self) -> &'static [&'static str] {
        match self {
            Self::Run => &["time", "graph", "table"],
            Self::Workflow => &["runs", "graph", "definition"],
            Self::Task => &["executions", "details"],
            Self::Events => &["feed", "detail"],
            _ => &[""],
        }
    }
}
