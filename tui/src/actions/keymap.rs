//! The keys: the table as it ships, and the live one after the user's file has had its say.
//! Dispatch, footer, help and palette all read the live one.
//!
//! Must never hold a key twice for the same place; loading checks it.

use crossterm::event::KeyEvent;

use super::Action;
use super::keys::Key;
use super::shipped::SHIPPED;
use crate::state::{Dialog, Model, Screen};

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// On every screen.
    Screens,
    /// Wherever tasks and runs are looked at.
    Tasks,
    Overview,
    Streams,
    Run,
    Workflow,
    Task,
    Events,
    Log,
    Clocks,
    System,
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
    /// While the reason for a wait is read.
    Why,
    /// While the help is open.
    Help,
}

/// A line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    pub(crate) place: Place,
    pub(crate) keys: Vec<Key>,
    pub(crate) action: Action,
    /// For the footer; empty: not there.
    pub(crate) short: &'static str,
    /// For the help.
    pub(crate) help: &'static str,
}

/// Every key there is at present.
#[derive(Debug, Clone)]
pub(crate) struct Keymap {
    pub(crate) bindings: Vec<Binding>,
}

impl Default for Keymap {
    fn default() -> Self {
        let binding = |shipped: &super::shipped::Shipped| Binding {
            place: shipped.place,
            keys: shipped.keys.to_vec(),
            action: shipped.action,
            short: shipped.short,
            help: shipped.help,
        };
        Self { bindings: SHIPPED.iter().map(binding).collect() }
    }
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
            Some(Dialog::Why { .. }) => vec![Self::Why],
            None => Self::of_screen_and_time(model),
        }
    }

    fn of_screen_and_time(model: &Model) -> Vec<Self> {
        let past = model.past.is_some().then_some(Self::Past);
        let screen = Self::of_screen(model.screen);
        let tasks = screen.has_tasks().then_some(Self::Tasks);
        past.into_iter().chain([screen]).chain(tasks).chain([Self::Screens]).collect()
    }

    /// Whether the keys for tasks and runs count there.
    pub(crate) const fn has_tasks(self) -> bool {
        matches!(self, Self::Overview | Self::Streams | Self::Run | Self::Workflow | Self::Task)
    }

    /// The place of a screen's own keys.
    pub(crate) const fn of_screen(screen: Screen) -> Self {
        match screen {
            Screen::Overview => Self::Overview,
            Screen::Streams => Self::Streams,
            Screen::Run => Self::Run,
            Screen::Workflow => Self::Workflow,
            Screen::Task => Self::Task,
            Screen::Events => Self::Events,
            Screen::Log => Self::Log,
            Screen::Clocks => Self::Clocks,
            Screen::System => Self::System,
        }
    }

    /// Its name in the help.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Screens => "Everywhere",
            Self::Tasks => "On tasks and runs",
            Self::Overview => "1 Overview",
            Self::Streams => "2 Streams",
            Self::Run => "3 Run",
            Self::Workflow => "4 Workflow",
            Self::Task => "5 Task",
            Self::Events => "6 Events",
            Self::Log => "7 Log",
            Self::Clocks => "8 Clocks",
            Self::System => "9 System",
            Self::Past => "In the past",
            Self::Form => "In a form",
            Self::Prompt => "Writing a line",
            Self::Palette => "In the palette",
            Self::Question => "Asked whether",
            Self::Why => "Reading why",
            Self::Help => "In this help",
        }
    }

    /// Its name in keymap files.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Screens => "everywhere",
            Self::Tasks => "tasks",
            Self::Overview => "overview",
            Self::Streams => "streams",
            Self::Run => "run",
            Self::Workflow => "workflow",
            Self::Task => "task",
            Self::Events => "events",
            Self::Log => "log",
            Self::Clocks => "clocks",
            Self::System => "system",
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
    pub(crate) const ALL: &'static [Self] = &[
        Self::Screens,
        Self::Tasks,
        Self::Overview,
        Self::Streams,
        Self::Run,
        Self::Workflow,
        Self::Task,
        Self::Events,
        Self::Log,
        Self::Clocks,
        Self::System,
        Self::Past,
        Self::Form,
        Self::Prompt,
        Self::Palette,
        Self::Question,
        Self::Why,
        Self::Help,
    ];

    /// Places whose keys count at the same time, so that none may take a key from another.
    fn shares_keys_with(self, other: Self) -> bool {
        let is_screen = |place: Self| place >= Self::Overview && place <= Self::System;
        match (self.min(other), self.max(other)) {
            (a, b) if a == b => true,
            (Self::Screens, b) => b == Self::Tasks || is_screen(b),
            (Self::Tasks, b) => b.has_tasks(),
            _ => false,
        }
    }
}

impl Keymap {
    /// What a key means at present.
    pub(crate) fn action_of(&self, model: &Model, event: KeyEvent) -> Option<Action> {
        let pressed = Key::of(event);
        Place::of(model).into_iter().find_map(|place| {
            let mut bindings = self.bindings.iter().filter(|binding| binding.place == place);
            bindings.find(|binding| binding.keys.contains(&pressed)).map(|binding| binding.action)
        })
    }

    /// The keys of an action where it counts at present: `s`.
    pub(crate) fn names_of(&self, places: &[Place], action: Action) -> Option<String> {
        let mut bindings = self.bindings.iter();
        let found = bindings.find(|b| b.action == action && places.contains(&b.place))?;
        found.keys.first().map(|key| key.name())
    }

    /// Two actions that one key would mean at the same time, the first that is found.
    pub(crate) fn conflict(&self) -> Option<Conflict> {
        for (index, one) in self.bindings.iter().enumerate() {
            for other in &self.bindings[index + 1..] {
                if !one.place.shares_keys_with(other.place) {
                    continue;
                }
                if let Some(key) = one.keys.iter().find(|key| other.keys.contains(key)) {
                    let places = [one.place, other.place];
                    let actions = [one.action, other.action];
                    return Some(Conflict { key: *key, places, actions });
                }
            }
        }
        None
    }
}

/// One key for two actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) key: Key,
    pub(crate) places: [Place; 2],
    pub(crate) actions: [Action; 2],
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [one, other] = self.places.map(Place::name);
        let [does, does_too] = self.actions.map(Action::name);
        let key = self.key.written();
        write!(f, "the key {key} would be {one}.{does} and {other}.{does_too} at once")
    }
}

impl Binding {
    /// All its keys: `⏎ l`.
    pub(crate) fn names(&self) -> String {
        self.keys.iter().map(|key| key.name()).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_as_shipped_do_not_conflict() {
        assert_eq!(Keymap::default().conflict(), None);
    }

    #[test]
    fn every_line_has_help_and_every_place_a_key() {
        let Keymap { bindings } = Keymap::default();
        assert!(bindings.iter().all(|b| !b.help.is_empty() && !b.keys.is_empty()));
        for place in Place::ALL.iter().filter(|place| **place != Place::System) {
            assert!(bindings.iter().any(|binding| binding.place == *place), "{place:?}");
        }
    }
}
