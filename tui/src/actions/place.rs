//! Where keys mean something: on each screen, and in whatever stands over it.
//!
//! Must never say what a key means: the keymap does.

use crate::state::{Dialog, Model, Screen};

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// On every screen.
    Everywhere,
    /// Wherever tasks and runs are looked at.
    Tasks,
    /// On one screen.
    Screen(Screen),
    /// While the past is shown.
    Past,
    /// While a form is filled in.
    Form,
    /// While a line is written.
    Prompt,
    /// While a command is looked for.
    Palette,
    /// While a question stands.
    Question,
    /// While an answer is read: why, or how two runs differ.
    Why,
    /// While the help is open.
    Help,
}

impl Place {
    /// The places whose keys count at present; the first that knows a key has it.
    pub(crate) fn of(model: &Model) -> Vec<Self> {
        match &model.dialog {
            Some(Dialog::Help { .. }) => vec![Self::Help],
            Some(Dialog::Form(_)) => vec![Self::Form],
            // A number is typed there.
            Some(Dialog::Confirm(question)) if question.typed.is_some() => vec![Self::Prompt],
            Some(Dialog::Confirm(_)) => vec![Self::Question],
            Some(Dialog::Palette(_)) => vec![Self::Palette],
            Some(Dialog::Prompt(_)) => vec![Self::Prompt],
            Some(Dialog::Why { .. } | Dialog::Diff(_)) => vec![Self::Why],
            None => Self::of_screen_and_time(model),
        }
    }

    fn of_screen_and_time(model: &Model) -> Vec<Self> {
        let past = model.past.is_some().then_some(Self::Past);
        let screen = Self::Screen(model.screen);
        let tasks = screen.has_tasks().then_some(Self::Tasks);
        past.into_iter().chain([screen]).chain(tasks).chain([Self::Everywhere]).collect()
    }

    /// Whether the keys for tasks and runs count there.
    pub(crate) const fn has_tasks(self) -> bool {
        use Screen::{Overview, Run, Streams, Task, Workflow};
        matches!(self, Self::Screen(Overview | Streams | Run | Workflow | Task))
    }

    /// Its name in the help.
    pub(crate) fn title(self) -> String {
        let title = match self {
            Self::Everywhere => "Everywhere",
            Self::Tasks => "On tasks and runs",
            Self::Screen(screen) => return format!("{} {}", screen.number(), screen.title()),
            Self::Past => "In the past",
            Self::Form => "In a form",
            Self::Prompt => "Writing a line",
            Self::Palette => "In the palette",
            Self::Question => "Asked whether",
            Self::Why => "Reading an answer",
            Self::Help => "In this help",
        };
        title.to_owned()
    }

    /// Its name in keymap files.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Tasks => "tasks",
            Self::Screen(screen) => screen.word(),
            Self::Past => "past",
            Self::Form => "form",
            Self::Prompt => "prompt",
            Self::Palette => "palette",
            Self::Question => "question",
            Self::Why => "why",
            Self::Help => "help",
        }
    }

    /// Every place, in the order of the help.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let over = [
            Self::Past,
            Self::Form,
            Self::Prompt,
            Self::Palette,
            Self::Question,
            Self::Why,
            Self::Help,
        ];
        let screens = Screen::ALL.into_iter().map(Self::Screen);
        [Self::Everywhere, Self::Tasks].into_iter().chain(screens).chain(over)
    }

    /// Places whose keys count at the same time, so that none may take a key from another.
    pub(super) fn shares_keys_with(self, other: Self) -> bool {
        match (self.min(other), self.max(other)) {
            (a, b) if a == b => true,
            (Self::Everywhere, b) => matches!(b, Self::Tasks | Self::Screen(_)),
            (Self::Tasks, b) => b.has_tasks(),
            _ => false,
        }
    }
}
