"""Bugs of an event log, each of which a test of `daemon/log`, or of who works with it, must find. `scripts/planted-bugs` puts
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
TRIM = "-p aiflow-core --test all trimmed"

BUGS = []


def bug(name, why, file, old, new, tests):
    file = file if "/src/" in file else LOG + file
    BUGS.append({"name": name, "why": why, "file": file, "old": old, "new": new, "tests": tests})


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
bug("index-places-are-not-checked", "damaged places in an index lead astray",
    "index/file.rs", """            return None;
        }
        let marks = bytes""", """            let _ = group;
        }
        let marks = bytes""", INDEX)
bug("index-stops-when-retention-overtakes-it", "an index that retention has overtaken never answers again",
    "index/tail.rs", "Err(ReadError::Gone { first, .. }) => {",
    "Err(ReadError::Gone { first, .. }) if first == 0 => {", INDEX)
bug("index-tail-keeps-what-retention-dropped", "labels of a dropped segment are taken for those of the next",
    "index/tail.rs", "self.tail = Builder::new(first);", "(self.tail.base, self.tail.next) = (first, first);", INDEX)
bug("kept-labels-of-another-log", "the labels of a last segment are believed although the batch there is another",
    "index/tail.rs", "batch.checksum() == chain && ", "", INDEX)
bug("kept-labels-beyond-the-end", "labels of records that are not in the log any more are believed",
    "index/tail.rs", "|| end > until ", "", INDEX)
bug("kept-places-are-not-checked", "damaged places kept of a last segment lead astray",
    "index/file.rs", """                return None;
            }
            builder.marks""", """                let _ = group;
            }
            builder.marks""", INDEX)

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
bug("two-writers", "the lock lets a second daemon in",
    "lock.rs", "file.try_lock()", "file.try_lock_shared()", DISK)

# Old segments.

bug("retention-without-directory-sync", "two removals in one go may leave a gap between segments",
    "retention.rs", "between two segments.\n        " + SYNC_DIRECTORY, "between two segments.", RETENTION)
bug("retention-drops-too-much", "a segment goes that still holds a record to be kept",
    "retention.rs", "take_while(|pair| pair[1] <= offset)", "take_while(|pair| pair[0] < offset)", RETENTION)
bug("retention-starts-at-the-end", "a crash while old segments are removed leaves a hole",
    "retention.rs", "bases.windows(2).take_while(|pair| pair[1] <= offset)",
    "bases.windows(2).rev().skip_while(|pair| pair[1] > offset)", RETENTION)
bug("retention-starts-at-the-end, real disk", "the same under real power cuts",
    "retention.rs", "bases.windows(2).take_while(|pair| pair[1] <= offset)",
    "bases.windows(2).rev().skip_while(|pair| pair[1] > offset)", POWER)
bug("retention-forgets-compressed-segments", "a dropped segment is still there, behind it a hole",
    "retention.rs", "for name in [segment::name(pair[0]), segment::compressed_name(pair[0])] {",
    "for name in [segment::name(pair[0])] {", RETENTION)
bug("retention-drops-what-is-needed", "a limit goes before what the caller says must stay",
    "retention.rs", "if end > safe || !(is_over || is_old) {", "if !(is_over || is_old) {", RETENTION)
bug("retention-drops-what-is-needed, real disk", "the same under real power cuts",
    "retention.rs", "if end > safe || !(is_over || is_old) {", "if !(is_over || is_old) {", POWER)
bug("retention-keeps-one-record-too-few", "the record that the caller needs first goes with its segment",
    "retention.rs", "if end > safe || ", "if end > safe.saturating_add(1) || ", RETENTION)
bug("trim-drops-what-a-task-waits-for", "the beginning of the log goes although something alive may ask for it",
    "daemon/core/src/engine.rs", "let is_kept = reason == TrimReason::Retention && is_needed();",
    "let is_kept = reason != TrimReason::Retention && is_needed();", TRIM)
bug("trim-drops-one-record-too-many", "the oldest record that something alive may ask for goes",
    "daemon/core/src/engine.rs", "is_some_and(|(oldest, _)| oldest < before)",
    "is_some_and(|(oldest, _)| oldest.0 + 1 < before.0)", TRIM)
bug("trim-goes-back", "the log is said to begin before what was dropped",
    "daemon/core/src/engine.rs", "if before > self.state.first_offset && ", "if ", TRIM)
bug("trim-forgets-what-is-to-be-fired-again", "the events of an execution that waits for its restart go",
    "common/model/src/state/run.rs",
    "alive.chain(task.restart.iter().flat_map(|restart| &restart.events)).copied()", "alive.copied()", TRIM)
bug("reader-passes-over-what-was-dropped", "who asks for what was dropped is given what comes later, and is not told",
    "reader.rs", "let at = self.segments.partition_point(|places| places.base <= from);\n        let Some(places)",
    "let at = self.segments.partition_point(|places| places.base <= from).max(1);\n        let Some(places)", RETENTION)
bug("reader-takes-dropping-for-damage", "a reader that retention overtakes on its way says that the log is damaged",
    "reader.rs", "if mark.offset < first {", "if mark.offset < first && first == 0 {", RETENTION)
bug("reader-takes-dropping-for-a-failure", "a segment that was dropped between two looks is said to be a failing disk",
    "reader.rs", "Ok(first) if from < first => ReadError::Gone", "Ok(first) if from > first => ReadError::Gone", RETENTION)

# Compressed segments.

bug("segment-comes-back-behind-a-drop", "one that is compressed while it is dropped leaves a hole in the log",
    "retention.rs", "    let _turn = turn();\n    let (plain_name, name)", "    let (plain_name, name)", RETENTION)
bug("compressed-file-not-synced", "the plain segment goes before the bytes of the compressed one are on the disk",
    "retention.rs", "    file.sync_data()?;\n", "", RETENTION)
# Forgetting the cache alone would have the system write it out at once.
bug("compressed-file-not-synced, real disk", "the same under real power cuts, and it is read back from memory",
    "retention.rs", "    file.sync_data()?;\n    file.drop_cache();\n", "", POWER)
bug("compressed-file-without-directory-sync", "the plain segment goes before the name of the compressed one is on the disk",
    "retention.rs", "storage.rename(TEMPORARY, name)?;\n    storage.sync_dir()?;",
    "storage.rename(TEMPORARY, name)?;", RETENTION)
bug("compressed-file-keeps-its-first-name", "the plain segment goes, and what replaces it never gets its name",
    "retention.rs", "storage.rename(TEMPORARY, name)?;", "let _ = name;", RETENTION)
bug("plain-segment-goes-first", "the plain segment goes before it is compressed",
    "retention.rs", "let sizes = pack(storage, &plain, &name)",
    "remove(storage, &plain_name)?;\n    let sizes = pack(storage, &plain, &name)", RETENTION)
bug("plain-segment-goes-first, real disk", "the same under real power cuts",
    "retention.rs", "let sizes = pack(storage, &plain, &name)",
    "remove(storage, &plain_name)?;\n    let sizes = pack(storage, &plain, &name)", POWER)
bug("compressed-file-is-not-compared", "what reads back otherwise replaces the segment",
    "retention.rs", "if !is_same(plain, &Compressed::open(file)?)? {",
    "if !is_same(plain, &Compressed::open(file)?).is_ok() {", RETENTION)
bug("compressed-file-is-compared-in-memory", "what the disk holds is never looked at before the plain segment goes",
    "retention.rs", "    file.drop_cache();\n", "", RETENTION)
bug("unfinished-compression-stays", "a full disk is filled by what a crash left",
    "recovery.rs", "    retention::remove_unfinished(storage)?;\n", "", RETENTION)
bug("last-segment-is-compressed", "the segment that is being written is compressed and goes",
    "retention.rs", "if !bases.contains(&base) || bases.last() == Some(&base) {",
    "if !bases.contains(&base) {", RETENTION)
bug("compressed-end-of-a-log-is-opened", "a log whose newest segments are missing is not said to be damaged",
    "verify.rs", "if cursor.file.is_compressed() {", "if cursor.file.is_compressed() && base == u64::MAX {", RETENTION)
bug("compressed-segment-goes-first", "while a segment is there in both forms, the one that may be damaged is read",
    "segment.rs", """    match storage.open(&name(base), Access::Read) {
        Ok(file) => Ok(SegmentFile::Plain(file)),
        Err(error) if""", """    match storage.open(&name(base), Access::Read) {
        Ok(file) => match open_compressed(storage, base) {
            Err(SegmentError::Storage(_)) => Ok(SegmentFile::Plain(file)),
            other => other,
        },
        Err(error) if""", RETENTION)
bug("compressed-table-may-end-anywhere", "sizes from the disk are believed before they are compared with the file",
    "compressed.rs", "if at != table_at {", "if at > u64::MAX - table_at {", RETENTION)
bug("compressed-blocks-may-be-of-any-size", "a size of a block from the disk is believed",
    "compressed.rs", "if plain > BLOCK_BYTES || plain == 0 || (plain < BLOCK_BYTES && !is_last) {",
    "if plain == 0 && at == u64::MAX && is_last {", RETENTION)
bug("compressed-table-of-any-length", "a number of blocks from the disk is believed",
    "compressed.rs", "|| u64::from(split_u32(rest).0) != content {",
    "|| u64::from(split_u32(rest).0) > content + (1 << 40) {", RETENTION)
bug("damaged-block-is-read-as-zeros", "a block that cannot be decompressed is taken for the unused end of a segment",
    "compressed.rs", """            .map_err(|_| invalid("a block cannot be decompressed"))?;""",
    """            .unwrap_or_else(|_| {
                into.bytes.fill(0);
                plain
            });""", RETENTION)
bug("damaged-block-shows-the-one-before", "a block that cannot be decompressed shows what was read last",
    "compressed.rs", "        into.number = 0;\n", "        into.number = number + 1;\n",
    "-p aiflow-log --lib")

# Repair.

bug("repair-removes", "what a repair takes out is gone for good",
    "repair.rs", "match storage.rename(name, &aside) {", "match storage.remove(name) {", REPAIR)
bug("repair-keeps-no-copy", "the segment that a repair cuts is not kept as it was",
    "repair.rs", "        copy(storage, &opened.file, capacity, capacity, &aside)?;\n        removed.push(aside);\n",
    "        let _ = aside;\n", REPAIR)
bug("repair-cuts-one-batch-too-much", "the last good batch goes with the damage",
    "repair.rs", """    while cursor.mark.offset < end {
        if let Step::Stop(fault) = cursor.step()? {
            return Err(cursor.damage(DamageReason::Frame(fault)).into());
        }
    }
    Ok(cursor.mark.position)""", """    let mut before = cursor.mark.position;
    while cursor.mark.offset < end {
        before = cursor.mark.position;
        if let Step::Stop(fault) = cursor.step()? {
            return Err(cursor.damage(DamageReason::Frame(fault)).into());
        }
    }
    Ok(before)""", REPAIR)
bug("repair-cuts-at-the-last-damage", "a log with two damaged places is cut at the second",
    "repair.rs", "Plan::CutTail { end: first.offset, lost_until: report.next_offset.max(newest) }",
    "Plan::CutTail { end: last.offset, lost_until: report.next_offset.max(newest + first.offset * 0) }", REPAIR)
bug("repair-leaves-the-old-tail", "bytes behind the cut are still there and look like damage, or come back",
    "repair.rs", "segment::write_zeros(&to, end, capacity)?;",
    "let mut rest = vec![0; (capacity - end) as usize];\n"
    "        from.read_segment_at(&mut rest, end)?;\n        to.write_all_at(&rest, end)?;", REPAIR)
bug("repair-keeps-snapshots-ahead", "a snapshot of what was cut off stays, and the log is refused again",
    "repair.rs", ".filter(|offset| offset > end)", ".filter(|offset| *offset > end + (1 << 40))", REPAIR)
bug("repair-takes-snapshots-first", "a crash during a repair takes the proof that something is missing",
    "repair.rs", """            let bases = segment::bases(storage)?;
            for base in bases.iter().rev()""", """            for offset in snapshot::offsets(storage)?.into_iter().filter(|offset| offset > end) {
                set_aside(storage, &snapshot::name(offset), &mut removed)?;
            }
            let bases = segment::bases(storage)?;
            for base in bases.iter().rev()""", REPAIR)
bug("repair-drops-what-no-snapshot-covers", "the beginning goes although the snapshot does not hold what came of it",
    "repair.rs", "usable.is_some_and(|offset| offset > *next)", "usable.is_some()", REPAIR)
bug("repair-drops-what-proves-a-snapshot", "the batch that ends at the snapshot goes, and nothing tells whose it is",
    "repair.rs", "usable.is_some_and(|offset| offset > *next)", "usable.is_some_and(|offset| offset >= *next)", REPAIR)
bug("repair-drops-up-to-the-first-damage", "the beginning goes, and damage stays",
    "repair.rs", "find(|base| *base > last.offset)", "find(|base| *base > first.offset.min(last.offset))", REPAIR)
bug("repair-copy-not-synced", "a segment is replaced by one that is not on the disk yet",
    "repair.rs", "        to.sync_data()\n", "        Ok(())\n", REPAIR)
bug("repair-drops-the-newest-first", "an interrupted repair leaves a hole, and the next one gives up more",
    "repair.rs", "segment::bases(storage)?.into_iter().filter(|base| base < first)",
    "segment::bases(storage)?.into_iter().rev().filter(|base| base < first)", REPAIR)
