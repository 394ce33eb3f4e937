"""Bugs of the core itself, and of the state that it decides on, each of which the simulator must find. Of the form of
`tests/planted/log.py`; those in what surrounds the core are in `tests/sim/src/bug.rs`."""

SIM = "-p aiflow-sim --test seeds no_seed"
CORE = "daemon/core/src/"
STATE = "common/model/src/state/"

BUGS = []


def bug(name, why, file, old, new, tests=SIM):
    BUGS.append({"name": name, "why": why, "file": file, "old": old, "new": new, "tests": tests})


# Events.

bug("core: event-twice", "the same event, given again, is another one",
    CORE + "event.rs", "return Ok(Answer::Emitted { offset: Offset(offset), duplicate: true });",
    "if offset % 2 == 0 { return Ok(Answer::Emitted { offset: Offset(offset), duplicate: true }); }")
bug("core: dedup-forgotten-at-restart", "identities of events are not in the snapshot",
    STATE + "stored.rs", "state.event_ids = event_ids;", "let _ = event_ids;")
bug("core: requests-forgotten-at-restart", "which request started which run is not in the snapshot",
    STATE + "stored.rs", "state.run_requests = run_requests;", "let _ = run_requests;")
bug("core: request-forgotten-with-its-run", "a request whose run has left the state starts another",
    CORE + "run.rs", "let Some(run) = self.state.run(id) else { return Ok(Some(Answer::Run(id))) };",
    "let Some(run) = self.state.run(id) else { return Ok(None) };")
bug("core: event-skipped", "one event in 64 reaches no rule, as if an exception had been swallowed",
    CORE + "condition.rs", "for id in self.rules_that_look_at(stimulus) {",
    "if matches!(stimulus, Stimulus::Event { offset, .. } if offset.0 % 64 == 0) {\n            return;\n        }\n"
    "        for id in self.rules_that_look_at(stimulus) {")
bug("core: scope-ignored", "an event for one run reaches all",
    STATE + "subscription.rs", "Some(run) => exact.flat_map(|rules| in_scope(rules, run)).collect(),",
    "Some(run) => exact.flat_map(|rules| in_scope(rules, run).chain(rules.iter().copied())"
    ".collect::<BTreeSet<_>>()).collect(),")
bug("core: subscriptions-not-rebuilt", "a run that was in the snapshot sees no event any more",
    STATE + "mod.rs", "                self.subscriptions.add_run(run, &snapshot.spec);\n                self.deadlines",
    "                self.deadlines")

# Conditions.

bug("core: count-keeps-one", "an event that fired a count is counted again",
    CORE + "gather.rs", "(count, so_far) = (0, Firing::default());", "(count, so_far) = (1, Firing::default());")
bug("core: all-consumes-twice", "an event that met a part of `all` meets it again after the firing",
    CORE + "gather.rs", "self.advance(at, node, NodeState::All { met }, stimulus.offset());",
    "if !firings.is_empty() {\n            met[0] = firings.clone();\n        }\n"
    "        self.advance(at, node, NodeState::All { met }, stimulus.offset());")
bug("core: progress-not-recorded", "what a count has gathered is not recorded every time",
    CORE + "gather.rs", "self.advance(at, node, NodeState::Count { met: count, so_far }, stimulus.offset());",
    "if count != 2 {\n            self.advance(at, node, NodeState::Count { met: count, so_far }, stimulus.offset());\n        }")
bug("core: after-a-failure", "what follows a task follows also its failure",
    CORE + "condition.rs", "_ => to.meets(wanted),", "_ => to.meets(wanted) || to == ExecutionStatus::Failed,")
bug("core: downstream-not-told", "the end of a task is recorded and what follows it not told, now and then",
    CORE + "task.rs", "if self.is_news(id, status) {", "if self.is_news(id, status) && offset.0 % 16 != 0 {")

# Clocks.

bug("core: window-fires-twice", "the last window fires again when a watermark is repeated",
    CORE + "clock.rs", "let windows = passed_windows(state, |end| end <= lowest.time, period, until);",
    "let before = state.next;\n"
    "        let mut windows = passed_windows(state, |end| end <= lowest.time, period, until);\n"
    "        if let (Some(next), true) = (before, windows.is_empty() && self.now.0 % 64 == 0) {\n"
    "            windows.push(Window { start: next.minus(period), end: next });\n        }")
bug("core: highest-watermark", "a clock with two sources follows the faster one",
    "common/model/src/firing.rs", "heeded.map(|(_, mark)| *mark).min().flatten()",
    "heeded.map(|(_, mark)| *mark).max().flatten()")
bug("core: watermark-goes-back", "a watermark that goes back is believed",
    CORE + "clock.rs", "before.is_none_or(|before| before.time < mark.time)",
    "before.is_none_or(|before| before.time != mark.time)")
bug("core: jump-fires-the-last", "a watermark that jumps fires its last window only",
    CORE + "clock.rs", "windows.push(Window { start, end });", "windows = vec![Window { start, end }];")
bug("core: late-tick-dropped", "of the ticks that a restart made late only the last is taken",
    CORE + "clock.rs", "Missed::All => windows.len(),", "Missed::All => windows.len().min(1),")
bug("core: cron-from-now", "after a tick the next one is counted from the time at which it was noticed",
    CORE + "schedule.rs", "(previous, next) = (tick, calendar.next(tick));",
    "(previous, next) = (tick, calendar.next(self.now));")

# Tasks.

bug("core: firing-dropped-while-busy", "a firing is dropped while the task is busy, although it is to queue",
    CORE + "task.rs", "start.window.is_some() || task.overlap != Overlap::Ignore;", "start.window.is_some();")
bug("core: window-dropped-while-busy", "a window is dropped while the task is busy with an earlier one",
    CORE + "task.rs", "start.window.is_some() || task.overlap != Overlap::Ignore;", "task.overlap != Overlap::Ignore;")
bug("core: queue-stands-still", "the next in the queue is not launched when an execution ends",
    CORE + "task.rs", "            Some(_) | None => {}\n        }\n        self.advance_queue(run, task);",
    "            Some(_) | None => {}\n        }")
bug("core: starts-in-a-stopped-run", "a rule starts a task of a run that is being stopped",
    CORE + "task.rs",
    "let Some(state) = self.task_state(run, &task.name).filter(|_| is_running) else {\n            return false;",
    "let Some(state) = self.task_state(run, &task.name).filter(|_| is_running || true) else {\n            return false;")
bug("core: restarted-although-stopped", "a task that was stopped is tried again",
    CORE + "attempt.rs", "None | Some(StopReason::Timeout) => {}",
    "None | Some(StopReason::Timeout | StopReason::Asked) => {}")
bug("core: one-attempt-too-many", "the attempts of a retry are counted from the wrong end",
    CORE + "attempt.rs", "execution.spent_attempts() < max", "execution.spent_attempts() <= max")
bug("core: attempts-that-never-ran-count", "an attempt that never ran uses up a retry",
    STATE + "execution.rs", "*outcome != Outcome::NeverStarted", "*outcome != Outcome::NeverStarted || a.number.0 > 0")
bug("core: never-started-is-a-failure", "an attempt that never ran ends its execution",
    CORE + "attempt.rs", "return Next::Again;", "return Next::Finish(ExecutionStatus::Failed);")
bug("core: ends-twice", "an end that is told twice is recorded twice",
    CORE + "attempt.rs", "if self.state.attempt(id).is_none_or(|attempt| attempt.outcome.is_some()) {",
    "if self.state.attempt(id).is_none() {")
bug("core: timeout-forgotten", "the timeout of an attempt is not noted",
    STATE + "apply.rs", "execution.deadline = timeout.map(|timeout| at.time.plus(timeout));",
    "execution.deadline = timeout.map(|timeout| at.time.plus(timeout)).filter(|_| at.offset.0 % 16 != 0);")
bug("core: deadline-dropped", "what is due is forgotten when the execution changes",
    STATE + "apply.rs", "deadlines.set_execution(id.clone(), execution);",
    "if at.offset.0 % 8 != 0 {\n            deadlines.set_execution(id.clone(), execution);\n        }")
bug("core: deadlines-not-rebuilt", "what was due before a restart from a snapshot is forgotten",
    STATE + "mod.rs", "                self.deadlines.add_run(run, &snapshot.spec);\n", "")
bug("core: timeout-of-the-attempt-before", "a timeout counts as a stop of the next attempt",
    STATE + "apply.rs", "execution.stop = None;\n            }),", "}),")
bug("core: reboot-not-seen", "attempts from before a reboot are not marked, and what was not synced is believed",
    STATE + "apply.rs", "attempt.before_reboot = true;", "attempt.before_reboot = attempt.number.0 > 9;")

# Runs and triggers.

bug("core: run-ends-early", "a run whose tasks have all ended is over, although it waits for events",
    CORE + "run.rs", "if still_ticks(run, spec) {\n        None", "if still_ticks(run, spec) && run.tasks.len() > 99 {\n        None")
bug("core: run-never-ends", "a run with nothing alive is not ended when it is stopped",
    CORE + "run.rs", "        self.unsettle(id);\n        Ok(Answer::Stopping(stopping))",
    "        Ok(Answer::Stopping(stopping))")
bug("core: request-twice", "a request for a run that is repeated starts another",
    CORE + "run.rs", "return Ok(Some(Answer::Run(run.id)));",
    "return Ok((run.id.0 % 2 == 0).then_some(Answer::Run(run.id)));")
bug("core: paused-trigger-fires", "a trigger that is paused fires",
    STATE + "mod.rs", "!trigger.paused && !is_disabled", "!is_disabled")
bug("core: disabled-workflow-starts", "a trigger of a workflow that is disabled fires",
    STATE + "mod.rs", "!trigger.paused && !is_disabled", "!trigger.paused")

# Fans and hooks.

bug("core: fan-item-lost", "the first item of a list is not done",
    CORE + "fan.rs", "for (index, value) in (0..).zip(items) {", "for (index, value) in (0..).zip(items).skip(1) {")
bug("core: fan-joins-early", "what waits for a fan does not wait for the last of it",
    STATE + "fan.rs", "&& self.alive == 0;", "&& self.alive <= 1;")
bug("core: fan-failure-not-seen", "a fan of which an item failed counts as one that succeeded",
    STATE + "fan.rs", "_ if has(ExecutionStatus::Failed) => ExecutionStatus::Failed,\n",
    "_ if has(ExecutionStatus::Failed) => ExecutionStatus::Success,\n")
bug("core: list-of-nothing-waits", "a list of nothing brings no execution, and what follows waits for ever",
    CORE + "fan.rs", "self.create_ended(run, task, start, lane, ExecutionStatus::Skipped);", "")
bug("core: late-twice", "a run that was late is late again after a restart from a snapshot",
    STATE + "apply.rs", "self.run_mut(id)?.late_at.take();", "self.run_mut(id)?.late_at;")
bug("core: late-not-rebuilt", "when a run is late is forgotten at a restart from a snapshot",
    STATE + "mod.rs", "        self.deadlines.set(Deadline::Late(id), run.late_at);\n", "")

# What the simulator's stories do not have. Scenarios of the core find them.

FANS = "-p aiflow-core --test all fans"
HOOKS = "-p aiflow-core --test all hooks"

bug("core: fan-told-twice", "a fan that ends as before is told again",
    STATE + "fan.rs", "!self.told.is_some_and(is_same)", "!self.told.is_some_and(|told| is_same(told) && self.items > 99)", FANS)
bug("core: hook-lost", "the end of a run does not run its hook, now and then",
    CORE + "run.rs", "if let Some(hook) = Hook::of(status) {", "if let Some(hook) = Hook::of(status).filter(|_| id.0 % 2 == 0) {", HOOKS)
bug("core: hook-not-adopted", "a hook that runs is forgotten when the daemon is started anew, since its run has ended",
    STATE + "mod.rs", "run.status.is_alive() || self.hook_alive(run.id).is_some();\n        self.runs",
    "run.status.is_alive();\n        self.runs", HOOKS)
bug("core: output-of-the-attempt-before", "what an attempt said that failed is taken for what the next one says",
    STATE + "apply.rs", "            execution.outputs.clear();\n", "", "-p aiflow-core --test all outputs")
bug("core: ready-for-ever", "an attempt is ready since the one before it was",
    STATE + "apply.rs", "            execution.ready_at = None;\n", "", "-p aiflow-core --test all ready")
