//! The state of a simulated disk: what is durable, what is only visible, and what a crash leaves.
//!
//! Never: make anything durable that was not synced, except as a crash mode says.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rng::Rng;

/// Writes reach the disk in pieces of this many bytes.
pub(crate) const SECTOR_BYTES: usize = 512;

/// What of the unsynced changes is there after a power cut. Synced changes always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashMode {
    /// Nothing.
    LoseUnsynced,
    /// Everything.
    KeepAll,
    /// The first so many changes, in the order they were made.
    KeepChanges(usize),
    /// The first so many bytes of all unsynced writes; other changes between them are kept.
    TornAt(usize),
    /// Each change and each sector of a write kept or lost by chance, from the seed.
    Subset(u64),
    /// As `Subset`, and some sectors hold those of another unsynced write, or noise.
    Scrambled(u64),
}

/// A change that is visible and not yet durable.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Length { file: usize, length: usize },
    Write { file: usize, at: usize, bytes: Arc<[u8]> },
    Create { name: String, file: usize },
    Remove { name: String },
    Rename { from: String, to: String, file: usize },
}

impl Change {
    fn is_of(&self, wanted: usize) -> bool {
        match self {
            Self::Length { file, .. } | Self::Write { file, .. } => *file == wanted,
            Self::Create { .. } | Self::Remove { .. } | Self::Rename { .. } => false,
        }
    }

    fn is_of_directory(&self) -> bool {
        match self {
            Self::Length { .. } | Self::Write { .. } => false,
            Self::Create { .. } | Self::Remove { .. } | Self::Rename { .. } => true,
        }
    }
}

/// Names and contents, as one observer sees them. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) names: BTreeMap<String, usize>,
    pub(crate) files: Vec<Arc<Vec<u8>>>,
}

impl View {
    fn file(&mut self, file: usize) -> &mut Vec<u8> {
        while self.files.len() <= file {
            self.files.push(Arc::default());
        }
        Arc::make_mut(&mut self.files[file])
    }

    fn write(&mut self, file: usize, at: usize, bytes: &[u8]) {
        let content = self.file(file);
        if content.len() < at + bytes.len() {
            content.resize(at + bytes.len(), 0);
        }
        content[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Length { file, length } => {
                let content = self.file(*file);
                content.resize(content.len().max(*length), 0);
            }
            Change::Write { file, at, bytes } => self.write(*file, *at, bytes),
            Change::Create { name, file } => {
                self.file(*file);
                self.names.insert(name.clone(), *file);
            }
            Change::Remove { name } => {
                self.names.remove(name);
            }
            Change::Rename { from, to, file } => {
                // By file, not by name: the change before it may be lost.
                self.file(*file);
                if self.names.get(from) == Some(file) {
                    self.names.remove(from);
                }
                self.names.insert(to.clone(), *file);
            }
        }
    }

    pub(crate) fn content(&self, name: &str) -> Option<&Vec<u8>> {
        self.names.get(name).map(|file| &*self.files[*file])
    }
}

/// A disk: what is seen now, what a power cut cannot take, and the changes in between.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    pub(crate) seen: View,
    durable: View,
    pending: Vec<Change>,
}

impl Image {
    pub(crate) fn change(&mut self, change: Change) {
        self.seen.apply(&change);
        self.pending.push(change);
    }

    pub(crate) fn new_file(&self) -> usize {
        self.seen.files.len()
    }

    pub(crate) fn sync_file(&mut self, file: usize) {
        let durable = &mut self.durable;
        self.pending.retain(|change| {
            let mine = change.is_of(file);
            if mine {
                durable.apply(change);
            }
            !mine
        });
    }

    pub(crate) fn sync_names(&mut self) {
        let durable = &mut self.durable;
        self.pending.retain(|change| {
            let mine = change.is_of_directory();
            if mine {
                durable.apply(change);
            }
            !mine
        });
    }

    /// What a failed sync leaves: some bytes are durable, and the others are still seen and taken
    /// for clean, but will never be durable.
    pub(crate) fn lose(&mut self, file: usize) {
        let mut durable = self.durable.clone();
        let mine = self.sectors().filter(|sector| sector.0 == file).step_by(2);
        mine.for_each(|(_, at, bytes)| durable.write(file, at, bytes));
        self.durable = durable;
        self.pending.retain(|change| !change.is_of(file));
    }

    /// Shows what is on the disk, and what waits to be written to it.
    pub(crate) fn forget(&mut self, file: usize) {
        *self.seen.file(file) = self.durable.file(file).clone();
        let seen = &mut self.seen;
        let mine = self.pending.iter().filter(|change| change.is_of(file));
        mine.for_each(|change| seen.apply(change));
    }

    /// Replaces a file's content, durably, as damage does.
    pub(crate) fn overwrite(&mut self, name: &str, bytes: &[u8]) {
        let file = match self.seen.names.get(name) {
            Some(file) => *file,
            None => self.new_file(),
        };
        for view in [&mut self.seen, &mut self.durable] {
            view.names.insert(name.to_owned(), file);
            *view.file(file) = bytes.to_vec();
        }
    }

    /// The disk after a power cut and a restart.
    pub(crate) fn crash(&self, mode: CrashMode) -> Self {
        let mut disk = self.durable.clone();
        match mode {
            CrashMode::LoseUnsynced => {}
            CrashMode::KeepAll => self.pending.iter().for_each(|change| disk.apply(change)),
            CrashMode::KeepChanges(n) => {
                self.pending.iter().take(n).for_each(|change| disk.apply(change));
            }
            CrashMode::TornAt(bytes) => self.tear(&mut disk, bytes),
            CrashMode::Subset(seed) => self.subset(&mut disk, &mut Rng::new(seed), false),
            CrashMode::Scrambled(seed) => self.subset(&mut disk, &mut Rng::new(seed), true),
        }
        // A name without content is an empty file.
        if let Some(last) = disk.names.values().copied().max() {
            disk.file(last);
        }
        Self { seen: disk.clone(), durable: disk, pending: Vec::new() }
    }

    fn tear(&self, disk: &mut View, mut left: usize) {
        for change in &self.pending {
            let Change::Write { file, at, bytes } = change else {
                disk.apply(change);
                continue;
            };
            let kept = left.min(bytes.len());
            disk.write(*file, *at, &bytes[..kept]);
            left -= kept;
            if kept < bytes.len() {
                return;
            }
        }
    }

    fn subset(&self, disk: &mut View, rng: &mut Rng, scramble: bool) {
        let sectors: Vec<_> = self.sectors().collect();
        for change in &self.pending {
            if !matches!(change, Change::Write { .. }) && rng.one_in(2) {
                disk.apply(change);
            }
        }
        for (file, at, bytes) in &sectors {
            match rng.below(if scramble { 8 } else { 2 }) {
                0 => {}
                1..6 => disk.write(*file, *at, bytes),
                6 => {
                    let other = sectors[rng.below(sectors.len() as u64) as usize].2;
                    disk.write(*file, *at, &other[..other.len().min(bytes.len())]);
                }
                _ => {
                    let noise: Vec<u8> = bytes.iter().map(|_| rng.next_u64() as u8).collect();
                    disk.write(*file, *at, &noise);
                }
            }
        }
    }

    /// All unsynced writes, cut where a sector of the file ends.
    fn sectors(&self) -> impl Iterator<Item = (usize, usize, &[u8])> {
        self.pending.iter().flat_map(|change| {
            let (file, mut at, mut rest): (_, _, &[u8]) = match change {
                Change::Write { file, at, bytes } => (*file, *at, bytes),
                _ => (0, 0, &[]),
            };
            std::iter::from_fn(move || {
                let n = (SECTOR_BYTES - at % SECTOR_BYTES).min(rest.len());
                let (sector, later) = rest.split_at(n);
                let start = at;
                (at, rest) = (at + n, later);
                (!sector.is_empty()).then_some((file, start, sector))
            })
        })
    }

    /// Bytes of all unsynced writes, and number of unsynced changes.
    pub(crate) fn unsynced(&self) -> (usize, usize) {
        (self.sectors().map(|(_, _, bytes)| bytes.len()).sum(), self.pending.len())
    }

    /// Bytes of all files that have a name.
    pub(crate) fn used(&self) -> u64 {
        self.seen.names.values().map(|file| self.seen.files[*file].len() as u64).sum()
    }
}
