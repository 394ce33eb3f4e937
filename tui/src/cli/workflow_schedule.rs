//! `aiflow workflow-schedule …`.
//!
//! Must never tick: a schedule is a trigger of the daemon.

use aiflow_model::WorkflowName;
use clap::Subcommand;

use super::failure::Failure;
use super::options::InNamespace;
use super::session::Session;
use super::workflow_trigger::{KnownVerb, Noun, add};

/// What to do with schedules.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Put a schedule on a workflow: each tick starts a run; prints its id.
    Add {
        /// The workflow
        workflow: WorkflowName,
        /// 'cron@0 6 * * MON', 'interval@DAYS HOURS MINUTES SECONDS', '0 6 * * MON' or '1h30m'
        expression: String,
        /// The time zone of a cron expression
        #[arg(long, value_name = "ZONE", default_value = "UTC")]
        tz: String,
        /// What becomes of ticks while no daemon runs
        #[arg(long, value_parser = ["all", "latest", "skip"], default_value = "all")]
        missed: String,
        #[command(flatten)]
        within: InNamespace,
    },
    #[command(flatten)]
    Known(KnownVerb),
}

impl Verb {
    /// Whether it changes nothing and ends by itself.
    pub(crate) fn looks(&self) -> bool {
        matches!(self, Self::Known(KnownVerb::List { .. } | KnownVerb::Show(_)))
    }

    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Add { workflow, expression, tz, missed, within } => {
                let condition = condition(&expression, &tz, &missed)?;
                add(session, workflow, condition, within).await
            }
            Self::Known(verb) => verb.perform(session, Noun::Schedule).await,
        }
    }
}

/// The expression as a condition of a definition.
///
/// # Errors
/// When an interval is not four numbers. The rest is the daemon's to judge.
fn condition(expression: &str, tz: &str, missed: &str) -> Result<String, Failure> {
    let every = |span: &str| serde_json::json!({"every": span, "missed": missed}).to_string();
    let cron = |expression: &str| {
        serde_json::json!({"cron": expression.trim(), "tz": tz, "missed": missed}).to_string()
    };
    if let Some(expression) = expression.strip_prefix("cron@") {
        return Ok(cron(expression));
    }
    let Some(parts) = expression.strip_prefix("interval@") else {
        let is_span = !expression.trim().contains(' ') && !expression.starts_with('@');
        return Ok(if is_span { every(expression) } else { cron(expression) });
    };
    let numbers: Option<Vec<u64>> = parts.split_whitespace().map(|n| n.parse().ok()).collect();
    match numbers.as_deref() {
        Some([days, hours, minutes, seconds]) => {
            Ok(every(&format!("{days}d{hours}h{minutes}m{seconds}s")))
        }
        _ => Err(Failure::input(
            format!("{expression:?} is no interval of days, hours, minutes and seconds"),
            Some("interval@0 1 30 0"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_become_conditions() {
        let read = |text: &str| {
            serde_json::from_str::<serde_json::Value>(&condition(text, "UTC", "all").unwrap())
                .unwrap()
        };
        let cron = serde_json::json!({"cron": "0 6 * * MON", "tz": "UTC", "missed": "all"});
        assert_eq!(read("cron@0 6 * * MON"), cron);
        assert_eq!(read("0 6 * * MON"), cron);
        assert_eq!(read("@daily")["cron"], "@daily");
        assert_eq!(read("interval@1 2 3 4")["every"], "1d2h3m4s");
        assert_eq!(read("1h30m")["every"], "1h30m");
        for bad in ["interval@1 2 3", "interval@1h", "interval@", "interval@-1 0 0 0"] {
            assert!(condition(bad, "UTC", "all").is_err(), "{bad}");
        }
    }
}
