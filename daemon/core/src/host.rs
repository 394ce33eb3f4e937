//! Conditions that are code: what a host is asked, and a decision that waits for its answers.
//!
//! A decision is tried; where a host has to be asked first, it is taken back whole and the
//! questions are handed out. It is made once all is known. So what a host said, what its condition
//! keeps, and the event they are about are one batch. Must never ask twice for what is known, nor
//! decide otherwise for having asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use aiflow_model::record::Event;
use aiflow_model::spec::{Condition, HOST_STATE_BYTES_MAX, Host};
use aiflow_model::state::{ExecutionStatus, Firing, NodeState};
use aiflow_model::{JsonText, Rejection, RuleId, RunId, TaskName, Timestamp};

use crate::engine::Engine;
use crate::hearing::{Hearing, HostAnswer, Outcome, Question, Verdict};
use crate::input::{Decision, Input};
use crate::preview::Preview;
use crate::transaction::{Stimulus, Transaction};

impl Engine {
    /// Decides one input at `now`, as [`Engine::decide`] does, unless a host has to be asked first.
    /// `known`: what was answered so far.
    ///
    /// # Errors
    /// A [`Rejection`] when the input is not allowed; then nothing has changed.
    pub fn decide_hearing(
        &mut self,
        input: Input,
        known: &[(Question, Verdict)],
        now: Timestamp,
    ) -> Result<Outcome<Decision>, Rejection> {
        if !self.state.subscriptions.ask_hosts() {
            return self.decide(input, now).map(Outcome::Decided);
        }
        let undo = self.state.begin_undo();
        let mut transaction = self.transaction(now);
        transaction.undo = Some(undo);
        transaction.hearing = Hearing { is_open: true, known, asked: Vec::new() };
        let answer = transaction.take(input)?;
        let records = transaction.finish();
        let asked = std::mem::take(&mut transaction.hearing.asked);
        let undo = transaction.undo.take();
        if asked.is_empty() {
            return Ok(Outcome::Decided(Decision { records, answer }));
        }
        if let Some(undo) = undo {
            self.state.undo(undo);
        }
        Ok(Outcome::Asks(asked))
    }

    /// What an input would cause, as [`Engine::preview`] tells it, unless a host has to be asked
    /// first.
    ///
    /// # Errors
    /// The [`Rejection`] that the input would meet.
    pub fn preview_hearing(
        &mut self,
        input: Input,
        known: &[(Question, Verdict)],
        now: Timestamp,
    ) -> Result<Outcome<Preview>, Rejection> {
        let hearing = Hearing { is_open: true, known, asked: Vec::new() };
        let (preview, asked) = self.try_out(input, hearing, now)?;
        Ok(if asked.is_empty() { Outcome::Decided(preview) } else { Outcome::Asks(asked) })
    }
}

impl Transaction<'_> {
    /// A condition that a host decides: asked for each event that its part was met by.
    pub(crate) fn offer_custom(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        host: &Host,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let met = self.offer_below(at, node, condition, stimulus);
        let (Stimulus::Event { offset, event, .. }, false) = (stimulus, met.is_empty()) else {
            return Vec::new();
        };
        let Some(question) = self.question(at, node, host, event) else { return Vec::new() };
        let known = self.hearing.known.iter().find(|(known, _)| *known == question);
        let verdict = match known {
            Some((_, verdict)) => verdict.clone(),
            None if self.hearing.is_open => {
                self.hearing.asked.push(question);
                return Vec::new();
            }
            None => Err("there is nobody here who asks its host".to_owned()),
        };
        match verdict.and_then(checked) {
            Ok(answer) => {
                if answer.state != question.state {
                    let state = NodeState::Script { state: answer.state };
                    self.advance(at, node, state, stimulus.offset());
                }
                if answer.met { met } else { Vec::new() }
            }
            Err(reason) => {
                self.filter_failed(at, node, *offset, reason);
                Vec::new()
            }
        }
    }

    fn question(&self, at: RuleId, node: u32, host: &Host, event: &Arc<Event>) -> Option<Question> {
        let snapshot = match at {
            RuleId::Task { run, .. } => self.state.run(run)?.snapshot,
            // A draft whose conditions ask hosts is refused.
            RuleId::Draft { .. } => return None,
            RuleId::Trigger(trigger) => {
                let trigger = self.state.triggers.get(&trigger)?;
                let (namespace, workflow) = (trigger.namespace.as_str(), trigger.workflow.as_str());
                self.state.current_snapshot(namespace, workflow)?.number
            }
        };
        let state = match self.known(at, node) {
            Some(NodeState::Script { state }) => state.clone(),
            _ => JsonText::null(),
        };
        let tasks = match at {
            RuleId::Task { run, .. } if host.tasks => self.statuses(run),
            _ => BTreeMap::new(),
        };
        let part = self.part.clone();
        let (host, event) = (host.clone(), Arc::clone(event));
        Some(Question { rule: at, node, part, snapshot, host, event, state, tasks })
    }

    /// Where the latest execution of each task stands that has one.
    fn statuses(&self, run: RunId) -> BTreeMap<TaskName, ExecutionStatus> {
        let (Some(run), Some(snapshot)) = (self.state.run(run), self.state.snapshot_of(run)) else {
            return BTreeMap::new();
        };
        let tasks = snapshot.spec.tasks.iter().zip(&run.tasks);
        tasks
            .filter_map(|(task, state)| Some((task.name.clone(), state.latest()?.status)))
            .collect()
    }
}

fn checked(answer: HostAnswer) -> Verdict {
    let bytes = answer.state.as_str().len();
    if bytes > HOST_STATE_BYTES_MAX {
        return Err(format!("the host kept {bytes} bytes, at most {HOST_STATE_BYTES_MAX}"));
    }
    Ok(answer)
}
