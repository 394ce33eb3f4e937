//! Why one task waits or runs.
//!
//! Must never give a task that waits an empty answer.

use super::condition::{Way, cost};
use super::{Line, Need, Scene, Stands, Step, TaskWhy, names};
use crate::spec::{Action, Demand, PoolId, TaskSpec};
use crate::state::{Execution, ExecutionStatus, RunStatus, TaskState};
use crate::{ExecutionId, Sequence};

impl Scene<'_> {
    pub(super) fn task(&self, spec: &TaskSpec, known: &TaskState) -> TaskWhy {
        let (stands, mut lines, mut needs) = match self.run.status {
            RunStatus::Waiting => self.before_turn(),
            RunStatus::Running => self.in_run(spec, known),
            RunStatus::Stopping => self.in_stopping_run(spec, known),
            RunStatus::Success | RunStatus::Failed | RunStatus::Stopped => {
                self.after_run(spec, known)
            }
        };
        if self.health.disk_low && needs.iter().any(Need::is_new_work) {
            needs.insert(0, Step::Room.once());
        }
        if lines.is_empty() {
            lines.push(Line::new(0, "nothing is known of it"));
        }
        let began = known.executions.iter().rev().find(|e| !e.attempts.is_empty());
        let execution = began.or_else(|| known.latest()).map(|execution| execution.sequence);
        TaskWhy { task: spec.name.clone(), stands, lines, needs, execution, chain: Vec::new() }
    }

    fn id(&self, spec: &TaskSpec, sequence: Sequence) -> ExecutionId {
        ExecutionId { run: self.run.id, task: spec.name.clone(), sequence }
    }

    fn by_hand(&self, spec: &TaskSpec) -> Vec<Need> {
        let step = Step::Start { run: self.run.id, task: spec.name.clone() };
        vec![step.once()]
    }

    fn before_turn(&self) -> (Stands, Vec<Line>, Vec<Need>) {
        let active = self.active_runs();
        let max = self.runs_max().map_or(usize::MAX, |max| max as usize);
        let ends = (active.len() + self.runs_before() + 1).saturating_sub(max);
        let line = Line::new(0, "its run has not begun: nothing of it looks at anything yet");
        let first = active.first().copied().unwrap_or(self.run.id);
        let need = Step::RunEnds { run: first }.times(ends.max(1) as u64);
        (Stands::Waits, vec![line.at([self.run.offset])], vec![need])
    }

    fn in_stopping_run(
        &self,
        spec: &TaskSpec,
        known: &TaskState,
    ) -> (Stands, Vec<Line>, Vec<Need>) {
        let (_, mut lines, _) = self.after_run(spec, known);
        lines.insert(0, Line::new(0, "the run is being stopped: nothing starts in it"));
        let again = Step::Restart { run: self.run.id, task: spec.name.clone() };
        let needs = vec![Step::RunEnds { run: self.run.id }.once(), again.once()];
        (Stands::Stops, lines, needs)
    }

    fn after_run(&self, spec: &TaskSpec, known: &TaskState) -> (Stands, Vec<Line>, Vec<Need>) {
        let (run, task) = (self.run.id, spec.name.clone());
        let Some(latest) = known.latest() else {
            let line = Line::new(0, "it did not run, and its run has ended");
            return (Stands::Over, vec![line], vec![Step::Restart { run, task }.once()]);
        };
        let is_kept = latest.events.iter().all(|event| *event >= self.state.first_offset);
        let again = if is_kept { Step::Rerun { run, task } } else { Step::Restart { run, task } };
        (Stands::Over, vec![self.ended(spec, latest)], vec![again.once()])
    }

    fn ended(&self, spec: &TaskSpec, execution: &Execution) -> Line {
        let (id, status) = (self.id(spec, execution.sequence), execution.status);
        let at = execution.ended_at.map_or_else(String::new, |ended| format!(" at {ended}"));
        Line::new(0, format!("execution {id} is {status}{at}")).at([execution.offset])
    }

    fn in_run(&self, spec: &TaskSpec, known: &TaskState) -> (Stands, Vec<Line>, Vec<Need>) {
        let mut alive: Vec<&Execution> = known.alive_executions().collect();
        // What is furthest says where the task stands.
        alive.sort_by_key(|e| (e.status == ExecutionStatus::Waiting, e.sequence));
        let Some(first) = alive.first() else { return self.idle(spec, known) };
        let mut lines = Vec::new();
        let (mut waiting, mut needs) = (0, Vec::new());
        for execution in &alive {
            if execution.status == ExecutionStatus::Waiting {
                waiting += 1;
                if waiting == 1 {
                    let (own, own_needs) = self.waiting(spec, known, execution);
                    lines.extend(own);
                    needs = own_needs;
                }
                continue;
            }
            lines.extend(self.active(spec, execution));
        }
        if waiting > 1 {
            lines.push(Line::new(0, format!("{} more wait behind it", waiting - 1)));
        }
        if let Some(restart) = &known.restart {
            let line = Line::new(0, "it starts anew once nothing of it is alive");
            lines.push(line.at([restart.offset]));
        }
        let stands = match first.status {
            ExecutionStatus::Queued => Stands::Starts,
            ExecutionStatus::Running => Stands::Runs,
            ExecutionStatus::Retrying => Stands::Retries,
            ExecutionStatus::Stopping => Stands::Stops,
            _ => Stands::Waits,
        };
        if first.status == ExecutionStatus::Retrying && needs.is_empty() {
            needs = self.retry_needs(first);
        }
        if first.status == ExecutionStatus::Stopping && needs.is_empty() {
            let ends = alive
                .iter()
                .map(|execution| Step::End { id: self.id(spec, execution.sequence) }.once());
            needs = ends.chain(self.by_hand(spec)).collect();
        }
        (stands, lines, needs)
    }

    fn active(&self, spec: &TaskSpec, execution: &Execution) -> Vec<Line> {
        let id = self.id(spec, execution.sequence);
        let attempt = execution.attempts.last();
        let number = attempt.map_or(0, |attempt| attempt.number.0);
        let text = match execution.status {
            ExecutionStatus::Queued => format!("attempt {id}.{number} is being launched"),
            ExecutionStatus::Running => {
                let pid = attempt.and_then(|attempt| attempt.pid);
                let pid = pid.map_or_else(String::new, |pid| format!(" as process {pid}"));
                format!("attempt {id}.{number} runs{pid}")
            }
            ExecutionStatus::Stopping => {
                let why = execution.stop.map(|reason| format!("{reason:?}").to_lowercase());
                let why = why.unwrap_or_else(|| "asked".to_owned());
                format!("attempt {id}.{number} is being stopped ({why}); grace {}", spec.grace)
            }
            ExecutionStatus::Retrying => {
                let max = spec.retry.as_ref().and_then(|retry| retry.attempts_max);
                let of = max.map_or_else(String::new, |max| format!(" of {max}"));
                let due = execution.deadline.map_or_else(String::new, |due| {
                    format!(" at {due} ({} left)", due.since(self.now))
                });
                format!("attempt {number} of {id} failed; attempt {}{of}{due}", number + 1)
            }
            other => format!("execution {id} is {other}"),
        };
        let mut lines = vec![Line::new(0, text).at([execution.offset])];
        if let (ExecutionStatus::Running, Some(due)) = (execution.status, execution.deadline) {
            let left = due.since(self.now);
            lines.push(Line::new(1, format!("its timeout is at {due} ({left} left)")));
        }
        if let Some(since) = execution.silent_since {
            lines.push(Line::new(1, format!("nothing was heard of it since {since}")));
        }
        lines
    }

    fn retry_needs(&self, execution: &Execution) -> Vec<Need> {
        let resume = self.run.paused.then(|| Step::Resume { run: self.run.id }.once());
        let until = execution.deadline.unwrap_or(self.now);
        resume.into_iter().chain([Step::Time { until }.once()]).collect()
    }

    /// An execution that waits for its turn, a slot, or the run to be resumed.
    fn waiting(
        &self,
        spec: &TaskSpec,
        known: &TaskState,
        execution: &Execution,
    ) -> (Vec<Line>, Vec<Need>) {
        let id = self.id(spec, execution.sequence);
        let window = execution.window.map(|w| format!(", window {} / {}", w.start, w.end));
        let text = format!("execution {id} waits{}", window.unwrap_or_default());
        let mut lines = vec![Line::new(0, text).at([execution.offset])];
        let mut needs = Vec::new();
        if self.run.paused {
            lines.push(Line::new(1, "for the run, which is paused"));
            needs.push(Step::Resume { run: self.run.id }.once());
        }
        let lane = execution.backfill;
        let places = known.places(lane, spec.parallel);
        let busy: Vec<ExecutionId> = known
            .lane(lane)
            .filter(|e| e.status != ExecutionStatus::Waiting)
            .map(|e| self.id(spec, e.sequence))
            .collect();
        if busy.len() >= places {
            let of = lane.map_or_else(String::new, |offset| format!(" of backfill {offset}"));
            let text = format!("for its turn{of}: {places} at once, busy are {}", names(&busy));
            let own = busy.iter().filter_map(|id| Some(self.state.execution(id)?.offset));
            lines.push(Line::new(1, text).at(own));
            needs.extend(busy.first().map(|id| Step::End { id: id.clone() }.once()));
        }
        let snapshot = self.state.snapshot_of(self.run.id);
        let demands = snapshot.map(|s| s.spec.demands(&s.namespace, spec)).unwrap_or_default();
        for demand in &demands {
            let (line, need) = self.slots(&id, demand);
            lines.extend(line);
            // What ends for its turn gives its slots back, too.
            needs.extend(need.filter(|need| !needs.contains(need)));
        }
        if needs.is_empty() {
            lines.push(Line::new(1, "for nothing that is known: it starts with the next decision"));
            needs.push(Step::Time { until: self.now }.once());
        }
        (lines, needs)
    }

    /// Whether slots of a pool are missing, or somebody comes first who lacks some.
    fn slots(&self, id: &ExecutionId, demand: &Demand) -> (Option<Line>, Option<Need>) {
        let pools = &self.state.pools;
        let first = pools.next_in_line(&demand.pool, None).filter(|first| first.id != *id);
        let is_short = !pools.has_room(demand);
        let held_up = first.filter(|first| {
            let spec = self.state.task_spec(first.id.run, &first.id.task);
            let snapshot = self.state.snapshot_of(first.id.run);
            let demands = snapshot.zip(spec).map(|(s, spec)| s.spec.demands(&s.namespace, spec));
            let mut demands = demands.into_iter().flatten();
            demands.any(|other| other.pool == demand.pool && !pools.has_room(&other))
        });
        if !is_short && held_up.is_none() {
            return (None, None);
        }
        let holders: Vec<(&ExecutionId, u32)> = pools.holders(&demand.pool).collect();
        let told: Vec<String> =
            holders.iter().map(|(id, slots)| format!("{id} ({slots})")).collect();
        let name = match &demand.pool {
            PoolId::Named(_, name) => format!("pool {name}"),
            PoolId::Workflow(_, workflow) => format!("`max_active_tasks` of {workflow}"),
        };
        let behind = held_up.map_or_else(String::new, |first| {
            format!("; {} comes first (priority, then age)", first.id)
        });
        let text = format!(
            "for {name}: {} of {} slots taken, it takes {}; held by {}{behind}",
            pools.taken(&demand.pool),
            demand.size,
            demand.slots,
            names(&told),
        );
        let offsets = holders.iter().filter_map(|(id, _)| Some(self.state.execution(id)?.offset));
        let line = Line::new(1, text).at(offsets);
        let need = holders.first().map(|(id, _)| Step::End { id: (*id).clone() }.once());
        (Some(line), need)
    }

    /// Nothing of the task is alive: what would start it.
    fn idle(&self, spec: &TaskSpec, known: &TaskState) -> (Stands, Vec<Line>, Vec<Need>) {
        let mut lines: Vec<Line> =
            known.latest().map(|latest| self.ended(spec, latest)).into_iter().collect();
        let snapshot = self.state.snapshot_of(self.run.id);
        let rules = snapshot.into_iter().flat_map(|snapshot| snapshot.spec.rules());
        let starts = |action| matches!(action, Action::Start | Action::Restart);
        let own = rules.filter(|(_, task, r)| task.name == spec.name && starts(r.action));
        let mut best: Option<Vec<Need>> = None;
        for (index, _, rule) in own {
            let Some(nodes) = self.run.conditions.get(index.0 as usize) else { continue };
            let told = Way::new(*self, nodes).told(&rule.condition, 0, 1);
            let word = rule.action.word();
            lines.push(Line::new(0, format!("rule {index}, {word}: {}", rule.condition)));
            lines.extend(told.lines);
            let is_less = |known: &Vec<Need>, new: &Vec<Need>| cost(new) < cost(known);
            if let Some(needs) = told.needs
                && best.as_ref().is_none_or(|known| is_less(known, &needs))
            {
                best = Some(needs);
            }
        }
        if spec.starts_with_run() {
            lines.push(Line::new(0, "it starts with its run, and by no rule"));
        }
        let resume = self.run.paused.then(|| Step::Resume { run: self.run.id }.once());
        let needs = best.unwrap_or_else(|| self.by_hand(spec));
        (Stands::Waits, lines, resume.into_iter().chain(needs).collect())
    }
}

impl Need {
    /// Whether it is refused while the disk is short of room.
    fn is_new_work(&self) -> bool {
        matches!(
            self.step,
            Step::Event { .. }
                | Step::Watermark { .. }
                | Step::Start { .. }
                | Step::Rerun { .. }
                | Step::Restart { .. }
        )
    }
}
