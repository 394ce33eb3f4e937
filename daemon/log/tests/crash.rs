//! Power cuts after every call that changes the disk, in every way of losing what was not synced.

mod common;

use std::collections::BTreeSet;

use aiflow_log::testing::{CrashMode, Fault, MemoryStorage, Repeat, Rng};
use aiflow_log::{LogWriter, open};
use common::{Payload, commit, crash_modes, each_seed, frames, options, read, scale};

/// Workloads, and the disks after a power cut that are looked at for them, at least.
const SEEDS: u64 = 3_600;
const STATES_MIN: u64 = 2_000_000;

/// What a log was asked to hold, and when it said that it does.
#[derive(Default)]
struct Model {
    records: Vec<Payload>,
    /// Offsets at which a batch ends.
    ends: BTreeSet<u64>,
    /// (calls made before, end asked for) and (calls made after, end acknowledged).
    asked: Vec<(u64, u64)>,
    acknowledged: Vec<(u64, u64)>,
}

impl Model {
    fn new() -> Self {
        Self { ends: BTreeSet::from([0]), ..Self::default() }
    }

    fn append(
        &mut self,
        writer: &mut LogWriter<MemoryStorage>,
        disk: &MemoryStorage,
        rng: &mut Rng,
    ) {
        let commit = commit(rng);
        let mut frames = frames(self.records.len() as u64, &commit);
        self.records.extend(commit.into_iter().flatten());
        self.ends.extend(frames.iter().map(aiflow_log::Frame::end));
        self.asked.push((disk.calls(), self.records.len() as u64));
        if let Ok(end) = writer.append(&mut frames) {
            assert_eq!(end, self.records.len() as u64);
            self.acknowledged.push((disk.calls(), end));
        }
    }

    /// The least and the most that may be there after so many calls.
    fn bounds(&self, calls: u64) -> (u64, u64) {
        let last = |ends: &[(u64, u64)]| {
            ends.iter().take_while(|(at, _)| *at <= calls).last().map_or(0, |(_, end)| *end)
        };
        (last(&self.acknowledged), last(&self.asked))
    }

    /// Opens the log and checks it against what was asked for; returns the end.
    fn check(&self, disk: &MemoryStorage, (least, most): (u64, u64), what: &str) -> u64 {
        let (_, recovered) = match open(disk.clone(), options(1024)) {
            Ok(opened) => opened,
            Err(error) => panic!("{what}: false halt: {error}"),
        };
        let next = recovered.next_offset;
        assert!((least..=most).contains(&next), "{what}: {next} not in {least}..={most}");
        assert!(self.ends.contains(&next), "{what}: {next} is inside a batch");
        let there = read(disk.clone(), 0, next);
        assert!(there == self.records[..next as usize], "{what}: other records");
        next
    }

    /// Forgets what recovery has cut.
    fn cut(&mut self, next: u64) {
        self.records.truncate(next as usize);
        self.ends.retain(|end| *end <= next);
    }
}

#[test]
fn a_power_cut_after_any_call_loses_nothing_acknowledged() {
    let states = each_seed(SEEDS * scale(), |seed| {
        let mut states = 0;
        let mut rng = Rng::new(seed);
        let disk = MemoryStorage::new();
        disk.record_history();
        let mut model = Model::new();
        let (mut writer, _) = open(disk.clone(), options(1024)).unwrap();
        for _ in 0..12 {
            model.append(&mut writer, &disk, &mut rng);
        }
        for (calls, state) in disk.history() {
            // Only the process dies: what was written and not synced is still seen.
            let killed = std::iter::once(("killed".to_owned(), state.fork()));
            let modes = crash_modes(state.unsynced(), &mut rng).into_iter();
            let crashed = modes.map(|mode| (format!("{mode:?}"), state.crash(mode)));
            for (mode, after) in killed.chain(crashed) {
                let what = format!("seed {seed}, call {calls}, {mode}");
                let next = model.check(&after, model.bounds(calls), &what);
                // What was found once must stay: opening made it durable.
                let again = after.crash(CrashMode::LoseUnsynced);
                model.check(&again, (next, next), &what);
                states += 1;
            }
        }
        states
    });
    println!("{states} states after a power cut");
    assert!(states >= STATES_MIN * scale(), "only {states} states");
}

#[test]
fn a_power_cut_while_opening_loses_nothing_either() {
    let mut states = 0;
    for seed in 0..10 * scale() {
        let mut rng = Rng::new(seed);
        let disk = MemoryStorage::new();
        disk.record_history();
        let mut model = Model::new();
        let (mut writer, _) = open(disk.clone(), options(1024)).unwrap();
        for _ in 0..4 {
            model.append(&mut writer, &disk, &mut rng);
        }
        for (calls, state) in disk.history() {
            let crashed = state.crash(CrashMode::Scrambled(rng.next_u64()));
            let copy = crashed.fork();
            crashed.record_history();
            model.check(&crashed, model.bounds(calls), "first opening");
            for (at, opening) in std::iter::once((0, copy)).chain(crashed.history()) {
                for mode in crash_modes(opening.unsynced(), &mut rng) {
                    let what = format!("seed {seed}, call {calls}, then {at}, {mode:?}");
                    model.check(&opening.crash(mode), model.bounds(calls), &what);
                    states += 1;
                }
            }
        }
    }
    assert!(states > 5_000, "only {states} states");
}

/// Many lives of one log: power cuts, kills, failed syncs and clean ends, one after the other.
#[test]
fn a_log_survives_many_lives() {
    let mut cut = 0;
    for seed in 0..800 * scale() {
        let mut rng = Rng::new(seed);
        let mut disk = MemoryStorage::new();
        let mut model = Model::new();
        for life in 0..8 {
            let (mut writer, recovered) = open(disk.clone(), options(1024)).unwrap();
            cut += u64::from(recovered.cut.is_some());
            let (least, most) = model.bounds(u64::MAX);
            let next = recovered.next_offset;
            let what = format!("seed {seed}, life {life}");
            assert!((least..=most).contains(&next), "{what}: {next} not in {least}..={most}");
            assert!(model.ends.contains(&next), "{what}: {next} is inside a batch");
            model.cut(next);
            assert!(read(disk.clone(), 0, next) == model.records, "{what}: other records");
            model.asked = vec![(0, next)];
            model.acknowledged = vec![(0, next)];
            if !rng.one_in(4) {
                let fault = [Fault::Eio, Fault::FsyncError, Fault::Short][rng.below(3) as usize];
                disk.fail_call(disk.calls() + rng.below(12), fault, Repeat::Once);
            }
            for _ in 0..rng.below(8) {
                if writer.is_poisoned() {
                    break;
                }
                model.append(&mut writer, &disk, &mut rng);
            }
            drop(writer);
            disk.clear_faults();
            let (bytes, changes) = disk.unsynced();
            disk = match rng.below(6) {
                // The process dies, the system lives on: unsynced bytes stay visible.
                0 | 1 => disk,
                2 => disk.crash(CrashMode::TornAt(rng.below(bytes as u64 + 1) as usize)),
                3 => disk.crash(CrashMode::KeepChanges(rng.below(changes as u64 + 1) as usize)),
                4 => disk.crash(CrashMode::Subset(rng.next_u64())),
                _ => disk.crash(CrashMode::Scrambled(rng.next_u64())),
            };
        }
    }
    assert!(cut > 100, "only {cut} torn tails");
}

/// After a failed sync the system shows bytes that are not on the disk and takes them for clean.
/// Opening must not believe them, however often the next sync succeeds.
#[test]
fn bytes_lost_by_a_failed_sync_are_not_believed() {
    for seed in 0..20 {
        let mut rng = Rng::new(seed);
        let disk = MemoryStorage::new();
        let mut model = Model::new();
        let (mut writer, _) = open(disk.clone(), options(4096)).unwrap();
        model.append(&mut writer, &disk, &mut rng);
        disk.fail_call(disk.calls() + 1, Fault::FsyncError, Repeat::Once);
        model.append(&mut writer, &disk, &mut rng);
        assert_eq!((model.acknowledged.len(), disk.hits()), (1, 1));
        drop(writer);
        let bounds = model.bounds(u64::MAX);
        let next = model.check(&disk, bounds, "after the failed sync");
        model.check(&disk.crash(CrashMode::LoseUnsynced), (next, next), "after the power cut");
    }
}

/// Zeros over a torn tail must be durable before anything is written in front of them. Otherwise
/// a frame of the torn commit could come back behind a new one of the same size.
#[test]
fn frames_that_were_cut_off_never_come_back() {
    let sized = |content: u8| vec![vec![content; 512 - 60]];
    let mut cut = 0;
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let disk = MemoryStorage::new();
        let (mut writer, _) = open(disk.clone(), options(4096)).unwrap();
        disk.record_history();
        writer.append(&mut frames(0, &[sized(1), sized(2), sized(3), sized(4)])).unwrap();
        let (_, written) = disk.history().swap_remove(0);
        let torn = written.crash(CrashMode::Subset(rng.next_u64()));
        torn.record_history();
        let (mut writer, recovered) = open(torn.clone(), options(4096)).unwrap();
        cut += u64::from(recovered.cut.is_some());
        let next = recovered.next_offset;
        let end = writer.append(&mut frames(next, &[sized(5)])).unwrap();
        for (calls, state) in torn.history() {
            for _ in 0..8 {
                let after = state.crash(CrashMode::Subset(rng.next_u64()));
                let (_, recovered) = open(after.clone(), options(4096))
                    .unwrap_or_else(|error| panic!("seed {seed}, call {calls}: {error}"));
                let there = recovered.next_offset;
                assert!((next..=end).contains(&there), "seed {seed}, call {calls}: {there}");
                assert!(read(after, next, there).iter().all(|record| *record == sized(5)[0]));
            }
        }
    }
    assert!(cut > 100, "only {cut} torn tails");
}
