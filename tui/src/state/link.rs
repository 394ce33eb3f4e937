//! Links to what a screen shows, at an offset: `aiflow://run/1@48213`.
//!
//! Must never name the machine: a link means the same on a copy of the log.

use aiflow_model::{Offset, RunId, Sequence, TaskName};

use super::items;
use super::model::Model;
use super::{Screen, item::Item};

const SCHEME: &str = "aiflow://";

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) screen: Screen,
    pub(crate) run: Option<RunId>,
    pub(crate) task: Option<TaskName>,
    pub(crate) sequence: Option<Sequence>,
    pub(crate) event: Option<Offset>,
    /// None: as it is when the link is opened.
    pub(crate) offset: Option<Offset>,
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{SCHEME}{}", self.screen.word())?;
        if let Some(event) = self.event {
            write!(f, "/{event}")?;
        }
        if let Some(run) = self.run {
            write!(f, "/{run}")?;
            if let Some(task) = &self.task {
                write!(f, "/{task}")?;
                if let Some(sequence) = self.sequence {
                    write!(f, "/{sequence}")?;
                }
            }
        }
        match self.offset {
            Some(offset) => write!(f, "@{offset}"),
            None => Ok(()),
        }
    }
}

impl std::str::FromStr for Link {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no link; write one such as aiflow://task/1/train/5@48213");
        let rest = text.trim().strip_prefix(SCHEME).ok_or_else(wrong)?;
        let (path, offset) = match rest.rsplit_once('@') {
            Some((path, offset)) => (path, Some(offset.parse().map_err(|_| wrong())?)),
            None => (rest, None),
        };
        let mut parts = path.split('/');
        let word = parts.next().unwrap_or_default();
        let screen = Screen::ALL.into_iter().find(|screen| screen.word() == word);
        let screen = screen.ok_or_else(wrong)?;
        let mut link = Self { screen, run: None, task: None, sequence: None, event: None, offset };
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
        for (index, part) in parts.enumerate() {
            match (screen, index) {
                (Screen::Events, 0) => link.event = Some(Offset(number(part)?)),
                (_, 0) => link.run = Some(RunId(number(part)?)),
                (_, 1) => link.task = Some(part.parse().map_err(|_| wrong())?),
                (_, 2) => link.sequence = Some(part.parse().map_err(|_| wrong())?),
                _ => return Err(wrong()),
            }
        }
        Ok(link)
    }
}

/// The link to what is shown, as it is now or as it was.
pub(crate) fn here(model: &Model) -> Link {
    let shown = model.state().next_offset.0;
    let mut link = Link {
        screen: model.screen,
        run: None,
        task: None,
        sequence: None,
        event: None,
        offset: shown.checked_sub(1).map(Offset),
    };
    match (model.screen, items::selected(model)) {
        (Screen::Events, Some(Item::Event(offset))) => link.event = Some(offset),
        (Screen::Streams | Screen::Run | Screen::Workflow, _) => link.run = model.run,
        (Screen::Task | Screen::Log, Some(Item::Execution(run, task, sequence))) => {
            (link.run, link.task, link.sequence) = (Some(run), Some(task), Some(sequence));
        }
        (Screen::Task | Screen::Log, _) => {
            let task = model.selected_task();
            (link.run, link.task) = (model.run, task.map(|(_, task)| task));
        }
        _ => {}
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_as_it_is_written() {
        for text in [
            "aiflow://overview@7",
            "aiflow://task/1/train/5@48213",
            "aiflow://log/1/train",
            "aiflow://events/48190@48213",
            "aiflow://run/2",
        ] {
            assert_eq!(text.parse::<Link>().unwrap().to_string(), text);
        }
        for text in ["", "http://x", "aiflow://nowhere", "aiflow://run/x", "aiflow://run/1@x"] {
            assert!(text.parse::<Link>().unwrap_err().contains("write one such as"), "{text}");
        }
    }
}
