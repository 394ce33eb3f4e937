//! What the shell is offered for names and ids: what the daemon knows at that moment.
//!
//! Must never say anything when no daemon answers, nor wait for long.

use std::future::Future;
use std::time::Duration;

use aiflow_client::{CallError, Client, Home};
use aiflow_model::wire::{Empty, NamespaceFilter, OptionalWorkflow, RunQuery, RunRef};
use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};

/// How long a shell waits.
const WITHIN: Duration = Duration::from_millis(500);
/// Most runs whose tasks are looked at.
const RUNS_MAX: usize = 20;

/// The command line with what to offer for each name and id.
pub(crate) fn offering(command: Command) -> Command {
    command.mut_subcommands(|noun| {
        let of = noun.get_name().to_owned();
        attach(noun, &of)
    })
}

fn attach(command: Command, noun: &str) -> Command {
    let command = command.mut_args(|arg| {
        let candidates: fn() -> Vec<CompletionCandidate> = match (arg.get_id().as_str(), noun) {
            ("name", "namespace") | ("namespace", _) => namespaces,
            ("name" | "workflow", _) => workflows,
            ("run" | "other" | "execution", _) => runs,
            ("task", _) => tasks,
            ("trigger", _) => triggers,
            _ => return arg,
        };
        offer(arg, candidates)
    });
    command.mut_subcommands(|verb| attach(verb, noun))
}

fn offer(arg: Arg, candidates: fn() -> Vec<CompletionCandidate>) -> Arg {
    arg.add(ArgValueCandidates::new(candidates))
}

/// Asks the daemon; nothing if it does not answer.
fn ask<T, F>(question: impl FnOnce(Client) -> F) -> Vec<T>
where
    F: Future<Output = Result<Vec<T>, CallError>>,
{
    let Ok(home) = Home::from_environment(None) else { return Vec::new() };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let asked = async {
        let client = Client::connect(home.socket()).await.ok()?;
        question(client).await.ok()
    };
    let answered = runtime.block_on(async { tokio::time::timeout(WITHIN, asked).await });
    answered.ok().flatten().unwrap_or_default()
}

fn candidate(value: &impl ToString, help: String) -> CompletionCandidate {
    CompletionCandidate::new(value.to_string()).help(Some(help.into()))
}

fn namespaces() -> Vec<CompletionCandidate> {
    let found = ask(async |client: Client| client.list_namespaces(Empty {}).await);
    let found = found.into_iter();
    found.map(|n| candidate(&n.namespace, format!("{} workflows", n.workflows))).collect()
}

fn workflows() -> Vec<CompletionCandidate> {
    let found = ask(async |client: Client| client.list_workflows(NamespaceFilter::default()).await);
    let found = found.into_iter();
    found
        .map(|w| candidate(&w.workflow, crate::state::text::count(w.tasks.len(), "task")))
        .collect()
}

fn runs() -> Vec<CompletionCandidate> {
    let found = ask(async |client: Client| client.list_runs(RunQuery::default()).await);
    // The newest are meant most often.
    let found = found.into_iter().rev();
    found.map(|run| candidate(&run.id, format!("{} {}", run.workflow, run.status))).collect()
}

fn tasks() -> Vec<CompletionCandidate> {
    let found = ask(async |client: Client| {
        let runs = client.list_runs(RunQuery::default()).await?;
        let mut tasks = Vec::new();
        for run in runs.iter().rev().take(RUNS_MAX) {
            let executions = client.list_task_executions(RunRef { run: run.id }).await?;
            tasks.extend(executions.into_iter().map(|e| (e.task, run.workflow.clone())));
        }
        tasks.sort();
        tasks.dedup();
        Ok(tasks)
    });
    found.into_iter().map(|(task, workflow)| candidate(&task, workflow.to_string())).collect()
}

fn triggers() -> Vec<CompletionCandidate> {
    let found = ask(async |client: Client| client.list_triggers(OptionalWorkflow::default()).await);
    let found = found.into_iter();
    found.map(|t| candidate(&t.id, format!("{}: {}", t.workflow, t.condition))).collect()
}
