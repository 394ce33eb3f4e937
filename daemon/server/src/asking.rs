//! Inputs that wait for the hosts of conditions, and what waits behind them.
//!
//! Of one namespace one input is asked about at a time, and its other events wait behind it, so
//! that they are decided in the order in which they came; all else goes on. Must never let an input
//! through that a host has not been heard on, nor hold one longer than its hosts may take.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use aiflow_core::{Decision, Input, Outcome, Preview, Question, Verdict};
use aiflow_model::Namespace;
use aiflow_model::error::{ErrorCode, Rejection};

use crate::connection::Reply;
use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::hosts::{Heard, Hosts};
use crate::inputs;

/// Most rounds of questions about one input; an answer may lead to another question. What is asked
/// beyond counts as not answered.
const ROUNDS_MAX: u32 = 100;
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
struct Parked {
    input: Input,
    purpose: Purpose,
    known: Vec<(Question, Verdict)>,
    rounds: u32,
}

/// What was decided, or would be.
enum Told {
    Decision(Decision),
    Preview(Preview),
}

/// All inputs that wait, by namespace; the first of each is asked about.
pub(crate) struct Asking {
    hosts: Rc<Hosts>,
    waiting: BTreeMap<Namespace, VecDeque<Parked>>,
    bytes: usize,
    /// What falls due is one of them.
    holds_tick: bool,
}

impl Asking {
    pub(crate) fn new(hosts: Hosts) -> Self {
        Self { hosts: Rc::new(hosts), waiting: BTreeMap::new(), bytes: 0, holds_tick: false }
    }

    /// Whether so much waits that no more is taken.
    pub(crate) fn is_congested(&self) -> bool {
        self.bytes > WAITING_BYTES_MAX
    }

    /// Whether what falls due waits already.
    pub(crate) fn holds_tick(&self) -> bool {
        self.holds_tick
    }

    fn push(&mut self, namespace: Namespace, parked: Parked, first: bool) {
        self.bytes += bytes_of(&parked.input);
        self.holds_tick |= matches!(parked.input, Input::Tick);
        let queue = self.waiting.entry(namespace).or_default();
        if first { queue.push_front(parked) } else { queue.push_back(parked) }
    }

    fn pop(&mut self, namespace: &Namespace) -> Option<Parked> {
        let parked = self.waiting.get_mut(namespace)?.pop_front();
        if let Some(parked) = &parked {
            self.bytes -= bytes_of(&parked.input);
            self.holds_tick &= !matches!(parked.input, Input::Tick);
        } else {
            self.waiting.remove(namespace);
        }
        parked
    }

    fn is_waiting(&self, namespace: &Namespace) -> bool {
        self.waiting.contains_key(namespace)
    }
}

impl Daemon {
    /// Decides an input, now or once its hosts were heard.
    pub(crate) fn take_in(&mut self, input: Input, purpose: Purpose) -> Result<(), Failure> {
        let parked = Parked { input, purpose, known: Vec::new(), rounds: 0 };
        if let Input::Emit { namespace, .. } = &parked.input
            && self.asking.is_waiting(namespace)
        {
            let namespace = namespace.clone();
            self.asking.push(namespace, parked, false);
            return Ok(());
        }
        let Some((parked, questions)) = self.attempt(parked)? else { return Ok(()) };
        let namespace = questions[0].event.namespace.clone();
        if self.asking.is_waiting(&namespace) {
            self.asking.push(namespace, parked, false);
        } else {
            self.ask(namespace, parked, questions);
        }
        Ok(())
    }

    /// Goes on with what was asked about, and then with all that waited behind it.
    pub(crate) fn heard(&mut self, heard: Heard) -> Result<(), Failure> {
        let Heard { namespace, verdicts } = heard;
        let mut verdicts = Some(verdicts);
        while let Some(mut parked) = self.asking.pop(&namespace) {
            parked.known.extend(verdicts.take().into_iter().flatten());
            if let Some((parked, questions)) = self.attempt(parked)? {
                self.ask(namespace, parked, questions);
                break;
            }
        }
        Ok(())
    }

    /// Tells those who wait that nothing was done.
    pub(crate) fn refuse_waiting(&mut self) {
        for parked in std::mem::take(&mut self.asking.waiting).into_values().flatten() {
            if let Purpose::Request(reply) | Purpose::DryRun(reply) = parked.purpose {
                let message = "the daemon is going down; nothing was done";
                reply.refuse(Rejection::new(ErrorCode::ShuttingDown, message));
            }
        }
    }

    fn ask(&mut self, namespace: Namespace, mut parked: Parked, questions: Vec<Question>) {
        parked.rounds += 1;
        let state = self.engine.state();
        let next = state.next_offset;
        let asks = questions.into_iter().map(|question| {
            let snapshot = state.snapshots.get(&question.snapshot).cloned();
            (question, snapshot, next)
        });
        let asks = asks.collect();
        self.asking.hosts.ask(namespace.clone(), asks, self.clock.now());
        self.asking.push(namespace, parked, true);
    }

    /// Decides an input, unless hosts have to be asked first.
    fn attempt(&mut self, mut parked: Parked) -> Result<Option<(Parked, Vec<Question>)>, Failure> {
        let asks = self.engine.state().subscriptions.ask_hosts() && parked.rounds < ROUNDS_MAX;
        // Another attempt needs the input again.
        let input = if asks {
            parked.input.clone()
        } else {
            std::mem::replace(&mut parked.input, Input::Tick)
        };
        let told = match (self.hear(input, &parked, asks), parked.purpose) {
            (Ok(Outcome::Asks(questions)), purpose) => {
                return Ok(Some((Parked { purpose, ..parked }, questions)));
            }
            (Ok(Outcome::Decided(told)), purpose) => Ok((told, purpose)),
            (Err(rejection), purpose) => Err((rejection, purpose)),
        };
        match told {
            Ok((Told::Decision(decision), purpose)) => {
                self.log(&decision)?;
                if let Purpose::Request(reply) = purpose {
                    self.answer(reply, inputs::reply(decision.answer));
                }
            }
            Ok((Told::Preview(preview), Purpose::Request(reply) | Purpose::DryRun(reply))) => {
                self.answer(reply, inputs::foretold(preview));
            }
            Ok((Told::Preview(_), Purpose::News)) => {}
            Err((rejection, Purpose::Request(reply) | Purpose::DryRun(reply))) => {
                reply.refuse(rejection);
            }
            Err((rejection, Purpose::News)) => {
                tracing::error!(%rejection, "an input of the daemon itself was refused");
            }
        }
        Ok(None)
    }

    fn hear(
        &mut self,
        input: Input,
        parked: &Parked,
        asks: bool,
    ) -> Result<Outcome<Told>, Rejection> {
        let now = self.clock.now();
        match parked.purpose {
            Purpose::DryRun(_) => {
                self.check_room(&input)?;
                let known = parked.known.as_slice();
                Ok(self.engine.preview_hearing(input, known, now)?.map(Told::Preview))
            }
            Purpose::Request(_) | Purpose::News => {
                if matches!(parked.purpose, Purpose::Request(_)) {
                    self.check_room(&input)?;
                }
                let outcome = if asks {
                    self.engine.decide_hearing(input, &parked.known, now)?
                } else {
                    Outcome::Decided(self.engine.decide(input, now)?)
                };
                Ok(outcome.map(Told::Decision))
            }
        }
    }
}

fn bytes_of(input: &Input) -> usize {
    match input {
        Input::Emit { value, .. } => value.as_str().len(),
        _ => 0,
    }
}
