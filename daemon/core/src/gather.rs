//! Conditions that gather until there is enough: all, sequence, count, sum.
//!
//! What a firing used up is gone from what was gathered. Must never gather without a bound: lists
//! of offsets keep the newest, and what is limited in time drops what is older.

use aiflow_model::RuleId;
use aiflow_model::spec::Condition;
use aiflow_model::state::{Firing, NodeState};
use aiflow_model::time::Span;

use crate::engine::WINDOWS_PER_BATCH_MAX;
use crate::transaction::{Stimulus, Transaction};

impl Transaction<'_> {
    /// Whether what was gathered is recent enough to count.
    fn is_recent(&self, firing: &Firing, within: Option<Span>) -> bool {
        let (Some(within), Some(began)) = (within, firing.began) else { return true };
        began.plus(within) >= self.now
    }

    pub(crate) fn offer_within(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        within: Option<Span>,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        match condition {
            Condition::All(_) => self.offer_all(at, node, condition, within, stimulus),
            Condition::Sequence(_) => self.offer_sequence(at, node, condition, within, stimulus),
            Condition::Count { n, .. } => {
                self.offer_recent(at, node, condition, (*n, within), stimulus)
            }
            // The reader lets nothing else be limited.
            other => self.offer(at, node, other, stimulus),
        }
    }

    pub(crate) fn offer_all(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        within: Option<Span>,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let mut met = match self.state.node_state(at, node) {
            Some(NodeState::All { met }) => met.clone(),
            _ => vec![Vec::new(); condition.children().len()],
        };
        let mut changed = false;
        for ((child_node, child), queue) in condition.numbered_children(node).zip(&mut met) {
            for firing in self.offer(at, child_node, child, stimulus) {
                // Without a window the latest says all; with one, each has to be answered.
                queue.retain(|earlier| earlier.window.is_some());
                queue.push(firing);
                changed = true;
            }
            queue.retain(|firing| self.is_recent(firing, within));
        }
        let mut firings = Vec::new();
        while changed && met.iter().all(|queue| !queue.is_empty()) {
            firings.push(met.iter_mut().fold(Firing::default(), |mut all, queue| {
                all.absorb(queue.remove(0));
                all
            }));
        }
        if changed {
            self.advance(at, node, NodeState::All { met }, stimulus.offset());
        }
        firings
    }

    /// For each child but the last the latest way to have come so far is kept: whatever else could
    /// lead to a firing in time, it can too.
    pub(crate) fn offer_sequence(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        within: Option<Span>,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let steps = condition.children().len();
        let mut reached = match self.state.node_state(at, node) {
            Some(NodeState::Sequence { reached }) => reached.clone(),
            _ => vec![None; steps.saturating_sub(1)],
        };
        let met: Vec<Vec<Firing>> = condition
            .numbered_children(node)
            .map(|(number, child)| self.offer(at, number, child, stimulus))
            .collect();
        if met.iter().all(Vec::is_empty) {
            return Vec::new();
        }
        for way in &mut reached {
            way.take_if(|firing| !self.is_recent(firing, within));
        }
        let mut firings = Vec::new();
        // From the last step on, so that one stimulus is one step.
        for (step, met) in met.into_iter().enumerate().rev() {
            let Some(newest) = met.into_iter().max_by_key(|firing| firing.began) else { continue };
            let way = match step.checked_sub(1) {
                None => Some(newest),
                Some(before) => reached[before].clone().map(|mut way| {
                    way.absorb(newest);
                    way
                }),
            };
            // A part may itself have gathered for long.
            let Some(way) = way.filter(|way| self.is_recent(way, within)) else { continue };
            match reached.get_mut(step) {
                Some(place) if place.as_ref().is_some_and(|known| known.began > way.began) => {}
                Some(place) => *place = Some(way),
                None => {
                    firings.push(way);
                    reached.fill(None);
                    // The same event may not begin the next round.
                    break;
                }
            }
        }
        self.advance(at, node, NodeState::Sequence { reached }, stimulus.offset());
        firings
    }

    pub(crate) fn offer_count(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        n: u64,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let met = self.offer_below(at, node, condition, stimulus);
        if met.is_empty() {
            return met;
        }
        let (mut count, mut so_far) = match self.state.node_state(at, node) {
            Some(NodeState::Count { met, so_far }) => (*met, so_far.clone()),
            _ => (0, Firing::default()),
        };
        let mut firings = Vec::new();
        for firing in met {
            count += 1;
            so_far.absorb(firing);
            if count >= n {
                count = 0;
                firings.push(std::mem::take(&mut so_far));
            }
        }
        self.advance(at, node, NodeState::Count { met: count, so_far }, stimulus.offset());
        firings
    }

    /// `count` within a time: each of what it was met by is kept while it is recent.
    fn offer_recent(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        (n, within): (u64, Option<Span>),
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let new = self.offer_below(at, node, condition, stimulus);
        if new.is_empty() {
            return new;
        }
        let mut met = match self.state.node_state(at, node) {
            Some(NodeState::Recent { met }) => met.clone(),
            _ => Vec::new(),
        };
        let mut firings = Vec::new();
        for firing in new {
            met.push(firing);
            met.retain(|firing| self.is_recent(firing, within));
            if met.len() as u64 == n {
                firings.push(met.drain(..).fold(Firing::default(), |mut all, one| {
                    all.absorb(one);
                    all
                }));
            }
        }
        self.advance(at, node, NodeState::Recent { met }, stimulus.offset());
        firings
    }

    pub(crate) fn offer_sum(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let Condition::Sum { expr, reaches, carry, .. } = condition else { return Vec::new() };
        let met = self.offer_below(at, node, condition, stimulus);
        let (Stimulus::Event { offset, event, .. }, false) = (stimulus, met.is_empty()) else {
            return Vec::new();
        };
        let (mut total, mut so_far) = match self.state.node_state(at, node) {
            Some(NodeState::Sum { total, so_far }) => (*total, so_far.clone()),
            _ => (0.0, Firing::default()),
        };
        let mut firings = Vec::new();
        for firing in met {
            let sum = self.expressions.number(expr, event, self.now).map(|number| total + number);
            match sum {
                Ok(sum) if sum.is_finite() => total = sum,
                Ok(_) => {
                    let reason = format!("`{expr}` makes the sum larger than a number can be");
                    self.filter_failed(at, node, *offset, reason);
                    continue;
                }
                Err(reason) => {
                    self.filter_failed(at, node, *offset, reason);
                    continue;
                }
            }
            so_far.absorb(firing.clone());
            // What is left beyond a batch of firings fires with the next event.
            while total >= *reaches && firings.len() < WINDOWS_PER_BATCH_MAX {
                total = if *carry { total - reaches } else { 0.0 };
                firings.push(std::mem::replace(&mut so_far, firing.clone()));
            }
            if total <= 0.0 && !firings.is_empty() {
                // Nothing of this event is left over.
                so_far = Firing::default();
            }
        }
        self.advance(at, node, NodeState::Sum { total, so_far }, stimulus.offset());
        firings
    }
}
