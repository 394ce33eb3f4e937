//! What a log must hold after a power cut, from what its writer told before.

use std::collections::BTreeSet;
use std::path::Path;

use aiflow_log::{
    DiskStorage, LabelIndex, LogOptions, LogReader, ReadError, Snapshot, SnapshotError, open,
    snapshot, verify,
};
use aiflow_power::{ByFirstByte, LABELS, Message, SNAPSHOTS_KEPT, class, content, label, payload};

/// What was seen in all lives.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) acknowledged: u64,
    pub(crate) records_read: u64,
    pub(crate) unacknowledged_kept: u64,
    pub(crate) unacknowledged_gone: u64,
    pub(crate) snapshots: u64,
    pub(crate) late: u64,
    pub(crate) torn: u64,
    pub(crate) before_opened: u64,
    pub(crate) after_rotation: u64,
    pub(crate) during_snapshot: u64,
    pub(crate) cut_work: u64,
    pub(crate) compressed: u64,
    pub(crate) compressed_read: u64,
    pub(crate) dropped: u64,
    pub(crate) during_compression: u64,
    pub(crate) during_drop: u64,
    pub(crate) both_forms: u64,
}

/// Knows what was told, and by that what must and what may be there.
pub(crate) struct Judge {
    seed: u64,
    /// First offset that a life wrote, and the life; ascending.
    lives: Vec<(u64, u64)>,
    /// Everything below was acknowledged, or found on the disk after a cut.
    least: u64,
    /// Ends of batches that may be there.
    ends: BTreeSet<u64>,
    /// The last snapshot that was told to be installed.
    installed: Option<u64>,
    installing: bool,
    /// Sealed segments that were told to be compressed.
    compressed: BTreeSet<u64>,
    compressing: bool,
    /// The log begins at this offset or later, as was told or found on the disk after a cut.
    dropped: u64,
    /// Everything from here on was never told to be dropped.
    kept_from: u64,
    opened: bool,
    cut_at: u64,
    /// End of the latest acknowledgement that came after the cut.
    late: u64,
    /// Whether blocks of a removed file are given away before the removal is durable.
    reuses: bool,
    /// Removed snapshots that came back and were damaged that way.
    pub(crate) came_back: BTreeSet<u64>,
    base: u64,
    pub(crate) counts: Counts,
}

impl Judge {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            lives: Vec::new(),
            least: 0,
            ends: BTreeSet::from([0]),
            installed: None,
            installing: false,
            compressed: BTreeSet::new(),
            compressing: false,
            dropped: 0,
            kept_from: 0,
            opened: false,
            cut_at: u64::MAX,
            late: 0,
            reuses: false,
            came_back: BTreeSet::new(),
            base: 0,
            counts: Counts::default(),
        }
    }

    /// A writer starts, on a file system that was mounted with `options`.
    pub(crate) fn begin(&mut self, options: &str) {
        (self.installing, self.opened, self.compressing) = (false, false, false);
        self.reuses = options.contains("data=writeback");
        (self.cut_at, self.late) = (u64::MAX, 0);
    }

    /// The power went at this time. Acknowledgements that came later do not count: where the power
    /// goes, no process goes on. Here it does, and ext4 may tell it that a sync had success that
    /// was under way when the file system was shut down.
    pub(crate) fn cut_at(&mut self, time: u64) {
        self.cut_at = time;
    }

    /// Takes what the writer of `life` told.
    pub(crate) fn hear(&mut self, life: u64, message: Message) {
        match message {
            Message::Opened(next) => {
                assert_eq!(next, self.least, "life {life} does not go on where the log ended");
                self.lives.push((next, life));
                self.opened = true;
            }
            Message::Submitting(end) => {
                self.ends.insert(end);
            }
            Message::Durable(end, time) if time >= self.cut_at => {
                self.counts.late += u64::from(self.ends.contains(&end));
                self.late = end;
            }
            Message::Durable(end, _) => {
                assert!(end >= self.least && self.ends.contains(&end), "life {life}: {end}");
                self.counts.acknowledged += end - self.least;
                self.least = end;
            }
            Message::Installing(_) => self.installing = true,
            Message::Installed(_, time) if time >= self.cut_at => {}
            Message::Installed(offset, _) => {
                self.installing = false;
                self.installed = Some(offset);
                self.counts.snapshots += 1;
            }
            Message::Compressing(_) => self.compressing = true,
            Message::Compressed(_, time) | Message::Dropped(_, time) if time >= self.cut_at => {}
            Message::Compressed(base, _) => {
                self.compressing = false;
                self.compressed.insert(base);
                self.counts.compressed += 1;
            }
            Message::Dropping(before) => {
                let known = self.least.max(self.late);
                assert!(before <= known, "life {life} drops before {before}");
                // The cut has a beginning and an end. What was decided in between, on
                // acknowledgements that do not count, may be on the disk or not.
                self.kept_from = self.kept_from.max(before);
            }
            Message::Dropped(first, _) => {
                assert!(first <= self.kept_from, "life {life} dropped before {first}");
                self.counts.dropped += first - self.dropped;
                self.dropped = first;
            }
            Message::Failed => {}
            Message::Refused => panic!("life {life} refused the log"),
        }
    }

    /// Looks at everything that is there after a cut. Opens the log, which repairs it, or leaves
    /// that to the next writer.
    pub(crate) fn judge(&mut self, home: &Path, opens: bool) {
        let storage = DiskStorage::open(home).unwrap();
        self.counts.before_opened += u64::from(!self.opened);
        self.counts.during_snapshot += u64::from(self.installing);
        self.counts.during_compression += u64::from(self.compressing);
        self.counts.during_drop += u64::from(self.kept_from > self.dropped);
        self.check_leftovers(home);
        let report = verify(&storage).unwrap();
        assert!(report.damage.is_empty(), "damaged: {}", report.damage[0]);
        self.counts.torn += u64::from(report.tail.is_some());
        let next = report.next_offset;
        let most = self.ends.last().copied().unwrap_or(0);
        assert!(next >= self.least, "lost: {} was acknowledged, the end is {next}", self.least);
        assert!(self.ends.contains(&next), "{next} is not the end of a batch (of {most})");
        self.counts.unacknowledged_kept += next - self.least;
        self.counts.unacknowledged_gone += most - next;
        if let Some(last) = report.segments.last() {
            self.counts.after_rotation += u64::from(last.base == next && last.base > self.base);
            self.base = last.base;
        }
        let first = report.segments.first().map_or(0, |segment| segment.base);
        self.check_beginning(home, first);
        let gapless = report.records == next - first;
        assert!(gapless, "{} records in {first}..{next}", report.records);

        self.lives.retain(|(start, _)| *start < next);
        let newest = self.check_snapshots(&storage, first, next);
        if opens {
            let options = LogOptions { segment_bytes: 16 << 10, check_from: newest.unwrap_or(0) };
            let (writer, recovered) = open(storage.clone(), options).unwrap();
            assert_eq!((recovered.first_offset, recovered.next_offset), (first, next));
            assert_eq!(recovered.cut, report.tail);
            assert_eq!(writer.next_offset(), next);
        }
        if next > first {
            let classes = self.check_records(&storage, first, next);
            self.check_index(storage, first, next, &classes);
        }
        self.least = next;
        self.ends = BTreeSet::from([next]);
    }

    /// Files that were being made when the power went.
    fn check_leftovers(&mut self, home: &Path) {
        let is_there = |name: &&str| home.join(name).exists();
        let found = ["snapshot.tmp", "index.tmp", "compress.tmp"]
            .iter()
            .filter(|name| is_there(name))
            .count();
        self.counts.cut_work += u64::from(found > 0);
    }

    /// Nothing is gone that was not told to be dropped, what was told to be gone is, and so is what
    /// was told to be compressed.
    fn check_beginning(&mut self, home: &Path, first: u64) {
        let kept_from = self.kept_from;
        assert!(
            first <= kept_from,
            "lost: the log begins at {first}, all from {kept_from} is kept"
        );
        assert!(first >= self.dropped, "{first} is there again, {} was dropped", self.dropped);
        (self.dropped, self.kept_from) = (first, first);
        let is_there = |base: u64, suffix: &str| home.join(format!("{base:020}{suffix}")).exists();
        self.compressed.retain(|base| *base >= first);
        for base in &self.compressed {
            assert!(is_there(*base, ".log.zst"), "lost: segment {base} was compressed");
            assert!(!is_there(*base, ".log"), "segment {base} is there again as it was");
        }
        let names = std::fs::read_dir(home).unwrap();
        for name in names.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
            let Some(base) = name.strip_suffix(".log.zst").map(|base| base.parse().unwrap()) else {
                continue;
            };
            self.counts.compressed_read += 1;
            self.counts.both_forms += u64::from(is_there(base, ".log"));
        }
    }

    fn check_records(&mut self, storage: &DiskStorage, first: u64, next: u64) -> Vec<Option<u64>> {
        let mut reader = LogReader::new(storage.clone());
        let mut classes = Vec::new();
        let mut expected = first;
        let batches = reader.read(first, next).unwrap();
        let read = batches.for_each(|record| {
            assert_eq!(record.offset, expected);
            expected += 1;
            let at = self.lives.partition_point(|(start, _)| *start <= record.offset);
            let (_, life) = self.lives[at.checked_sub(1).unwrap()];
            let right = record.payload == payload(self.seed, life, record.offset);
            assert!(right, "record {} of life {life} has other bytes", record.offset);
            assert_eq!(record.epoch, life, "record {}", record.offset);
            classes.push(class(record.payload));
            Ok::<(), ReadError>(())
        });
        read.unwrap();
        assert_eq!(expected, next);
        self.counts.records_read += next - first;
        classes
    }

    /// Every snapshot that has its name is whole and belongs to the log; the last one that was
    /// told to be installed is there, or a newer one. A log of which something was dropped has all
    /// that are kept. Gives the newest. One that was removed, and is there again, may hold what
    /// another file wrote, where ext4 allows that.
    fn check_snapshots(&mut self, storage: &DiskStorage, first: u64, next: u64) -> Option<u64> {
        let offsets = snapshot::offsets(storage).unwrap();
        let enough = first == 0 || offsets.len() >= SNAPSHOTS_KEPT;
        assert!(
            enough,
            "lost: the log begins at {first}, and of the snapshots are left {offsets:?}"
        );
        for (at, offset) in offsets.iter().enumerate() {
            let found = match Snapshot::load(storage, *offset) {
                Err(SnapshotError::Damaged(_))
                    if at + SNAPSHOTS_KEPT < offsets.len()
                        && (self.reuses || self.came_back.contains(offset)) =>
                {
                    self.came_back.insert(*offset);
                    continue;
                }
                Err(error) => panic!("{error} (there are {offsets:?})"),
                Ok(found) => found,
            };
            let right = found.content == content(self.seed, *offset, found.checksum);
            assert!(right, "snapshot {offset} has another content");
            assert!(*offset <= next, "the log ends at {next}, before snapshot {offset}");
            let is_kept = at + SNAPSHOTS_KEPT >= offsets.len();
            assert!(!is_kept || *offset > first, "{first} is behind snapshot {offset}");
            if *offset > first {
                let mut reader = LogReader::new(storage.clone());
                let mut batches = reader.read(offset - 1, *offset).unwrap();
                let batch = batches.next_batch().unwrap().unwrap();
                assert_eq!((batch.end(), batch.checksum()), (*offset, found.checksum));
            }
        }
        if let Some(installed) = self.installed {
            let newest = offsets.last().copied();
            assert!(newest >= Some(installed), "lost: snapshot {installed} was installed");
        }
        offsets.last().copied()
    }

    /// Whatever is left of the index: its answers are those of the log.
    fn check_index(&self, storage: DiskStorage, first: u64, next: u64, classes: &[Option<u64>]) {
        let mut index = LabelIndex::new(storage, ByFirstByte).unwrap();
        for wanted in 0..LABELS {
            let offsets = (first..).zip(classes);
            let of_class = offsets.filter(|(_, class)| **class == Some(wanted));
            let expected: Vec<u64> = of_class.map(|(offset, _)| offset).collect();
            let found = index.find(label(wanted), 0, next, usize::MAX).unwrap();
            assert!(found == expected, "the index answers otherwise than the log");
        }
    }
}
