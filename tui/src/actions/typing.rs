//! Keys that write text, where there is something to write.
//!
//! Must never see a key that the keymap knows.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::state::form::Entry;
use crate::state::input_line::Edit;
use crate::state::{Dialog, Model};

/// Writes into whatever is being written.
pub(super) fn on_key(model: &mut Model, key: KeyEvent) {
    let Some(edit) = edit_of(key) else { return };
    match &mut model.dialog {
        Some(Dialog::Prompt(prompt)) => {
            prompt.line.edit(edit);
            super::prompt::on_change(model);
        }
        Some(Dialog::Palette(palette)) => {
            palette.line.edit(edit);
            palette.chosen = 0;
        }
        Some(Dialog::Form(form)) => {
            form.changed();
            match form.fields.get_mut(form.at).map(|field| &mut field.entry) {
                Some(Entry::Text(line)) => line.edit(edit),
                // A choice of two: any of these keys takes the other.
                Some(Entry::Scope { in_run })
                    if matches!(edit, Edit::Insert(' ') | Edit::Left | Edit::Right) =>
                {
                    *in_run = !*in_run;
                }
                Some(Entry::Scope { .. }) | None => {}
            }
        }
        Some(Dialog::Confirm(question)) => {
            if let Some(typed) = &mut question.typed {
                typed.edit(edit);
            }
        }
        Some(Dialog::Help { .. } | Dialog::Why { .. } | Dialog::Diff(_)) | None => {}
    }
}

/// Pasted text goes in as it is, without its line ends.
pub(crate) fn on_paste(model: &mut Model, text: &str) {
    for c in text.chars() {
        on_key(model, KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
    }
}

fn edit_of(key: KeyEvent) -> Option<Edit> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('u') if control => Some(Edit::EraseToStart),
        KeyCode::Char('w') if control => Some(Edit::EraseWord),
        KeyCode::Char('a') if control => Some(Edit::Home),
        KeyCode::Char('e') if control => Some(Edit::End),
        KeyCode::Char(_) if control => None,
        KeyCode::Char(c) => Some(Edit::Insert(c)),
        KeyCode::Backspace => Some(Edit::Backspace),
        KeyCode::Delete => Some(Edit::Delete),
        KeyCode::Left => Some(Edit::Left),
        KeyCode::Right => Some(Edit::Right),
        KeyCode::Home => Some(Edit::Home),
        KeyCode::End => Some(Edit::End),
        _ => None,
    }
}
