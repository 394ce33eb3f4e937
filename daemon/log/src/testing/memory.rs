//! [`MemoryStorage`]: the storage trait over a simulated disk, with faults at chosen calls.
//!
//! Clones share one disk, as two handles on one directory do. Never: a call that is not counted.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::image::{Change, CrashMode, Image};
use crate::storage::{Access, Storage, StorageFile};

const EINTR: i32 = 4;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// How a call fails. A fault that does not fit the call leaves it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Any call that can fail: input/output error. Half of a write may have happened. When the sync
    /// of a file fails, half of its unsynced sectors are lost, although they are still seen.
    Eio,
    /// `create`, `write_at` and `allocate`: no space left. A write may have happened in part.
    Enospc,
    /// `read_at`, `write_at` and `allocate`: interrupted before anything was done.
    Eintr,
    /// `read_at` and `write_at`: only half is done.
    Short,
    /// `sync_data` and `sync_dir`: as `Eio`, and no other call.
    FsyncError,
}

/// How often a fault comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// At one call.
    Once,
    /// At that call and all later ones that it fits.
    Sticky,
}

/// A directory in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    world: Arc<Mutex<World>>,
}

#[derive(Debug, Default)]
struct World {
    image: Image,
    calls: u64,
    faults: Vec<(u64, Fault, Repeat)>,
    hits: u64,
    space: Option<u64>,
    no_allocate: bool,
    history: Option<Vec<(u64, Image)>>,
}

/// What a call does, as far as faults go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Look,
    Name,
    Create,
    Read,
    Write,
    Sync,
    Allocate,
    Advise,
}

impl Fault {
    fn fits(self, call: Call) -> bool {
        match self {
            Self::Eio => call != Call::Advise,
            Self::Enospc => matches!(call, Call::Create | Call::Write | Call::Allocate),
            Self::Eintr => matches!(call, Call::Read | Call::Write | Call::Allocate),
            Self::Short => matches!(call, Call::Read | Call::Write),
            Self::FsyncError => call == Call::Sync,
        }
    }

    fn error(self) -> io::Error {
        io::Error::from_raw_os_error(match self {
            Self::Eio | Self::FsyncError | Self::Short => EIO,
            Self::Enospc => ENOSPC,
            Self::Eintr => EINTR,
        })
    }
}

impl World {
    /// Counts a call and tells whether it fails.
    fn call(&mut self, call: Call) -> Option<Fault> {
        let now = self.calls;
        self.calls += 1;
        let due = |(at, fault, repeat): &&(u64, Fault, Repeat)| {
            let reached = if *repeat == Repeat::Once { *at == now } else { *at <= now };
            reached && fault.fits(call)
        };
        let fault = self.faults.iter().find(due).map(|(_, fault, _)| *fault);
        self.hits += u64::from(fault.is_some());
        fault
    }

    fn check(&mut self, call: Call) -> io::Result<()> {
        self.call(call).map_or(Ok(()), |fault| Err(fault.error()))
    }

    fn change(&mut self, change: Change) {
        self.image.change(change);
        self.remember();
    }

    fn remember(&mut self) {
        if let Some(history) = &mut self.history {
            history.push((self.calls, self.image.clone()));
        }
    }

    fn grow(&self, file: usize, length: u64) -> io::Result<()> {
        let before = self.image.seen.files[file].len() as u64;
        let after = self.image.used() + length.saturating_sub(before);
        let full = length > before && self.space.is_some_and(|space| after > space);
        if full { Err(Fault::Enospc.error()) } else { Ok(()) }
    }
}

impl MemoryStorage {
    /// An empty directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn of(image: Image) -> Self {
        Self { world: Arc::new(Mutex::new(World { image, ..World::default() })) }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory after a power cut now; this one goes on as if nothing had happened.
    #[must_use]
    pub fn crash(&self, mode: CrashMode) -> Self {
        Self::of(self.world().image.crash(mode))
    }

    /// A copy of the disk as it is, without the faults and the history.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self::of(self.world().image.clone())
    }

    /// Remembers from now on the disk after each call that changes it.
    pub fn record_history(&self) {
        self.world().history = Some(Vec::new());
    }

    /// The remembered disks, each with the number of calls made when it came to be.
    #[must_use]
    pub fn history(&self) -> Vec<(u64, Self)> {
        let world = self.world();
        let states = world.history.iter().flatten();
        states.map(|(calls, image)| (*calls, Self::of(image.clone()))).collect()
    }

    /// Makes call number `call`, counted from 0, fail.
    pub fn fail_call(&self, call: u64, fault: Fault, repeat: Repeat) {
        self.world().faults.push((call, fault, repeat));
    }

    /// Forgets all faults.
    pub fn clear_faults(&self) {
        self.world().faults.clear();
    }

    /// Number of calls so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.world().calls
    }

    /// Number of calls that failed because of a fault.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.world().hits
    }

    /// Lets all files together grow to `bytes` only; `None` for no limit.
    pub fn limit_space(&self, bytes: Option<u64>) {
        self.world().space = bytes;
    }

    /// Makes `allocate` unsupported, as on some file systems.
    pub fn forbid_allocate(&self) {
        self.world().no_allocate = true;
    }

    /// Bytes of all unsynced writes, and number of unsynced changes: the ranges of
    /// [`CrashMode::TornAt`] and [`CrashMode::KeepChanges`].
    #[must_use]
    pub fn unsynced(&self) -> (usize, usize) {
        self.world().image.unsynced()
    }

    /// All files as they are seen now.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let world = self.world();
        let seen = &world.image.seen;
        seen.names.iter().map(|(name, file)| (name.clone(), seen.files[*file].to_vec())).collect()
    }

    /// Replaces or makes a file, durably, as damage does. Not counted as a call.
    pub fn overwrite(&self, name: &str, bytes: &[u8]) {
        self.world().image.overwrite(name, bytes);
    }

    /// Flips one bit of a file, counted from its first byte's lowest bit. Not counted as a call.
    pub fn flip_bit(&self, name: &str, bit: usize) {
        let mut world = self.world();
        let Some(mut bytes) = world.image.seen.content(name).cloned() else { return };
        bytes[bit / 8] ^= 1 << (bit % 8);
        world.image.overwrite(name, &bytes);
    }
}

impl Storage for MemoryStorage {
    type File = MemoryFile;

    fn list(&self) -> io::Result<Vec<String>> {
        let mut world = self.world();
        world.check(Call::Look)?;
        Ok(world.image.seen.names.keys().cloned().collect())
    }

    fn open(&self, name: &str, access: Access) -> io::Result<MemoryFile> {
        let mut world = self.world();
        world.check(Call::Look)?;
        let found = world.image.seen.names.get(name).copied();
        let file = found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(MemoryFile { world: Arc::clone(&self.world), file, access })
    }

    fn create(&self, name: &str) -> io::Result<MemoryFile> {
        let mut world = self.world();
        world.check(Call::Create)?;
        if world.image.seen.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = world.image.new_file();
        world.change(Change::Create { name: name.to_owned(), file });
        Ok(MemoryFile { world: Arc::clone(&self.world), file, access: Access::Write })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        world.check(Call::Name)?;
        if !world.image.seen.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.change(Change::Remove { name: name.to_owned() });
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world();
        world.check(Call::Name)?;
        let Some(file) = world.image.seen.names.get(from).copied() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        world.change(Change::Rename { from: from.to_owned(), to: to.to_owned(), file });
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut world = self.world();
        world.check(Call::Sync)?;
        world.image.sync_names();
        world.remember();
        Ok(())
    }
}

/// A file of a [`MemoryStorage`].
#[derive(Debug)]
pub struct MemoryFile {
    world: Arc<Mutex<World>>,
    file: usize,
    access: Access,
}

impl MemoryFile {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writable(&self) -> io::Result<()> {
        let allowed = self.access == Access::Write;
        if allowed { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl StorageFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut world = self.world();
        let mut wanted = buffer.len();
        match world.call(Call::Read) {
            None => {}
            Some(Fault::Short) => wanted = wanted.div_ceil(2),
            Some(fault) => return Err(fault.error()),
        }
        let content = &world.image.seen.files[self.file];
        let rest = content.get(position as usize..).unwrap_or_default();
        let n = rest.len().min(wanted);
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        self.writable()?;
        let mut world = self.world();
        let fault = world.call(Call::Write);
        if fault == Some(Fault::Eintr) {
            return Err(Fault::Eintr.error());
        }
        let n = if fault.is_some() { bytes.len().div_ceil(2) } else { bytes.len() };
        world.grow(self.file, position + n as u64)?;
        let (file, at) = (self.file, position as usize);
        world.change(Change::Write { file, at, bytes: bytes[..n].into() });
        match fault {
            None | Some(Fault::Short) => Ok(n),
            Some(fault) => Err(fault.error()),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut world = self.world();
        if let Some(fault) = world.call(Call::Sync) {
            world.image.lose(self.file);
            world.remember();
            return Err(fault.error());
        }
        world.image.sync_file(self.file);
        world.remember();
        Ok(())
    }

    fn drop_cache(&self) {
        let mut world = self.world();
        world.call(Call::Advise);
        world.image.forget(self.file);
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.writable()?;
        let mut world = self.world();
        world.check(Call::Allocate)?;
        if world.no_allocate {
            return Err(io::ErrorKind::Unsupported.into());
        }
        world.grow(self.file, length)?;
        world.change(Change::Length { file: self.file, length: length as usize });
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        let mut world = self.world();
        world.check(Call::Look)?;
        Ok(world.image.seen.files[self.file].len() as u64)
    }
}
