//! `aiflow emit`: an event from a shell, a script, a task.
//!
//! Must never lose an event that it reported as taken: without a daemon it is durable in the spool
//! before the command ends.

use std::io::Read;

use aiflow_client::{new_id, spool, with_retry};
use aiflow_model::wire::{Call, Emit, EmitReply};
use aiflow_model::{EventKey, JsonText, RunId, time::Span};
use clap::Args;

use super::failure::Failure;
use super::options::InNamespace;
use super::output::note;
use super::parse;
use super::session::Session;

/// An event to emit.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What it is about, such as data.ready
    key: EventKey,
    /// What it says: JSON if it parses as JSON, else a string; - reads stdin [default: null]
    #[arg(allow_negative_numbers = true)]
    value: Option<String>,
    #[command(flatten)]
    within: InNamespace,
    /// Identity within its source: emitting it again is no new event [default: a new one]
    #[arg(long)]
    id: Option<String>,
    /// Who says it [default: the task if inside one, else cli]
    #[arg(long, alias = "sender")]
    source: Option<String>,
    /// Only for the rules of this run [default: the own run if inside a task]
    #[arg(long, value_name = "RUN")]
    execution: Option<RunId>,
    /// As --execution, in AIFlow's form: {"workflow_execution_id": RUN}
    #[arg(long, value_name = "JSON", hide = true, conflicts_with = "execution", value_parser = run_of_context)]
    context: Option<RunId>,
    /// For the rules of all runs, also from inside a task
    #[arg(long, conflicts_with = "execution")]
    global: bool,
    /// How long to try when no daemon answers; then the event is kept for it in the spool
    #[arg(long, value_name = "DURATION", env = "AIFLOW_EMIT_WAIT", default_value = "10s")]
    wait: Span,
}

impl Arguments {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let home = session.home()?;
        let wait = Some(self.wait.to_std());
        let emit = self.event(read_stdin, |name| std::env::var(name).ok())?;
        if session.dry_run {
            let client = session.connect().await?;
            return session.change::<EmitReply>(&client, Call::Emit(emit)).await.map(drop);
        }
        let work = async |client: &aiflow_client::Client| client.emit(emit.clone()).await;
        match with_retry(home.socket(), wait, work).await {
            Ok(reply) => session.output.answer(&reply, &reply.offset.to_string()),
            Err(error) if error.is_absence() => {
                let path = spool::keep(&home.spool(), &emit)?;
                note(&format!("spooled {} (no daemon answers)", path.display()));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The event, with its identity fixed from here on.
    fn event(
        self,
        stdin: impl FnOnce() -> Result<String, Failure>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Emit, Failure> {
        let value = match self.value.as_deref() {
            None => JsonText::null(),
            Some("-") => parse::value(stdin()?.trim_end_matches(['\n', '\r'])),
            Some(text) => parse::value(text),
        };
        let namespace = self.within.namespace;
        // A run sees only its own namespace.
        let at_home = variable("AIFLOW_NAMESPACE").is_none_or(|own| own == namespace.as_str());
        let execution = match self.execution.or(self.context) {
            None if !self.global && at_home => own_run(&variable)?,
            given => given,
        };
        let source = self.source.unwrap_or_else(|| own_source(&variable));
        let id = self.id.unwrap_or_else(new_id);
        // Proves who speaks, where that is allowed: to the own run.
        let is_own = execution.is_some() && execution == own_run(&variable)?;
        let token = variable("AIFLOW_TOKEN").filter(|_| is_own);
        let (source, id) = (Some(source), Some(id));
        Ok(Emit { namespace, key: self.key, value, source, id, execution, token })
    }
}

/// The run that AIFlow's context of an event names.
fn run_of_context(text: &str) -> Result<RunId, String> {
    #[derive(serde::Deserialize)]
    struct Context {
        workflow_execution_id: RunId,
    }
    let context =
        serde_json::from_str::<Context>(text).map(|context| context.workflow_execution_id);
    context.map_err(|_| "write it as {\"workflow_execution_id\": 3}".to_owned())
}

/// The run whose task this is.
fn own_run(variable: &impl Fn(&str) -> Option<String>) -> Result<Option<RunId>, Failure> {
    let Some(text) = variable("AIFLOW_EXECUTION_ID") else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        let what = format!("AIFLOW_EXECUTION_ID is {text:?}, which is not the id of a run");
        Failure::input(what, Some("unset AIFLOW_EXECUTION_ID, or give --execution RUN or --global"))
    })
}

fn own_source(variable: &impl Fn(&str) -> Option<String>) -> String {
    match (variable("AIFLOW_WORKFLOW"), variable("AIFLOW_TASK")) {
        (Some(workflow), Some(task)) => format!("{workflow}/{task}"),
        _ => "cli".to_owned(),
    }
}

fn read_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().read_to_string(&mut text);
    read.map_err(|source| Failure::system("cannot read the value from stdin", source))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aiflow_model::Namespace;

    fn arguments(value: Option<&str>) -> Arguments {
        Arguments {
            key: EventKey::new("k").unwrap(),
            value: value.map(str::to_owned),
            within: InNamespace { namespace: Namespace::new("team").unwrap() },
            id: None,
            source: None,
            context: None,
            execution: None,
            global: false,
            wait: Span::from_seconds(1),
        }
    }

    fn inside_a_task(name: &str) -> Option<String> {
        let value = match name {
            "AIFLOW_NAMESPACE" => "team",
            "AIFLOW_WORKFLOW" => "flights",
            "AIFLOW_TASK" => "ingest",
            "AIFLOW_EXECUTION_ID" => "7",
            "AIFLOW_TOKEN" => "7.ingest.1.1:proof",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn no_stdin() -> Result<String, Failure> {
        panic!("stdin is not asked for")
    }

    #[test]
    fn outside_a_task_an_event_is_for_all_runs() {
        let emit = arguments(None).event(no_stdin, |_| None).unwrap();
        assert_eq!((emit.execution, emit.value.as_str()), (None, "null"));
        assert_eq!(emit.source.as_deref(), Some("cli"));
        assert_eq!(emit.id.unwrap().len(), 36);
    }

    #[test]
    fn inside_a_task_it_is_for_the_own_run_unless_told_otherwise() {
        let emit = arguments(Some("1")).event(no_stdin, inside_a_task).unwrap();
        assert_eq!(emit.execution, Some(RunId(7)));
        assert_eq!(emit.source.as_deref(), Some("flights/ingest"));
        assert_eq!(emit.token.as_deref(), Some("7.ingest.1.1:proof"));
        let global = Arguments { global: true, ..arguments(None) };
        let emit = global.event(no_stdin, inside_a_task).unwrap();
        assert_eq!((emit.execution, emit.token), (None, None));
        let other = Arguments { execution: Some(RunId(8)), ..arguments(None) };
        let emit = other.event(no_stdin, inside_a_task).unwrap();
        assert_eq!((emit.execution, emit.token), (Some(RunId(8)), None));
        let within = InNamespace { namespace: Namespace::default_namespace() };
        let elsewhere = Arguments { within, ..arguments(None) };
        assert_eq!(elsewhere.event(no_stdin, inside_a_task).unwrap().execution, None);
    }

    #[test]
    fn a_dash_reads_stdin() {
        let emit = |text: &'static str| {
            arguments(Some("-")).event(|| Ok(text.to_owned()), |_| None).unwrap().value
        };
        assert_eq!(emit("{\n \"a\": 1\n}\n").as_str(), "{  \"a\": 1 }");
        assert_eq!(emit("two\nlines\n"), JsonText::string("two\nlines"));
    }

    #[test]
    fn a_run_id_that_is_none_is_told() {
        let variable = |name: &str| (name == "AIFLOW_EXECUTION_ID").then(|| "x".to_owned());
        assert!(arguments(None).event(no_stdin, variable).is_err());
    }
}
