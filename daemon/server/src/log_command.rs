//! `aiflowd log verify|dump`: looks at the log of a home that no daemon uses; writes nothing.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use aiflow_log::{DirectoryLock, LogReader};
use aiflow_model::{State, exit_code};
use clap::Subcommand;
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::home::Home;
use crate::records;
use crate::snapshots;
use crate::start::refuse;

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Check every byte; exit 8 when something is damaged.
    Verify {
        /// Fold the log too, from its beginning and from each snapshot, and compare.
        #[arg(long)]
        deep: bool,
    },
    /// Print the records, one JSON object a line.
    Dump {
        /// First record.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Most records.
        #[arg(long)]
        limit: Option<u64>,
    },
}

/// Runs it.
pub(crate) fn run(flag: Option<PathBuf>, command: &LogCommand) -> Result<(), Failure> {
    let home = Home::locate(flag)?;
    let _lock = DirectoryLock::acquire(home.root()).map_err(|error| {
        Failure::new(exit_code::HOME_BUSY, "the log is in use")
            .because(error)
            .hint(format!("aiflow --home {} server stop", home.root().display()))
    })?;
    let written = match command {
        LogCommand::Verify { deep } => verify(&home, *deep),
        LogCommand::Dump { from, limit } => dump(&home, *from, *limit),
    }?;
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(exit_code::OPERATING, "cannot write to stdout").because(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn verify(home: &Home, deep: bool) -> Result<std::io::Result<()>, Failure> {
    let report = aiflow_log::verify(&home.open_log()?).map_err(|error| refuse(home, error))?;
    let mut out = std::io::stdout().lock();
    let print = |out: &mut std::io::StdoutLock<'_>| {
        for segment in &report.segments {
            let (name, base, end) = (&segment.name, segment.base, segment.end);
            writeln!(out, "{name}  records {base}..{end}  {} bytes", segment.bytes)?;
        }
        if let Some(tail) = &report.tail {
            writeln!(
                out,
                "{}  the next start cuts {} bytes of an unacknowledged commit at {}",
                tail.segment, tail.bytes, tail.position
            )?;
        }
        for damage in &report.damage {
            writeln!(out, "DAMAGED  {damage}")?;
        }
        writeln!(out, "{} records, {} damaged places", report.records, report.damage.len())
    };
    let printed = print(&mut out);
    if report.damage.is_empty() {
        return if deep { verify_deep(home, report.next_offset) } else { Ok(printed) };
    }
    let what = format!("the log in {} is damaged", home.log().display());
    Err(Failure::new(exit_code::LOG_REFUSED, what)
        .hint("restore the segment from a copy; what is acknowledged is never cut away"))
}

/// Compares the state folded from the log's beginning with that from each snapshot and its tail.
fn verify_deep(home: &Home, end: u64) -> Result<std::io::Result<()>, Failure> {
    let storage = home.open_log()?;
    let stored = |state: State| {
        let folded = snapshots::fold(&storage, state, end)?;
        anyhow::Ok(folded.state().to_stored()?)
    };
    let refused = |error: anyhow::Error| Failure::new(exit_code::LOG_REFUSED, format!("{error:#}"));
    let whole = stored(State::empty()).map_err(refused)?;
    let mut lines = vec![format!("state at {end}: {}", hash(&whole))];
    let mut differ = 0;
    for offset in
        aiflow_log::snapshot::offsets(&storage).map_err(|error| refuse(home, error.into()))?
    {
        let same = match snapshots::load(&storage, offset) {
            Ok(state) => stored(state).map_err(refused)? == whole,
            Err(error) => {
                lines.push(format!("snapshot {offset}: not usable: {error}"));
                continue;
            }
        };
        differ += usize::from(!same);
        let said = if same { "and what follows give the same state" } else { "DIFFERS" };
        lines.push(format!("snapshot {offset}: {said}"));
    }
    let printed = writeln!(std::io::stdout().lock(), "{}", lines.join("\n"));
    if differ == 0 {
        return Ok(printed);
    }
    let what = format!("{differ} snapshots in {} are wrong", home.log().display());
    Err(Failure::new(exit_code::LOG_REFUSED, what)
        .hint(format!("rm {}/*.snapshot: the log itself is whole", home.log().display())))
}

fn hash(stored: &[u8]) -> String {
    Sha256::digest(stored).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn dump(home: &Home, from: u64, limit: Option<u64>) -> Result<std::io::Result<()>, Failure> {
    let storage = home.open_log()?;
    let end = aiflow_log::verify(&storage).map_err(|error| refuse(home, error))?.next_offset;
    let until = limit.map_or(end, |limit| end.min(from.saturating_add(limit)));
    let failed = |error: aiflow_log::ReadError| {
        Failure::new(exit_code::LOG_REFUSED, "the log cannot be read")
            .because(error)
            .hint(format!("aiflowd --home {} log verify", home.root().display()))
    };
    let mut reader = LogReader::new(storage);
    let mut batches = reader.read(from, until).map_err(failed)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut line = Vec::new();
    while let Some(batch) = batches.next_batch().map_err(failed)? {
        for record in batch.records() {
            line.clear();
            records::splice_json(&mut line, &record);
            line.push(b'\n');
            if let Err(error) = out.write_all(&line) {
                return Ok(Err(error));
            }
        }
    }
    Ok(out.flush())
}
