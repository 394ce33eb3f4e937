//! `aiflow workflow upload FILE`: the definition and the files that it lists.
//!
//! Must never upload half: the definition is sent when all its files are there.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use aiflow_client::{Client, Reply};
use aiflow_model::wire::{Call, FILE_PIECE_BYTES_MAX, FilePiece, Upload, UploadReply};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;

use super::diagnostics;
use super::failure::Failure;
use super::files::{self, FoundFile, unreadable};
use super::options::InNamespace;
use super::output::note;
use super::session::Session;

/// Pieces on their way at once; each is in memory.
const PIECES_MAX: usize = 4;

/// Uploads the definition in `file`.
pub(crate) async fn perform(
    session: &Session,
    file: &Path,
    further: Vec<String>,
    within: InNamespace,
) -> Result<(), Failure> {
    let source = std::fs::read_to_string(file).map_err(|source| unreadable(file, source))?;
    let directory = file.parent().unwrap_or(Path::new(""));
    let listed = [files::listed(&source), further].concat();
    let found = files::find(directory, &listed)?;
    let client = session.connect().await?;
    if !session.dry_run {
        bring(&client, &found).await?;
    }
    let files = found.into_iter().map(|file| file.entry).collect();
    let upload = Upload { namespace: within.namespace, source, files };
    let source = upload.source.clone();
    let call = Call::WorkflowUpload(Box::new(upload));
    let stored = session.try_change::<UploadReply>(&client, call).await;
    let stored =
        stored.map_err(|error| diagnostics::explain(error, &file.to_string_lossy(), &source))?;
    let Some(reply) = session.made(stored)? else { return Ok(()) };
    let warnings = diagnostics::warnings(&file.to_string_lossy(), &source, &reply.warnings);
    note(warnings.trim_end());
    session.output.answer(&reply, &summary(&reply))
}

fn summary(reply: &UploadReply) -> String {
    let UploadReply { workflow, namespace, snapshot, unchanged, .. } = reply;
    let verb = if *unchanged { "unchanged" } else { "uploaded" };
    format!("{verb} {namespace}/{workflow} snapshot {snapshot}")
}

/// Brings all files, several pieces at a time.
async fn bring(client: &Client, files: &[FoundFile]) -> Result<(), Failure> {
    let mut replies: VecDeque<Reply<IgnoredAny>> = VecDeque::new();
    for file in files {
        let mut handle = File::open(&file.path).map_err(|source| unreadable(&file.path, source))?;
        let mut position = 0;
        loop {
            let piece = next_piece(file, &mut handle, position)?;
            position += piece.len() as u64;
            if replies.len() == PIECES_MAX
                && let Some(oldest) = replies.pop_front()
            {
                oldest.receive().await?;
            }
            let begin = position - piece.len() as u64;
            replies.push_back(client.submit(&put(file, begin, &piece)).await?);
            if position >= file.entry.bytes {
                break;
            }
        }
    }
    for reply in replies {
        reply.receive().await?;
    }
    Ok(())
}

fn put(file: &FoundFile, position: u64, piece: &[u8]) -> Call {
    Call::FilePut(FilePiece {
        sha256: file.entry.sha256.clone(),
        bytes: file.entry.bytes,
        position,
        data: STANDARD.encode(piece),
    })
}

/// The bytes from `position` on: as many as one piece holds or the file has. Only of an empty
/// file are there none.
fn next_piece(file: &FoundFile, handle: &mut File, position: u64) -> Result<Vec<u8>, Failure> {
    let left = file.entry.bytes - position;
    let wanted = left.min(FILE_PIECE_BYTES_MAX as u64);
    let mut piece = Vec::new();
    let read = handle.take(wanted).read_to_end(&mut piece);
    read.map_err(|source| unreadable(&file.path, source))?;
    if piece.len() as u64 != wanted {
        let what = format!("{} has changed while it was read", file.path.display());
        return Err(Failure::input(what, Some("upload again")));
    }
    Ok(piece)
}
