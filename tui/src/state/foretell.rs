//! What the daemon's dry run says that would happen, in the words of people.
//!
//! Must never leave out what ends or starts: details that follow from it may go.

use aiflow_model::Record;
use aiflow_model::wire::{DryRunReply, EffectView};

use super::words;

/// Lines that are shown; more are counted.
const LINES_MAX: usize = 12;

/// What would happen, or why it would be refused.
pub(crate) type Foretold = Result<Vec<String>, String>;

/// What would be recorded and done.
pub(crate) fn lines(reply: &DryRunReply) -> Vec<String> {
    let records = reply.records.iter().filter(|logged| is_told(&logged.record));
    let mut lines: Vec<String> = records.map(|logged| words::of(&logged.record)).collect();
    lines.extend(reply.effects.iter().map(|effect| match effect {
        EffectView::Launch(id) => format!("→ launches {id}"),
        EffectView::Stop(id) => format!("→ asks {id} to end, and kills it after its grace"),
        EffectView::DropLog(before) => format!("→ drops the log before {before}"),
        EffectView::ClearAway => "→ clears away what deleted runs have left".to_owned(),
    }));
    if lines.is_empty() {
        lines.push("nothing would change".to_owned());
    }
    if lines.len() > LINES_MAX {
        let more = lines.len() - LINES_MAX;
        lines.truncate(LINES_MAX);
        lines.push(format!("… and {more} more"));
    }
    if reply.more {
        lines.push("more follows at once, in batches after this one".to_owned());
    }
    lines
}

/// What the effects tell again, or only keeps count, is left out.
const fn is_told(record: &Record) -> bool {
    !matches!(record, Record::AttemptQueued { .. } | Record::ConditionAdvanced { .. })
}
