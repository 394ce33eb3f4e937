//! A damaged log is made usable at the price that the plan names, and no higher; nothing is
//! altered, nothing is lost for good, and an interrupted repair can be begun again.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]

mod common;

use aiflow_log::repair::{Plan, carry_out, plan};
use aiflow_log::testing::{MemoryStorage, Rng};
use aiflow_log::{LogReader, Snapshot, open, retention, snapshot, verify};
use common::{commit, crash_modes, each_seed, frames, options, read, scale};

const SEGMENT_BYTES: u64 = 1 << 10;

struct World {
    disk: MemoryStorage,
    records: Vec<Vec<u8>>,
    /// Offsets at which a batch ends.
    ends: Vec<u64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let disk = MemoryStorage::new();
        let (mut writer, _) = open(disk.clone(), options(SEGMENT_BYTES)).unwrap();
        let (mut records, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..40 {
            let commit = commit(&mut rng);
            ends.push(writer.append(&mut frames(records.len() as u64, &commit)).unwrap());
            records.extend(commit.concat());
        }
        let world = Self { disk, records, ends };
        for segment in retention::segments(&world.disk).unwrap() {
            if segment.end.is_some() && rng.one_in(2) {
                retention::compress(&world.disk, segment.base).unwrap();
            }
        }
        world
    }

    fn end(&self) -> u64 {
        self.records.len() as u64
    }

    /// A snapshot at the end of the first batch at or after `offset`.
    fn snapshot_after(&self, offset: u64) -> u64 {
        let offset = *self.ends.iter().find(|end| **end >= offset).unwrap();
        let mut reader = LogReader::new(self.disk.clone());
        let mut batches = reader.read(offset - 1, offset).unwrap();
        let checksum = batches.next_batch().unwrap().unwrap().checksum();
        Snapshot { offset, checksum, content: vec![1] }.install(&self.disk).unwrap();
        offset
    }

    fn segment_names(&self) -> Vec<(u64, String)> {
        let segments = retention::segments(&self.disk).unwrap();
        segments.into_iter().map(|segment| (segment.base, segment.name)).collect()
    }

    /// Flips a bit of a random byte that the log uses, in a random segment.
    fn damage(&self, rng: &mut Rng) {
        let is_segment = |name: &String| name.contains(".log") && !name.contains("removed");
        let names: Vec<String> = self.disk.files().into_keys().filter(is_segment).collect();
        loop {
            let name = &names[rng.below(names.len() as u64) as usize];
            let bytes = &self.disk.files()[name];
            self.disk.flip_bit(name, rng.below(bytes.len() as u64 * 8) as usize);
            if !verify(&self.disk).unwrap().damage.is_empty() {
                return;
            }
            self.disk.overwrite(name, bytes);
        }
    }

    /// Checks that the log opens and holds just what the plan said, and takes more.
    fn check(&self, disk: &MemoryStorage, plan: &Plan) {
        let (first, end) = match plan {
            Plan::DropHead { first } => (*first, self.end()),
            Plan::CutTail { end, .. } => (0, *end),
            Plan::Nothing => (0, self.end()),
            Plan::Hopeless => return,
        };
        let (mut writer, recovered) = open(disk.clone(), options(SEGMENT_BYTES)).unwrap();
        assert_eq!((recovered.first_offset, recovered.next_offset), (first, end), "{plan:?}");
        let kept = &self.records[first as usize..end as usize];
        assert_eq!(read(disk.clone(), first, end), kept);
        assert!(snapshot::offsets(disk).unwrap().iter().all(|offset| *offset <= end));
        let next = writer.append(&mut frames(end, &[vec![vec![7; 300]; 2]])).unwrap();
        assert_eq!(read(disk.clone(), end, next), vec![vec![7; 300]; 2]);
        assert_eq!(verify(disk).unwrap().damage, vec![]);
    }
}

#[test]
fn what_a_repair_keeps_is_what_its_plan_says() {
    let mut kinds = [0; 3];
    for seed in 0..150 * scale() {
        let world = World::new(seed);
        let mut rng = Rng::new(seed);
        let usable = rng.one_in(2).then(|| world.snapshot_after(rng.below(world.end() - 1) + 1));
        for _ in 0..1 + rng.below(2) {
            world.damage(&mut rng);
        }
        let files = world.disk.files();
        let (report, planned) = plan(&world.disk, usable).unwrap();
        assert_eq!(world.disk.files(), files, "planning changes nothing");
        let first_damage = report.damage.iter().map(|damage| damage.offset).min().unwrap();
        match &planned {
            Plan::DropHead { first } => {
                kinds[0] += 1;
                assert!(usable.unwrap() > *first && *first > first_damage);
            }
            Plan::CutTail { end, lost_until } => {
                kinds[1] += 1;
                assert_eq!(*end, first_damage);
                assert!(end <= lost_until);
            }
            Plan::Hopeless => kinds[2] += 1,
            Plan::Nothing => panic!("seed {seed}: {report:?}"),
        }
        let removed = carry_out(&world.disk, &planned).unwrap();
        let after = world.disk.files();
        let kept: Vec<_> = after.iter().filter(|(name, _)| removed.contains(name)).collect();
        assert_eq!(kept.len(), removed.len());
        for (name, bytes) in kept {
            let (was, _) = name.split_once(".removed-").unwrap();
            assert_eq!(&files[was], bytes, "seed {seed}: what was taken out is as it was");
        }
        let lost = files.iter().find(|(_, bytes)| !after.values().any(|kept| kept == *bytes));
        assert_eq!(lost.map(|(name, _)| name), None, "seed {seed}: not a byte is gone for good");
        world.check(&world.disk, &planned);
        if planned != Plan::Hopeless {
            assert_eq!(plan(&world.disk, None).unwrap().1, Plan::Nothing, "seed {seed}");
        }
    }
    println!("{} heads dropped, {} tails cut, {} hopeless", kinds[0], kinds[1], kinds[2]);
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?}");
}

#[test]
fn an_interrupted_repair_loses_no_more_than_was_planned() {
    let states = each_seed(20 * scale(), |seed| {
        let world = World::new(seed);
        let mut rng = Rng::new(seed);
        let newest = world.snapshot_after(world.end() - 5);
        let usable = (seed % 2 == 0).then_some(newest);
        world.damage(&mut rng);
        let disk = world.disk.fork();
        let (_, planned) = plan(&disk, usable).unwrap();
        if planned == Plan::Hopeless {
            return 0;
        }
        disk.record_history();
        carry_out(&disk, &planned).unwrap();
        let mut states = 0;
        for (_, state) in disk.history() {
            for mode in crash_modes(state.unsynced(), &mut rng) {
                let after = state.crash(mode);
                let (report, again) = plan(&after, usable).unwrap();
                // While there is damage, the proof that something is missing stays.
                let proofs = snapshot::offsets(&after).unwrap();
                assert!(report.damage.is_empty() || proofs == [newest], "seed {seed}: {again:?}");
                carry_out(&after, &again).unwrap();
                world.check(&after, &planned);
                states += 1;
            }
        }
        states
    });
    println!("{states} states after a power cut");
    assert!(states > 1_000, "{states}");
}

#[test]
fn a_log_that_ends_before_a_snapshot_goes_on_without_it() {
    let world = World::new(4);
    let ahead = world.snapshot_after(world.end());
    let (last, name) = world.segment_names().pop().unwrap();
    let mut bytes = world.disk.files()[&name].clone();
    bytes[64..].fill(0);
    world.disk.overwrite(&name, &bytes);
    let (report, planned) = plan(&world.disk, None).unwrap();
    assert_eq!(report.damage, vec![]);
    assert_eq!(planned, Plan::CutTail { end: last, lost_until: ahead });
    carry_out(&world.disk, &planned).unwrap();
    world.check(&world.disk, &planned);
}

#[test]
fn a_good_log_needs_nothing() {
    let world = World::new(5);
    let usable = world.snapshot_after(world.end() / 2);
    let files = world.disk.files();
    let (_, planned) = plan(&world.disk, Some(usable)).unwrap();
    assert_eq!(planned, Plan::Nothing);
    assert_eq!(carry_out(&world.disk, &planned).unwrap(), Vec::<String>::new());
    assert_eq!(world.disk.files(), files);
    // Neither does one whose last commit was torn: the next start cuts what was not acknowledged.
    let (_, name) = world.segment_names().pop().unwrap();
    let mut bytes = world.disk.files()[&name].clone();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[used] ^= 1;
    world.disk.overwrite(&name, &bytes);
    let (report, planned) = plan(&world.disk, Some(usable)).unwrap();
    assert!(report.tail.is_some());
    assert_eq!(planned, Plan::Nothing);
}

#[test]
fn the_beginning_is_dropped_only_where_a_snapshot_covers_it_and_its_proof_stays() {
    let world = World::new(6);
    let segments = world.segment_names();
    let (damaged, next) = (segments[2].0, segments[3].0);
    let bytes = world.disk.files()[&segments[2].1].clone();
    world.disk.overwrite(&segments[2].1, &bytes[..bytes.len() / 2]);
    for usable in [None, Some(damaged), Some(next - 1), Some(next), Some(next + 1)] {
        let (_, planned) = plan(&world.disk, usable).unwrap();
        if usable == Some(next + 1) {
            assert_eq!(planned, Plan::DropHead { first: next });
            continue;
        }
        // At `next`, the batch that ends there and proves the snapshot lies in what is damaged.
        assert!(
            matches!(planned, Plan::CutTail { end, .. } if end == damaged),
            "{usable:?}: {planned:?}"
        );
    }
    let (_, planned) = plan(&world.disk, Some(next + 1)).unwrap();
    carry_out(&world.disk, &planned).unwrap();
    world.check(&world.disk, &planned);
}
