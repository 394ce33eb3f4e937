//! `aiflow workflow draft|drafts|promote|discard`: a definition that is watched before it counts.
//!
//! Must never say of what a draft would do that it was done.

use std::path::PathBuf;

use aiflow_client::new_id;
use aiflow_model::wire::{
    Call, DraftFiringView, DraftRef, DraftReply, DraftRuleView, DraftView, DraftWorkflow,
    OptionalWorkflow, PromoteDraft, UploadReply,
};
use aiflow_model::{DraftId, Offset, RunId, Span};
use clap::Args;

use super::definition;
use super::failure::Failure;
use super::options::{InNamespace, WithinNamespace};
use super::output::{Row, note};

use super::python::Interpreter;
use super::rows::{NONE, or_none};
use super::session::Session;
use super::upload;

/// A definition, and how long to watch it.
#[derive(Debug, Args)]
pub(crate) struct Draft {
    /// The definition, in YAML, or in Python (.py)
    file: PathBuf,
    /// How long, at most 90d [default: 7d]
    #[arg(long, value_name = "SPAN")]
    expires: Option<Span>,
    /// The run whose tasks and parameters its rules look at [default: the oldest of the workflow
    /// that is alive]
    #[arg(long, value_name = "ID")]
    beside: Option<RunId>,
    /// Further files or folders beside the definition, between commas
    #[arg(short, long, value_name = "PATHS", value_delimiter = ',')]
    files: Vec<String>,
    #[command(flatten)]
    within: InNamespace,
    #[command(flatten)]
    interpreter: Interpreter,
}

/// Which drafts to tell of.
#[derive(Debug, Args)]
pub(crate) struct Drafts {
    /// Only this one, with its rules and what they would have done
    draft: Option<DraftId>,
    #[command(flatten)]
    within: WithinNamespace,
}

impl Draft {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let Self { file, expires, beside, files, within, interpreter } = self;
        let read = upload::read(&file, &files, &within, &interpreter)?;
        let client = session.connect().await?;
        let mut replies = Vec::new();
        for (drafted, found, upload) in read {
            if !session.dry_run {
                upload::bring(&client, &found).await?;
            }
            let ask = DraftWorkflow { upload, lasts: expires, beside, request: Some(new_id()) };
            let call = Call::DraftStart(Box::new(ask));
            let began = session.try_change::<DraftReply>(&client, call).await;
            let began = began.map_err(|error| drafted.explain(error))?;
            let Some(reply) = session.made(began)? else { continue };
            note(drafted.warnings(&reply.warnings).trim_end());
            replies.push(reply);
        }
        let ids: Vec<String> = replies.iter().map(|reply| reply.draft.to_string()).collect();
        match replies.as_slice() {
            [] => Ok(()),
            [reply] if !definition::is_python(&file) => session.output.answer(reply, &ids[0]),
            replies => session.output.answers(replies, &ids),
        }
    }
}

impl Drafts {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let client = session.connect().await?;
        match self.draft {
            Some(draft) => session.output.show(&client.show_draft(DraftRef { draft }).await?),
            None => {
                let filter = OptionalWorkflow { namespace: self.within.namespace, workflow: None };
                session.output.list(&client.list_drafts(filter).await?)
            }
        }
    }
}

pub(crate) async fn promote(
    session: &Session,
    draft: DraftId,
    anyway: bool,
) -> Result<(), Failure> {
    let client = session.connect().await?;
    let call = Call::DraftPromote(PromoteDraft { draft, anyway });
    let made = session.change::<UploadReply>(&client, call).await?;
    let Some(reply) = made else { return Ok(()) };
    session.output.answer(&reply, &upload::summary(&reply))
}

pub(crate) async fn discard(session: &Session, draft: DraftId) -> Result<(), Failure> {
    let client = session.connect().await?;
    let text = format!("draft {draft} is thrown away");
    session.change_and_note(&client, Call::DraftDiscard(DraftRef { draft }), &text).await
}

impl Row for DraftView {
    const COLUMNS: &'static [&'static str] =
        &["draft", "namespace", "workflow", "beside", "since", "expires", "firings", "failures"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.draft.to_string(),
            self.namespace.to_string(),
            self.workflow.to_string(),
            self.beside.map_or_else(|| NONE.to_owned(), |run| format!("run {run}")),
            self.since.clone(),
            self.expires.clone(),
            self.firings.to_string(),
            self.failures.to_string(),
        ]
    }

    fn details(&self) -> Vec<(String, String)> {
        let own = Self::COLUMNS.iter().map(ToString::to_string).zip(self.cells());
        let failure = self.failure.iter().map(|why| ("last failure".to_owned(), why.clone()));
        let rules = self.rules.iter().map(rule_in_words);
        let latest = self.latest.iter().map(firing_in_words);
        own.chain(failure).chain(rules).chain(latest).collect()
    }
}

fn rule_in_words(rule: &DraftRuleView) -> (String, String) {
    let progress = match rule.progress.as_slice() {
        [] => String::new(),
        parts => format!(" ({})", parts.join("; ")),
    };
    (format!("rule {}", rule.rule), format!("{} when {}{progress}", rule.would, rule.condition))
}

fn firing_in_words(firing: &DraftFiringView) -> (String, String) {
    let events: Vec<String> = firing.events.iter().map(Offset::to_string).collect();
    let events = or_none(Some(events.join(" ")).filter(|text| !text.is_empty()).as_ref());
    let window = firing.window.map(|window| format!(" for {} / {}", window.start, window.end));
    let text = format!("would {}{}; events: {events}", firing.would, window.unwrap_or_default());
    (format!("fired {}", firing.time), text)
}
