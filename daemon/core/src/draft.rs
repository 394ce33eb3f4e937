//! Drafts: a definition is watched on what comes. Where its rules fire, that is recorded, and
//! nothing follows.
//!
//! Must never record anything but what happens to drafts, except where one is promoted.

use aiflow_model::record::{DraftChange, DraftEnd, DraftStarted};
use aiflow_model::spec::{Condition, WorkflowSpec};
use aiflow_model::state::{Draft, RunStatus, Snapshot};
use aiflow_model::wire::{DRAFT_LASTS, DRAFT_LASTS_MAX, DraftWorkflow, PromoteDraft};
use aiflow_model::{
    DraftId, ErrorCode, Namespace, Offset, Record, Rejection, RuleId, RuleIndex, RunId, TaskName,
};

use crate::definition;
use crate::expression::{self, Kind, Sight};
use crate::input::Answer;
use crate::transaction::{Stimulus, Transaction};
use crate::workflow::read_definition;

impl Transaction<'_> {
    pub(crate) fn start_draft(&mut self, ask: DraftWorkflow) -> Result<Answer, Rejection> {
        let DraftWorkflow { upload, lasts, beside, request } = ask;
        let (namespace, source, files) = (upload.namespace, upload.source, upload.files);
        self.check_namespace(&namespace)?;
        let spec = read_definition(&source)?;
        let warnings = definition::warnings(&source, &spec);
        let same = self.state.drafts.values().map(|draft| &draft.began);
        let same = same.filter(|_| request.is_some()).find(|began| began.request == request);
        if let Some(began) = same {
            return Ok(Answer::Draft { draft: began.draft, beside: began.beside, warnings });
        }
        let lasts = lasts.unwrap_or(DRAFT_LASTS);
        if lasts.0 == 0 || lasts > DRAFT_LASTS_MAX {
            let message = format!("a draft lasts longer than 0 and at most {DRAFT_LASTS_MAX}");
            return Err(Rejection::new(ErrorCode::InvalidParams, message)
                .hint(format!("leave it out for {DRAFT_LASTS}")));
        }
        let beside = match beside {
            Some(run) => Some(self.check_beside(run, &namespace, &spec)?),
            None => self.oldest_running(&namespace, &spec),
        };
        let looked_at = beside.and_then(|run| self.snapshot(run));
        check_possible(&spec, looked_at.as_deref())?;
        let draft = self.state.next_draft_id();
        let current = self.state.current_snapshot(namespace.as_str(), spec.name.as_str());
        let current = current.map(|snapshot| snapshot.number);
        let expires = self.now.plus(lasts);
        let started = DraftStarted {
            draft,
            namespace,
            spec,
            source,
            files,
            beside,
            current,
            expires,
            request,
        };
        let cause = self.record(None, Record::DraftStarted(Box::new(started)));
        let began = self.state.drafts.get(&draft).map(|draft| draft.began.clone());
        for (rule, condition) in began.iter().flat_map(|began| began.spec.watched()) {
            self.arm(RuleId::Draft { draft, rule }, condition, Some(cause));
        }
        Ok(Answer::Draft { draft, beside, warnings })
    }

    fn oldest_running(&self, namespace: &Namespace, spec: &WorkflowSpec) -> Option<RunId> {
        let mut active = self.state.pools.active(namespace, &spec.name);
        active.find(|run| self.state.run(*run).is_some_and(|run| run.status == RunStatus::Running))
    }

    fn check_beside(
        &self,
        id: RunId,
        namespace: &Namespace,
        spec: &WorkflowSpec,
    ) -> Result<RunId, Rejection> {
        let run = self.find_living_run(id)?;
        if run.namespace == *namespace && run.workflow == spec.name {
            return Ok(id);
        }
        let message = format!(
            "run {id} is of workflow {} in namespace {}, the draft of {} in {namespace}",
            run.workflow, run.namespace, spec.name
        );
        Err(Rejection::new(ErrorCode::DraftImpossible, message)
            .hint(format!("aiflow workflow-execution list {}", spec.name)))
    }

    pub(crate) fn offer_to_draft(&mut self, id: DraftId, rule: RuleIndex, stimulus: &Stimulus) {
        let Some(draft) = self.state.drafts.get(&id) else { return };
        let began = draft.began.clone();
        let Some(condition) = began.spec.watched_at(rule) else { return };
        for firing in self.offer(RuleId::Draft { draft: id, rule }, 0, condition, stimulus) {
            let Some(would) = began.spec.would(rule) else { return };
            let change = DraftChange::Fired { rule, would, firing };
            self.change_draft(id, change, stimulus.offset());
        }
    }

    pub(crate) fn change_draft(
        &mut self,
        draft: DraftId,
        change: DraftChange,
        cause: Option<Offset>,
    ) {
        self.record(cause, Record::DraftChanged { draft, change });
    }

    pub(crate) fn end_draft(&mut self, id: DraftId, end: DraftEnd, cause: Option<Offset>) {
        self.change_draft(id, DraftChange::Ended { end }, cause);
        self.forget_missing_of(|rule| RuleId::Draft { draft: id, rule });
    }

    /// Ends the drafts that look at a run which has ended.
    pub(crate) fn end_drafts_beside(&mut self, run: RunId, cause: Offset) {
        let drafts: Vec<DraftId> = self.state.subscriptions.drafts_beside(run).collect();
        drafts.into_iter().for_each(|id| self.end_draft(id, DraftEnd::RunEnded, Some(cause)));
    }

    pub(crate) fn discard_draft(&mut self, id: DraftId) -> Result<Answer, Rejection> {
        self.find_draft(id)?;
        self.end_draft(id, DraftEnd::Discarded, None);
        Ok(Answer::Done)
    }

    pub(crate) fn promote_draft(&mut self, ask: PromoteDraft) -> Result<Answer, Rejection> {
        let PromoteDraft { draft: id, anyway } = ask;
        let began = self.find_draft(id)?.began.clone();
        let (namespace, workflow) = (&began.namespace, &began.spec.name);
        let current = self.state.current_snapshot(namespace.as_str(), workflow.as_str());
        let current = current.map(|snapshot| snapshot.number);
        if current != began.current && !anyway {
            let message = format!(
                "workflow {workflow} has another definition than when draft {id} began; what the \
                 draft would replace was not the one beside it"
            );
            return Err(Rejection::new(ErrorCode::DraftOutdated, message).hint(format!(
                "to replace it all the same: aiflow workflow promote {id} --anyway"
            )));
        }
        let files = began.files.clone();
        let answer = self.upload(namespace.clone(), began.source.clone(), files)?;
        self.end_draft(id, DraftEnd::Promoted, None);
        Ok(answer)
    }

    fn find_draft(&self, id: DraftId) -> Result<&Draft, Rejection> {
        self.state.drafts.get(&id).ok_or_else(|| {
            Rejection::new(ErrorCode::UnknownDraft, format!("there is no draft {id}"))
                .hint("aiflow workflow drafts")
        })
    }
}

/// A draft that could not tell what its rules would do is refused: it would tell something wrong.
fn check_possible(spec: &WorkflowSpec, looked_at: Option<&Snapshot>) -> Result<(), Rejection> {
    let refused = |message| Rejection::new(ErrorCode::DraftImpossible, message);
    for (_, condition) in spec.watched() {
        if condition.asks_host() {
            let message = format!("`{condition}` asks a host; drafts ask nobody");
            return Err(refused(message).hint("leave `custom` out of what is watched as a draft"));
        }
    }
    for (_, task, rule) in spec.rules() {
        let condition = &rule.condition;
        let Some(snapshot) = looked_at else {
            if !looks_at_run(condition) {
                continue;
            }
            let message = format!(
                "task {}: `{condition}` looks at a run, and no run of {} is alive to look at",
                task.name, spec.name
            );
            return Err(refused(message)
                .hint(format!("first: aiflow workflow-execution start {}", spec.name)));
        };
        let is_unknown = |name: &&TaskName| snapshot.spec.task(name.as_str()).is_none();
        if let Some(name) = condition.upstream_tasks().find(is_unknown) {
            let message = format!(
                "task {}: `{condition}` looks at task {name}, which the run beside the draft does \
                 not have",
                task.name
            );
            return Err(refused(message)
                .hint("draft what looks at the tasks of the run, and upload the rest"));
        }
    }
    Ok(())
}

fn looks_at_run(condition: &Condition) -> bool {
    // What looks at a run does not compile with the names of an event alone.
    let is_beyond_event = |kind, text: &str| expression::check(kind, text, Sight::Event).is_err();
    condition.upstream_tasks().next().is_some()
        || condition.nodes().any(|node| match node {
            Condition::On { filter: Some(text), .. } | Condition::Sum { expr: text, .. } => {
                is_beyond_event(Kind::Expression, text)
            }
            Condition::State { script, .. } => is_beyond_event(Kind::Script, script),
            _ => false,
        })
}
