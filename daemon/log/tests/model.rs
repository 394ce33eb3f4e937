//! The log against a list of batches: any sequence of commits, mistakes, readings, restarts, faults
//! and power cuts leaves both the same.
//!
//! More cases: `PROPTEST_CASES=20000 cargo test -p aiflow-log --test model`. A failure prints its
//! shortest sequence of steps, and the seed that repeats it.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]
#![expect(clippy::print_stdout, reason = "shown when the test fails")]

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use aiflow_log::testing::{CrashMode, Fault, MemoryStorage, Repeat};
use aiflow_log::{
    CommitError, Frame, FrameBuilder, LogOptions, LogReader, LogWriter, ReadError, open,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

const SEGMENT_HEADER_BYTES: u64 = 64;

/// What is given to the log as one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Batch {
    lengths: Vec<usize>,
    fill: u8,
    time_us: i64,
    epoch: u64,
}

impl Batch {
    fn payload(&self, at: usize) -> Vec<u8> {
        (0..self.lengths[at]).map(|i| self.fill.wrapping_add((i * 7 + at) as u8)).collect()
    }

    fn payloads(&self) -> Vec<Vec<u8>> {
        (0..self.lengths.len()).map(|at| self.payload(at)).collect()
    }

    fn frame(&self, base: u64) -> Frame {
        let mut builder = FrameBuilder::new(base, self.time_us, self.epoch);
        for payload in self.payloads() {
            builder.record(|out| out.extend_from_slice(&payload));
        }
        builder.finish().unwrap()
    }

    /// As the format says: a header of 56 bytes, four for each record's length, padding to 8.
    fn frame_bytes(&self) -> u64 {
        let records: usize = self.lengths.iter().map(|length| 4 + length).sum();
        (56 + records as u64).next_multiple_of(8)
    }
}

fn count(batches: &[Batch]) -> u64 {
    batches.iter().map(|batch| batch.lengths.len() as u64).sum()
}

fn frames(mut base: u64, batches: &[Batch]) -> Vec<Frame> {
    let build = |batch: &Batch| {
        let frame = batch.frame(base);
        base = frame.end();
        frame
    };
    batches.iter().map(build).collect()
}

/// The model.
#[derive(Debug, Clone)]
struct List {
    batches: Vec<Batch>,
    segment_bytes: u64,
}

impl List {
    fn epoch(&self) -> u64 {
        self.batches.last().map_or(0, |batch| batch.epoch)
    }

    fn limit(&self) -> u64 {
        self.segment_bytes - SEGMENT_HEADER_BYTES
    }

    fn fits(&self, commit: &[Batch]) -> bool {
        commit.iter().all(|batch| batch.frame_bytes() <= self.limit())
    }
}

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<Batch>),
    /// The offset that the caller expects is off by so much.
    WrongOffset(Vec<Batch>, u64),
    /// The last batch has an epoch lower by so much.
    LowerEpoch(Vec<Batch>, u64),
    /// Reads between two places by the reader that stays open.
    Read(Index, Index),
    /// Reads by the same reader what was committed since the last time.
    Follow,
    /// A clean restart, perhaps with another size of new segments.
    Restart(u64),
    /// A power cut within the commit, after so many of its changes to the disk. What it lost is
    /// committed again, as a caller who asks again does.
    PowerCut(Vec<Batch>, Index, CrashMode),
    /// A call fails within the commit; if that ends the writing, the log is opened again, after a
    /// power cut or without one. What was lost is committed again.
    Failure {
        commit: Vec<Batch>,
        call: u64,
        fault: Fault,
        repeat: Repeat,
        power_cut: bool,
    },
}

impl Step {
    fn commit(&self) -> &[Batch] {
        match self {
            Self::Commit(commit) | Self::PowerCut(commit, ..) | Self::Failure { commit, .. } => {
                commit
            }
            _ => &[],
        }
    }
}

fn a_batch(epoch: u64, limit: u64) -> impl Strategy<Value = Batch> {
    let length = prop_oneof![
        4 => 0..120_usize,
        1 => Just(0_usize),
        // Up to a frame of its own segment, and just beyond.
        1 => 0..=limit as usize - 50,
        1 => limit as usize - 68..=limit as usize - 50,
    ];
    let lengths = prop_oneof![4 => prop::collection::vec(0..100_usize, 1..4),
                              2 => prop::collection::vec(length, 1..3)];
    (lengths, any::<u8>(), any::<i64>(), prop_oneof![4 => Just(0), 1 => 1..3_u64]).prop_map(
        move |(lengths, fill, time_us, more)| Batch { lengths, fill, time_us, epoch: epoch + more },
    )
}

fn a_commit(list: &List) -> BoxedStrategy<Vec<Batch>> {
    let commit = prop::collection::vec(a_batch(list.epoch(), list.limit()), 1..5);
    // Epochs never go back within a commit.
    let ordered = |mut commit: Vec<Batch>| {
        let mut epochs: Vec<u64> = commit.iter().map(|batch| batch.epoch).collect();
        epochs.sort_unstable();
        commit.iter_mut().zip(epochs).for_each(|(batch, epoch)| batch.epoch = epoch);
        commit
    };
    commit.prop_map(ordered).boxed()
}

fn a_crash() -> impl Strategy<Value = CrashMode> {
    prop_oneof![
        Just(CrashMode::LoseUnsynced),
        Just(CrashMode::KeepAll),
        (0..6_usize).prop_map(CrashMode::KeepChanges),
        (0..3000_usize).prop_map(CrashMode::TornAt),
        any::<u64>().prop_map(CrashMode::Subset),
        any::<u64>().prop_map(CrashMode::Scrambled),
    ]
}

fn a_segment_size() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(1024), 1 => Just(2048), 1 => Just(8192)]
}

fn a_failure(commit: BoxedStrategy<Vec<Batch>>) -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        Just(Fault::Eio),
        Just(Fault::Enospc),
        Just(Fault::Eintr),
        Just(Fault::Short),
        Just(Fault::FsyncError),
    ];
    let repeat = prop_oneof![Just(Repeat::Once), Just(Repeat::Sticky)];
    (commit, 0..12_u64, fault, repeat, any::<bool>()).prop_map(
        |(commit, call, fault, repeat, power_cut)| Step::Failure {
            commit,
            call,
            fault,
            repeat,
            power_cut,
        },
    )
}

impl ReferenceStateMachine for List {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        a_segment_size().prop_map(|segment_bytes| Self { batches: vec![], segment_bytes }).boxed()
    }

    fn transitions(list: &Self) -> BoxedStrategy<Step> {
        let commit = || a_commit(list);
        let off = prop_oneof![Just(1), Just(u64::MAX), 2..100_u64, Just(1 << 40)];
        prop_oneof![
            8 => commit().prop_map(Step::Commit),
            1 => (commit(), off).prop_map(|(commit, off)| Step::WrongOffset(commit, off)),
            1 => (commit(), 1..4_u64).prop_map(|(commit, by)| Step::LowerEpoch(commit, by)),
            4 => (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Step::Read(a, b)),
            3 => Just(Step::Follow),
            2 => a_segment_size().prop_map(Step::Restart),
            3 => (commit(), any::<Index>(), a_crash())
                .prop_map(|(commit, moment, mode)| Step::PowerCut(commit, moment, mode)),
            2 => a_failure(commit()),
        ]
        .boxed()
    }

    fn apply(mut list: Self, step: &Step) -> Self {
        if let Step::Restart(segment_bytes) = step {
            list.segment_bytes = *segment_bytes;
        }
        if list.fits(step.commit()) {
            list.batches.extend_from_slice(step.commit());
        }
        list
    }

    /// Shrinking leaves steps out, so that the epochs of the rest may not fit any more.
    fn preconditions(list: &Self, step: &Step) -> bool {
        let continues = |commit: &[Batch]| commit.first().is_none_or(|b| b.epoch >= list.epoch());
        match step {
            Step::LowerEpoch(commit, by) => {
                let before = commit.iter().rev().nth(1).map_or(list.epoch(), |batch| batch.epoch);
                continues(commit) && before >= *by && list.fits(commit)
            }
            Step::WrongOffset(commit, _) => continues(commit),
            _ => continues(step.commit()),
        }
    }
}

/// The log.
struct Log {
    disk: MemoryStorage,
    writer: LogWriter<MemoryStorage>,
    reader: LogReader<MemoryStorage>,
    /// End of what the reader has followed.
    followed: u64,
    segment_bytes: u64,
}

impl Log {
    fn open(disk: MemoryStorage, segment_bytes: u64) -> Self {
        let options = LogOptions { segment_bytes, ..LogOptions::default() };
        let (writer, told) = open(disk.clone(), options).unwrap();
        assert_eq!((told.first_offset, told.next_offset), (0, writer.next_offset()));
        let reader = LogReader::new(disk.clone());
        let log = Self { disk, writer, reader, followed: 0, segment_bytes };
        log.check_clean();
        log
    }

    /// Whoever opened it now would find the same, and nothing to cut off.
    fn check_clean(&self) {
        let options = LogOptions { segment_bytes: self.segment_bytes, ..LogOptions::default() };
        let (_, told) = open(self.disk.fork(), options).unwrap();
        assert_eq!((told.next_offset, told.cut), (self.writer.next_offset(), None));
    }

    /// Commits what must be accepted, or refused as too large.
    fn commit(&mut self, commit: &[Batch]) {
        let next = self.writer.next_offset();
        let limit = self.segment_bytes - SEGMENT_HEADER_BYTES;
        let too_large = commit.iter().map(Batch::frame_bytes).find(|bytes| *bytes > limit);
        match (self.append(next, commit), too_large) {
            (Ok(end), None) => {
                assert_eq!((end, self.writer.next_offset()), (next + count(commit), end));
            }
            (Err(CommitError::FrameTooLarge { bytes, limit: told }), Some(found)) => {
                assert_eq!((bytes, told), (found, limit));
            }
            (result, _) => panic!("{result:?}, too large: {too_large:?}"),
        }
    }

    fn append(&mut self, base: u64, commit: &[Batch]) -> Result<u64, CommitError> {
        self.writer.append(&mut frames(base, commit))
    }

    /// Gives what must be refused and write nothing.
    fn mistake(&mut self, base: u64, commit: &[Batch]) -> CommitError {
        let before = self.disk.files();
        let error = self.append(base, commit).unwrap_err();
        assert_eq!(self.disk.files(), before, "a refused commit wrote");
        assert!(!self.writer.is_poisoned());
        error
    }

    /// Opens what a crash within `commit` left of the disk. All that was acknowledged before is
    /// there, and of the commit a beginning; the rest is committed again.
    fn resume(&mut self, disk: MemoryStorage, before: u64, acknowledged: u64, commit: &[Batch]) {
        *self = Self::open(disk, self.segment_bytes);
        let next = self.writer.next_offset();
        assert!(next >= acknowledged, "acknowledged up to {acknowledged}, there up to {next}");
        let mut end = before;
        let mut rest = commit;
        while let [batch, later @ ..] = rest
            && end < next
        {
            end += batch.lengths.len() as u64;
            rest = later;
        }
        assert_eq!(end, next, "a part of a batch");
        self.commit(rest);
    }

    fn power_cut(&mut self, commit: &[Batch], moment: Index, mode: CrashMode) {
        let before = self.writer.next_offset();
        self.disk.record_history();
        let first = self.disk.fork();
        let result = self.append(before, commit);
        let calls = self.disk.calls();
        let mut moments = self.disk.history();
        moments.insert(0, (0, first));
        let (made, disk) = &moments[moment.index(moments.len())];
        // After its last call the commit was acknowledged, if it was one.
        let acknowledged = if *made == calls { result.unwrap_or(before) } else { before };
        let commit = if self.writer.next_offset() == before { &[] } else { commit };
        self.resume(disk.crash(mode), before, acknowledged, commit);
    }

    fn failure(&mut self, commit: &[Batch], fault: (u64, Fault, Repeat), power_cut: bool) {
        let (call, fault, repeat) = fault;
        let before = self.writer.next_offset();
        self.disk.fail_call(self.disk.calls() + call, fault, repeat);
        let result = self.append(before, commit);
        self.disk.clear_faults();
        match result {
            Err(CommitError::Storage(_)) => {
                let again = self.mistake_after_failure(commit);
                assert!(matches!(again, CommitError::Poisoned), "{again}");
                let lost = self.disk.crash(CrashMode::LoseUnsynced);
                let disk = if power_cut { lost } else { self.disk.fork() };
                self.resume(disk, before, before, commit);
            }
            Err(CommitError::FrameTooLarge { .. }) => {}
            Ok(end) => {
                assert_eq!(end, before + count(commit));
                if power_cut {
                    let disk = self.disk.crash(CrashMode::LoseUnsynced);
                    self.resume(disk, before, end, commit);
                }
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn mistake_after_failure(&mut self, commit: &[Batch]) -> CommitError {
        let files = self.disk.files();
        let error = self.append(self.writer.next_offset(), commit).unwrap_err();
        assert_eq!(self.disk.files(), files, "written after a failure");
        error
    }

    fn read(&mut self, list: &List, from: u64, until: u64) {
        let mut found = Vec::new();
        let batches = self.reader.read(from, until).unwrap();
        let push = |record: aiflow_log::Record<'_>| {
            assert_eq!(record.offset, from + found.len() as u64);
            found.push((record.payload.to_vec(), record.time_us, record.epoch));
            Ok::<(), ReadError>(())
        };
        batches.for_each(push).unwrap();
        let all = list.batches.iter().flat_map(|batch| {
            batch.payloads().into_iter().map(|payload| (payload, batch.time_us, batch.epoch))
        });
        let expected: Vec<_> = all.skip(from as usize).take((until - from) as usize).collect();
        assert!(found == expected, "{from}..{until} differ");
    }
}

impl StateMachineTest for Log {
    type SystemUnderTest = Self;
    type Reference = List;

    fn init_test(list: &List) -> Self {
        println!("repeat: PROPTEST_RNG_SEED={} cargo test -p aiflow-log --test model", seed());
        Self::open(MemoryStorage::new(), list.segment_bytes)
    }

    fn apply(mut log: Self, list: &List, step: Step) -> Self {
        let next = log.writer.next_offset();
        match step {
            Step::Commit(commit) => log.commit(&commit),
            Step::WrongOffset(commit, off) => {
                let error = log.mistake(next.wrapping_add(off) & (u64::MAX >> 1), &commit);
                assert!(matches!(error, CommitError::Offset { expected, .. } if expected == next));
            }
            Step::LowerEpoch(mut commit, by) => {
                let last = commit.len() - 1;
                let before = if last == 0 { list.epoch() } else { commit[last - 1].epoch };
                commit[last].epoch = before - by;
                let error = log.mistake(next, &commit);
                assert!(matches!(error, CommitError::Epoch { current, .. } if current == before));
            }
            Step::Read(a, b) => {
                let (a, b) = (a.index(next as usize + 1), b.index(next as usize + 1));
                log.read(list, a.min(b) as u64, a.max(b) as u64);
            }
            Step::Follow => {
                log.read(list, log.followed, next);
                log.followed = next;
            }
            Step::Restart(segment_bytes) => log = Self::open(log.disk, segment_bytes),
            Step::PowerCut(commit, moment, mode) => log.power_cut(&commit, moment, mode),
            Step::Failure { commit, call, fault, repeat, power_cut } => {
                log.failure(&commit, (call, fault, repeat), power_cut);
            }
        }
        log
    }

    fn check_invariants(log: &Self, list: &List) {
        let next = count(&list.batches);
        assert_eq!(log.writer.next_offset(), next);
        log.check_clean();
        let mut reader = LogReader::new(log.disk.clone());
        let mut found = reader.read(0, next).unwrap();
        let mut base = 0;
        for expected in &list.batches {
            let batch = found.next_batch().unwrap().unwrap();
            assert_eq!((batch.base_offset(), batch.time_us()), (base, expected.time_us));
            assert_eq!(batch.epoch(), expected.epoch);
            assert!(batch.records().map(|record| record.payload).eq(expected.payloads()));
            base = batch.end();
        }
        assert!(found.next_batch().unwrap().is_none());
    }
}

/// Another one for each run of the tests, if none is given.
fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        let given = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|text| text.parse().ok());
        given.unwrap_or_else(|| RandomState::new().hash_one(0))
    })
}

fn config() -> ProptestConfig {
    let rng_seed = RngSeed::Fixed(seed());
    ProptestConfig { rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

prop_state_machine! {
    #![proptest_config(config())]

    #[test]
    fn the_log_is_a_list_of_batches(sequential 1..40 => Log);
}
