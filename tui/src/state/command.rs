//! What the user can have done: each with its call, its line for a shell, and what to say after.
//!
//! A dry run asks about the very same call. Must never carry an identity of its own: the edge
//! gives one when it is sent, so that what is asked can be compared.

use std::collections::BTreeMap;

use aiflow_model::wire::{
    Backfill, Call, Emit, NamedWorkflow, RerunTask, RunRef, StartRun, TaskControl, TaskRef,
    TaskRequest, TriggerRef,
};
use aiflow_model::{
    EventKey, JsonText, Namespace, RunId, Sequence, TaskName, Timestamp, TriggerId, WorkflowName,
};
use serde_json::Value;

use crate::state::{form, text};

/// Source of events that are emitted here.
const SOURCE: &str = "tui";

/// Something that changes what the daemon holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    Emit { namespace: Namespace, key: EventKey, value: JsonText, run: Option<RunId> },
    StartRun { namespace: Namespace, workflow: WorkflowName, params: BTreeMap<String, JsonText> },
    StopRun { run: RunId },
    PauseRun { run: RunId },
    ResumeRun { run: RunId },
    StartTask { run: RunId, task: TaskName },
    StopTask { run: RunId, task: TaskName },
    RestartTask { run: RunId, task: TaskName },
    Skip { run: RunId, task: TaskName, sequence: Option<Sequence> },
    MarkSuccess { run: RunId, task: TaskName, sequence: Option<Sequence> },
    Rerun { run: RunId, task: TaskName, sequence: Option<Sequence>, from_here: bool },
    Backfill { run: RunId, task: TaskName, from: Timestamp, to: Option<Timestamp>, parallel: u32 },
    EnableWorkflow { namespace: Namespace, workflow: WorkflowName },
    DisableWorkflow { namespace: Namespace, workflow: WorkflowName },
    PauseTrigger { trigger: TriggerId },
    ResumeTrigger { trigger: TriggerId },
}

impl Command {
    /// The call that does it; asking again with the same `id` does it once.
    pub(crate) fn call(&self, id: String) -> Call {
        let request = Some(id.clone());
        let control = |run: &RunId, task: &TaskName, sequence: &Option<Sequence>| TaskControl {
            run: *run,
            task: task.clone(),
            sequence: *sequence,
            request: request.clone(),
        };
        match self.clone() {
            Self::Emit { namespace, key, value, run } => {
                let source = Some(SOURCE.to_owned());
                let execution = run;
                Call::Emit(Emit {
                    namespace,
                    key,
                    value,
                    source,
                    id: Some(id),
                    execution,
                    token: None,
                })
            }
            Self::StartRun { namespace, workflow, params } => {
                Call::RunStart(StartRun { namespace, workflow, params, request })
            }
            Self::StopRun { run } => Call::RunStop(RunRef { run }),
            Self::PauseRun { run } => Call::RunPause(RunRef { run }),
            Self::ResumeRun { run } => Call::RunResume(RunRef { run }),
            Self::StartTask { run, task } => Call::TaskStart(TaskRef { run, task }),
            Self::StopTask { run, task } => Call::TaskStop(TaskRef { run, task }),
            Self::RestartTask { run, task } => {
                Call::TaskRestart(TaskRequest { run, task, request })
            }
            Self::Skip { run, task, sequence } => Call::TaskSkip(control(&run, &task, &sequence)),
            Self::MarkSuccess { run, task, sequence } => {
                Call::TaskMarkSuccess(control(&run, &task, &sequence))
            }
            Self::Rerun { run, task, sequence, from_here } => {
                Call::TaskRerun(RerunTask { run, task, sequence, from_here, request })
            }
            Self::Backfill { run, task, from, to, parallel } => {
                let parallel = Some(parallel);
                Call::TaskBackfill(Backfill { run, task, from, to, parallel, request })
            }
            Self::EnableWorkflow { namespace, workflow } => {
                Call::WorkflowEnable(NamedWorkflow { namespace, workflow })
            }
            Self::DisableWorkflow { namespace, workflow } => {
                Call::WorkflowDisable(NamedWorkflow { namespace, workflow })
            }
            Self::PauseTrigger { trigger } => Call::TriggerPause(TriggerRef { trigger }),
            Self::ResumeTrigger { trigger } => Call::TriggerResume(TriggerRef { trigger }),
        }
    }

    /// The same on the command line.
    pub(crate) fn line(&self) -> String {
        let of_execution =
            |verb: &str, run: &RunId, task: &TaskName, sequence: &Option<Sequence>| {
                let which = sequence.map(|n| format!(" --sequence {n}")).unwrap_or_default();
                format!("task-execution {verb} {run} {task}{which}")
            };
        let words = match self {
            Self::Emit { namespace, key, value, run } => {
                let value = quoted(value.as_str());
                let scope = run.map(|run| format!(" --execution {run}")).unwrap_or_default();
                format!("emit {key} {value}{scope}{}", in_namespace(namespace))
            }
            Self::StartRun { namespace, workflow, params } => {
                let param = |(name, value): (&String, &JsonText)| {
                    format!(" --param {}", quoted(&format!("{name}={}", form::written(value))))
                };
                let params: String = params.iter().map(param).collect();
                format!("run {workflow}{params}{}", in_namespace(namespace))
            }
            Self::StopRun { run } => format!("workflow-execution stop {run}"),
            Self::PauseRun { run } => format!("workflow-execution pause {run}"),
            Self::ResumeRun { run } => format!("workflow-execution resume {run}"),
            Self::StartTask { run, task } => format!("task-execution start {run} {task}"),
            Self::StopTask { run, task } => format!("task-execution stop {run} {task}"),
            Self::RestartTask { run, task } => format!("task-execution restart {run} {task}"),
            Self::Skip { run, task, sequence } => of_execution("skip", run, task, sequence),
            Self::MarkSuccess { run, task, sequence } => {
                of_execution("mark-success", run, task, sequence)
            }
            Self::Rerun { run, task, sequence, from_here } => {
                let on = if *from_here { " --from-here" } else { "" };
                of_execution("rerun", run, task, sequence) + on
            }
            Self::Backfill { run, task, from, to, parallel } => {
                let to = to.map(|to| format!(" {to}")).unwrap_or_default();
                let many =
                    if *parallel > 1 { format!(" --parallel {parallel}") } else { String::new() };
                format!("backfill {run} {task} {from}{to}{many}")
            }
            Self::EnableWorkflow { namespace, workflow } => {
                format!("workflow enable {workflow}{}", in_namespace(namespace))
            }
            Self::DisableWorkflow { namespace, workflow } => {
                format!("workflow disable {workflow}{}", in_namespace(namespace))
            }
            Self::PauseTrigger { trigger } => format!("workflow-trigger pause {trigger}"),
            Self::ResumeTrigger { trigger } => format!("workflow-trigger resume {trigger}"),
        };
        format!("aiflow {words}")
    }

    /// What was done, given the answer.
    pub(crate) fn done(&self, answer: &Value) -> String {
        let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
        let count = |name: &str, of: &str| text::count(number(name), of);
        match self {
            Self::Emit { key, .. } => format!("emitted {key} @{}", number("offset")),
            Self::StartRun { workflow, .. } => {
                format!("started run {} of {workflow}", number("run"))
            }
            Self::StopRun { run } => {
                format!("stopping run {run}: {}", count("stopping", "execution"))
            }
            Self::PauseRun { run } => format!("run {run} is paused: nothing new starts in it"),
            Self::ResumeRun { run } => format!("run {run} goes on"),
            Self::StartTask { run, task } => format!("started {task} of run {run}"),
            Self::StopTask { run, task } => {
                format!("stopping {task} of run {run}: {}", count("stopping", "execution"))
            }
            Self::RestartTask { run, task } => format!("restarting {task} of run {run}"),
            Self::Skip { task, .. } => format!("skipped {task} {}", number("sequence")),
            Self::MarkSuccess { task, .. } => {
                format!("marked {task} {} as a success", number("sequence"))
            }
            Self::Rerun { task, .. } => format!("rerun of {task} is {}", number("sequence")),
            Self::Backfill { task, .. } => {
                format!("{} of {task} will run", count("windows", "window"))
            }
            Self::EnableWorkflow { workflow, .. } => format!("{workflow} starts runs again"),
            Self::DisableWorkflow { workflow, .. } => format!("{workflow} starts nothing new"),
            Self::PauseTrigger { trigger } => format!("trigger {trigger} looks at nothing"),
            Self::ResumeTrigger { trigger } => format!("trigger {trigger} looks again"),
        }
    }
}

fn in_namespace(namespace: &Namespace) -> String {
    if *namespace == Namespace::default_namespace() {
        return String::new();
    }
    format!(" -n {namespace}")
}

/// A word as a shell takes it.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.:/@=,+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_given_to_a_shell() {
        let command = Command::Emit {
            namespace: "lab".parse().unwrap(),
            key: EventKey::new("a.b").unwrap(),
            value: JsonText::parse(r#"{"it's": 1}"#).unwrap(),
            run: Some(RunId(3)),
        };
        let line = r#"aiflow emit a.b '{"it'\''s": 1}' --execution 3 -n lab"#;
        assert_eq!(command.line(), line);
        let (run, task) = (RunId(3), "train".parse::<TaskName>().unwrap());
        let sequence = Some(Sequence(4));
        let rerun = Command::Rerun { run, task, sequence, from_here: true };
        assert_eq!(rerun.line(), "aiflow task-execution rerun 3 train --sequence 4 --from-here");
    }

    #[test]
    fn a_call_has_the_identity_that_it_is_given() {
        let (run, task) = (RunId(3), "train".parse::<TaskName>().unwrap());
        let command = Command::RestartTask { run, task };
        let call = command.call("id-1".to_owned());
        assert_eq!(call.method(), "task.restart");
        assert!(call.params().unwrap().get().contains("id-1"));
    }
}
