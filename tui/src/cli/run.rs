//! `aiflow run NAME`: starts a run and, when asked, stays until it ends.
//!
//! Must never give up waiting because the daemon is restarted, nor start a second run then.

use aiflow_client::{Broken, Client, Subscription};
use aiflow_model::record::Record;
use aiflow_model::state::RunStatus;
use aiflow_model::wire::{Call, Follow, RunRef, RunReply, RunView};
use aiflow_model::{RunId, exit_code};
use clap::Args;

use super::failure::Failure;
use super::output::{Format, note};
use super::session::Session;
use super::workflow_execution::Start;

/// A run to start, and whether to stay.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    start: Start,
    /// Stay until the run ends; exit 0 when it succeeded, 1 when it failed, 6 when it was stopped
    #[arg(long)]
    wait: bool,
}

impl Arguments {
    pub(crate) async fn perform(self, session: &Session) -> Result<u8, Failure> {
        let request = self.start.request();
        // That no daemon is there at all is told at once.
        let client = session.connect().await?;
        if session.dry_run {
            let foretold = session.change::<RunReply>(&client, Call::RunStart(request)).await;
            return foretold.map(|_| exit_code::SUCCESS);
        }
        drop(client);
        let start = async |client: &Client| client.start_run(request.clone()).await;
        let reply = session.persist(start).await?;
        let for_people = matches!(session.output.format(), Format::Table | Format::Plain);
        if for_people || !self.wait {
            session.output.answer(&reply, &reply.run.to_string())?;
        }
        if !self.wait {
            return Ok(exit_code::SUCCESS);
        }
        let view = wait_for(session, reply.run).await?;
        note(&format!("run {} of {}: {}", view.id, view.workflow, view.status));
        if !for_people {
            session.output.show(&view)?;
        }
        Ok(exit_code_of(view.status))
    }
}

fn exit_code_of(status: RunStatus) -> u8 {
    match status {
        RunStatus::Success | RunStatus::Waiting | RunStatus::Running | RunStatus::Stopping => {
            exit_code::SUCCESS
        }
        RunStatus::Failed => exit_code::RUN_FAILED,
        RunStatus::Stopped => exit_code::RUN_STOPPED,
    }
}

/// The run once it has ended.
async fn wait_for(session: &Session, run: RunId) -> Result<RunView, Failure> {
    loop {
        // Followed first and asked then, so that an end in between is not missed. Asked on a
        // connection of its own, which the records do not fill.
        let follow = async |client: &Client| client.follow(Follow::default()).await;
        let (_, mut records) = session.persist(follow).await?;
        let show = async |client: &Client| client.show_run(RunRef { run }).await;
        let view = session.persist(show).await?;
        if !view.status.is_alive() {
            return Ok(view);
        }
        // Either it has ended or the connection has: both are answered by asking again.
        let _ = ended(&mut records, run).await;
    }
}

async fn ended(records: &mut Subscription, run: RunId) -> Result<(), Broken> {
    loop {
        let records = records.next().await?;
        let ends = |record: &Record| match record {
            Record::RunFinished { run: finished, .. } => *finished == run,
            _ => false,
        };
        if records.records.iter().any(|logged| ends(&logged.record)) {
            return Ok(());
        }
    }
}
