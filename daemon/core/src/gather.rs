//! Conditions that gather until there is enough: all, sequence, count, sum.
//!
//! What a firing used up is gone from what was gathered, unless `reset` says otherwise. Must never
//! gather without a bound: lists of offsets keep the newest, what is limited in time drops what is
//! older, and only so many keys gather by themselves.

use std::collections::BTreeMap;

use aiflow_model::RuleId;
use aiflow_model::spec::{Condition, Reset};
use aiflow_model::state::{Firing, NodeState};
use aiflow_model::time::{Span, Window};

use crate::scene::Scene;
use crate::transaction::{Stimulus, Transaction, WINDOWS_PER_BATCH_MAX};

/// Most keys that gather by themselves at once, in one condition.
const KEYS_MAX: usize = 1_000;

/// How something gathers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gather {
    /// What is older does not count.
    within: Option<Span>,
    /// What it does instead of beginning anew.
    reset: Option<Reset>,
}

impl Gather {
    /// Whether a firing uses nothing up.
    fn keeps(self) -> bool {
        self.reset == Some(Reset::Never)
    }
}

/// What each child was met by.
type Met = Vec<Vec<Firing>>;

fn absorbed(firings: impl IntoIterator<Item = Firing>) -> Firing {
    firings.into_iter().fold(Firing::default(), |mut all, one| {
        all.absorb(one);
        all
    })
}

impl Transaction<'_> {
    /// Whether what was gathered is recent enough to count.
    fn is_recent(&self, firing: &Firing, gather: Gather) -> bool {
        let (Some(within), Some(began)) = (gather.within, firing.began) else { return true };
        began.plus(within) >= self.now
    }

    pub(crate) fn offer_gatherer(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        gather: Gather,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        match condition {
            Condition::Within { of, span } => {
                let gather = Gather { within: Some(*span), ..gather };
                self.offer_gatherer(at, node + 1, of, gather, stimulus)
            }
            Condition::Reset { of, mode: Reset::PerKey } => {
                self.offer_per_key(at, node + 1, of, stimulus)
            }
            Condition::Reset { of, mode } => {
                let gather = Gather { reset: Some(*mode), ..gather };
                self.offer_gatherer(at, node + 1, of, gather, stimulus)
            }
            Condition::All(_) | Condition::Count { .. } => {
                let children = condition.numbered_children(node);
                let met: Met =
                    children.map(|(number, part)| self.offer(at, number, part, stimulus)).collect();
                self.gather(at, node, condition, (met, gather), stimulus)
            }
            Condition::Sequence(_) => self.offer_sequence(at, node, condition, gather, stimulus),
            Condition::Sum { .. } => self.offer_sum(at, node, condition, gather, stimulus),
            // The reader lets nothing else be limited.
            other => self.offer(at, node, other, stimulus),
        }
    }

    /// Each key of events has a state of its own, in this node and all below it.
    fn offer_per_key(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let Stimulus::Event { offset, event, .. } = stimulus else { return Vec::new() };
        if !condition.event_keys().any(|pattern| pattern.matches(event.key.as_str())) {
            return Vec::new();
        }
        let below = node..node + condition.node_count();
        let parts = below.filter_map(|node| match self.state.node_state(at, node) {
            Some(NodeState::Parts(parts)) => Some(parts),
            _ => None,
        });
        let (mut is_full, mut is_known) = (false, false);
        for parts in parts {
            is_full |= parts.len() >= KEYS_MAX;
            is_known |= parts.contains_key(event.key.as_str());
        }
        if is_full && !is_known {
            let reason = format!("{KEYS_MAX} keys gather by themselves; there is no room for more");
            self.filter_failed(at, node, *offset, reason);
            return Vec::new();
        }
        self.part = Some(event.key.to_string());
        let firings = self.offer(at, node, condition, stimulus);
        self.part = None;
        firings
    }

    /// Takes in what the children were met by: each window by itself, or all of it.
    fn gather(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        (met, gather): (Met, Gather),
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        if met.iter().all(Vec::is_empty) {
            return Vec::new();
        }
        if gather.reset != Some(Reset::PerWindow) {
            return self.gather_part(at, node, condition, (met, gather), stimulus);
        }
        let children = met.len();
        let mut windows: BTreeMap<Option<Window>, Met> = BTreeMap::new();
        for (child, firings) in met.into_iter().enumerate() {
            for firing in firings {
                let of_window =
                    windows.entry(firing.window).or_insert_with(|| vec![Vec::new(); children]);
                of_window[child].push(firing);
            }
        }
        let mut firings = Vec::new();
        for (window, met) in windows {
            let name = |window: Window| format!("{}/{}", window.start, window.end);
            self.part = Some(window.map_or_else(|| "no window".to_owned(), name));
            firings.extend(self.gather_part(at, node, condition, (met, gather), stimulus));
        }
        self.part = None;
        firings
    }

    fn gather_part(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        (met, gather): (Met, Gather),
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        match condition {
            Condition::Count { n, .. } if gather.within.is_some() => {
                self.gather_recent(at, node, (met, *n, gather), stimulus)
            }
            Condition::Count { n, .. } => self.gather_count(at, node, (met, *n, gather), stimulus),
            _ => self.gather_all(at, node, (met, gather), stimulus),
        }
    }

    fn gather_all(
        &mut self,
        at: RuleId,
        node: u32,
        (new, gather): (Met, Gather),
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let mut met = match self.known(at, node) {
            Some(NodeState::All { met }) => met.clone(),
            _ => vec![Vec::new(); new.len()],
        };
        for (queue, new) in met.iter_mut().zip(new) {
            for firing in new {
                // Without a window the latest says all; with one, each has to be answered.
                queue.retain(|earlier| earlier.window.is_some() && !gather.keeps());
                queue.push(firing);
            }
            queue.retain(|firing| self.is_recent(firing, gather));
        }
        let mut firings = Vec::new();
        while met.iter().all(|queue| !queue.is_empty()) {
            if gather.keeps() {
                firings.push(absorbed(met.iter().flatten().cloned()));
                break;
            }
            firings.push(absorbed(met.iter_mut().map(|queue| queue.remove(0))));
        }
        self.advance(at, node, NodeState::All { met }, stimulus.offset());
        firings
    }

    fn gather_count(
        &mut self,
        at: RuleId,
        node: u32,
        (met, n, gather): (Met, u64, Gather),
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let (mut count, mut so_far) = match self.known(at, node) {
            Some(NodeState::Count { met, so_far }) => (*met, so_far.clone()),
            _ => (0, Firing::default()),
        };
        let mut firings = Vec::new();
        for firing in met.into_iter().flatten() {
            count += 1;
            so_far.absorb(firing);
            if count >= n {
                firings.push(so_far.clone());
                count = n;
                if !gather.keeps() {
                    (count, so_far) = (0, Firing::default());
                }
            }
        }
        self.advance(at, node, NodeState::Count { met: count, so_far }, stimulus.offset());
        firings
    }

    /// `count` within a time: each of what it was met by is kept while it is recent.
    fn gather_recent(
        &mut self,
        at: RuleId,
        node: u32,
        (new, n, gather): (Met, u64, Gather),
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let mut met = match self.known(at, node) {
            Some(NodeState::Recent { met }) => met.clone(),
            _ => Vec::new(),
        };
        let mut firings = Vec::new();
        for firing in new.into_iter().flatten() {
            met.push(firing);
            met.retain(|firing| self.is_recent(firing, gather));
            let surplus = met.len().saturating_sub(usize::try_from(n).unwrap_or(usize::MAX));
            met.drain(..surplus);
            if met.len() as u64 == n {
                firings.push(absorbed(met.iter().cloned()));
                if !gather.keeps() {
                    met.clear();
                }
            }
        }
        self.advance(at, node, NodeState::Recent { met }, stimulus.offset());
        firings
    }

    /// For each child but the last the latest way to have come so far is kept: whatever else could
    /// lead to a firing in time, it can too.
    fn offer_sequence(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        gather: Gather,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let steps = condition.children().len();
        let met: Met = condition
            .numbered_children(node)
            .map(|(number, child)| self.offer(at, number, child, stimulus))
            .collect();
        if met.iter().all(Vec::is_empty) {
            return Vec::new();
        }
        let mut reached = match self.known(at, node) {
            Some(NodeState::Sequence { reached }) => reached.clone(),
            _ => vec![None; steps.saturating_sub(1)],
        };
        for way in &mut reached {
            way.take_if(|firing| !self.is_recent(firing, gather));
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
            let Some(way) = way.filter(|way| self.is_recent(way, gather)) else { continue };
            match reached.get_mut(step) {
                Some(place) if place.as_ref().is_some_and(|known| known.began > way.began) => {}
                Some(place) => *place = Some(way),
                None if gather.keeps() => firings.push(way),
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

    fn offer_sum(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        gather: Gather,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let Condition::Sum { expr, reaches, carry, .. } = condition else { return Vec::new() };
        let met = self.offer_below(at, node, condition, stimulus);
        let (Stimulus::Event { offset, event, .. }, false) = (stimulus, met.is_empty()) else {
            return Vec::new();
        };
        let (mut total, mut so_far) = match self.known(at, node) {
            Some(NodeState::Sum { total, so_far }) => (*total, so_far.clone()),
            _ => (0.0, Firing::default()),
        };
        let mut firings = Vec::new();
        for firing in met {
            let scene = Scene::of_rule(self.state, at, Some(event), self.now);
            let sum = self.expressions.number(expr, &scene).map(|number| total + number);
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
            if gather.keeps() {
                firings.extend(Some(so_far.clone()).filter(|_| total >= *reaches));
                continue;
            }
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
