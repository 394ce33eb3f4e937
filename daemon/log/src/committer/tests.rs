//! The committer under many schedules of its threads (shuttle): each frame is acknowledged once, in
//! order and when it is durable, or everyone hears of the failure, and nobody waits for ever.
//!
//! More schedules: `AIFLOW_LOG_TEST_SCALE=100 cargo test -p aiflow-log committer`. Never: wait for
//! a time limit. Shuttle has no clock, so its waits with a limit end only when someone wakes them.

use std::hash::{BuildHasher, RandomState};

use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::thread;

use super::*;
use crate::frame::FrameBuilder;
use crate::recovery::open;
use crate::storage::{Access, StorageFile};
use crate::testing::{CrashMode, Fault, MemoryFile, MemoryStorage, Repeat};
use crate::writer::LogOptions;

/// Schedules of each kind in each test.
const SCHEDULES: usize = 1000;
const SUBMITTERS: u64 = 3;
const FRAMES_EACH: u64 = 2;
/// Submitters hold back while more than this is queued: so that up to three frames are one commit.
const QUEUED_BYTES_MAX: u64 = 400;

/// The storage in memory, with a moment for other threads before each write and sync.
#[derive(Debug, Clone)]
struct Stepped {
    disk: MemoryStorage,
    /// Syncs of files that are done.
    syncs: Arc<AtomicU64>,
}

#[derive(Debug)]
struct SteppedFile {
    file: MemoryFile,
    syncs: Arc<AtomicU64>,
}

impl Stepped {
    fn file(&self, file: MemoryFile) -> SteppedFile {
        SteppedFile { file, syncs: Arc::clone(&self.syncs) }
    }
}

impl Storage for Stepped {
    type File = SteppedFile;

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn open(&self, name: &str, access: Access) -> io::Result<SteppedFile> {
        self.disk.open(name, access).map(|file| self.file(file))
    }

    fn create(&self, name: &str) -> io::Result<SteppedFile> {
        self.disk.create(name).map(|file| self.file(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn sync_dir(&self) -> io::Result<()> {
        thread::yield_now();
        self.disk.sync_dir()
    }
}

impl StorageFile for SteppedFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        thread::yield_now();
        self.file.write_at(bytes, position)
    }

    fn sync_data(&self) -> io::Result<()> {
        thread::yield_now();
        self.file.sync_data()?;
        self.syncs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn drop_cache(&self) {
        self.file.drop_cache();
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.file.allocate(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}

/// What the callback was told.
#[derive(Debug, Default)]
struct Told {
    end: u64,
    frames: u64,
    syncs: u64,
    failed: bool,
}

/// One log and those who submit to it.
struct World {
    storage: Stepped,
    told: Mutex<Told>,
    changed: Condvar,
    /// End and size of each frame that was submitted; held while submitting.
    submitted: Mutex<Vec<(u64, u64)>>,
}

/// What goes wrong.
#[derive(Clone, Copy)]
enum Trouble {
    None,
    /// One sync fails.
    Sync,
    /// There is no space for a second segment.
    Space,
}

impl World {
    fn start(trouble: Trouble) -> (Arc<Self>, Committer) {
        let disk = MemoryStorage::new();
        let storage = Stepped { disk: disk.clone(), syncs: Arc::default() };
        let options = LogOptions { segment_bytes: 1024, ..LogOptions::default() };
        let (writer, _) = open(storage.clone(), options).unwrap();
        match trouble {
            Trouble::None => {}
            Trouble::Sync => {
                let call = disk.calls() + thread_rng().gen_range(0..12);
                disk.fail_call(call, Fault::FsyncError, Repeat::Once);
            }
            Trouble::Space => disk.limit_space(Some(1024)),
        }
        let (told, changed) = Default::default();
        let world = Arc::new(Self { storage, told, changed, submitted: Mutex::default() });
        let callback = {
            let world = Arc::clone(&world);
            move |outcome| world.hear(outcome)
        };
        let committer = Committer::spawn(writer, callback).unwrap();
        (world, committer)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    /// The callback, on the committer's thread.
    fn hear(&self, outcome: CommitOutcome) {
        let mut told = self.told();
        assert!(!told.failed, "told something after the failure");
        match outcome {
            CommitOutcome::Failed(_) => told.failed = true,
            CommitOutcome::Durable { end, frames, .. } => {
                let syncs = self.storage.syncs.load(Ordering::SeqCst);
                assert!(syncs > told.syncs || frames.is_empty(), "acknowledged without a sync");
                told.syncs = syncs;
                for frame in &frames {
                    assert_eq!(frame.base_offset(), told.end, "missed, repeated or out of order");
                    told.end = frame.end();
                    told.frames += 1;
                }
                assert_eq!(end, told.end);
                assert!(self.after_a_power_cut() >= end, "acknowledged and not durable");
            }
        }
        drop(told);
        self.changed.notify_all();
    }

    fn after_a_power_cut(&self) -> u64 {
        let disk = self.storage.disk.crash(CrashMode::LoseUnsynced);
        open(disk, LogOptions { segment_bytes: 1024, ..LogOptions::default() })
            .unwrap()
            .1
            .next_offset
    }

    /// Waits until nothing or little is queued, then submits; gives the end of the frame.
    fn submit(&self, committer: &Committer) -> Result<u64, SubmitError> {
        let mut submitted = self.submitted.lock().unwrap();
        let mut told = self.told();
        while committer.queued_bytes() > QUEUED_BYTES_MAX && !told.failed {
            told = self.changed.wait(told).unwrap();
        }
        drop(told);
        let base = submitted.last().map_or(0, |(end, _)| *end);
        let mut builder = FrameBuilder::new(base, 0, 1);
        for _ in 0..=base % 2 {
            builder.record(|out| out.resize(out.len() + 80, 7));
        }
        let frame = builder.finish().unwrap();
        let (end, size) = (frame.end(), frame.size());
        committer.submit(frame)?;
        submitted.push((end, size));
        let durable = self.after_a_power_cut();
        let waiting = submitted.iter().filter(|(end, _)| *end > durable);
        let queued: u64 = waiting.map(|(_, size)| size).sum();
        let failed = self.told().failed;
        assert!(queued <= QUEUED_BYTES_MAX + size || failed, "{queued} bytes are queued");
        Ok(end)
    }

    /// Submits and waits until it is told what became of it; false after a failure.
    fn submit_and_wait(&self, committer: &Committer) -> bool {
        // What was not taken is never acknowledged: then only the failure ends the waiting.
        let end = self.submit(committer).unwrap_or(u64::MAX);
        let mut told = self.told();
        while !told.failed && told.end < end {
            told = self.changed.wait(told).unwrap();
        }
        let acknowledged = told.end >= end;
        if told.failed {
            drop(told);
            assert!(self.submit(committer).is_err(), "taken after the failure was told");
        }
        acknowledged
    }

    /// Nobody submits any more, and the committer is closed.
    fn check_end(&self, trouble: Trouble) {
        let told = self.told();
        let next = self.submitted.lock().unwrap().last().map_or(0, |(end, _)| *end);
        assert!(told.failed || told.end == next, "left without an answer");
        match trouble {
            Trouble::None => assert!(!told.failed),
            Trouble::Sync => {}
            Trouble::Space => assert!(told.failed, "all frames fit into one segment"),
        }
        if !told.failed {
            assert_eq!(told.frames, SUBMITTERS * FRAMES_EACH);
        }
        assert!(self.after_a_power_cut() >= told.end);
    }
}

/// Each submitter waits for its answers; then the committer is closed.
fn answered(trouble: Trouble) {
    let (world, committer) = World::start(trouble);
    let committer = Arc::new(committer);
    let submitters: Vec<_> = (0..SUBMITTERS)
        .map(|_| {
            let (world, committer) = (Arc::clone(&world), Arc::clone(&committer));
            thread::spawn(move || (0..FRAMES_EACH).all(|_| world.submit_and_wait(&committer)))
        })
        .collect();
    let answers: Vec<bool> = submitters.into_iter().map(|it| it.join().unwrap()).collect();
    let failed = world.told().failed;
    assert!(failed || answers.iter().all(|answer| *answer));
    assert!(failed || committer.queued_bytes() == 0);
    Arc::into_inner(committer).unwrap().close();
    world.check_end(trouble);
}

/// Submitters go away at once; whoever is the last to hold the committer closes it.
fn left_alone(trouble: Trouble) {
    let (world, committer) = World::start(trouble);
    let committer = Arc::new(committer);
    let submitters: Vec<_> = (0..SUBMITTERS)
        .map(|_| {
            let (world, committer) = (Arc::clone(&world), Arc::clone(&committer));
            thread::spawn(move || (0..FRAMES_EACH).all(|_| world.submit(&committer).is_ok()))
        })
        .collect();
    drop(committer);
    submitters.into_iter().for_each(|submitter| _ = submitter.join().unwrap());
    world.check_end(trouble);
}

fn under_all_schedules(test: impl Fn() + Send + Sync + Copy + 'static) {
    let given = std::env::var("SHUTTLE_RANDOM_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0));
    let scale = std::env::var("AIFLOW_LOG_TEST_SCALE").ok().and_then(|text| text.parse().ok());
    let schedules = SCHEDULES * scale.unwrap_or(1);
    println!("repeat: SHUTTLE_RANDOM_SEED={seed} cargo test -p aiflow-log committer");
    run(RandomScheduler::new_from_seed(seed, schedules), test);
    run(PctScheduler::new_from_seed(seed, 3, schedules), test);
}

fn run(scheduler: impl Scheduler + 'static, test: impl Fn() + Send + Sync + 'static) {
    let mut config = shuttle::Config::new();
    // The writer's own needs, and what the standard library takes to format a failed assertion.
    config.stack_size = 256 << 10;
    shuttle::Runner::new(scheduler, config).run(test);
}

#[test]
fn every_frame_is_acknowledged_once_in_order_and_when_it_is_durable() {
    under_all_schedules(|| answered(Trouble::None));
}

#[test]
fn a_failed_sync_is_told_to_all_who_wait_and_all_who_come_later() {
    under_all_schedules(|| answered(Trouble::Sync));
}

#[test]
fn a_full_disk_is_told_as_well() {
    under_all_schedules(|| answered(Trouble::Space));
}

#[test]
fn closing_commits_what_is_queued_and_leaves_nobody_waiting() {
    under_all_schedules(|| left_alone(Trouble::None));
    under_all_schedules(|| left_alone(Trouble::Sync));
}
