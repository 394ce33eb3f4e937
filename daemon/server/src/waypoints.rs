//! How things stood at any offset: the nearest state that was kept, and the log from there on.
//!
//! A waypoint is the state at the end of a batch, without the identities of events; beside the
//! snapshots, closer together, and worth nothing but time. They are made where the log is folded
//! anyway, and thinned out so that they stay small beside the log. Must never be taken for a
//! snapshot: no start depends on one.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use aiflow_core::Engine;
use aiflow_log::{DiskStorage, LogReader, Snapshot, retention, snapshot};
use aiflow_model::State;

use crate::kept;
use crate::records;

/// Records from one waypoint to the next.
const STEP: u64 = 65_536;
/// Bytes that waypoints may take in any case, and their part of the log beyond that.
const BYTES_MIN: u64 = 64 << 20;
const LOG_PART: u64 = 5;

/// Why a state cannot be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// What led to it was dropped.
    #[error("the log no longer holds what led to offset {0}")]
    Gone(u64),
    /// Something else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Waypoints of one log.
#[derive(Debug, Clone)]
pub(crate) struct Waypoints {
    log: DiskStorage,
    own: PathBuf,
    step: u64,
    /// One at a time keeps and thins out: a file in the making has one name.
    turn: Arc<Mutex<()>>,
}

impl Waypoints {
    /// Those of the log in `log`, kept in the directory `own`.
    pub(crate) fn new(log: DiskStorage, own: PathBuf) -> Self {
        let turn = Arc::default();
        Self { log, own, step: STEP, turn }
    }

    /// The state before the record at `offset`, with the log's durable records alone. What is
    /// folded on the way leaves waypoints behind.
    pub(crate) fn state_at(&self, offset: u64) -> Result<State, Lost> {
        let mut reader = LogReader::new(self.log.clone());
        let first = reader.first_offset().map_err(anyhow::Error::from)?;
        let from = self.nearest(offset)?;
        if from.next_offset.0 < first && from.next_offset.0 < offset {
            return Err(Lost::Gone(offset));
        }
        Ok(self.fold(from, offset)?.into_state())
    }

    /// Folds what follows `state`, and leaves waypoints behind.
    pub(crate) fn fold(&self, state: State, until: u64) -> anyhow::Result<Engine> {
        let mut reader = LogReader::new(self.log.clone());
        let mut latest = state.next_offset.0;
        let engine = records::replay_noting(&mut reader, state, until, |state, checksum| {
            let offset = state.next_offset.0;
            if offset >= latest + self.step {
                latest = offset;
                if let Err(error) = self.keep(state, checksum) {
                    tracing::warn!(offset, %error, "no waypoint was made");
                }
            }
        })?;
        Ok(engine)
    }

    fn storage(&self) -> anyhow::Result<DiskStorage> {
        std::fs::create_dir_all(&self.own)?;
        Ok(DiskStorage::open(&self.own)?)
    }

    /// The nearest state that was kept at or before `offset`; the empty one if there is none.
    fn nearest(&self, offset: u64) -> anyhow::Result<State> {
        let own = self.storage()?;
        let mut kept: Vec<(u64, bool)> = Vec::new();
        kept.extend(snapshot::offsets(&own)?.into_iter().map(|at| (at, true)));
        kept.extend(snapshot::offsets(&self.log)?.into_iter().map(|at| (at, false)));
        kept.retain(|(at, _)| *at <= offset);
        kept.sort_unstable();
        for (at, is_waypoint) in kept.into_iter().rev() {
            let state = if is_waypoint {
                self.load(&own, at)
            } else {
                kept::load(&self.log, at).map_err(anyhow::Error::from)
            };
            match state {
                Ok(state) => return Ok(state),
                Err(error) => tracing::warn!(at, %error, "a state that was kept is passed over"),
            }
        }
        Ok(State::empty())
    }

    fn load(&self, own: &DiskStorage, offset: u64) -> anyhow::Result<State> {
        let kept = Snapshot::load(own, offset)?;
        let checksum = kept::checksum_before(&self.log, offset);
        anyhow::ensure!(
            checksum.is_none_or(|checksum| checksum == kept.checksum),
            "it was not made from this log"
        );
        let state: State = serde_json::from_slice(&kept.content)?;
        anyhow::ensure!(state.next_offset.0 == offset, "it is the state of another offset");
        Ok(state.with_derived())
    }

    fn keep(&self, state: &State, checksum: u32) -> anyhow::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let own = self.storage()?;
        let offset = state.next_offset.0;
        let near = offset.saturating_sub(self.step / 2)..=offset;
        if snapshot::offsets(&own)?.iter().any(|at| near.contains(at)) {
            return Ok(());
        }
        let content = serde_json::to_vec(state)?;
        Snapshot { offset, checksum, content }.install(&own)?;
        self.thin_out(&own)
    }

    /// Takes away where they stand closest, until the rest is small beside the log.
    fn thin_out(&self, own: &DiskStorage) -> anyhow::Result<()> {
        let segments = retention::segments(&self.log)?;
        let log: u64 = segments.iter().map(|segment| segment.file_bytes).sum();
        self.thin_to(own, BYTES_MIN.max(log / LOG_PART))
    }

    fn thin_to(&self, own: &DiskStorage, most: u64) -> anyhow::Result<()> {
        let first = LogReader::new(self.log.clone()).first_offset()?;
        let mut kept: Vec<(u64, u64)> = Vec::new();
        for offset in snapshot::offsets(own)? {
            let file = self.own.join(snapshot::name(offset));
            if offset < first {
                std::fs::remove_file(file)?;
            } else {
                kept.push((offset, std::fs::metadata(file)?.len()));
            }
        }
        while kept.iter().map(|(_, bytes)| bytes).sum::<u64>() > most && kept.len() > 2 {
            let gap = |at: &usize| kept[at + 1].0 - kept[at - 1].0;
            let Some(at) = (1..kept.len() - 1).min_by_key(gap) else { break };
            std::fs::remove_file(self.own.join(snapshot::name(kept[at].0)))?;
            kept.remove(at);
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aiflow_core::{Answer, Input};
    use aiflow_log::{Frame, LogOptions};
    use aiflow_model::record::{DaemonStarted, Outcome, Usage};
    use aiflow_model::wire::StartRun;
    use aiflow_model::{JsonText, Namespace, Timestamp};

    use super::*;

    const DEFINITION: &str = "workflow: w\ntasks:\n  t: {bash: x, overlap: queue, start: {count: \
                              {of: {on: k}, n: 3}}}\n";

    pub(crate) struct Story {
        engine: Engine,
        frames: Vec<Frame>,
        now: i64,
    }

    impl Story {
        fn give(&mut self, input: Input) -> Answer {
            self.now += 1_000;
            let decision = self.engine.decide(input, Timestamp(self.now)).unwrap();
            if !decision.records.is_empty() {
                let frame = records::encode(&decision.records, 1).unwrap();
                self.frames.push(frame);
            }
            decision.answer
        }

        fn begin(&mut self) {
            let namespace = Namespace::default_namespace();
            let (version, boot_id) = ("test".to_owned(), "b".to_owned());
            self.give(Input::StartDaemon(DaemonStarted { version, epoch: 1, boot_id, pid: 1 }));
            let (source, files) = (DEFINITION.to_owned(), Vec::new());
            self.give(Input::Upload { namespace: namespace.clone(), source, files });
            self.give(Input::StartRun(StartRun {
                namespace: namespace.clone(),
                workflow: "w".parse().unwrap(),
                params: [].into(),
                request: None,
            }));
        }

        /// Events of a key, and ends of what they start.
        pub(crate) fn emit(&mut self, key: &str, events: u64) {
            for event in 0..events {
                self.give(Input::Emit {
                    namespace: Namespace::default_namespace(),
                    key: key.parse().unwrap(),
                    value: JsonText::parse(&event.to_string()).unwrap(),
                    source: "s".to_owned(),
                    id: format!("{}-{event}", self.now),
                    execution: None,
                    speaker: None,
                });
                let alive = self.engine.state().alive_attempts().next().map(|(id, _)| id);
                if let Some(id) = alive {
                    let ended = Outcome::Exited { code: 0 };
                    self.give(Input::AttemptEnded(id, ended, Usage::default()));
                }
            }
        }
    }

    /// A log of a plausible past, and its end.
    fn past(root: &std::path::Path, events: u64) -> (Waypoints, u64) {
        told(root, |story| story.emit("k", events))
    }

    /// The log of a story, and its end.
    pub(crate) fn told(root: &std::path::Path, tell: impl FnOnce(&mut Story)) -> (Waypoints, u64) {
        let log = root.join("log");
        std::fs::create_dir(&log).unwrap();
        let storage = DiskStorage::open(&log).unwrap();
        let (mut writer, _) = aiflow_log::open(storage.clone(), LogOptions::default()).unwrap();
        let mut story = Story { engine: Engine::new(State::empty()), frames: Vec::new(), now: 0 };
        story.begin();
        tell(&mut story);
        writer.append(&mut story.frames).unwrap();
        let waypoints = Waypoints::new(storage, root.join("waypoints"));
        (Waypoints { step: 50, ..waypoints }, story.engine.state().next_offset.0)
    }

    /// What is sent of a state folded from the beginning.
    fn folded(waypoints: &Waypoints, until: u64) -> String {
        let mut reader = LogReader::new(waypoints.log.clone());
        let engine = records::replay(&mut reader, State::empty(), until).unwrap();
        serde_json::to_string(engine.state()).unwrap()
    }

    fn kept(waypoints: &Waypoints) -> Vec<u64> {
        snapshot::offsets(&waypoints.storage().unwrap()).unwrap()
    }

    #[test]
    fn the_state_at_a_hundred_offsets_is_that_of_a_whole_fold() {
        let root = tempfile::tempdir().unwrap();
        let (waypoints, end) = past(root.path(), 600);
        // Neither in order nor at the ends of batches alone.
        for step in 0..100 {
            let offset = step * 7_919 % (end + 1);
            let state = waypoints.state_at(offset).unwrap();
            assert_eq!(state.next_offset.0, offset);
            let sent = serde_json::to_string(&state).unwrap();
            assert_eq!(sent, folded(&waypoints, offset), "at {offset}");
            let derived = serde_json::from_str::<State>(&sent).unwrap().with_derived();
            assert_eq!(derived.deadlines, state.deadlines);
            assert_eq!(derived.subscriptions, state.subscriptions);
        }
        assert!(kept(&waypoints).len() > 10, "{:?}", kept(&waypoints));
    }

    #[test]
    fn who_asks_at_once_keeps_all_that_is_to_be_kept() {
        let root = tempfile::tempdir().unwrap();
        let (waypoints, end) = past(root.path(), 200);
        let at: Vec<State> =
            (1..=end / 50).map(|step| waypoints.state_at(step * 50).unwrap()).collect();
        for _ in 0..20 {
            std::fs::remove_dir_all(&waypoints.own).unwrap();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| at.iter().for_each(|state| waypoints.keep(state, 1).unwrap()));
                }
            });
            assert_eq!(kept(&waypoints).len(), at.len());
        }
    }

    #[test]
    fn what_is_damaged_or_of_another_log_is_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let (waypoints, end) = past(root.path(), 200);
        waypoints.state_at(end).unwrap();
        let offsets = kept(&waypoints);
        let (last, other) = (offsets[offsets.len() - 1], offsets[offsets.len() - 2]);
        std::fs::write(waypoints.own.join(snapshot::name(last)), b"AIFLOWSN and no more").unwrap();
        let storage = waypoints.storage().unwrap();
        let content = Snapshot::load(&storage, other).unwrap().content;
        Snapshot { offset: other, checksum: 7, content }.install(&storage).unwrap();
        let sent = serde_json::to_string(&waypoints.state_at(end).unwrap()).unwrap();
        assert_eq!(sent, folded(&waypoints, end));
    }

    #[test]
    fn waypoints_stay_small_beside_the_log_and_spread_over_it() {
        let root = tempfile::tempdir().unwrap();
        let (waypoints, end) = past(root.path(), 600);
        waypoints.state_at(end).unwrap();
        let whole = kept(&waypoints);
        let storage = waypoints.storage().unwrap();
        let length = |offset: &u64| {
            std::fs::metadata(waypoints.own.join(snapshot::name(*offset))).unwrap().len()
        };
        let bytes: u64 = whole.iter().map(length).sum();
        waypoints.thin_to(&storage, bytes / 2).unwrap();
        let left = kept(&waypoints);
        assert!(left.len() < whole.len() && left.len() > 2, "{left:?} of {whole:?}");
        let widest = left.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(widest < end / 2, "{left:?}");
        assert_eq!(left.last(), whole.last(), "the newest stays");
    }
}
