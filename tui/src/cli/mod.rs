//! The command line: one file per noun or verb, one way to print, one form of errors.
//!
//! Must never print data anywhere but on stdout, nor anything else on it.

mod backfill;
mod backtest;
mod bundle;
mod check;
mod complete;
mod completions;
mod config;
mod confirm;
mod db;
mod definition;
mod diagnostics;
pub(crate) mod diff;
mod draft;
mod dry_run;
mod emit;
mod event;
mod failure;
mod files;
mod heartbeat;
mod listen;
mod log_diff;
pub(crate) mod log_lines;
mod logs;
mod man;
mod namespace;
mod options;
mod output;
mod output_of_task;
pub(crate) mod parse;
mod past;
mod plugin;
mod ps;
mod python;
mod rows;
mod run;
mod server;
mod server_start;
mod server_stop;
mod session;
mod task_execution;
mod tui;
mod upload;
mod version;
mod watch;
mod why;
mod workflow;
mod workflow_execution;
mod workflow_schedule;
mod workflow_trigger;

use std::collections::BTreeMap;
use std::io::IsTerminal;

use aiflow_client::Home;
use aiflow_model::exit_code;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::CompleteEnv;

use failure::Failure;
use options::GlobalOptions;
use output::Output;
use session::Session;

/// Event-driven workflows: streaming tasks and batch tasks, started by events.
#[derive(Debug, Parser)]
#[command(name = "aiflow", version, propagate_version = false, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    options: GlobalOptions,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start, stop and look at the daemon.
    #[command(subcommand)]
    Server(server::Verb),
    /// Namespaces: spaces of workflows and events that do not see each other.
    #[command(subcommand)]
    Namespace(namespace::Verb),
    /// Workflows: upload, list, show, enable, disable, delete.
    #[command(subcommand)]
    Workflow(workflow::Verb),
    /// Schedules of workflows: what starts runs by the wall's time.
    #[command(subcommand)]
    WorkflowSchedule(workflow_schedule::Verb),
    /// Triggers of workflows: what starts runs on events.
    #[command(subcommand)]
    WorkflowTrigger(workflow_trigger::Verb),
    /// Runs of workflows: start, list, show, pause, resume, stop, delete.
    #[command(subcommand)]
    WorkflowExecution(workflow_execution::Verb),
    /// Task executions of a run: list, start, stop, restart, skip, mark, rerun.
    #[command(subcommand)]
    TaskExecution(task_execution::Verb),
    /// Start a run, and with --wait stay until it ends: 0 success, 1 failed, 6 stopped.
    Run(run::Arguments),
    /// Run windows of a task anew, or those before its clock began.
    Backfill(backfill::Arguments),
    /// Why tasks of a run wait, with all that is missing, or how they came to run.
    Why(why::Arguments),
    /// How a run differs from another, or from the last that succeeded: definition, parameters,
    /// events, tasks, logs.
    Diff(diff::Arguments),
    /// What a definition would have done with the events that came, beside what a run did.
    Backtest(backtest::Arguments),
    /// Write a copy of the log for a bug report, which `aiflowd log replay` goes through again.
    Bundle(bundle::Arguments),
    /// How things stood at an offset or a time: the runs, or the task executions of one.
    State(past::State),
    /// What has happened since an offset or a time: failures, recoveries, what came late or waits.
    Since(past::Since),
    /// What is alive: runs and task executions.
    Ps,
    /// Show what a task wrote.
    Logs(logs::Arguments),
    /// Emit an event; prints its offset.
    Emit(emit::Arguments),
    /// Inside a task: say that it lives, for its `heartbeat:`.
    Heartbeat,
    /// What tasks say of their work: set, get, list.
    #[command(subcommand)]
    Output(output_of_task::Verb),
    /// Events: send, list, count, listen.
    #[command(subcommand)]
    Event(event::Verb),
    /// As `event`, for those who know AIFlow's `notification event`.
    #[command(subcommand)]
    Notification(Notification),
    /// Settings: init, list, get-value.
    #[command(subcommand)]
    Config(config::Verb),
    /// For those who know AIFlow's: there is no database, only the daemon's log.
    #[command(subcommand, hide = true)]
    Db(db::Verb),
    /// Plugins: programs that do the work of tasks, or run them elsewhere.
    #[command(subcommand)]
    Plugin(plugin::Verb),
    /// Watch and steer in the terminal; also what `aiflow` alone does there.
    Tui(tui::Arguments),
    /// Show the version of this program.
    Version,
    /// Print the completions for a shell.
    Completions(completions::Arguments),
    /// Write a manual page for each verb.
    Man(man::Arguments),
}

/// What AIFlow users type for events.
#[derive(Debug, Subcommand)]
enum Notification {
    /// Events: send, list, count, listen.
    #[command(subcommand)]
    Event(event::Verb),
}

/// Does what the command line says; the process's exit code.
pub(crate) fn main() -> u8 {
    let command = || complete::offering(Arguments::command());
    CompleteEnv::with_factory(command).var(completions::VARIABLE).complete();
    let file = match config::ConfigFile::load() {
        Ok(file) => file,
        Err(failure) => {
            output::note(&failure.report(None));
            return failure.exit_code();
        }
    };
    let matches = file.apply(Arguments::command()).get_matches();
    let flags = flags(&matches);
    let Arguments { options, verb } =
        Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let Some(verb) = verb.or_else(interface) else { return without_verb() };
    let session = Session {
        home: Home::from_environment(options.home),
        output: Output::new(options.output.unwrap_or_default()),
        dry_run: options.dry_run,
        flags,
    };
    let again = || Arguments::parse().verb;
    let result = runtime().and_then(|runtime| match options.watch {
        true => runtime.block_on(watch::perform(&session, again)),
        false => runtime.block_on(verb.perform(&session)),
    });
    match result {
        Ok(code) => code,
        Err(failure) => {
            let home = session.home.as_ref().ok();
            output::note(&failure.report(home));
            failure.exit_code()
        }
    }
}

/// Settings that stand on the command line.
fn flags(matches: &ArgMatches) -> BTreeMap<&'static str, String> {
    let keys = ["home", "output"].into_iter();
    let given = keys.filter(|key| matches.value_source(key) == Some(ValueSource::CommandLine));
    let raw = given.filter_map(|key| Some((key, matches.get_raw(key)?.next()?)));
    raw.map(|(key, value)| (key, value.to_string_lossy().into_owned())).collect()
}

/// Without a verb a terminal shows the interface.
fn interface() -> Option<Verb> {
    let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    is_terminal.then(|| Verb::Tui(tui::Arguments::none()))
}

/// In a script a missing verb is a mistake; say what could be done.
fn without_verb() -> u8 {
    let help = Arguments::command().render_help();
    output::note(help.to_string().trim_end());
    exit_code::USAGE
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|source| Failure::system("cannot wait for input and output", source))
}

impl Verb {
    async fn perform(self, session: &Session) -> Result<u8, Failure> {
        match self {
            Self::Server(verb) => verb.perform(session).await,
            Self::Namespace(verb) => verb.perform(session).await,
            Self::Workflow(verb) => verb.perform(session).await,
            Self::WorkflowSchedule(verb) => verb.perform(session).await,
            Self::WorkflowTrigger(verb) => verb.perform(session).await,
            Self::WorkflowExecution(verb) => verb.perform(session).await,
            Self::TaskExecution(verb) => verb.perform(session).await,
            Self::Plugin(verb) => return verb.perform(session).await,
            Self::Run(arguments) => return arguments.perform(session).await,
            Self::Backfill(arguments) => arguments.perform(session).await,
            Self::Why(arguments) => arguments.perform(session).await,
            Self::Diff(arguments) => arguments.perform(session).await,
            Self::Backtest(arguments) => arguments.perform(session).await,
            Self::Bundle(arguments) => arguments.perform(session).await,
            Self::State(arguments) => arguments.perform(session).await,
            Self::Since(arguments) => arguments.perform(session).await,
            Self::Ps => ps::perform(session).await,
            Self::Logs(arguments) => arguments.perform(session).await,
            Self::Emit(arguments) => arguments.perform(session).await,
            Self::Heartbeat => heartbeat::perform(session).await,
            Self::Output(verb) => verb.perform(session).await,
            Self::Event(verb) => verb.perform(session).await,
            Self::Notification(Notification::Event(verb)) => verb.perform(session).await,
            Self::Config(verb) => verb.perform(session),
            Self::Db(verb) => verb.perform(session),
            Self::Tui(arguments) => arguments.perform(session).await,
            Self::Version => version::perform(session),
            Self::Completions(arguments) => arguments.perform(session),
            Self::Man(arguments) => arguments.perform(session),
        }
        .map(|()| exit_code::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_verb() {
        for line in ["aiflow --home h -o json ps", "aiflow ps -o json --home h"] {
            let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(arguments.options.home.as_deref(), Some(std::path::Path::new("h")));
            assert_eq!(arguments.options.output, Some(output::Format::Json));
        }
    }

    #[test]
    fn every_form_parses() {
        let lines = "server start|server stop|server status|namespace add n --property a=1|\
            namespace update n --property a=1|\
            namespace list|\
            workflow upload f.yaml -n x|workflow check f.yaml|workflow list|workflow show w|\
            workflow draft f.yaml --expires 7d --beside 3|workflow drafts|workflow drafts 1|\
            workflow promote 1 --anyway|workflow discard 1|\
            workflow-execution start w --param a=1 --param b=x -n y|workflow-execution list|\
            workflow-execution list w|workflow-execution show 3|workflow-execution stop 3|\
            workflow-execution rules 3|bundle|bundle --redact --keep values,reasons f|diff 3|\
            diff 2 3|why 3|why 3 t|event show 7|state --at 7|\
            backtest f.yaml --since 2013-01-01T00:00:00Z --run 3|\
            state --at 2013-01-01T00:00:00Z --run 3|since 7|since 2013-01-01T00:00:00Z|\
            workflow-execution listen 3 --from 2|workflow-execution pause 3|\
            workflow-execution resume 3|task-execution restart 3 t|task-execution skip 3 t|\
            task-execution skip 3 t --sequence 2|task-execution mark-success 3 t|\
            task-execution rerun 3 t|task-execution rerun 3 t --from-here --sequence 1|\
            workflow-execution stop-all w -y|workflow-execution delete 3 -y|namespace delete n -y|\
            workflow enable w|workflow disable w -n x|workflow delete w -y|\
            workflow-trigger add w {on:k}|workflow-trigger list|workflow-trigger list w|\
            workflow-trigger show 1|workflow-trigger pause 1|workflow-trigger resume 1|\
            workflow-trigger delete 1 -y|workflow-trigger delete-all w -y|\
            workflow-schedule add w 1h --missed skip|workflow-schedule add w @daily --tz UTC|\
            workflow-schedule list|workflow-schedule show 1|workflow-schedule delete 1 --yes|\
            --dry-run task-execution stop 3 t|task-execution show 3.t.1|man d|server start -d|\
            notification event send k v|notification event list k --begin-offset 3|\
            notification event count k --sender s|\
            notification event list k --sender s|notification event listen k --begin-offset 3|\
            event list k --begin-time 2013-01-01T00:00:00Z|workflow upload f.yaml -f a,b -f c|\
            emit k 1 --dry-run|\
            task-execution list 3|task-execution start 3 t|task-execution stop 3 t|\
            run w --param a=1 --wait|backfill 3 t 2013-01-01T00:00:00Z|\
            backfill 3 t 2013-01-01T00:00:00Z 2013-01-02T00:00:00Z --parallel 4|ps|ps --watch|\
            logs 3 t -f --sequence 2 --attempt 1 --tail 5 -t|\
            emit k|emit k -1.5|emit k - --id i --source s --execution 4|emit k {} --global|\
            emit k v --wait 1m|heartbeat|output set k -1|output get t k --run 3|\
            output list --run 3 --sequence 2|output list t --run 3|\
            event list|event list k --limit 5 --from 7|event count k|\
            event listen k --from 0 -n x|tui|tui --read-only aiflow://run/1@7|\
            tui --log DIR|plugin list|plugin check operator x --config {}|\
            plugin run executor x -- sleep 3|version|completions bash|\
            config init|config list|config get-value home|db init|db reset|db upgrade|db downgrade";
        for line in lines.split('|') {
            let words = std::iter::once("aiflow").chain(line.split_whitespace());
            let parsed = Arguments::try_parse_from(words);
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn wrong_words_are_refused() {
        for line in [
            "pss",
            "diff",
            "diff 1 2 3",
            "diff x",
            "bundle --keep values",
            "logs x t",
            "emit a/../b c --wait 1",
            "run w --param a",
            "emit",
        ] {
            let words = std::iter::once("aiflow").chain(line.split_whitespace());
            let error = Arguments::try_parse_from(words).expect_err(line);
            assert_eq!(error.exit_code(), i32::from(exit_code::USAGE), "{line}");
        }
    }
}
