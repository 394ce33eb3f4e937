//! The host: shims, tasks and attempt directories, as `docs/supervision.md` says they behave.
//!
//! Each step of a shim is one of its own, so that whatever dies can die between any two. Must never
//! know what the daemon believes.

use std::collections::{BTreeMap, BTreeSet};

use aiflow_log::testing::Rng;
use aiflow_model::AttemptId;
use aiflow_model::record::Outcome;

/// How many numbers there are for processes: few, so that they come round.
const PROCESS_NUMBERS: usize = 8;

/// What became of an attempt, as its directory tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Evidence {
    Running,
    Ended(Outcome),
    NeverStarted,
    Interrupted,
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Spawned,
    Claimed,
    Released,
    Running,
    TaskEnded,
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    None,
    Tombstone,
    /// Of the shim with this index.
    Shim(usize),
}

/// One attempt's directory and the shims that were spawned on it.
#[derive(Debug)]
struct Attempt {
    /// The number of its process, out of few.
    number: usize,
    shims: Vec<Stage>,
    claim: Claim,
    released: bool,
    exit: Option<Outcome>,
    boot: u64,
    stop_asked: bool,
    /// How the task really ended, whoever knows of it.
    ended: Option<Outcome>,
    executed: u32,
}

/// The host.
#[derive(Debug, Default)]
pub(crate) struct Host {
    /// A planted bug: a shim does not look whether the attempt is somebody else's.
    pub(crate) ignores_claims: bool,
    boot: u64,
    attempts: BTreeMap<AttemptId, Attempt>,
    /// Attempts of which something lives.
    alive: BTreeSet<AttemptId>,
}

impl Attempt {
    fn lives(&self) -> bool {
        self.shims.iter().any(|stage| *stage != Stage::Gone)
    }
}

impl Host {
    pub(crate) fn boot_id(&self) -> String {
        format!("boot-{}", self.boot)
    }

    /// Spawns a shim for the attempt.
    pub(crate) fn spawn(&mut self, id: &AttemptId) {
        let number = self.attempts.len() % PROCESS_NUMBERS;
        let attempt = self.attempts.entry(id.clone()).or_insert_with(|| Attempt {
            number,
            shims: Vec::new(),
            claim: Claim::None,
            released: false,
            exit: None,
            boot: self.boot,
            stop_asked: false,
            ended: None,
            executed: 0,
        });
        attempt.shims.push(Stage::Spawned);
        self.alive.insert(id.clone());
    }

    /// Attempts of which something lives.
    pub(crate) const fn alive(&self) -> &BTreeSet<AttemptId> {
        &self.alive
    }

    /// One of them, by chance.
    pub(crate) fn any_alive(&self, rng: &mut Rng) -> Option<AttemptId> {
        let which = rng.below(self.alive.len().max(1) as u64) as usize;
        self.alive.iter().nth(which).cloned()
    }

    /// Attempts whose code runs.
    pub(crate) fn running(&self) -> impl Iterator<Item = &AttemptId> {
        self.alive.iter().filter(|id| self.runs(id))
    }

    /// How often the task's code was begun.
    pub(crate) fn executed(&self, id: &AttemptId) -> u32 {
        self.attempts.get(id).map_or(0, |attempt| attempt.executed)
    }

    /// How the task ended in truth; none while it runs or never ran.
    pub(crate) fn truth(&self, id: &AttemptId) -> Option<&Outcome> {
        self.attempts.get(id)?.ended.as_ref()
    }

    /// Whether the task's code runs.
    pub(crate) fn runs(&self, id: &AttemptId) -> bool {
        self.attempts.get(id).is_some_and(|attempt| attempt.shims.contains(&Stage::Running))
    }

    /// Whether the shim has said that the task runs.
    pub(crate) fn is_released(&self, id: &AttemptId) -> bool {
        let Some(attempt) = self.attempts.get(id) else { return false };
        attempt.released
            && attempt.shims.iter().any(|stage| matches!(stage, Stage::Running | Stage::TaskEnded))
    }

    /// Whether the shim that owns the attempt, and all that did not get it, have ended.
    pub(crate) fn is_over(&self, id: &AttemptId) -> bool {
        let Some(attempt) = self.attempts.get(id) else { return true };
        attempt.shims.iter().all(|stage| *stage == Stage::Gone)
    }

    /// Takes one shim one step further. Batch tasks that run end by chance, streams when asked to.
    pub(crate) fn advance(&mut self, id: &AttemptId, ends: Option<Outcome>) {
        let Some(attempt) = self.attempts.get_mut(id) else { return };
        let Some(index) = attempt.shims.iter().position(|stage| *stage != Stage::Gone) else {
            return;
        };
        attempt.shims[index] = match attempt.shims[index] {
            Stage::Spawned if attempt.claim == Claim::None || self.ignores_claims => {
                attempt.claim = Claim::Shim(index);
                Stage::Claimed
            }
            // Somebody else has it: refused, nothing runs.
            Stage::Spawned => Stage::Gone,
            Stage::Claimed => {
                attempt.released = true;
                Stage::Released
            }
            Stage::Released => {
                attempt.executed += 1;
                Stage::Running
            }
            Stage::Running => {
                let stopped = attempt.stop_asked.then_some(Outcome::Signaled { signal: 15 });
                match stopped.or(ends) {
                    Some(outcome) => {
                        attempt.ended = Some(outcome);
                        Stage::TaskEnded
                    }
                    None => Stage::Running,
                }
            }
            Stage::TaskEnded => {
                attempt.exit.clone_from(&attempt.ended);
                Stage::Gone
            }
            Stage::Gone => Stage::Gone,
        };
        if !attempt.lives() {
            self.alive.remove(id);
        }
    }

    /// The shim is told to stop its task.
    pub(crate) fn stop(&mut self, id: &AttemptId) {
        if let Some(attempt) = self.attempts.get_mut(id) {
            attempt.stop_asked = true;
        }
    }

    /// A planted bug: whoever has the number of the attempt's process is told to stop.
    pub(crate) fn stop_by_number(&mut self, id: &AttemptId) {
        let number = self.attempts.get(id).map(|attempt| attempt.number);
        for attempt in self.attempts.values_mut().filter(|a| Some(a.number) == number) {
            attempt.stop_asked = true;
        }
    }

    /// A kill -9 of the shim: its task dies with it.
    pub(crate) fn kill_shim(&mut self, id: &AttemptId) {
        let Some(attempt) = self.attempts.get_mut(id) else { return };
        if attempt.shims.contains(&Stage::Running) {
            attempt.ended = Some(Outcome::Signaled { signal: 9 });
        }
        attempt.shims.fill(Stage::Gone);
        self.alive.remove(id);
    }

    /// A kill -9 of the task.
    pub(crate) fn kill_task(&mut self, id: &AttemptId) {
        if self.runs(id) {
            self.advance(id, Some(Outcome::Signaled { signal: 9 }));
        }
    }

    /// The power goes: nothing lives on, and nothing in the directories was synced.
    pub(crate) fn cut_power(&mut self, rng: &mut Rng) {
        self.boot += 1;
        self.alive.clear();
        for attempt in self.attempts.values_mut() {
            if attempt.shims.contains(&Stage::Running) {
                attempt.ended = Some(Outcome::Interrupted);
            }
            attempt.shims.fill(Stage::Gone);
            if rng.one_in(4) {
                attempt.claim = Claim::None;
            }
            if rng.one_in(4) {
                attempt.released = false;
            }
            if rng.one_in(4) {
                attempt.exit = None;
            }
        }
    }

    /// The table of `docs/supervision.md`, "Recovery".
    pub(crate) fn inspect(&mut self, id: &AttemptId) -> Evidence {
        let boot = self.boot;
        let Some(attempt) = self.attempts.get_mut(id) else {
            self.spawn(id);
            if let Some(attempt) = self.attempts.get_mut(id) {
                attempt.shims.clear();
                self.alive.remove(id);
                attempt.claim = Claim::Tombstone;
            }
            return Evidence::NeverStarted;
        };
        match attempt.claim {
            Claim::None => {
                attempt.claim = Claim::Tombstone;
                Evidence::NeverStarted
            }
            Claim::Tombstone => Evidence::NeverStarted,
            Claim::Shim(index) if attempt.shims.get(index) != Some(&Stage::Gone) => {
                Evidence::Running
            }
            Claim::Shim(_) => match &attempt.exit {
                Some(outcome) => Evidence::Ended(outcome.clone()),
                None if attempt.boot != boot => Evidence::Interrupted,
                None if !attempt.released => Evidence::NeverStarted,
                None => Evidence::Lost,
            },
        }
    }
}
