//! Bugs that are planted to try the simulator: each is one that a real orchestrator had, or nearly.
//!
//! These are in what surrounds the core; those in the core itself are in `tests/planted/core.py`.
//! Must never be reachable but by a test that names it.

/// One planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Answers leave before the records are durable.
    AnswersBeforeItIsDurable,
    /// Processes are launched before the records are durable.
    ActsBeforeItIsDurable,
    /// Each record is a commit of its own, so that a power cut parts an event from what it caused.
    SplitsABatch,
    /// The last of several frames is dropped.
    LosesTheLastOfABatch,
    /// A daemon that is believed dead goes on beside its successor.
    NoLockOnTheHome,
    /// A snapshot is said to hold more than it does.
    CheckpointSkipsEvents,
    /// A snapshot that a power cut has torn keeps the daemon from starting.
    RefusesATornSnapshot,
    /// A new daemon does not look for what the last one had launched.
    ForgetsWhatWasOutstanding,
    /// A new daemon looks only for what had been seen running.
    WatchesOnlyWhatRuns,
    /// A new daemon takes all that was queued before the last start for done.
    TakesLowerForDone,
    /// A new daemon does not pass on the stops that the last one had been asked for.
    ForgetsStopsAtRestart,
    /// A new daemon launches again what was outstanding, and the claim does not hold it back.
    StartsAgainAfterARestart,
    /// A claim is taken for a shim that lives, whether or not it is locked.
    AdoptsTheDead,
    /// What looks after attempts ends quietly, and nobody notices.
    TheWatcherDies,
    /// A launch that failed is not recorded.
    DropsALaunchThatFailed,
    /// An order to fork a shim that was not answered is taken for one that came to nothing.
    TakesAnOrderWithoutAnswerForFailed,
    /// Every end counts as success.
    IgnoresTheExitCode,
    /// A task that is asked to stop is recorded as stopped at once.
    StopsWithoutLooking,
    /// A task is stopped by a process number that another one has by now.
    SignalsByNumber,
    /// What cannot be told is taken for a task that never ran.
    TakesLostForNeverStarted,
    /// After a power cut a directory without a claim is taken for proof that nothing ran.
    TrustsWhatWasNotSynced,
    /// A wall clock that goes back is believed.
    BelievesTheWallClock,
    /// A task that was not heard of for a while is recorded as failed while it runs.
    FailsByTheClockAlone,
    /// A client that got no answer sends its event again under a new identity.
    RepeatsUnderANewIdentity,
    /// A client numbers its events by how many were answered, so that two can have one number.
    CountsOnlyWhatWasAnswered,
    /// A client that got no answer asks for a run again, without saying that it is the same
    /// request.
    StartsRunsWithoutAnIdentity,
    /// A client that got no answer takes its event for accepted.
    TakesSilenceForYes,
    /// A spooled event is removed before it is durable.
    RemovesFromTheSpoolTooSoon,
    /// The spool is drained from its end.
    DrainsTheSpoolBackwards,
    /// A spooled event gets a new identity whenever it is taken.
    DrainsUnderANewIdentity,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 30] = [
        Self::AnswersBeforeItIsDurable,
        Self::ActsBeforeItIsDurable,
        Self::SplitsABatch,
        Self::LosesTheLastOfABatch,
        Self::NoLockOnTheHome,
        Self::CheckpointSkipsEvents,
        Self::RefusesATornSnapshot,
        Self::ForgetsWhatWasOutstanding,
        Self::WatchesOnlyWhatRuns,
        Self::TakesLowerForDone,
        Self::ForgetsStopsAtRestart,
        Self::StartsAgainAfterARestart,
        Self::AdoptsTheDead,
        Self::TheWatcherDies,
        Self::DropsALaunchThatFailed,
        Self::TakesAnOrderWithoutAnswerForFailed,
        Self::IgnoresTheExitCode,
        Self::StopsWithoutLooking,
        Self::SignalsByNumber,
        Self::TakesLostForNeverStarted,
        Self::TrustsWhatWasNotSynced,
        Self::BelievesTheWallClock,
        Self::FailsByTheClockAlone,
        Self::RepeatsUnderANewIdentity,
        Self::CountsOnlyWhatWasAnswered,
        Self::StartsRunsWithoutAnIdentity,
        Self::TakesSilenceForYes,
        Self::RemovesFromTheSpoolTooSoon,
        Self::DrainsTheSpoolBackwards,
        Self::DrainsUnderANewIdentity,
    ];
}
