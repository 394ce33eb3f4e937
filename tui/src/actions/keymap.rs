//! The one table of keys: dispatch, footer and help all read it.
//!
//! Must never hold a key twice for the same place; a test checks it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::Action;
use crate::state::{Dialog, Model, Screen};

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On every screen.
    Screens,
    Runs,
    Run,
    Events,
    Log,
    /// While an event is written.
    Form,
    /// While a filter is written.
    Filter,
    /// While a question stands.
    Question,
    /// While the help is open.
    Help,
}

/// A key as it is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) code: KeyCode,
    pub(crate) control: bool,
}

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) place: Place,
    pub(crate) keys: &'static [Key],
    pub(crate) action: Action,
    /// For the footer; empty: not there.
    pub(crate) short: &'static str,
    /// For the help.
    pub(crate) help: &'static str,
}

const fn key(c: char) -> Key {
    Key { code: KeyCode::Char(c), control: false }
}
const fn control(c: char) -> Key {
    Key { code: KeyCode::Char(c), control: true }
}
const fn code(code: KeyCode) -> Key {
    Key { code, control: false }
}
const fn bind(
    place: Place,
    keys: &'static [Key],
    action: Action,
    short: &'static str,
    help: &'static str,
) -> Binding {
    Binding { place, keys, action, short, help }
}

use Action as A;
use Place as P;

const ENTER: Key = code(KeyCode::Enter);
const ESC: Key = code(KeyCode::Esc);
const TAB: Key = code(KeyCode::Tab);
const BACK_TAB: Key = code(KeyCode::BackTab);
const UP: Key = code(KeyCode::Up);
const DOWN: Key = code(KeyCode::Down);

/// Every key. Within a place the order is that of the footer and of the help.
pub(crate) const KEYMAP: &[Binding] = &[
    bind(P::Runs, &[ENTER, key('l')], A::Open, "open", "open the run, or the workflow's newest"),
    bind(P::Runs, &[key('r')], A::StartRun, "start run", "start a run of the workflow"),
    bind(P::Runs, &[key('S')], A::StopRun, "stop run", "stop the run, after asking"),
    bind(P::Run, &[ENTER, key('l')], A::Open, "open", "the task's log, or the event"),
    bind(P::Run, &[TAB], A::NextPane, "pane", "go to the next pane"),
    bind(P::Run, &[BACK_TAB], A::NextPane, "", "go to the pane before"),
    bind(P::Run, &[key('s')], A::StopTask, "stop", "stop the task, after asking"),
    bind(P::Run, &[key('t')], A::StartTask, "start", "start the task, after asking"),
    bind(P::Run, &[key('S')], A::StopRun, "stop run", "stop the whole run, after asking"),
    bind(P::Events, &[key('/')], A::Filter, "filter", "show only events with these words"),
    bind(P::Events, &[key('f')], A::Follow, "newest", "go to the newest event and stay there"),
    bind(P::Log, &[key('f')], A::Follow, "follow", "follow new lines, or stop to"),
    bind(P::Log, &[key('w')], A::Wrap, "wrap", "break long lines, or cut them"),
    bind(P::Log, &[key('t')], A::Times, "times", "show when each line came"),
    bind(P::Log, &[key('[')], A::EarlierLog, "earlier", "the task's execution before"),
    bind(P::Log, &[key(']')], A::LaterLog, "later", "the task's execution after"),
    bind(P::Screens, &[key('e')], A::Emit, "emit", "emit an event"),
    bind(P::Screens, &[key('?')], A::Help, "help", "show or hide this help"),
    bind(P::Screens, &[DOWN, key('j')], A::Down, "", "down"),
    bind(P::Screens, &[UP, key('k')], A::Up, "", "up"),
    bind(P::Screens, &[code(KeyCode::PageDown), control('d')], A::PageDown, "", "a page down"),
    bind(P::Screens, &[code(KeyCode::PageUp), control('u')], A::PageUp, "", "a page up"),
    bind(P::Screens, &[key('g'), code(KeyCode::Home)], A::First, "", "to the first line"),
    bind(
        P::Screens,
        &[key('G'), code(KeyCode::End)],
        A::Last,
        "",
        "to the last line; a log follows",
    ),
    bind(P::Screens, &[ESC, key('h')], A::Back, "", "out, one level; never quits"),
    bind(P::Screens, &[key('1')], A::Show(Screen::Runs), "", "workflows and runs"),
    bind(P::Screens, &[key('2')], A::Show(Screen::Run), "", "the open run"),
    bind(P::Screens, &[key('3')], A::Show(Screen::Events), "", "events"),
    bind(P::Screens, &[key('4')], A::Show(Screen::Log), "", "the log of the selected task"),
    bind(
        P::Screens,
        &[key('q'), control('c')],
        A::Quit,
        "quit",
        "quit; the daemon and its tasks go on",
    ),
    bind(P::Form, &[ENTER], A::Confirm, "emit", "emit the event"),
    bind(P::Form, &[TAB, DOWN], A::NextField, "next field", "to the next field"),
    bind(P::Form, &[BACK_TAB, UP], A::PreviousField, "", "to the field before"),
    bind(P::Form, &[ESC], A::Back, "cancel", "emit nothing"),
    bind(P::Form, &[control('c')], A::Quit, "", "quit"),
    bind(P::Filter, &[ENTER], A::Confirm, "keep", "keep the filter"),
    bind(P::Filter, &[ESC], A::Back, "cancel", "go back to the filter before"),
    bind(P::Filter, &[control('c')], A::Quit, "", "quit"),
    bind(P::Question, &[key('y'), ENTER], A::Confirm, "yes", "do it"),
    bind(P::Question, &[key('n'), ESC, key('q'), key('h')], A::Back, "no", "do nothing"),
    bind(P::Question, &[control('c')], A::Quit, "", "quit"),
    bind(P::Help, &[ESC, key('?'), key('q'), key('h')], A::Back, "close", "close the help"),
    bind(P::Help, &[DOWN, key('j')], A::Down, "", "down"),
    bind(P::Help, &[UP, key('k')], A::Up, "", "up"),
    bind(P::Help, &[control('c')], A::Quit, "", "quit"),
];

impl Place {
    /// The places whose keys count at present; the first that knows a key has it.
    pub(crate) fn of(model: &Model) -> Vec<Self> {
        match &model.dialog {
            Some(Dialog::Help { .. }) => vec![Self::Help],
            Some(Dialog::Emit(_)) => vec![Self::Form],
            Some(Dialog::Confirm(_)) => vec![Self::Question],
            Some(Dialog::Filter { .. }) => vec![Self::Filter],
            None => vec![Self::of_screen(model.screen), Self::Screens],
        }
    }

    /// The place of a screen's own keys.
    pub(crate) const fn of_screen(screen: Screen) -> Self {
        match screen {
            Screen::Runs => Self::Runs,
            Screen::Run => Self::Run,
            Screen::Events => Self::Events,
            Screen::Log => Self::Log,
        }
    }

    /// Its name in the help.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Screens => "Everywhere",
            Self::Runs => "1 Runs",
            Self::Run => "2 Run",
            Self::Events => "3 Events",
            Self::Log => "4 Log",
            Self::Form => "Emitting",
            Self::Filter => "Filtering",
            Self::Question => "Asked whether",
            Self::Help => "In this help",
        }
    }

    /// Every place, in the order of the help.
    pub(crate) const ALL: &'static [Self] = &[
        Self::Screens,
        Self::Runs,
        Self::Run,
        Self::Events,
        Self::Log,
        Self::Form,
        Self::Filter,
        Self::Question,
        Self::Help,
    ];
}

/// What a key means at present.
pub(crate) fn action_of(model: &Model, event: KeyEvent) -> Option<Action> {
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    let pressed = Key { code: event.code, control };
    Place::of(model).into_iter().find_map(|place| {
        let mut bindings = KEYMAP.iter().filter(|binding| binding.place == place);
        bindings.find(|binding| binding.keys.contains(&pressed)).map(|binding| binding.action)
    })
}

impl Key {
    /// The key as it is written.
    pub(crate) fn name(self) -> String {
        let name = match self.code {
            KeyCode::Char(c) if self.control => return format!("^{}", c.to_ascii_uppercase()),
            KeyCode::Char(c) => return c.to_string(),
            KeyCode::Enter => "⏎",
            KeyCode::Esc => "Esc",
            KeyCode::Tab => "Tab",
            KeyCode::BackTab => "⇧Tab",
            KeyCode::Up => "↑",
            KeyCode::Down => "↓",
            KeyCode::PageUp => "PgUp",
            KeyCode::PageDown => "PgDn",
            KeyCode::Home => "Home",
            KeyCode::End => "End",
            _ => "?",
        };
        name.to_owned()
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
    fn no_key_means_two_things_in_one_place() {
        for (index, one) in KEYMAP.iter().enumerate() {
            for other in KEYMAP[index + 1..].iter().filter(|other| other.place == one.place) {
                let shared = one.keys.iter().find(|key| other.keys.contains(key));
                assert_eq!(shared, None, "{:?} and {:?}", one.action, other.action);
            }
        }
    }

    #[test]
    fn a_screen_does_not_take_keys_from_all_screens() {
        let is_screen = |p: Place| matches!(p, P::Runs | P::Run | P::Events | P::Log);
        for all in KEYMAP.iter().filter(|binding| binding.place == P::Screens) {
            for one in KEYMAP.iter().filter(|binding| is_screen(binding.place)) {
                assert!(one.keys.iter().all(|k| !all.keys.contains(k)), "{:?}", one.action);
            }
        }
    }

    #[test]
    fn every_line_has_help_and_every_place_a_key() {
        assert!(KEYMAP.iter().all(|binding| !binding.help.is_empty() && !binding.keys.is_empty()));
        for place in Place::ALL {
            assert!(KEYMAP.iter().any(|binding| binding.place == *place), "{place:?}");
        }
    }
}
