//! Bugs that are planted to try the simulator: each is one that a real orchestrator had.
//!
//! Must never be reachable but by a test that names it.

/// One planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Answers leave before the records are durable.
    AnswersBeforeItIsDurable,
    /// Processes are launched before the records are durable.
    ActsBeforeItIsDurable,
    /// A new daemon does not look for what the last one had launched.
    ForgetsWhatWasOutstanding,
    /// A new daemon launches again what was outstanding, and the claim does not hold it back.
    StartsAgainAfterARestart,
    /// The last of several frames is dropped.
    LosesTheLastOfABatch,
    /// Every end counts as success.
    IgnoresTheExitCode,
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
    /// A client that got no answer takes its event for accepted.
    TakesSilenceForYes,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::AnswersBeforeItIsDurable,
        Self::ActsBeforeItIsDurable,
        Self::ForgetsWhatWasOutstanding,
        Self::StartsAgainAfterARestart,
        Self::LosesTheLastOfABatch,
        Self::IgnoresTheExitCode,
        Self::TakesLostForNeverStarted,
        Self::TrustsWhatWasNotSynced,
        Self::BelievesTheWallClock,
        Self::FailsByTheClockAlone,
        Self::RepeatsUnderANewIdentity,
        Self::TakesSilenceForYes,
    ];
}
