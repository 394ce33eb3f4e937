//! What has to come so that a task starts: for programs as data, for people in words, and where
//! there is one, the command to type.
//!
//! Must never ask for more than is missing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::status::ExecutionStatus;
use crate::time::{Span, Timestamp};
use crate::{EventKey, ExecutionId, KeyPattern, Namespace, RunId, TaskName, TaskOf};

/// Something that has to come, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Need {
    /// What.
    pub step: Step,
    /// How often, at least once.
    pub times: u64,
    /// The step in words.
    pub text: String,
    /// What to type, where a command does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// Something that has to come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// An event.
    Event {
        /// Where.
        namespace: Namespace,
        /// Of which keys; a pattern: any of them.
        key: KeyPattern,
        /// The filter that has to be true of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filter: Option<String>,
        /// What such events have to add up to, together.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sum: Option<Sum>,
        /// A script has the last word.
        #[serde(default)]
        script: bool,
    },
    /// A watermark of a source of a clock.
    Watermark {
        /// Where.
        namespace: Namespace,
        /// Which source.
        key: EventKey,
        /// How far it has to come; none: any time arms the clock.
        at_least: Option<Timestamp>,
    },
    /// A task of the run has to come to a status.
    Task {
        /// The run.
        run: RunId,
        /// Which task.
        task: TaskName,
        /// Which status.
        status: ExecutionStatus,
    },
    /// A task of another workflow has to come to a status, in whichever run.
    Elsewhere {
        /// Where.
        namespace: Namespace,
        /// Which task of which workflow.
        of: TaskOf,
        /// Which status.
        status: ExecutionStatus,
        /// A run that is alive; none: one has to be started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
    },
    /// Nothing is heard of a task for as long as its heartbeat says.
    Silence {
        /// Of which task.
        task: TaskName,
        /// When that is so; none while it does not run.
        due: Option<Timestamp>,
    },
    /// Time passes, and nothing of what would begin the wait anew comes.
    Time {
        /// Until when.
        until: Timestamp,
    },
    /// Time passes after what stands before.
    Calm {
        /// How long.
        span: Span,
    },
    /// An execution ends, which makes room.
    End {
        /// Which.
        id: ExecutionId,
    },
    /// A run ends.
    RunEnds {
        /// Which.
        run: RunId,
    },
    /// The run is resumed.
    Resume {
        /// Which.
        run: RunId,
    },
    /// The disk gets room.
    Room,
    /// Somebody starts the task by hand.
    Start {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskName,
    },
    /// Somebody does the latest execution anew.
    Rerun {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskName,
    },
    /// Somebody starts the task in a run that has ended.
    Restart {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskName,
    },
}

/// What events have to add up to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    /// What is summed up.
    pub expr: String,
    /// How much is missing.
    pub left: f64,
}

impl Step {
    /// It once.
    pub(crate) fn once(self) -> Need {
        self.times(1)
    }

    /// It so often.
    pub(crate) fn times(self, times: u64) -> Need {
        let (text, command) = (self.to_string(), self.command());
        let text = if times > 1 { format!("{times} times: {text}") } else { text };
        Need { step: self, times, text, command }
    }

    /// What to type, where a command does it.
    #[must_use]
    pub fn command(&self) -> Option<String> {
        Some(match self {
            Self::Event { namespace, key, .. } => {
                let key = key.as_str().replace('*', "KEY");
                format!("aiflow emit {key} VALUE{}", within(namespace))
            }
            Self::Watermark { namespace, key, at_least } => {
                let time = at_least.map_or_else(|| "TIME".to_owned(), |time| time.to_string());
                format!("aiflow emit {key} {time}{}", within(namespace))
            }
            Self::Resume { run } => format!("aiflow workflow-execution resume {run}"),
            Self::RunEnds { run } => format!("aiflow workflow-execution stop {run}"),
            Self::End { id } => format!("aiflow task-execution stop {} {}", id.run, id.task),
            Self::Start { run, task } => format!("aiflow task-execution start {run} {task}"),
            Self::Rerun { run, task } => format!("aiflow task-execution rerun {run} {task}"),
            Self::Restart { run, task } => format!("aiflow task-execution restart {run} {task}"),
            Self::Task { run, task, .. } => format!("aiflow why {run} {task}"),
            Self::Elsewhere { of, run: Some(run), .. } => format!("aiflow why {run} {}", of.task),
            Self::Elsewhere { namespace, of, run: None, .. } => {
                format!("aiflow run {}{}", of.workflow, within(namespace))
            }
            Self::Silence { .. } | Self::Time { .. } | Self::Calm { .. } | Self::Room => {
                return None;
            }
        })
    }
}

fn within(namespace: &Namespace) -> String {
    if *namespace == Namespace::default_namespace() {
        return String::new();
    }
    format!(" -n {namespace}")
}

impl fmt::Display for Step {
    /// The step in words, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { key, filter, sum, script, .. } => {
                write!(f, "an event {key}")?;
                if let Some(filter) = filter {
                    write!(f, " with `{filter}`")?;
                }
                if let Some(Sum { expr, left }) = sum {
                    write!(f, ", as many as it takes for `{expr}` to come to {left} more")?;
                }
                if *script {
                    f.write_str(", and the script has to agree")?;
                }
                Ok(())
            }
            Self::Watermark { key, at_least: Some(time), .. } => {
                write!(f, "a watermark {key} at or after {time}")
            }
            Self::Watermark { key, at_least: None, .. } => {
                write!(f, "a first watermark {key}, which arms the clock")
            }
            Self::Task { task, status, .. } => write!(f, "{task} comes to {status}"),
            Self::Elsewhere { of, status, .. } => write!(f, "{of} comes to {status}"),
            Self::Silence { task, due: Some(due) } => {
                write!(f, "nothing is heard of {task} until {due}")
            }
            Self::Silence { task, due: None } => {
                write!(f, "{task} runs, and nothing is heard of it for as long as its heartbeat")
            }
            Self::Time { until } => write!(f, "time passes until {until}"),
            Self::Calm { span } => write!(f, "then {span} without another"),
            Self::End { id } => write!(f, "execution {id} ends"),
            Self::RunEnds { run } => write!(f, "run {run} ends"),
            Self::Resume { .. } => f.write_str("the run is resumed"),
            Self::Room => f.write_str("the disk gets room"),
            Self::Start { task, .. } => write!(f, "{task} is started by hand"),
            Self::Rerun { task, .. } => write!(f, "the latest execution of {task} is done anew"),
            Self::Restart { task, .. } => write!(f, "{task} is started in the run that ended"),
        }
    }
}
