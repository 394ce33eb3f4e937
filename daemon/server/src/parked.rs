//! Inputs that wait for the hosts of conditions, and what waits behind them.
//!
//! Must never let one overtake another of its namespace, nor grow without a bound.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use aiflow_core::{Input, Question, Verdict};
use aiflow_model::Namespace;

use crate::connection::Reply;
use crate::hosts::Hosts;

/// Bytes of events that wait beyond which no request is taken.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// What an input is decided for.
pub(crate) enum Purpose {
    /// To be done, and answered.
    Request(Reply),
    /// To be done; nobody waits.
    News,
    /// To tell what it would cause.
    DryRun(Reply),
}

/// An input that waits.
pub(crate) struct Parked {
    pub(crate) input: Input,
    pub(crate) purpose: Purpose,
    pub(crate) known: Vec<(Question, Verdict)>,
    pub(crate) rounds: u32,
}

/// All inputs that wait, by namespace; the first of each is asked about.
pub(crate) struct Asking {
    pub(crate) hosts: Rc<Hosts>,
    waiting: BTreeMap<Namespace, VecDeque<Parked>>,
    bytes: usize,
    /// What falls due is one of them.
    holds_tick: bool,
}

impl Asking {
    pub(crate) fn new(hosts: Hosts) -> Self {
        Self { hosts: Rc::new(hosts), waiting: BTreeMap::new(), bytes: 0, holds_tick: false }
    }

    /// All that wait; none does any more.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Parked> + use<> {
        std::mem::take(&mut self.waiting).into_values().flatten()
    }

    /// Whether so much waits that no more is taken.
    pub(crate) fn is_congested(&self) -> bool {
        self.bytes > WAITING_BYTES_MAX
    }

    /// Whether what falls due waits already.
    pub(crate) fn holds_tick(&self) -> bool {
        self.holds_tick
    }

    pub(crate) fn push(&mut self, namespace: Namespace, parked: Parked, first: bool) {
        self.bytes += bytes_of(&parked.input);
        self.holds_tick |= matches!(parked.input, Input::Tick);
        let queue = self.waiting.entry(namespace).or_default();
        if first { queue.push_front(parked) } else { queue.push_back(parked) }
    }

    pub(crate) fn pop(&mut self, namespace: &Namespace) -> Option<Parked> {
        let parked = self.waiting.get_mut(namespace)?.pop_front();
        if let Some(parked) = &parked {
            self.bytes -= bytes_of(&parked.input);
            self.holds_tick &= !matches!(parked.input, Input::Tick);
        } else {
            self.waiting.remove(namespace);
        }
        parked
    }

    pub(crate) fn is_waiting(&self, namespace: &Namespace) -> bool {
        self.waiting.contains_key(namespace)
    }
}

fn bytes_of(input: &Input) -> usize {
    match input {
        Input::Emit { value, .. } => value.as_str().len(),
        _ => 0,
    }
}
