"""Bugs of an event log, each of which a test of `daemon/log` must find. `scripts/planted-bugs` puts
them into a copy of the tree, one at a time. An entry: a name, why it is a bug, the file, the text
that is replaced and stands there exactly once, the text that takes its place, and the tests that
must fail, as arguments of `cargo test`."""

LOG = "daemon/log/src/"
CRASH = "-p aiflow-log --test crash"
DAMAGE = "-p aiflow-log --test damage"
DISK = "-p aiflow-log --test disk"
FAULTS = "-p aiflow-log --test faults"
FORMAT = "-p aiflow-log --test format"
INDEX = "-p aiflow-log --test index"
RETENTION = "-p aiflow-log --test retention"
REPAIR = "-p aiflow-log --test repair"
SNAPSHOT = "-p aiflow-log --test snapshot"
POWER = "-p aiflow-power"

BUGS = []


def bug(name, why, file, old, new, tests):
    BUGS.append({"name": name, "why": why, "file": LOG + file, "old": old, "new": new, "tests": tests})


# Durability.

SYNC_COMMIT = 'self.file.sync_data().map_err(StorageError::of("sync", &name))?;'
SYNC_DIRECTORY = 'storage.sync_dir().map_err(StorageError::of("sync", "the directory"))?;'
SYNC_SPARE = 'file.sync_data().map_err(StorageError::of("sync", SPARE_NAME))?;'

bug("ack-before-sync", "a commit is acknowledged when it is written, and a power cut takes it back",
    "writer.rs", SYNC_COMMIT, "", CRASH)
bug("ack-before-sync, real disk", "the same under real power cuts",
    "writer.rs", SYNC_COMMIT, "", POWER)
bug("rotation-forgets-the-old-segment", "the last commits of a segment are not synced when the next one begins",
    "writer.rs", SYNC_COMMIT,
    "if mark.position + 128 < self.header.capacity { " + SYNC_COMMIT + " }", CRASH)
bug("segment-without-directory-sync", "a new segment's name is lost, and all that was acknowledged in it",
    "segment.rs", SYNC_DIRECTORY + "\n    Ok(crc)", "Ok(crc)", CRASH)
bug("segment-header-not-synced", "a segment has its name before its header is on the disk",
    "segment.rs", SYNC_SPARE, "", CRASH)
bug("segment-header-not-synced, real disk", "the same under real power cuts",
    "segment.rs", SYNC_SPARE, "", POWER)
bug("snapshot-not-synced", "a snapshot or an index gets its name before its bytes are on the disk",
    "segment.rs", ".and_then(|()| file.sync_data())", "", SNAPSHOT)
bug("snapshot-not-synced, real disk", "the same under real power cuts",
    "segment.rs", ".and_then(|()| file.sync_data())", "", POWER)
bug("snapshot-without-directory-sync", "a snapshot that was installed is gone after a power cut",
    "segment.rs", "storage.rename(temporary, name)?;\n    storage.sync_dir()",
    "storage.rename(temporary, name)", SNAPSHOT)
bug("retention-without-directory-sync", "two removals in one go may leave a gap between segments",
    "retention.rs", "between two segments.\n        " + SYNC_DIRECTORY, "between two segments.", RETENTION)

# Failing calls.

bug("failed-sync-is-retried", "after a failed sync the next one succeeds and means nothing",
    "writer.rs", SYNC_COMMIT, SYNC_COMMIT.replace(
        ".map_err", ".or_else(|_| self.file.sync_data()).map_err", 1), FAULTS)
bug("failure-does-not-poison", "the log goes on after a failed write or sync",
    "writer.rs", "self.poisoned |= result.is_err();", "", FAULTS)
bug("committer-goes-on-after-a-failure", "frames behind a failed commit are tried too",
    "committer.rs", "            if failed {\n                return;\n            }\n", "", DISK)
bug("short-write-is-taken-for-whole", "half of a commit is written and all of it is acknowledged",
    "storage.rs", "WriteZero.into());\n            }\n            done += n;",
    "WriteZero.into());\n            }\n            done += n.max(bytes.len());", FAULTS)
bug("short-read-is-taken-for-whole", "the rest of the buffer is believed to be what the disk holds",
    "storage.rs", "break;\n            }\n            done += n;",
    "break;\n            }\n            done += n.max(buffer.len());", FAULTS)
bug("eintr-is-a-failure", "a signal ends the log",
    "storage.rs", "&& interruptions < INTERRUPTIONS_MAX", "&& interruptions > INTERRUPTIONS_MAX", FAULTS)
bug("eintr-is-success", "a write that a signal interrupted is taken for done",
    "storage.rs", "let n = uninterrupted(|| self.write_at(rest, position + done as u64))?;",
    "let n = match self.write_at(rest, position + done as u64) {\n"
    "    Err(error) if error.kind() == io::ErrorKind::Interrupted => rest.len(),\n"
    "    other => other?,\n};", FAULTS)
bug("full-disk-poisons", "a full disk ends the log although half a segment is still reserved",
    "writer.rs", "self.space = Space::Low { kind: error.source.kind() };",
    "self.space = Space::Low { kind: error.source.kind() };\n                self.poisoned = true;", FAULTS)
bug("reserve-is-used-up", "a full disk is told only when the reserved space is gone",
    "writer.rs", "self.mark.position < self.header.capacity / 2",
    "self.mark.position + 256 < self.header.capacity", FAULTS)
bug("space-is-not-asked-for-again", "a disk that has space again is never noticed",
    "committer.rs", "if timeout.timed_out() && ", "if timeout.timed_out() && woken.closing && ",
    DISK)

# What is believed after a crash.

bug("recovery-cuts-too-much", "the end of the last good frame goes with the torn tail",
    "recovery.rs", "write_zeros(file, position, rest.dirty_end)",
    "write_zeros(file, position - 8, rest.dirty_end)", CRASH)
bug("torn-tail-is-left", "frames of a commit that was cut off come back behind a new one",
    "recovery.rs", "write_zeros(file, position, rest.dirty_end)",
    "write_zeros(file, position, position)", CRASH + " frames_that")
bug("zeros-are-not-synced", "the same after one more power cut",
    "recovery.rs", '    file.sync_data().map_err(StorageError::of("sync", &name))?;', "", CRASH + " frames_that")
bug("opening-does-not-sync", "what a killed process left in memory is believed to be on the disk",
    "recovery.rs", 'opened.file.sync_data().map_err(StorageError::of("sync", &name))?;', "", CRASH)
bug("opening-believes-the-cache", "bytes that a failed sync lost are still seen and believed",
    "recovery.rs", "opened.file.drop_cache();", "", CRASH + " failed_sync")
bug("damage-is-cut-off", "damage before acknowledged records is taken for a torn tail",
    "scan.rs", "|frame: &FrameHeader| frame.durable_before > mark.offset",
    "|_: &FrameHeader| false", DAMAGE + " a_zeroed")
bug("durable-before-is-too-low", "no frame proves that the ones before it were acknowledged",
    "writer.rs", "let durable_before = self.mark.offset;", "let durable_before = 0;", DAMAGE + " a_zeroed")
bug("durable-before-is-too-high", "a torn commit looks like damage, and the log does not open",
    "writer.rs", "mark.position, durable_before, mark.chain",
    "mark.position, durable_before.max(mark.offset), mark.chain", CRASH)
bug("snapshot-newer-than-the-log", "a log that has lost what a snapshot proves is opened",
    "recovery.rs", "if cursor.mark.offset < durable {", "if cursor.mark.offset > durable + (1 << 40) {", SNAPSHOT)

# Damage.

bug("frame-checksum-is-not-checked", "a tail with a broken checksum is kept",
    "format.rs", "if frame_crc(bytes, segment, position) != self.crc {",
    "if bytes.is_empty() && frame_crc(bytes, segment, position) != self.crc {", DAMAGE + " a_last_commit")
bug("frame-checksum-without-place", "a frame inside of a record proves what it does not, and the log does not open",
    "format.rs", "crc32c_append(crc32c(&place), &bytes[8..])",
    "crc32c_append(crc32c(&place[..0]), &bytes[8..])", DAMAGE + " a_frame_inside")
bug("frame-length-is-not-bounded", "a length from the disk is believed before it is compared with the segment",
    "format.rs", "is_some_and(|end| end <= capacity)", "is_some_and(|end| end <= u64::MAX - capacity)", FORMAT)
bug("frame-count-is-not-bounded", "a number of records from the disk is believed",
    "format.rs", "u64::from(header.count) * 4 <= u64::from(header.length)", "header.length > 0", FORMAT)
bug("chain-is-not-checked", "a write that the disk forgot shows an older frame, which is believed",
    "scan.rs", "if frame.previous_crc != self.chain {",
    "if frame.previous_crc != self.chain && frame.count == 0 {", DAMAGE + " a_frame_from")
bug("sealed-segments-are-not-checked", "damage outside of the last segment is not noticed",
    "recovery.rs", "check_sealed(&storage, &pair[0], &pair[1])?;", "let _ = pair;", DAMAGE + " segments_of")
bug("missing-segment-is-not-noticed", "a hole in the middle of the log",
    "recovery.rs", "if pair[1].previous_base != pair[0].base {",
    "if pair[1].previous_base < pair[0].base {", DAMAGE + " a_missing")
bug("missing-segment-below-the-snapshot", "the same, where frames are not read when opening",
    "recovery.rs", "check_links(&headers)?;",
    "if options.check_from == 0 { check_links(&headers)?; }", DAMAGE + " a_missing")
bug("foreign-segment-is-not-noticed", "the base in a header is another one than in the name",
    "segment.rs", "if header.base != base {", "if header.base != base && length == 0 {", DAMAGE + " a_missing")
bug("shortened-segment-is-not-noticed", "a file is not as long as its header says",
    "segment.rs", "if header.capacity != length {", "if header.capacity < length {", DAMAGE + " a_missing")
bug("overlapping-segments", "a segment that goes on behind the base of the next",
    "recovery.rs", "if mark.offset > next.base {", "if mark.offset > next.base + (1 << 40) {", DAMAGE + " segments_of")
bug("segments-are-joined-by-base-only", "a segment of another history in the middle",
    "recovery.rs", "if before != (mark.epoch, mark.time_us, mark.chain) {",
    "if before.0 != mark.epoch {", DAMAGE + " segments_of")
bug("reader-joins-by-base-only", "the same, for a reader beside the writer",
    "reader.rs", "(header.previous_base, header.previous_crc) != (previous_base, previous_crc)",
    "(header.previous_base, previous_crc) != (previous_base, previous_crc)", DAMAGE + " segments_of")
bug("next-segment-without-chain", "a new segment does not say what came before it",
    "writer.rs", "previous_crc: self.mark.chain,", "previous_crc: 0,", CRASH)
bug("newer-format-is-opened", "a log of a later version is read as if it were of this one",
    "format.rs", "if version > FORMAT_VERSION {", "if version > FORMAT_VERSION + 1_000_000_000 {", FORMAT)
bug("snapshot-content-is-not-checked", "a damaged snapshot is loaded",
    "snapshot.rs", "crc32c(&bytes[HEADER_BYTES..]) != content_crc", "content_crc == 0", SNAPSHOT)
bug("snapshot-header-is-not-checked", "a snapshot whose header is damaged is loaded",
    "snapshot.rs", "u32_at(12) != header_crc(&bytes)", "header_crc(&bytes) == 0", SNAPSHOT)
bug("snapshot-of-another-version", "a snapshot of another version is loaded",
    "snapshot.rs", "if u32_at(8) != SNAPSHOT_VERSION {", "if u32_at(8) < SNAPSHOT_VERSION {", SNAPSHOT)
bug("snapshot-under-another-name", "a snapshot of another offset is loaded",
    "snapshot.rs", "u64_at(16) == offset && ", "", SNAPSHOT)

# The key index.

bug("damaged-index-is-not-made-again", "a damaged index hides records",
    "index/mod.rs", "match self.rebuild(base, end) {", "match Ok::<_, ReadError>(Builder::new(base)) {", INDEX)
bug("index-header-is-not-checked", "a damaged header of an index is believed",
    "index/file.rs", "u32_at(fixed, 12) == header_crc(fixed)", "header_crc(fixed) != 0", INDEX)
bug("index-directory-is-not-checked", "a damaged directory of an index is believed",
    "index/file.rs", "crc32c(directory) == crc", "crc32c(directory) >= crc.min(0)", INDEX)
bug("index-entries-are-not-checked", "damaged entries of an index are believed",
    "index/file.rs", "crc32c(&entries) == u32_at(bucket, 12)", "entries.len() % ENTRY_BYTES == 0", INDEX)
bug("index-offsets-are-not-checked", "damaged offsets in an index are believed",
    "index/file.rs", "(crc32c(&bytes) == u32_at(entry, 24)).then_some(bytes)", "Some(bytes)", INDEX)
bug("index-of-another-history", "an index of another segment with the same base and end is believed",
    "index/mod.rs", "&& Some(file.header.chain) == self.chain_before(end)",
    "&& self.chain_before(end).is_some()", INDEX)
bug("index-of-another-labelling", "an index with other labels is believed",
    "index/mod.rs", "&& file.header.labelling == L::VERSION", "", INDEX)

# Writing and reading.

bug("offset-is-not-checked", "a frame that leaves a gap or repeats an offset is written",
    "writer.rs", "if frame.base_offset() != offset {", "if frame.base_offset() < offset && epoch == u64::MAX {", FAULTS)
bug("epoch-is-not-checked", "a daemon of the past goes on writing",
    "writer.rs", "if frame.epoch() < epoch {", "if frame.epoch() < epoch && epoch == u64::MAX {", FAULTS)
bug("old-epoch-is-read", "a frame of an older epoch behind a newer one is believed",
    "scan.rs", "if frame.epoch < self.epoch {", "if frame.epoch < self.epoch && frame.count == 0 {",
    "-p aiflow-log --lib")
bug("reader-goes-beyond-the-end", "records that are not durable are handed out",
    "reader.rs", ".take_while(move |(offset, _)| *offset < until)",
    ".take_while(move |(offset, _)| *offset < until.max(u64::MAX))", DISK)
bug("reader-believes-its-buffer", "a follower sees zeros that were read before the end moved",
    "reader.rs", "cursor.jump(cursor.mark);", "", DISK)
bug("retention-drops-too-much", "a segment goes that still holds a record to be kept",
    "retention.rs", "take_while(|pair| pair[1] <= offset)", "take_while(|pair| pair[0] < offset)", RETENTION)
bug("retention-starts-at-the-end", "a crash while old segments are removed leaves a hole",
    "retention.rs", "bases.windows(2).take_while(|pair| pair[1] <= offset)",
    "bases.windows(2).rev().skip_while(|pair| pair[1] > offset)", RETENTION)
bug("two-writers", "the lock lets a second daemon in",
    "lock.rs", "file.try_lock()", "file.try_lock_shared()", DISK)
