//! What leaves the interface: into the clipboard, the editor, the pager.
//!
//! Must never reach out itself: the loop does.

use super::{lines, palette};
use crate::state::chore::Chore;
use crate::state::item::Item;
use crate::state::items;
use crate::state::mark::Tone;
use crate::state::{Dialog, Model, Screen, link, text, why};

/// Characters of a copied text that are told.
const TOLD_MAX: usize = 40;

/// The line or the answer that is looked at.
pub(super) fn copy(model: &mut Model) {
    let text = match &model.dialog {
        Some(Dialog::Why { about, .. }) => {
            let answer = why::answer(model.sight(), about);
            let line = |line: &why::WhyLine| {
                format!("{}{} {}  {}", "  ".repeat(line.depth), line.glyph, line.words, line.note)
            };
            let lines = answer.lines.iter().map(line);
            Some(
                std::iter::once(answer.question.clone())
                    .chain(lines)
                    .collect::<Vec<_>>()
                    .join("\n"),
            )
        }
        Some(Dialog::Diff(diff)) => {
            diff.told.as_ref().and_then(|told| told.as_ref().ok()).map(|lines| lines.join("\n"))
        }
        _ => selected_text(model),
    };
    match text {
        Some(text) => put(model, text),
        None => model.say("nothing to copy here", Tone::Wait),
    }
}

fn selected_text(model: &Model) -> Option<String> {
    if model.screen == Screen::Log {
        return model.log.as_ref()?.copied();
    }
    match items::selected(model)? {
        Item::Event(offset) => {
            let seen = model.recent().get(offset)?;
            Some(format!("{} {}", seen.key, seen.value.as_str()))
        }
        Item::Workflow(_, workflow) => Some(workflow.to_string()),
        Item::Execution(run, task, sequence) => Some(format!("{run}.{task}.{sequence}")),
        Item::Task(_, task) => Some(task.to_string()),
        Item::Run(run) => Some(run.to_string()),
        Item::Trigger(trigger) => Some(trigger.to_string()),
    }
}

/// The command line that does, or shows, what is looked at.
pub(super) fn copy_command(model: &mut Model) {
    let line = match &model.dialog {
        Some(Dialog::Confirm(question)) => {
            let lines: Vec<String> = question.commands.iter().map(|one| one.line()).collect();
            Some(lines.join("\n"))
        }
        Some(Dialog::Why { about, .. }) => why::answer(model.sight(), about).command,
        Some(Dialog::Diff(diff)) => Some(lines::line_of_diff(diff.run)),
        Some(Dialog::Palette(palette)) => {
            let entries = palette::entries(model, palette);
            entries.into_iter().nth(palette.chosen).and_then(|entry| entry.line)
        }
        _ => Some(lines::line_of_screen(model, model.screen)),
    };
    match line {
        Some(line) => put(model, line),
        None => model.say("no command line does the same", Tone::Wait),
    }
}

/// A link to what is looked at, at this offset.
pub(super) fn copy_link(model: &mut Model) {
    let link = link::here(model).to_string();
    put(model, link);
}

fn put(model: &mut Model, text: String) {
    let first = text.lines().next().unwrap_or_default();
    let told: String = first.chars().take(TOLD_MAX).collect();
    let more = if told.len() < text.len() { "…" } else { "" };
    model.say(format!("copied: {}{more}", text::printable(&told)), Tone::Good);
    model.chores.push(Chore::Copy(text));
}

/// What was read of the log, in the editor.
pub(super) fn edit(model: &mut Model) {
    let Some(log) = &model.log else { return };
    let name = format!("{}.log", log.attempt.as_deref().unwrap_or("output"));
    let text = log.text();
    model.chores.push(Chore::Edit { name, text });
}

/// What was read of the log, in the pager.
pub(super) fn page(model: &mut Model) {
    let Some(log) = &model.log else { return };
    let text = log.text();
    model.chores.push(Chore::Page(text));
}
