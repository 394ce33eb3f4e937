//! `--dry-run`: what a verb would cause, as the daemon decides it, in place of doing it.
//!
//! Must never call what changes something by its own method while it is given.

use aiflow_client::{CallError, Client};
use aiflow_model::wire::{Call, DryRunReply, EffectView};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::failure::Failure;
use super::output::{Format, Row, note};
use super::rows::{NONE, or_none};
use super::session::Session;

/// A change that was made, or only foretold.
pub(crate) enum Change<T> {
    /// It was made.
    Made(T),
    /// It was not; this is what it would cause.
    Foretold(Box<DryRunReply>),
}

/// A record that would be written, or an effect.
#[derive(Debug, Serialize)]
struct Consequence {
    offset: String,
    cause: String,
    what: String,
}

impl Row for Consequence {
    const COLUMNS: &'static [&'static str] = &["offset", "cause", "what"];

    fn cells(&self) -> Vec<String> {
        vec![self.offset.clone(), self.cause.clone(), self.what.clone()]
    }
}

impl Session {
    /// Makes a change, or has it foretold.
    ///
    /// # Errors
    /// [`CallError`], the same in both cases.
    pub(crate) async fn try_change<T: DeserializeOwned>(
        &self,
        client: &Client,
        call: Call,
    ) -> Result<Change<T>, CallError> {
        if self.dry_run {
            return client.dry_run(&call).await.map(Box::new).map(Change::Foretold);
        }
        client.call(call).await.map(Change::Made)
    }

    /// Makes a change and gives the answer; or prints what it would cause, and gives none.
    pub(crate) async fn change<T: DeserializeOwned>(
        &self,
        client: &Client,
        call: Call,
    ) -> Result<Option<T>, Failure> {
        let change = self.try_change(client, call).await?;
        self.made(change)
    }

    /// Makes a change and says so; or prints what it would cause.
    pub(crate) async fn change_and_note(
        &self,
        client: &Client,
        call: Call,
        text: &str,
    ) -> Result<(), Failure> {
        if self.change::<IgnoredAny>(client, call).await?.is_some() {
            note(text);
        }
        Ok(())
    }

    /// The answer; of what was only foretold the consequences are printed.
    pub(crate) fn made<T>(&self, change: Change<T>) -> Result<Option<T>, Failure> {
        let foretold = match change {
            Change::Made(answer) => return Ok(Some(answer)),
            Change::Foretold(foretold) => foretold,
        };
        match self.output.format() {
            Format::Json | Format::Yaml => self.output.answer(&foretold, "")?,
            Format::Table | Format::Plain => self.output.list(&consequences(&foretold))?,
        }
        if foretold.records.is_empty() {
            note("nothing would change");
        }
        if foretold.more {
            note("more would follow at once, in batches after this one");
        }
        Ok(None)
    }

    /// For verbs that do more than ask the daemon.
    ///
    /// # Errors
    /// With `--dry-run`: what they do cannot be foretold.
    pub(crate) fn refuse_dry_run(&self, verb: &str) -> Result<(), Failure> {
        if !self.dry_run {
            return Ok(());
        }
        let what = format!("{verb} cannot be tried: it does more than change what is recorded");
        let exit = aiflow_model::exit_code::USAGE;
        Err(Failure::Input { what, hint: Some("leave --dry-run out".to_owned()), exit })
    }
}

fn consequences(foretold: &DryRunReply) -> Vec<Consequence> {
    let records = foretold.records.iter().map(|logged| Consequence {
        offset: logged.offset.to_string(),
        cause: or_none(logged.cause.as_ref()),
        what: serde_json::to_string(&logged.record).unwrap_or_default(),
    });
    let effects = foretold.effects.iter().map(|effect| Consequence {
        offset: NONE.to_owned(),
        cause: NONE.to_owned(),
        what: match effect {
            EffectView::Launch(id) => format!("launch {id}"),
            EffectView::Stop(id) => format!("stop {id}"),
            EffectView::DropLog(before) => format!("drop the log before {before}"),
            EffectView::ClearAway => "clear away what deleted runs have left".to_owned(),
        },
    });
    records.chain(effects).collect()
}
