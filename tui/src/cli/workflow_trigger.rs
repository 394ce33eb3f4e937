//! `aiflow workflow-trigger …` and what `aiflow workflow-schedule …` shares with it.
//!
//! A schedule is a trigger that ticks on the wall alone; each noun lists its own kind. Must never
//! read a condition: the daemon does.

use aiflow_client::{Client, new_id};
use aiflow_model::wire::{
    AddTrigger, Call, OptionalWorkflow, TriggerRef, TriggerReply, TriggerView,
};
use aiflow_model::{TriggerId, WorkflowName};
use clap::{Args, Subcommand};
use serde::de::IgnoredAny;

use super::confirm::Confirmation;
use super::diagnostics;
use super::failure::Failure;
use super::options::{InNamespace, WithinNamespace};
use super::output::note;
use super::session::Session;

/// What to do with triggers.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Put a trigger on a workflow: each firing starts a run; prints its id.
    Add {
        /// The workflow
        workflow: WorkflowName,
        /// The condition as in a definition, such as '{on: data.ready, if: value.rows > 0}'
        condition: String,
        #[command(flatten)]
        within: InNamespace,
    },
    #[command(flatten)]
    Known(KnownVerb),
}

/// What to do with triggers, or schedules, that are there.
#[derive(Debug, Subcommand)]
pub(crate) enum KnownVerb {
    /// List them.
    List {
        /// Only of this workflow
        workflow: Option<WorkflowName>,
        #[command(flatten)]
        within: WithinNamespace,
    },
    /// Show one.
    Show(Id),
    /// Let one look at nothing until it is resumed.
    Pause(Id),
    /// Let one look at what comes from now on.
    Resume(Id),
    /// Delete one; those of a definition go with the next upload.
    Delete {
        #[command(flatten)]
        id: Id,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Delete all of a workflow that are not part of its definition.
    DeleteAll {
        /// The workflow
        workflow: WorkflowName,
        #[command(flatten)]
        within: InNamespace,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

/// One trigger or schedule.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Id {
    /// Its id
    #[arg(value_name = "ID")]
    trigger: TriggerId,
}

impl Id {
    fn reference(self) -> TriggerRef {
        TriggerRef { trigger: self.trigger }
    }
}

/// Which of the two nouns was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noun {
    Trigger,
    Schedule,
}

impl Noun {
    const fn word(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Schedule => "schedule",
        }
    }
}

impl Verb {
    /// Whether it changes nothing and ends by itself.
    pub(crate) fn looks(&self) -> bool {
        matches!(self, Self::Known(KnownVerb::List { .. } | KnownVerb::Show(_)))
    }

    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Add { workflow, condition, within } => {
                add(session, workflow, condition, within).await
            }
            Self::Known(verb) => verb.perform(session, Noun::Trigger).await,
        }
    }
}

/// Puts a trigger on a workflow, whatever its kind.
pub(crate) async fn add(
    session: &Session,
    workflow: WorkflowName,
    condition: String,
    within: InNamespace,
) -> Result<(), Failure> {
    let request = Some(new_id());
    let text = condition.clone();
    let add = AddTrigger { namespace: within.namespace, workflow, condition, request };
    let client = session.connect().await?;
    let added = session.try_change::<TriggerReply>(&client, Call::TriggerAdd(add)).await;
    let added = added.map_err(|error| diagnostics::explain(error, "CONDITION", &text))?;
    let Some(reply) = session.made(added)? else { return Ok(()) };
    session.output.answer(&reply, &reply.trigger.to_string())
}

impl KnownVerb {
    pub(crate) async fn perform(self, session: &Session, noun: Noun) -> Result<(), Failure> {
        let client = session.connect().await?;
        match self {
            Self::List { workflow, within } => {
                let filter = OptionalWorkflow { namespace: within.namespace, workflow };
                session.output.list(&of_kind(&client, filter, noun).await?)
            }
            Self::Show(id) => session.output.show(&client.show_trigger(id.reference()).await?),
            Self::Pause(id) => {
                let text = format!("{} {} is paused", noun.word(), id.trigger);
                session.change_and_note(&client, Call::TriggerPause(id.reference()), &text).await
            }
            Self::Resume(id) => {
                let word = noun.word();
                let text = format!("{word} {} looks at what comes from now on", id.trigger);
                session.change_and_note(&client, Call::TriggerResume(id.reference()), &text).await
            }
            Self::Delete { id, confirmation } => {
                let question = format!("Delete {} {}?", noun.word(), id.trigger);
                confirmation.ask(session, &question)?;
                let text = format!("{} {} is deleted", noun.word(), id.trigger);
                session.change_and_note(&client, Call::TriggerDelete(id.reference()), &text).await
            }
            Self::DeleteAll { workflow, within, confirmation } => {
                let question = format!("Delete all {}s of {workflow}?", noun.word());
                let (namespace, workflow) = (Some(within.namespace), Some(workflow));
                let filter = OptionalWorkflow { namespace, workflow };
                let mut own = of_kind(&client, filter, noun).await?;
                own.retain(|view| view.origin == aiflow_model::record::TriggerOrigin::Request);
                confirmation.ask(session, &question)?;
                for view in &own {
                    let call = Call::TriggerDelete(TriggerRef { trigger: view.id });
                    session.change::<IgnoredAny>(&client, call).await?;
                }
                if !session.dry_run {
                    note(&format!("{} {}s are deleted", own.len(), noun.word()));
                }
                Ok(())
            }
        }
    }
}

async fn of_kind(
    client: &Client,
    filter: OptionalWorkflow,
    noun: Noun,
) -> Result<Vec<TriggerView>, Failure> {
    let mut views = client.list_triggers(filter).await?;
    views.retain(|view| view.schedule == (noun == Noun::Schedule));
    Ok(views)
}
