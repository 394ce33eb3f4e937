//! How the daemon is: its log, its commits, what lives, what it needs.

use aiflow_model::wire::Status;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::theme::Theme;
use super::{draw_empty, panel, title};
use crate::state::mark::Tone;
use crate::state::rates::{self, SECONDS};
use crate::state::{Link, Model, text};

const BARS: [&str; 9] = ["·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let Some(status) = &model.status else {
        let hint = match model.link {
            Link::Copy => "a copied log has no daemon",
            _ => "it is asked once it has written something",
        };
        draw_empty(frame, area, "the daemon has not said yet how it is", hint, theme);
        return;
    };
    let inside = panel(frame, area, title("The daemon", true, theme), true, theme);
    let mut lines = Vec::new();
    for (name, fields) in groups(status, model) {
        lines.push(Line::styled(format!(" {name}"), theme.strong()));
        lines.extend(fields.into_iter().map(|(field, value, tone)| {
            Line::from(vec![
                Span::styled(format!("   {field:<10} "), theme.dim()),
                Span::styled(value, theme.of(tone)),
            ])
        }));
        if inside.height > 18 {
            lines.push(Line::raw(""));
        }
    }
    let scroll = model.scroll.min(lines.len().saturating_sub(usize::from(inside.height)));
    let lines: Vec<Line<'_>> = lines.into_iter().skip(scroll).collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

/// A field, what it says, and how.
type Field = (&'static str, String, Tone);

fn groups(status: &Status, model: &Model) -> [(&'static str, Vec<Field>); 4] {
    let plain = |name, words| (name, words, Tone::Plain);
    let number = text::grouped;
    let milliseconds = |us: u64| format!("{}.{} ms", us / 1_000, us % 1_000 / 100);
    let disk = match status.disk_low {
        true => ("disk", "short of room: new work is refused".to_owned(), Tone::Bad),
        false => ("disk", "enough room".to_owned(), Tone::Good),
    };
    let state = &model.live.state;
    let behind = status.durable.0.saturating_sub(state.next_offset.0);
    let per_commit = status.committed_records.checked_div(status.commits).unwrap_or(0);
    let daemon = format!("{} · daemon {} of this log", status.started_at, status.epoch);
    let records = format!("{} from {} on", number(status.durable.0), number(status.log_begins.0));
    let commits = format!(
        "{} · {} each · {} MiB",
        number(status.commits),
        text::count(per_commit, "record"),
        status.committed_bytes >> 20
    );
    [
        (
            "daemon",
            vec![
                plain("version", format!("{} · pid {}", status.version, status.pid)),
                plain("home", status.home.clone()),
                plain("started", daemon),
                plain("memory", format!("{} MiB", status.rss_bytes >> 20)),
                disk,
            ],
        ),
        (
            "log",
            vec![
                plain("records", records),
                plain("followed", format!("{} · {behind} behind", number(state.next_offset.0))),
            ],
        ),
        (
            "commits",
            vec![
                plain("median", milliseconds(status.commit_us_p50)),
                plain("99 of 100", milliseconds(status.commit_us_p99)),
                plain("so far", commits),
            ],
        ),
        ("work", work(status, model)),
    ]
}

fn work(status: &Status, model: &Model) -> Vec<Field> {
    let state = &model.live.state;
    let tasks = state.runs.values().flat_map(|run| &run.tasks);
    let executions: usize = tasks.map(|task| task.executions.len()).sum();
    let minute = model.rates().all(model.time());
    let bars = rates::bars(&minute, 30).into_iter();
    let spark: String = bars.filter_map(|bar| BARS.get(usize::from(bar))).copied().collect();
    let alive =
        [text::count(status.alive_runs, "run"), text::count(status.alive_attempts, "attempt")]
            .join(" · ");
    let known = [
        text::count(state.runs.len(), "run"),
        text::count(executions, "execution"),
        text::count(state.snapshots.len(), "snapshot"),
    ]
    .join(" · ");
    let events = format!("{spark} {:.0}/s, over {SECONDS} s", rates::per_second(&minute));
    vec![
        ("alive", alive, Tone::Busy),
        ("known", known, Tone::Plain),
        ("events", events, Tone::Busy),
    ]
}
