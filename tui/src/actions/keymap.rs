//! The keys: the table as it ships, and the live one after the user's file has had its say.
//! Dispatch, footer, help and palette all read the live one.
//!
//! Must never hold a key twice for the same place; loading checks it.

use crossterm::event::KeyEvent;

use super::Action;
use super::keys::Key;
use super::place::Place;
use super::shipped::{SHIPPED, Shipped};
use crate::state::Model;

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
        let binding = |shipped: &Shipped| Binding {
            place: shipped.place,
            keys: shipped.keys.to_vec(),
            action: shipped.action,
            short: shipped.short,
            help: shipped.help,
        };
        Self { bindings: SHIPPED.iter().map(binding).collect() }
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
        // What the system screen shows can only be looked at.
        let empty = Place::Screen(crate::state::Screen::System);
        for place in Place::all().filter(|place| *place != empty) {
            assert!(bindings.iter().any(|binding| binding.place == place), "{place:?}");
        }
    }
}
