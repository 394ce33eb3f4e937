//! How the daemon is: its log, its commits, what waits, what lives, what it needs.

use std::collections::BTreeMap;

use aiflow_model::state::ExecutionStatus;
use aiflow_model::wire::Status;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::table::{fit_right, spark};
use super::theme::Theme;
use super::{draw_empty, panel, title};
use crate::state::mark::Tone;
use crate::state::rates::{self, SECONDS};
use crate::state::{Link, Model, text};

/// From this width on groups stand side by side.
const WIDE: u16 = 110;
/// Cells of a bar, and of a line of bars.
const BAR: usize = 30;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let Some(status) = model.health.status() else {
        let hint = match model.link {
            Link::Copy => "a copied log has no daemon",
            _ => "it is asked once it has written something",
        };
        draw_empty(frame, area, "the daemon has not said yet how it is", hint, theme);
        return;
    };
    let inside = panel(frame, area, title("The daemon", true, theme), true, theme);
    let left = [daemon(status), log(status, model), work(status, model)];
    let right = [commits(status, model), queues(status, model), times(status)];
    if inside.width < WIDE {
        let [about, log, work] = left;
        let [commits, queues, times] = right;
        let all = [about, log, commits, times, queues, work];
        return draw_column(frame, inside, &all, model, theme);
    }
    let [one, other] = Layout::horizontal([Constraint::Percentage(50); 2]).areas(inside);
    draw_column(frame, one, &left, model, theme);
    draw_column(frame, other, &right, model, theme);
}

/// A field, what it says, and how.
type Field = (String, String, Tone);

/// Fields under a name.
struct Group {
    name: &'static str,
    fields: Vec<Field>,
}

fn group<const N: usize>(name: &'static str, fields: [(&str, String, Tone); N]) -> Group {
    let field = |(name, words, tone): (&str, String, Tone)| (name.to_owned(), words, tone);
    Group { name, fields: fields.into_iter().map(field).collect() }
}

fn draw_column(frame: &mut Frame<'_>, area: Rect, all: &[Group], model: &Model, theme: &Theme) {
    let mut lines = Vec::new();
    let is_roomy = area.height > 18;
    for Group { name, fields } in all.iter().filter(|group| !group.fields.is_empty()) {
        lines.push(Line::styled(format!(" {name}"), theme.strong()));
        lines.extend(fields.iter().map(|(field, value, tone)| {
            Line::from(vec![
                Span::styled(format!("   {field:<10} "), theme.dim()),
                Span::styled(value.clone(), theme.of(*tone)),
            ])
        }));
        if is_roomy {
            lines.push(Line::raw(""));
        }
    }
    let height = usize::from(area.height);
    let scroll = model.scroll.min(lines.len().saturating_sub(height));
    let below = lines.len().saturating_sub(scroll + height);
    let mut lines: Vec<Line<'_>> = lines.into_iter().skip(scroll).take(height).collect();
    if below > 0
        && let Some(last) = lines.last_mut()
    {
        *last = Line::styled(format!(" … {} more below: j", below + 1), theme.dim());
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// A size as people read it.
fn size(bytes: u64) -> String {
    match bytes {
        0..0x400 => format!("{bytes} B"),
        0x400..0x10_0000 => format!("{} KiB", bytes >> 10),
        0x10_0000..0x2_8000_0000 => format!("{} MiB", text::grouped(bytes >> 20)),
        _ => format!("{} GiB", text::grouped(bytes >> 30)),
    }
}

/// A time as people read it: `256 µs`, `1.7 ms`, `3.2 s`.
fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

fn daemon(status: &Status) -> Group {
    let room = status.disk.map_or_else(String::new, |disk| {
        format!(" · {} free of {}", size(disk.free_bytes), size(disk.total_bytes))
    });
    let (disk, tone) = match status.disk_low {
        true => (format!("short of room: new work is refused{room}"), Tone::Bad),
        false => (format!("enough room{room}"), Tone::Good),
    };
    let started = format!("{} · daemon {} of this log", status.started_at, status.epoch);
    group(
        "daemon",
        [
            ("version", format!("{} · pid {}", status.version, status.pid), Tone::Plain),
            ("home", status.home.clone(), Tone::Plain),
            ("started", started, Tone::Plain),
            ("memory", size(status.rss_bytes), Tone::Plain),
            ("disk", disk, tone),
        ],
    )
}

fn log(status: &Status, model: &Model) -> Group {
    let number = text::grouped;
    let state = &model.live.state;
    let behind = |at: u64| match status.durable.0.saturating_sub(at) {
        0 => ("all of it".to_owned(), Tone::Good),
        records => (format!("{} behind", text::count(records, "record")), Tone::Wait),
    };
    let followed = behind(state.next_offset.0).0;
    let records = format!("{} from {} on", number(status.durable.0), number(status.log_begins.0));
    let mut group = group(
        "log",
        [
            ("records", records, Tone::Plain),
            ("followed", format!("{} · {followed}", number(state.next_offset.0)), Tone::Plain),
        ],
    );
    for (name, reached) in [("history", status.history), ("postgres", status.postgres)] {
        let told = reached.map(|offset| (offset, behind(offset.0)));
        group.fields.extend(told.map(|(offset, (words, tone))| {
            (name.to_owned(), format!("{} · {words}", number(offset.0)), tone)
        }));
    }
    group
}

fn commits(status: &Status, model: &Model) -> Group {
    let per_commit = status.committed_records.checked_div(status.commits).unwrap_or(0);
    let rates = model.health.records_per_second();
    let most = rates.iter().copied().fold(1.0, f64::max);
    // Between 0 and 8, so that nothing is cut off.
    let bars = rates.iter().rev().take(BAR).rev().map(|rate| (rate / most * 8.0).ceil() as u8);
    let now =
        rates.last().map_or_else(|| "not known yet".to_owned(), |rate| format!("{rate:.0}/s"));
    let so_far = format!(
        "{} · {} each · {}",
        text::grouped(status.commits),
        text::count(per_commit, "record"),
        size(status.committed_bytes)
    );
    group(
        "commits",
        [
            ("median", time(status.commit_us_p50), Tone::Plain),
            ("99 of 100", time(status.commit_us_p99), Tone::Plain),
            ("records", format!("{} {now}", spark(bars)).trim().to_owned(), Tone::Busy),
            ("so far", so_far, Tone::Plain),
        ],
    )
}

/// How long the latest commits took, a bar for each time.
fn times(status: &Status) -> Group {
    let times = &status.commit_times;
    let of_any = |bucket: &aiflow_model::wire::CommitTimes| bucket.commits > 0;
    let first = times.iter().position(of_any).unwrap_or(times.len());
    let most = times.iter().map(|bucket| bucket.commits).max().unwrap_or(0).max(1);
    let fields = times.iter().skip(first).map(|bucket| {
        let share = bucket.commits as u128 * BAR as u128;
        let cells = usize::try_from(share.div_ceil(u128::from(most))).unwrap_or(BAR);
        let name = fit_right(&format!("< {}", time(bucket.below_us)), 10);
        let words = format!("{:<BAR$} {}", "█".repeat(cells), text::grouped(bucket.commits));
        (name, words, Tone::Busy)
    });
    Group { name: "how long the latest took", fields: fields.collect() }
}

fn queues(status: &Status, model: &Model) -> Group {
    let queues = &status.queues;
    let undecided = format!(
        "{} · {} of attempts",
        text::count(queues.requests, "request"),
        text::count(queues.attempts, "report")
    );
    let undurable = format!(
        "{} · {} to write",
        text::count(queues.departures, "answer"),
        size(queues.uncommitted_bytes)
    );
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    let tasks = model.live.state.runs.values().flat_map(|run| &run.tasks);
    for execution in tasks.flat_map(|task| task.alive_executions()) {
        let word = match execution.status {
            ExecutionStatus::Waiting => "waiting",
            ExecutionStatus::Queued => "starting",
            ExecutionStatus::Retrying => "retrying",
            _ => continue,
        };
        *waiting.entry(word).or_default() += 1;
    }
    let waiting: Vec<String> = waiting
        .into_iter()
        .map(|(word, count)| format!("{} {word}", text::grouped(count as u64)))
        .collect();
    let waiting = if waiting.is_empty() { "none".to_owned() } else { waiting.join(" · ") };
    group(
        "what waits",
        [
            ("undecided", undecided, Tone::Plain),
            ("for disk", undurable, Tone::Plain),
            ("unread", text::count(queues.unread, "answer"), Tone::Plain),
            ("executions", waiting, Tone::Plain),
        ],
    )
}

fn work(status: &Status, model: &Model) -> Group {
    let state = &model.live.state;
    let tasks = state.runs.values().flat_map(|run| &run.tasks);
    let executions: usize = tasks.map(|task| task.executions.len()).sum();
    let minute = model.rates().all(model.time());
    let spark = spark(rates::bars(&minute, BAR));
    let alive =
        [text::count(status.alive_runs, "run"), text::count(status.alive_attempts, "attempt")];
    let known = [
        text::count(state.runs.len(), "run"),
        text::count(executions, "execution"),
        text::count(state.snapshots.len(), "snapshot"),
    ];
    let events = format!("{spark} {:.0}/s, over {SECONDS} s", rates::per_second(&minute));
    group(
        "work",
        [
            ("alive", alive.join(" · "), Tone::Busy),
            ("known", known.join(" · "), Tone::Plain),
            ("events", events, Tone::Busy),
        ],
    )
}
