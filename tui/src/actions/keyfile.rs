//! The user's keymap file: which keys mean what, place by place, over those that ship.
//!
//! ```yaml
//! tasks: {stop-task: X, rerun: [r, ctrl-r]}
//! ```
//!
//! Must never leave a key with two meanings, nor pass over a word that it does not know.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::keymap::Keymap;
use super::keys::Key;
use super::place::Place;

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Keys {
    One(String),
    Many(Vec<String>),
}

/// Where it is looked for: in the XDG configuration directory.
pub(crate) fn path(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").filter(|directory| directory.is_absolute());
    let config = config.or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(config.join("aiflow/keymap.yaml"))
}

/// The keys that ship, with those of a file in their place.
///
/// # Errors
/// What is wrong in it, and what to write instead.
pub(crate) fn read(text: &str) -> Result<Keymap, String> {
    type File = BTreeMap<String, BTreeMap<String, Keys>>;
    let file: Option<File> = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let mut keymap = Keymap::default();
    for (place, actions) in file.unwrap_or_default() {
        let known = Place::all().find(|known| known.name() == place);
        let known = known.ok_or_else(|| {
            let names: Vec<&str> = Place::all().map(Place::name).collect();
            format!("there is no place {place}; write one of: {}", names.join(", "))
        })?;
        for (action, keys) in actions {
            rebind(&mut keymap, known, &action, keys)?;
        }
    }
    match keymap.conflict() {
        Some(conflict) => Err(format!("{conflict}; give one of them another key")),
        None => Ok(keymap),
    }
}

fn rebind(keymap: &mut Keymap, place: Place, action: &str, keys: Keys) -> Result<(), String> {
    let texts = match keys {
        Keys::One(text) => vec![text],
        Keys::Many(texts) => texts,
    };
    let parse = |text: &String| {
        Key::parse(text).ok_or_else(|| {
            format!(
                "{}.{action}: {text:?} is no key; write x, ctrl-x, enter, shift-left",
                place.name()
            )
        })
    };
    let keys: Vec<Key> = texts.iter().map(parse).collect::<Result<_, _>>()?;
    let is_meant = |binding: &&mut super::keymap::Binding| {
        binding.place == place && binding.action.name() == action
    };
    if let Some(binding) = keymap.bindings.iter_mut().find(is_meant) {
        binding.keys = keys;
        return Ok(());
    }
    let here = keymap.bindings.iter().filter(|binding| binding.place == place);
    let names: Vec<&str> = here.map(|binding| binding.action.name()).collect();
    let place = place.name();
    Err(format!("{place} has no action {action}; write one of: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::Action;
    use crate::state::Screen;

    #[test]
    fn keys_are_given_anew() {
        let keymap = read("tasks: {stop-task: X, rerun: [ctrl-r, z1]}").unwrap_err();
        assert!(keymap.contains("\"z1\" is no key"), "{keymap}");
        let keymap = read("tasks: {stop-task: X}\nlog: {wrap: [W, ctrl-w]}").unwrap();
        let places = [Place::Tasks, Place::Screen(Screen::Log)];
        assert_eq!(keymap.names_of(&places, Action::StopTask).unwrap(), "X");
        assert_eq!(keymap.names_of(&places, Action::Wrap).unwrap(), "W");
        assert_eq!(keymap.names_of(&places, Action::Rerun).unwrap(), "r", "the others stay");
        assert!(read("").is_ok());
    }

    #[test]
    fn a_key_for_two_actions_is_refused_and_so_is_what_is_not_known() {
        let refused = |text: &str| read(text).unwrap_err();
        let conflict = refused("log: {wrap: f}");
        assert!(
            conflict.contains("the key f would be log.follow and log.wrap at once"),
            "{conflict}"
        );
        let conflict = refused("streams: {next-pane: w}");
        assert!(conflict.contains("streams.next-pane and tasks.why"), "{conflict}");
        assert!(refused("streems: {up: x}").contains("there is no place streems; write one of"));
        assert!(
            refused("log: {wrapp: x}").contains("log has no action wrapp; write one of: follow")
        );
        assert!(!refused("log: [1").is_empty());
    }

    #[test]
    fn it_stands_where_configuration_stands() {
        let with = |pairs: &'static [(&str, &str)]| {
            path(move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, v)| v.into()))
        };
        let xdg = with(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")]);
        assert_eq!(xdg.unwrap(), PathBuf::from("/x/aiflow/keymap.yaml"));
        let home = with(&[("XDG_CONFIG_HOME", "x"), ("HOME", "/h")]);
        assert_eq!(home.unwrap(), PathBuf::from("/h/.config/aiflow/keymap.yaml"));
        assert_eq!(with(&[]), None);
    }
}
