//! Conditions that wait for time to pass: absent, debounce, throttle.
//!
//! Whatever the stimulus, a time that has come counts first: it came before. Must never look at a
//! clock but at the time of the decision.

use aiflow_model::RuleId;
use aiflow_model::spec::Condition;
use aiflow_model::state::{Firing, NodeState};
use aiflow_model::time::{Span, Timestamp};

use crate::transaction::{Stimulus, Transaction};

/// What a timer waits for, and what it has gathered.
type Timer = (Option<Timestamp>, Option<Firing>);

impl Transaction<'_> {
    fn timer(&self, at: RuleId, node: u32) -> Timer {
        match self.state.node_state(at, node) {
            Some(NodeState::Timer { due, gathered }) => (*due, gathered.clone()),
            _ => (None, None),
        }
    }

    fn set_timer(&mut self, at: RuleId, node: u32, before: &Timer, after: Timer, s: &Stimulus) {
        if *before != after {
            let (due, gathered) = after;
            self.advance(at, node, NodeState::Timer { due, gathered }, s.offset());
        }
    }

    pub(crate) fn offer_absent(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        span: Span,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let met = self.offer_below(at, node, condition, stimulus);
        let before = self.timer(at, node);
        let mut due = before.0;
        let mut firings = Vec::new();
        if let Some(silent_since) = due.take_if(|due| *due <= self.now) {
            let began = Some(silent_since.minus(span));
            firings.push(Firing { began, ..Firing::default() });
        }
        if !met.is_empty() {
            due = Some(self.now.plus(span));
        }
        self.set_timer(at, node, &before, (due, None), stimulus);
        firings
    }

    pub(crate) fn offer_debounce(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        span: Span,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let met = self.offer_below(at, node, condition, stimulus);
        let before = self.timer(at, node);
        let (mut due, mut gathered) = before.clone();
        let mut firings = Vec::new();
        if due.take_if(|due| *due <= self.now).is_some() {
            firings.extend(gathered.take());
        }
        for firing in met {
            gathered.get_or_insert_default().absorb(firing);
            due = Some(self.now.plus(span));
        }
        self.set_timer(at, node, &before, (due, gathered), stimulus);
        firings
    }

    pub(crate) fn offer_throttle(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        span: Span,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let met = self.offer_below(at, node, condition, stimulus);
        let before = self.timer(at, node);
        let (mut due, mut gathered) = before.clone();
        let mut firings = Vec::new();
        let is_over = due.take_if(|due| *due <= self.now).is_some();
        if let Some(late) = gathered.take_if(|_| is_over) {
            firings.push(late);
            due = Some(self.now.plus(span));
        }
        for firing in met {
            if due.is_none() {
                firings.push(firing);
                due = Some(self.now.plus(span));
            } else {
                gathered.get_or_insert_default().absorb(firing);
            }
        }
        self.set_timer(at, node, &before, (due, gathered), stimulus);
        firings
    }
}
