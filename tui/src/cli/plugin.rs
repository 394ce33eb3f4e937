//! `aiflow plugin …`: which plugins there are, whether they keep to the dialogue, and the driver
//! that a task with one runs.
//!
//! Must never start a plugin that was not asked for.

use aiflow_model::{PluginName, exit_code};
use clap::Subcommand;
use serde_json::Value;

use super::failure::Failure;
use super::output::{Row, note};
use super::session::Session;
use crate::plugin::{self, Finding, Found, Kind};

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the plugins of $AIFLOW_PLUGINS, of `plugins` in the home, and of the PATH.
    List,
    /// Try each method of a plugin with a job, which is stopped again; for its author.
    Check {
        /// What it does
        kind: Kind,
        /// Its name
        name: PluginName,
        /// Configuration of the job, in JSON
        #[arg(long, value_name = "JSON", default_value = "null")]
        config: String,
        /// What an executor is to run
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Inside a task: drive a plugin. The daemon starts it.
    #[command(hide = true)]
    Run {
        /// What it does
        kind: Kind,
        /// Its name
        name: PluginName,
        /// What an executor is to run
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
}

impl Verb {
    pub(crate) async fn perform(self, session: &Session) -> Result<u8, Failure> {
        match self {
            Self::List => {
                let home = session.home().ok().map(aiflow_client::Home::directory);
                session.output.list(&plugin::list(home))?;
                Ok(exit_code::SUCCESS)
            }
            Self::Check { kind, name, config, command } => {
                let found = find(session, kind, &name)?;
                let command = if command.is_empty() { default_command() } else { command };
                let findings = plugin::check(&found, json(&config)?, command).await;
                session.output.list(&findings)?;
                let is_good = findings.iter().all(|finding| finding.ok);
                Ok(if is_good { exit_code::SUCCESS } else { exit_code::OPERATING })
            }
            Self::Run { kind, name, command } => {
                let attempt = std::env::var("AIFLOW_ATTEMPT_ID").map_err(|_| {
                    let what = "AIFLOW_ATTEMPT_ID is not set: only a task drives a plugin";
                    Failure::input(what, Some("aiflow plugin check KIND NAME"))
                })?;
                let variable = format!("AIFLOW_{}_CONFIG", kind.word().to_uppercase());
                let config = json(&std::env::var(variable).unwrap_or_else(|_| "null".to_owned()))?;
                let plugin = find(session, kind, &name)?;
                let order = plugin::Order { plugin, attempt, config, command, say: note };
                let failed = |source| Failure::system("the plugin cannot be driven", source);
                let directory = std::env::current_dir().map_err(failed)?;
                plugin::drive(&order, &directory).await.map_err(failed)
            }
        }
    }
}

impl Row for Found {
    const COLUMNS: &'static [&'static str] = &["kind", "name", "program"];

    fn cells(&self) -> Vec<String> {
        vec![self.kind.word().to_owned(), self.name.clone(), self.path.display().to_string()]
    }
}

impl Row for Finding {
    const COLUMNS: &'static [&'static str] = &["result", "what", "said"];

    fn cells(&self) -> Vec<String> {
        let result = if self.ok { "good" } else { "fault" };
        vec![result.to_owned(), self.what.to_owned(), self.said.clone()]
    }
}

fn find(session: &Session, kind: Kind, name: &PluginName) -> Result<Found, Failure> {
    let home = session.home().ok().map(aiflow_client::Home::directory);
    plugin::find(kind, name, home).ok_or_else(|| {
        let what = format!("there is no plugin aiflow-{}-{name}", kind.word());
        Failure::input(
            what,
            Some("put it into `plugins` of the home, or on the PATH; aiflow plugin list"),
        )
    })
}

fn json(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| {
        Failure::input(
            format!("the configuration is not JSON: {error}"),
            Some("--config '{\"host\": \"gpu1\"}'"),
        )
    })
}

/// Long enough that the check can stop it.
fn default_command() -> Vec<String> {
    ["sleep", "60"].map(str::to_owned).to_vec()
}
