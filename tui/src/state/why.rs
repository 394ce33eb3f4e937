//! Why something stands as it stands: the one place that answers it for the interface.
//!
//! Made from the state alone: conditions with how far they have come, turns, pools, pauses. Must
//! never guess: what the state does not say is not told.

use aiflow_model::spec::{Action, TaskSpec};
use aiflow_model::state::{Execution, ExecutionStatus, Run, RunStatus, TaskState};
use aiflow_model::why::{Health, Need, why};
use aiflow_model::{Offset, RuleIndex, TaskName};

use super::condition_tree::{self, Node, Truth};
use super::item::Item;
use super::mark::{Mark, Tone};
use super::streams::Sight;
use super::{beside, fate, tasks, text};

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// What was asked.
    pub(crate) question: String,
    pub(crate) lines: Vec<WhyLine>,
    /// The least that would bring it on, in words.
    pub(crate) needs: Vec<String>,
    /// What to type for the first of it.
    pub(crate) command: Option<String>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WhyLine {
    pub(crate) depth: usize,
    pub(crate) glyph: &'static str,
    pub(crate) tone: Tone,
    pub(crate) words: String,
    pub(crate) note: String,
    pub(crate) meter: Option<(f64, f64)>,
}

impl WhyLine {
    fn new(glyph: &'static str, tone: Tone, words: impl Into<String>) -> Self {
        Self { depth: 0, glyph, tone, words: words.into(), note: String::new(), meter: None }
    }
}

/// Answers for whatever is selected.
pub(crate) fn answer(sight: Sight<'_>, item: &Item) -> Answer {
    let found = match item {
        Item::Task(run, task) => {
            sight.state.run(*run).and_then(|run| of_task(sight, run, task, None))
        }
        Item::Execution(run, task, sequence) => {
            let known = sight.state.task(*run, task);
            let execution = known.and_then(|known| known.execution(*sequence));
            sight.state.run(*run).and_then(|run| of_task(sight, run, task, execution))
        }
        Item::Run(run) => sight.state.run(*run).map(|run| of_run(sight, run)),
        Item::Trigger(_) | Item::Workflow(..) | Item::Event(_) => Some(of_other(sight, item)),
    };
    found.unwrap_or_else(|| Answer {
        question: item.name(),
        lines: vec![WhyLine::new("·", Tone::Dim, "it is not there")],
        needs: Vec::new(),
        command: None,
    })
}

fn of_task(
    sight: Sight<'_>,
    run: &Run,
    task: &TaskName,
    chosen: Option<&Execution>,
) -> Option<Answer> {
    let snapshot = sight.state.snapshots.get(&run.snapshot)?;
    let (spec, state) = (snapshot.spec.task(task.as_str())?, sight.state.task(run.id, task)?);
    let shown = chosen.or_else(|| tasks::shown(state));
    let mut lines: Vec<WhyLine> = run_stands(run);
    if let Some(execution) = shown {
        lines.push(execution_stands(sight, execution));
        if execution.status == ExecutionStatus::Waiting {
            lines.extend(turn(sight, run, spec, state, execution));
        }
    }
    let rules = snapshot.spec.rules().filter(|(_, of, rule)| {
        of.name == *task && rule.action == Action::Start && run.status.is_alive()
    });
    for (index, _, rule) in rules {
        let nodes = rule_nodes(run, index, &rule.condition);
        lines.push(WhyLine::new("◆", Tone::Plain, format!("starts {}", rule.condition)));
        lines.extend(nodes.iter().map(|node| node_line(sight, node)));
    }
    if spec.starts_with_run() {
        lines.push(WhyLine::new("◆", Tone::Plain, "starts with the run: no rule starts it"));
    }
    let verb = shown.map_or("start", |execution| match execution.status {
        ExecutionStatus::Waiting | ExecutionStatus::Retrying => "wait",
        status if status.is_alive() => "run",
        _ => "stand still",
    });
    let needs = needs_of(sight, run, task);
    let not = if shown.is_none() { " not" } else { "" };
    Some(Answer {
        question: format!("why does {task} of run {}{not} {verb}?", run.id),
        lines,
        needs: needs.iter().map(|need| need.text.clone()).collect(),
        command: needs.iter().find_map(|need| need.command.clone()),
    })
}

/// The least that would start a task, as the model knows it.
fn needs_of(sight: Sight<'_>, run: &Run, task: &TaskName) -> Vec<Need> {
    let told = why(sight.state, run.id, Some(task), sight.now, Health::default());
    told.and_then(|why| why.tasks.into_iter().next()).map(|task| task.needs).unwrap_or_default()
}

/// The rule's parts; a rule that is one part alone is told in its own words.
fn rule_nodes(run: &Run, index: RuleIndex, condition: &aiflow_model::Condition) -> Vec<Node> {
    let none = std::collections::BTreeMap::new();
    let nodes = run.conditions.get(index.0 as usize).unwrap_or(&none);
    let mut tree = condition_tree::of(condition, nodes);
    // The top of it stands in the heading, unless it has more to say.
    if tree.len() > 1 && tree.first().is_some_and(|top| top.note.is_empty() && top.meter.is_none())
    {
        tree.remove(0);
        tree.iter_mut().for_each(|node| node.depth = node.depth.saturating_sub(1));
    }
    tree
}

fn node_line(sight: Sight<'_>, node: &Node) -> WhyLine {
    let (glyph, tone) = match node.truth {
        Truth::Met => ("✓", Tone::Good),
        Truth::Waits => ("◌", Tone::Wait),
        Truth::Whole => ("┬", Tone::Dim),
    };
    let mut note = node.note.clone();
    if let Some(seen) = node.event.and_then(|event| sight.recent.get(event)) {
        let ago = text::ago(sight.now.since(seen.time));
        note.push_str(&format!(
            "  moved {ago} @{} by {}",
            text::grouped(seen.offset.0),
            seen.source
        ));
    } else if let Some(Offset(event)) = node.event {
        note.push_str(&format!("  @{}", text::grouped(event)));
    }
    WhyLine {
        depth: node.depth + 1,
        glyph,
        tone,
        words: node.words.clone(),
        note,
        meter: node.meter,
    }
}

/// The event that the first open part waits for.
fn bring_on(nodes: &[Node]) -> Option<String> {
    let open = nodes.iter().find(|node| node.truth == Truth::Waits && node.key.is_some())?;
    let key = open.key.as_ref()?;
    Some(match open.until {
        Some(time) => format!("aiflow emit {key} {time}"),
        None => format!("aiflow emit {key}"),
    })
}

/// What of the run itself holds things up.
fn run_stands(run: &Run) -> Vec<WhyLine> {
    let mut lines = Vec::new();
    match run.status {
        RunStatus::Waiting => {
            lines.push(WhyLine::new("○", Tone::Wait, "its run waits for its turn"))
        }
        RunStatus::Stopping => {
            lines.push(WhyLine::new("◼", Tone::Wait, "its run is being stopped"))
        }
        RunStatus::Success | RunStatus::Failed | RunStatus::Stopped => {
            let words = format!("its run has ended: {}; nothing more starts in it", run.status);
            lines.push(WhyLine::new("■", Tone::Dim, words));
        }
        RunStatus::Running if run.paused => {
            let words = "its run is paused: nothing new starts in it until it is resumed";
            lines.push(WhyLine::new("‖", Tone::Wait, words));
        }
        RunStatus::Running => {}
    }
    lines
}

fn execution_stands(sight: Sight<'_>, execution: &Execution) -> WhyLine {
    let mark = Mark::of_execution(execution);
    let since = execution.ended_at.unwrap_or(execution.created_at);
    let window = execution.window.map(|window| {
        format!(" for {}", text::window_name(window.start, window.end.since(window.start)))
    });
    let words = format!(
        "execution {}{} {}, {}",
        execution.sequence,
        window.unwrap_or_default(),
        mark.word,
        text::ago(sight.now.since(since)),
    );
    let mut line = WhyLine::new(mark.glyph, mark.tone, words);
    let outcome = execution.attempts.last().and_then(|attempt| attempt.outcome.as_ref());
    if let Some(outcome) = outcome.filter(|outcome| !outcome.is_success()) {
        line.note = text::outcome_words(outcome);
    }
    if execution.status == ExecutionStatus::Retrying {
        let due = execution.deadline.map(|due| due.since(sight.now));
        let due = due.map(|left| format!("; next attempt in {}", text::length(left)));
        line.note.push_str(&due.unwrap_or_default());
    }
    if let Some(event) = execution.events.last() {
        let key = sight.recent.get(*event).map(|seen| format!("{} ", seen.key));
        let lead = if line.note.is_empty() { "" } else { "  " };
        let cause =
            format!("{lead}caused by {}@{}", key.unwrap_or_default(), text::grouped(event.0));
        line.note.push_str(&cause);
    }
    line
}

/// Whose turn it is before a waiting execution.
fn turn(
    sight: Sight<'_>,
    run: &Run,
    spec: &TaskSpec,
    state: &TaskState,
    execution: &Execution,
) -> Vec<WhyLine> {
    let lane = execution.backfill;
    let (busy, places) = (state.busy_in(lane), state.places(lane, spec.parallel));
    let mut lines = Vec::new();
    let is_full = busy >= places;
    let mut places_line = WhyLine::new(
        if is_full { "◌" } else { "✓" },
        if is_full { Tone::Wait } else { Tone::Good },
        format!("{busy} of {places} places of the task are taken"),
    );
    let before = state
        .lane(lane)
        .filter(|other| other.status == ExecutionStatus::Waiting)
        .take_while(|other| other.sequence < execution.sequence)
        .count();
    if before > 0 {
        places_line.note = format!("{before} wait before it");
    }
    places_line.depth = 1;
    lines.push(places_line);
    let Some(snapshot) = sight.state.snapshots.get(&run.snapshot) else { return lines };
    for demand in snapshot.spec.demands(&snapshot.namespace, spec) {
        let has_room = sight.state.pools.has_room(&demand);
        let taken = sight.state.pools.taken(&demand.pool);
        let (glyph, tone) = if has_room { ("✓", Tone::Good) } else { ("◌", Tone::Wait) };
        let pool = match &demand.pool {
            aiflow_model::spec::PoolId::Named(_, name) => format!("pool {name}"),
            aiflow_model::spec::PoolId::Workflow(_, name) => format!("tasks of {name} at once"),
        };
        let words =
            format!("{pool}: {taken} of {} slots are taken, {} wanted", demand.size, demand.slots);
        lines.push(WhyLine { depth: 1, ..WhyLine::new(glyph, tone, words) });
    }
    lines
}

fn of_run(sight: Sight<'_>, run: &Run) -> Answer {
    let mark = Mark::of_run(run);
    let mut lines = vec![WhyLine::new(
        mark.glyph,
        mark.tone,
        format!(
            "{}, {}",
            mark.word,
            text::ago(sight.now.since(run.ended_at.unwrap_or(run.started_at)))
        ),
    )];
    lines.extend(run_stands(run));
    for row in tasks::rows(sight.state, run) {
        let mut line =
            WhyLine::new(row.mark.glyph, row.mark.tone, format!("{} {}", row.task, row.mark.word));
        line.depth = 1;
        line.note = row.note;
        lines.push(line);
    }
    if let Some((good, different)) = beside::last_good(sight.state, run) {
        let words = match different.len() {
            0 => format!("nothing differs from run {good}, the last that succeeded"),
            _ => format!("beside run {good}, the last that succeeded:"),
        };
        lines.push(WhyLine::new("≠", Tone::Plain, words));
        let each = different.into_iter().map(|words| WhyLine::new("·", Tone::Wait, words));
        lines.extend(each.map(|line| WhyLine { depth: 1, ..line }));
    }
    let question = match run.status {
        RunStatus::Running => format!("why does run {} go on?", run.id),
        RunStatus::Waiting => format!("why does run {} wait?", run.id),
        _ => format!("why has run {} ended as it has?", run.id),
    };
    Answer { question, lines, needs: Vec::new(), command: None }
}

fn of_other(sight: Sight<'_>, item: &Item) -> Answer {
    let mut lines = Vec::new();
    let mut command = None;
    match item {
        Item::Trigger(id) => {
            if let Some(trigger) = sight.state.triggers.get(id) {
                if trigger.paused {
                    lines.push(WhyLine::new("‖", Tone::Wait, "it is paused and looks at nothing"));
                } else if !sight.state.is_active(trigger) {
                    lines.push(WhyLine::new("‖", Tone::Wait, "its workflow is disabled"));
                }
                let nodes = condition_tree::of(&trigger.condition, &trigger.nodes);
                command = bring_on(&nodes);
                lines.extend(nodes.iter().map(|node| node_line(sight, node)));
                let fired =
                    trigger.fired_at.map(|at| format!(", last {}", text::ago(sight.now.since(at))));
                let words = format!(
                    "fired {}{}",
                    text::count(trigger.firings, "time"),
                    fired.unwrap_or_default()
                );
                lines.push(WhyLine::new("·", Tone::Dim, words));
            }
        }
        Item::Event(offset) => {
            if let Some(seen) = sight.recent.get(*offset) {
                let (words, tone) = fate::words(&seen.fate);
                lines.push(WhyLine::new("·", tone, words));
                let each = fate::started_one_by_one(&seen.fate);
                let line = |one| WhyLine { depth: 1, ..WhyLine::new("→", Tone::Good, one) };
                lines.extend(each.into_iter().map(line));
            }
        }
        Item::Workflow(namespace, workflow) => {
            let known = sight.state.namespaces.get(namespace);
            let is_disabled = known.is_some_and(|known| known.disabled.contains(workflow));
            if is_disabled {
                lines.push(WhyLine::new(
                    "‖",
                    Tone::Wait,
                    "it is disabled: nothing starts runs of it",
                ));
            }
            for id in sight.state.triggers_of(namespace, workflow) {
                if let Some(trigger) = sight.state.triggers.get(&id) {
                    let words = format!("trigger {id}: {}", trigger.condition);
                    lines.push(WhyLine::new("◆", Tone::Plain, words));
                }
            }
            command = Some(format!("aiflow run {workflow}"));
        }
        Item::Run(_) | Item::Task(..) | Item::Execution(..) => {}
    }
    if lines.is_empty() {
        lines.push(WhyLine::new("·", Tone::Dim, "nothing is known of it"));
    }
    Answer { question: format!("what of {}?", item.name()), lines, needs: Vec::new(), command }
}
