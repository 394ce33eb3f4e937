//! Questions about runs, wherever they are: in the state, or archived.
//!
//! What is asked of an archived run is asked of the state that it left, made of the log, off the
//! loop. Must never bring a run back.

use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::state::State;
use aiflow_model::wire::{LogRead, RunRef};
use aiflow_model::{AttemptId, ExecutionId, Record, RunId};

use crate::connection::Reply;
use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::home::Home;
use crate::output;
use crate::past::Past;
use crate::queries::{self, to_json};

/// What a question gives: the result as JSON text.
type Answered = Result<String, Rejection>;

impl Daemon {
    /// Asks of the state that has the run: the present one, or that which it left.
    pub(crate) fn ask_of_run(
        &mut self,
        run: RunId,
        reply: Reply,
        ask: impl FnOnce(&State) -> Answered + Send + 'static,
    ) -> Result<(), Failure> {
        if self.engine.state().archived.contains(run) {
            return self.ask_past(reply, move |past| ask(&past.state_with(run)?));
        }
        let answered = ask(self.engine.state());
        self.answer(reply, answered);
        Ok(())
    }

    /// One run. The history knows what the log may no longer tell.
    pub(crate) fn show_run(&mut self, asked: RunRef, reply: Reply) -> Result<(), Failure> {
        let is_archived = self.engine.state().archived.contains(asked.run);
        if !is_archived || !self.history.is_kept() {
            return self.ask_of_run(asked.run, reply, move |state| queries::run(state, asked));
        }
        let end = self.engine.state().next_offset.0;
        let RunRef { run } = asked;
        let found = self.history.ask(end, move |store| aiflow_history::find_run(store, run));
        tokio::task::spawn_local(async move {
            let found = found.await.and_then(|found| match found {
                Some(view) => to_json(&view),
                None => Err(queries::unknown_run(run)),
            });
            match found {
                Ok(text) => reply.result(&text),
                Err(rejection) => reply.refuse(rejection),
            }
        });
        Ok(())
    }

    /// What an attempt has written.
    pub(crate) fn read_output(&mut self, read: LogRead, reply: Reply) -> Result<(), Failure> {
        let (home, run) = (self.home.clone(), read.run);
        if self.engine.state().archived.contains(run) {
            return self.ask_past(reply, move |past| {
                let found = find_attempt(&past.state_with(run)?, &read)?;
                read_attempt(&home, &found, &read)
            });
        }
        match find_attempt(self.engine.state(), &read) {
            Ok(found) => {
                tokio::task::spawn_local(async move {
                    let piece =
                        tokio::task::spawn_blocking(move || read_attempt(&home, &found, &read));
                    let piece = piece.await.unwrap_or_else(|error| {
                        Err(Rejection::new(ErrorCode::Internal, error.to_string()))
                    });
                    match piece {
                        Ok(text) => reply.result(&text),
                        Err(rejection) => reply.refuse(rejection),
                    }
                });
            }
            Err(rejection) => reply.refuse(rejection),
        }
        Ok(())
    }
}

impl Past {
    /// The state that an archived run left.
    pub(crate) fn state_with(&self, run: RunId) -> Result<State, Rejection> {
        let left = self.index.newest_of_run(run, self.end.0)?.filter(|logged| {
            // Nothing comes after it that is about the run, but its deletion.
            matches!(logged.record, Record::RunArchived { .. })
        });
        let left = left.ok_or_else(|| {
            let message = format!(
                "run {run} ended long ago, and the log, which begins at {}, no longer tells of it",
                self.first
            );
            Rejection::new(ErrorCode::OffsetOutOfRange, message)
                .hint(format!("aiflow workflow-execution show {run}"))
        })?;
        self.state_at(left.offset)
    }
}

/// The attempt whose output is meant, and whether it is over.
fn find_attempt(state: &State, read: &LogRead) -> Result<(AttemptId, bool), Rejection> {
    let (run, task) = (read.run, &read.task);
    queries::run(state, RunRef { run })?;
    let known = state.task(run, task).ok_or_else(|| {
        Rejection::new(ErrorCode::UnknownTask, format!("run {run} has no task {task}"))
            .hint(format!("aiflow task-execution list {run}"))
    })?;
    let none = |what: String| {
        Rejection::new(ErrorCode::UnknownExecution, what)
            .hint(format!("aiflow task-execution list {run}"))
    };
    let execution = match read.sequence {
        Some(sequence) => known.execution(sequence),
        // The newest that has anything to show.
        None => known.executions.iter().rev().find(|e| !e.attempts.is_empty()),
    };
    let execution =
        execution.ok_or_else(|| none(format!("task {task} of run {run} has not started")))?;
    let attempt = match read.attempt {
        Some(number) => execution.attempt(number),
        None => execution.attempts.last(),
    };
    let attempt = attempt.ok_or_else(|| {
        none(format!("execution {run}.{task}.{} has no such attempt", execution.sequence))
    })?;
    let id = ExecutionId { run, task: task.clone(), sequence: execution.sequence };
    Ok((id.attempt(attempt.number), attempt.outcome.is_some()))
}

fn read_attempt(home: &Home, (id, ended): &(AttemptId, bool), read: &LogRead) -> Answered {
    let directory = home.attempt(id);
    if *ended && !directory.exists() {
        let message = format!("the output of {id} is no longer kept");
        return Err(Rejection::new(ErrorCode::OutputRemoved, message)
            .hint("aiflowd --keep-output 90d keeps it longer from now on"));
    }
    let piece = output::read(&directory, id, read.position, read.bytes_max, *ended);
    let piece = piece.map_err(|error| {
        let message = format!("the output of {id} cannot be read: {error}");
        Rejection::new(ErrorCode::Internal, message)
    })?;
    to_json(&piece)
}
