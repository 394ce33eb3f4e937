//! Drafts as people and scripts ask for them and read them.
//!
//! Must never tell what a draft would do as if it had been done.

use serde::{Deserialize, Serialize};

use super::Upload;
use crate::error::Diagnostic;
use crate::progress::progress;
use crate::state::{Draft, DraftFiring};
use crate::time::{Span, Window};
use crate::{DraftId, Namespace, Offset, RuleIndex, RunId, WorkflowName};

/// How long a draft lasts when nothing else is said.
pub const DRAFT_LASTS: Span = Span::from_seconds(7 * 86_400);
/// The longest that a draft may last.
pub const DRAFT_LASTS_MAX: Span = Span::from_seconds(90 * 86_400);

/// A definition to watch on what comes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DraftWorkflow {
    /// The definition with its files, as for an upload.
    #[serde(flatten)]
    pub upload: Upload,
    /// How long, in microseconds.
    #[serde(default)]
    pub lasts: Option<Span>,
    /// The run whose tasks and parameters its rules look at; else the oldest of the workflow that
    /// is alive.
    #[serde(default)]
    pub beside: Option<RunId>,
    /// Identity of the request: asking again with it gives the same draft.
    #[serde(default)]
    pub request: Option<String>,
}

/// A draft by id.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct DraftRef {
    /// Which.
    pub draft: DraftId,
}

/// A draft whose text is to become the workflow's definition.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct PromoteDraft {
    /// Which.
    pub draft: DraftId,
    /// Also when another definition was uploaded since the draft began.
    #[serde(default)]
    pub anyway: bool,
}

/// A draft began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DraftReply {
    /// Its id.
    pub draft: DraftId,
    /// The run beside it.
    pub beside: Option<RunId>,
    /// What the definition says and hardly means, with places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Diagnostic>,
}

/// A draft.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DraftView {
    /// Its id.
    pub draft: DraftId,
    /// Where it listens.
    pub namespace: Namespace,
    /// Of which workflow.
    pub workflow: WorkflowName,
    /// The run whose tasks and parameters its rules look at.
    pub beside: Option<RunId>,
    /// Since when.
    pub since: String,
    /// Until when at the latest.
    pub expires: String,
    /// How often its rules fired.
    pub firings: u64,
    /// How often a filter or a script could not be evaluated.
    pub failures: u64,
    /// Why it could not, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Its rules. Only when it is asked for by its id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<DraftRuleView>,
    /// Its latest firings, oldest first. Only when it is asked for by its id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latest: Vec<DraftFiringView>,
}

/// A rule of a draft.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DraftRuleView {
    /// Which of the draft's.
    pub rule: RuleIndex,
    /// What it would do.
    pub would: String,
    /// Its condition in words.
    pub condition: String,
    /// How far it has come, part by part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub progress: Vec<String>,
}

/// A firing of a draft's rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DraftFiringView {
    /// The record that says so.
    pub offset: Offset,
    /// When.
    pub time: String,
    /// Which rule.
    pub rule: RuleIndex,
    /// What it would have done.
    pub would: String,
    /// For which window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// By which events, the newest of many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Offset>,
}

impl DraftView {
    /// A draft in a line.
    #[must_use]
    pub fn of(draft: &Draft) -> Self {
        let began = &draft.began;
        Self {
            draft: began.draft,
            namespace: began.namespace.clone(),
            workflow: began.spec.name.clone(),
            beside: began.beside,
            since: draft.started_at.to_string(),
            expires: began.expires.to_string(),
            firings: draft.firings,
            failures: draft.failures,
            failure: draft.failure.clone(),
            rules: Vec::new(),
            latest: Vec::new(),
        }
    }

    /// A draft with its rules and its latest firings.
    #[must_use]
    pub fn whole(draft: &Draft) -> Self {
        let spec = &draft.began.spec;
        let rules = spec.watched().zip(&draft.conditions).map(|((rule, condition), nodes)| {
            let would = spec.would(rule).map(|would| would.to_string()).unwrap_or_default();
            let (condition, progress) = (condition.to_string(), progress(condition, nodes));
            DraftRuleView { rule, would, condition, progress }
        });
        let latest = draft.recent.iter().map(DraftFiringView::of);
        Self { rules: rules.collect(), latest: latest.collect(), ..Self::of(draft) }
    }
}

impl DraftFiringView {
    fn of(firing: &DraftFiring) -> Self {
        let DraftFiring { offset, time, rule, would, window, events } = firing;
        Self {
            offset: *offset,
            time: time.to_string(),
            rule: *rule,
            would: would.to_string(),
            window: *window,
            events: events.clone(),
        }
    }
}
