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

use super::definition::{self, Definition};
use super::failure::Failure;
use super::files::{self, FoundFile, unreadable};
use super::options::InNamespace;
use super::output::note;
use super::python::Interpreter;
use super::session::Session;

/// Pieces on their way at once; each is in memory.
const PIECES_MAX: usize = 4;

/// Uploads the definitions in `file`: one of YAML, or all that a Python file holds.
pub(crate) async fn perform(
    session: &Session,
    file: &Path,
    further: Vec<String>,
    within: InNamespace,
    interpreter: &Interpreter,
) -> Result<(), Failure> {
    let uploads = read(file, &further, &within, interpreter)?;
    let client = session.connect().await?;
    let call = |upload| Call::WorkflowUpload(Box::new(upload));
    let uploads: Vec<(Definition, Vec<FoundFile>, Call)> = uploads
        .into_iter()
        .map(|(definition, found, upload)| (definition, found, call(upload)))
        .collect();
    if uploads.len() > 1 && !session.dry_run {
        // All or none: each is tried before the first is stored.
        for (definition, _, call) in &uploads {
            let tried = client.dry_run(call).await;
            tried.map_err(|error| definition.explain(error))?;
        }
    }
    let mut replies = Vec::new();
    for (definition, found, call) in uploads {
        if !session.dry_run {
            bring(&client, &found).await?;
        }
        let stored = session.try_change::<UploadReply>(&client, call).await;
        let stored = stored.map_err(|error| definition.explain(error))?;
        let Some(reply) = session.made(stored)? else { continue };
        note(definition.warnings(&reply.warnings).trim_end());
        replies.push(reply);
    }
    let texts: Vec<String> = replies.iter().map(summary).collect();
    match replies.as_slice() {
        [] => Ok(()),
        [reply] if !definition::is_python(file) => session.output.answer(reply, &texts[0]),
        replies => session.output.answers(replies, &texts),
    }
}

/// The definitions in a file, each with the files that it needs.
pub(super) fn read(
    file: &Path,
    further: &[String],
    within: &InNamespace,
    interpreter: &Interpreter,
) -> Result<Vec<(Definition, Vec<FoundFile>, Upload)>, Failure> {
    let directory = file.parent().unwrap_or(Path::new(""));
    let mut uploads = Vec::new();
    for definition in definition::read(file, interpreter)? {
        let mut found = files::find(directory, &files::listed(&definition.source))?;
        found.extend(files::find_further(directory, further, &found)?);
        let entries = found.iter().map(|file| file.entry.clone()).collect();
        let namespace = definition.namespace.clone().unwrap_or(within.namespace.clone());
        let upload = Upload { namespace, source: definition.source.clone(), files: entries };
        uploads.push((definition, found, upload));
    }
    Ok(uploads)
}

pub(super) fn summary(reply: &UploadReply) -> String {
    let UploadReply { workflow, namespace, snapshot, unchanged, .. } = reply;
    let verb = if *unchanged { "unchanged" } else { "uploaded" };
    format!("{verb} {namespace}/{workflow} snapshot {snapshot}")
}

/// Brings all files, several pieces at a time.
pub(super) async fn bring(client: &Client, files: &[FoundFile]) -> Result<(), Failure> {
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
