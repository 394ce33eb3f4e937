//! Everything that a key, the palette or a click can mean, each with the name that keymap files
//! use.

use crate::state::Screen;

macro_rules! actions {
    ($($variant:ident = $name:literal,)*) => {
        /// Everything that a key can mean.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Action {
            $($variant,)*
            Show(Screen),
        }

        impl Action {
            /// Its name in keymap files.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Show(screen) => screen.action(),
                }
            }
        }
    };
}

actions! {
    Up = "up",
    Down = "down",
    PageUp = "page-up",
    PageDown = "page-down",
    First = "first",
    Last = "last",
    Left = "left",
    Right = "right",
    Open = "open",
    Back = "back",
    NextPane = "next-pane",
    PreviousPane = "previous-pane",
    Zoom = "zoom",
    LessTime = "less-time",
    MoreTime = "more-time",
    Why = "why",
    Diff = "diff",
    Logs = "logs",
    AllLogs = "all-logs",
    Palette = "palette",
    StartRun = "start-run",
    StopRun = "stop-run",
    PauseRun = "pause-run",
    StartTask = "start-task",
    StopTask = "stop-task",
    RestartTask = "restart-task",
    Rerun = "rerun",
    RerunFromHere = "rerun-from-here",
    Skip = "skip",
    MarkSuccess = "mark-success",
    Backfill = "backfill",
    PauseTrigger = "pause-trigger",
    EnableWorkflow = "enable-workflow",
    Mark = "mark",
    MarkRange = "mark-range",
    Emit = "emit",
    Foretell = "foretell",
    NextField = "next-field",
    PreviousField = "previous-field",
    Confirm = "confirm",
    Filter = "filter",
    NextMatch = "next-match",
    PreviousMatch = "previous-match",
    Fold = "fold",
    Follow = "follow",
    Wrap = "wrap",
    Times = "times",
    EarlierLog = "earlier-log",
    LaterLog = "later-log",
    Editor = "editor",
    Pager = "pager",
    Copy = "copy",
    CopyCommand = "copy-command",
    CopyLink = "copy-link",
    TimeTravel = "time-travel",
    StepBack = "step-back",
    StepForward = "step-forward",
    EventBack = "event-back",
    EventForward = "event-forward",
    FailureBack = "failure-back",
    FailureForward = "failure-forward",
    GoToOffset = "go-to-offset",
    GoToTime = "go-to-time",
    Theme = "theme",
    Mouse = "mouse",
    Help = "help",
    Quit = "quit",
}
