//! One decision in the making: each record is taken into the state the moment it is decided, so
//! that the next one is decided on what is true by then.
//!
//! A rejection is only possible before the first record. Consequences are taken from an agenda in
//! the order in which they arose. Must never look at a clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use aiflow_model::record::Event;
use aiflow_model::spec::PoolId;
use aiflow_model::state::{ExecutionStatus, Snapshot, Undo};
use aiflow_model::{LoggedRecord, Offset, Record, RuleId, RunId, State, TaskName, Timestamp};

use crate::expression::Expressions;
use crate::hearing::Hearing;

/// Most clock firings in one batch; what is left falls due at once, in the next.
pub(crate) const WINDOWS_PER_BATCH_MAX: usize = 1_000;
/// Most that follows from one input and that rules react to in turn. Stopping so many tasks at once
/// is in order; more is a circle that nothing executed interrupts.
const CONSEQUENCES_MAX: usize = 50_000;

/// Something that conditions may react to.
#[derive(Debug, Clone)]
pub(crate) enum Stimulus {
    /// An event was accepted.
    Event {
        /// Where it stands.
        offset: Offset,
        /// What it says.
        event: Arc<Event>,
        /// Through how many derived events it came.
        depth: u32,
    },
    /// An execution of a task began to run, or ended.
    TaskChanged {
        /// The record that says so.
        offset: Offset,
        /// In this run.
        run: RunId,
        /// Of this task.
        task: TaskName,
        /// Which execution.
        sequence: aiflow_model::Sequence,
        /// What it has come to: of a fan, what all of it has.
        to: ExecutionStatus,
    },
    /// An execution that runs was not heard of for as long as may be.
    ContactLost {
        /// The record that says so.
        offset: Offset,
        /// In this run.
        run: RunId,
        /// Of this task.
        task: TaskName,
        /// Which execution.
        sequence: aiflow_model::Sequence,
    },
    /// A node of this rule's condition has come to its time.
    Due(RuleId),
}

impl Stimulus {
    /// The record behind it; none for time itself.
    pub(crate) fn offset(&self) -> Option<Offset> {
        match self {
            Self::Event { offset, .. }
            | Self::TaskChanged { offset, .. }
            | Self::ContactLost { offset, .. } => Some(*offset),
            Self::Due(_) => None,
        }
    }
}

/// One decision in the making.
pub(crate) struct Transaction<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) expressions: &'a mut Expressions,
    /// For a node that looks at several tasks, one that was not yet as wanted the last time. It
    /// saves looking at all of them each time, and decides nothing.
    pub(crate) missing: &'a mut BTreeMap<(RuleId, u32), TaskName>,
    pub(crate) now: Timestamp,
    /// See [`crate::Engine::keep_runs`].
    pub(crate) keep_runs: usize,
    /// Where this is only tried: the way back.
    pub(crate) undo: Option<Undo>,
    /// What hosts have said, and what they have yet to be asked.
    pub(crate) hearing: Hearing<'a>,
    batch: Vec<LoggedRecord>,
    agenda: VecDeque<Stimulus>,
    /// How much has followed so far that rules react to in turn.
    consequences: usize,
    /// Rules that were told of no more of them.
    cut_off: BTreeSet<RuleId>,
    /// The key or window for which conditions gather at the moment.
    pub(crate) part: Option<String>,
    /// Pools in which somebody may now find room.
    pub(crate) freed: BTreeSet<PoolId>,
    unsettled: BTreeSet<RunId>,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(
        state: &'a mut State,
        expressions: &'a mut Expressions,
        missing: &'a mut BTreeMap<(RuleId, u32), TaskName>,
        (now, keep_runs): (Timestamp, usize),
    ) -> Self {
        Self {
            state,
            expressions,
            missing,
            now,
            keep_runs,
            undo: None,
            hearing: Hearing::default(),
            batch: Vec::new(),
            agenda: VecDeque::new(),
            consequences: 0,
            cut_off: BTreeSet::new(),
            part: None,
            freed: BTreeSet::new(),
            unsettled: BTreeSet::new(),
        }
    }

    /// Decides a record: it becomes part of the batch and of the state.
    pub(crate) fn record(&mut self, cause: Option<Offset>, record: Record) -> Offset {
        let offset = self.state.next_offset;
        if let Some(undo) = &mut self.undo {
            undo.note(self.state, &record);
        }
        let logged = LoggedRecord { offset, time: self.now, cause, record };
        let applied = self.state.apply(&logged);
        // A record that does not fit would damage the log; nothing of this batch has left yet.
        assert!(applied.is_ok(), "the core decided a record that does not fit: {applied:?}");
        self.batch.push(logged);
        offset
    }

    /// Notes that conditions have something to react to.
    pub(crate) fn stimulate(&mut self, stimulus: Stimulus) {
        self.agenda.push_back(stimulus);
        self.consequences += 1;
    }

    /// Notes that a run may have come to its end.
    pub(crate) fn unsettle(&mut self, run: RunId) {
        self.unsettled.insert(run);
    }

    /// Draws all consequences and gives the batch.
    pub(crate) fn finish(&mut self) -> Vec<LoggedRecord> {
        // What the input itself says, of however many tasks, is no consequence.
        self.consequences = 0;
        loop {
            while let Some(stimulus) = self.agenda.pop_front() {
                if self.consequences > CONSEQUENCES_MAX {
                    self.cut_off(&stimulus);
                    continue;
                }
                self.offer_to_rules(&stimulus);
            }
            // Only when all that wants a place stands in line.
            if let Some(pool) = self.freed.pop_first() {
                self.fill_pool(&pool);
                continue;
            }
            match self.unsettled.pop_first() {
                Some(run) => self.settle_run(run),
                None => break,
            }
        }
        // Only beside something else: nothing is decided for this alone.
        if let Some(first) = self.batch.first().map(|logged| logged.offset) {
            self.archive_ended(first);
        }
        std::mem::take(&mut self.batch)
    }

    /// Rules react no more, which is recorded once for each: what goes on by itself without that
    /// anything is executed would never come to an end.
    fn cut_off(&mut self, stimulus: &Stimulus) {
        for rule in self.rules_that_look_at(stimulus) {
            if let (Some(offset), true) = (stimulus.offset(), self.cut_off.insert(rule)) {
                let reason =
                    format!("more than {CONSEQUENCES_MAX} things follow at once: a circle");
                self.filter_failed(rule, 0, offset, reason);
            }
        }
    }

    /// The snapshot that a run is pinned to.
    pub(crate) fn snapshot(&self, run: RunId) -> Option<Arc<Snapshot>> {
        self.state.snapshot_of(run).cloned()
    }
}
