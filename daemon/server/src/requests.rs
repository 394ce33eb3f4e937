//! What each request asks of the loop: an input to decide, or a look at the state.
//!
//! Must never hold business rules: those are the core's.

use aiflow_core::{Answer, Input};
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::wire::{
    BackfillReply, Call, Emit, EmitReply, EventCount, EventPage, EventQuery, Follow, FollowReply,
    Hello, HelloRequest, LogRead, NamedWorkflow, PROTOCOL_VERSION, RunReply, Status, StopReply,
    TriggerRef, TriggerReply, UploadReply,
};
use aiflow_model::{AttemptId, ExecutionId, Namespace, Offset};

use crate::connection::Reply;
use crate::daemon::Daemon;
use crate::event_index::{EventFilter, EventIndex, Range, Stream};
use crate::failure::Failure;
use crate::follow::{Subscription, gone};
use crate::meters::resident_bytes;
use crate::output;
use crate::pending::Departure;
use crate::queries::{self, to_json};

/// Events that a list shows when it is not told how many.
const EVENTS_DEFAULT: u32 = 100;
/// Most events in one list.
const EVENTS_MAX: u32 = 10_000;

/// What a question gives: the result as JSON text.
type Asked = Result<String, Rejection>;

impl Daemon {
    pub(crate) fn request(&mut self, call: Call, reply: Reply) -> Result<(), Failure> {
        let state = self.engine.state();
        let looked = match call {
            Call::Emit(emit) => return self.emit(emit, reply),
            Call::NamespaceAdd(add) => {
                return self.decide_done(Input::AddNamespace(add.namespace), reply);
            }
            Call::NamespaceDelete(name) => {
                return self.decide_done(Input::DeleteNamespace(name.namespace), reply);
            }
            Call::WorkflowEnable(NamedWorkflow { namespace, workflow }) => {
                return self.decide_done(Input::EnableWorkflow(namespace, workflow, true), reply);
            }
            Call::WorkflowDisable(NamedWorkflow { namespace, workflow }) => {
                return self.decide_done(Input::EnableWorkflow(namespace, workflow, false), reply);
            }
            Call::WorkflowDelete(NamedWorkflow { namespace, workflow }) => {
                return self.decide_done(Input::DeleteWorkflow(namespace, workflow), reply);
            }
            Call::TriggerAdd(add) => return self.decide(Input::AddTrigger(add), reply, added),
            Call::TriggerPause(TriggerRef { trigger }) => {
                return self.decide_done(Input::PauseTrigger(trigger), reply);
            }
            Call::TriggerResume(TriggerRef { trigger }) => {
                return self.decide_done(Input::ResumeTrigger(trigger), reply);
            }
            Call::TriggerDelete(TriggerRef { trigger }) => {
                return self.decide_done(Input::DeleteTrigger(trigger), reply);
            }
            Call::RunDelete(run) => return self.decide_done(Input::DeleteRun(run.run), reply),
            Call::WorkflowUpload(upload) => {
                let namespace = upload.namespace.clone();
                let input = Input::Upload {
                    namespace: upload.namespace,
                    source: upload.source,
                    files: upload.files,
                };
                return self.decide(input, reply, |answer| uploaded(answer, namespace));
            }
            Call::RunStart(start) => {
                return self.decide(Input::StartRun(start), reply, |answer| match answer {
                    Answer::Run(run) => to_json(&RunReply { run }),
                    other => unexpected(&other),
                });
            }
            Call::RunStop(run) => return self.decide(Input::StopRun(run.run), reply, stopping),
            Call::TaskStart(task) => {
                return self.decide_done(Input::StartTask(task.run, task.task), reply);
            }
            Call::TaskStop(task) => {
                return self.decide(Input::StopTask(task.run, task.task), reply, stopping);
            }
            Call::TaskBackfill(ask) => {
                return self.decide(Input::Backfill(ask), reply, backfilled);
            }
            Call::Follow(follow) => return self.follow(follow, reply),
            Call::EventList(query) => return self.list_events(query, reply),
            Call::EventCount(query) => return self.count_events(query, reply),
            Call::LogRead(read) => return self.read_output(&read, reply),
            Call::DaemonStop(_) => {
                self.stopping = true;
                Ok("{}".to_owned())
            }
            Call::Hello(hello) => greet(&hello),
            Call::NamespaceList(_) => queries::namespaces(state),
            Call::WorkflowList(filter) => queries::workflows(state, &filter),
            Call::WorkflowShow(named) => queries::workflow(state, &named),
            Call::TriggerList(filter) => queries::triggers(state, &filter),
            Call::TriggerShow(trigger) => queries::trigger(state, trigger),
            Call::RunList(filter) => queries::runs(state, &filter),
            Call::RunShow(run) => queries::run(state, run),
            Call::RuleList(run) => queries::rules(state, run),
            Call::TaskList(run) => queries::tasks(state, run),
            Call::DaemonStatus(_) => self.status(),
            // Taken by the connection itself.
            Call::FilePut(_) => Ok("{}".to_owned()),
        };
        self.answer(reply, looked);
        Ok(())
    }

    fn decide_done(&mut self, input: Input, reply: Reply) -> Result<(), Failure> {
        self.decide(input, reply, |_| Ok("{}".to_owned()))
    }

    fn emit(&mut self, emit: Emit, reply: Reply) -> Result<(), Failure> {
        let input = Input::Emit {
            namespace: emit.namespace,
            key: emit.key,
            value: emit.value,
            source: emit.source.unwrap_or_else(|| "unnamed".to_owned()),
            id: emit.id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
            execution: emit.execution,
        };
        self.decide(input, reply, |answer| match answer {
            Answer::Emitted { offset, duplicate } => to_json(&EmitReply { offset, duplicate }),
            other => unexpected(&other),
        })
    }

    fn follow(&mut self, follow: Follow, reply: Reply) -> Result<(), Failure> {
        let end = self.engine.state().next_offset;
        let next = if follow.with_state { end } else { follow.from.unwrap_or(end) };
        let first = self.engine.state().first_offset;
        if next < first {
            reply.refuse(gone(next.0, first.0));
            return Ok(());
        }
        if next > end {
            let message = format!("record {next} does not exist yet; the next one is {end}");
            reply.refuse(Rejection::new(ErrorCode::OffsetOutOfRange, message));
            return Ok(());
        }
        if follow.run.is_some() && follow.events_in.is_some() {
            let message = "follow: either `run` or `events_in`, not both";
            reply.refuse(Rejection::new(ErrorCode::InvalidParams, message));
            return Ok(());
        }
        self.subscriptions += 1;
        let subscription = self.subscriptions;
        let head = FollowReply { subscription, next, state: None };
        let opened = to_json(&head).and_then(|head| {
            if !follow.with_state {
                return Ok(head);
            }
            // Encoded from where it stands, rather than from a copy.
            let state = to_json(self.engine.state())?;
            Ok(format!("{},\"state\":{state}}}", head.trim_end_matches('}')))
        });
        match opened {
            Ok(text) => {
                let key = follow.key;
                let events = |namespace| Stream::Events(EventFilter { namespace, key });
                let stream = follow.run.map(Stream::Run).or(follow.events_in.map(events));
                let next = next.0;
                let opened = Subscription { number: subscription, next, stream, reply: text };
                self.hold(Departure::Follow(reply, opened));
            }
            Err(rejection) => reply.refuse(rejection),
        }
        Ok(())
    }

    fn list_events(&mut self, query: EventQuery, reply: Reply) -> Result<(), Failure> {
        let limit = query.limit.unwrap_or(EVENTS_DEFAULT).min(EVENTS_MAX) as usize;
        let log_begins = self.engine.state().first_offset;
        self.ask_index(query, reply, move |index, filter, range| {
            to_json(&EventPage { events: index.list(filter, range, limit)?, log_begins })
        });
        Ok(())
    }

    fn count_events(&mut self, query: EventQuery, reply: Reply) -> Result<(), Failure> {
        if query.key.is_none() && query.from.is_none() && query.since.is_none() {
            let namespace = query.namespace.unwrap_or_else(Namespace::default_namespace);
            let known = self.engine.state().namespaces.get(&namespace);
            let counted = match known {
                Some(known) => {
                    to_json(&EventCount { count: known.event_count, log_begins: Offset(0) })
                }
                None => Err(unknown_namespace(&namespace)),
            };
            self.answer(reply, counted);
            return Ok(());
        }
        let log_begins = self.engine.state().first_offset;
        self.ask_index(query, reply, move |index, filter, range| {
            to_json(&EventCount { count: index.count(filter, range)?, log_begins })
        });
        Ok(())
    }

    /// Asks the index, off the loop.
    fn ask_index(
        &mut self,
        query: EventQuery,
        reply: Reply,
        ask: impl FnOnce(&EventIndex, &EventFilter, Range) -> Asked + Send + 'static,
    ) {
        let namespace = query.namespace.unwrap_or_else(Namespace::default_namespace);
        if !self.engine.state().namespaces.contains_key(&namespace) {
            reply.refuse(unknown_namespace(&namespace));
            return;
        }
        let filter = EventFilter { namespace, key: query.key };
        let from = query.from.unwrap_or_default().0;
        let range = Range { from, since: query.since, end: *self.durable.borrow() };
        let index = self.index.clone();
        tokio::task::spawn_local(async move {
            let asked = tokio::task::spawn_blocking(move || ask(&index, &filter, range));
            match asked.await {
                Ok(Ok(text)) => reply.result(&text),
                Ok(Err(rejection)) => reply.refuse(rejection),
                Err(error) => reply.refuse(Rejection::new(ErrorCode::Internal, error.to_string())),
            }
        });
    }

    fn read_output(&mut self, read: &LogRead, reply: Reply) -> Result<(), Failure> {
        let found = self.find_attempt(read);
        let (id, ended) = match found {
            Ok(found) => found,
            Err(rejection) => {
                reply.refuse(rejection);
                return Ok(());
            }
        };
        let directory = self.home.attempt(&id);
        let (position, bytes_max) = (read.position, read.bytes_max);
        tokio::task::spawn_local(async move {
            let piece = tokio::task::spawn_blocking(move || {
                output::read(&directory, &id, position, bytes_max, ended)
                    .map_err(|error| format!("the output of {id} cannot be read: {error}"))
            });
            let piece = piece.await.unwrap_or_else(|error| Err(error.to_string()));
            let piece = piece.map_err(|message| Rejection::new(ErrorCode::Internal, message));
            match piece.and_then(|piece| to_json(&piece)) {
                Ok(text) => reply.result(&text),
                Err(rejection) => reply.refuse(rejection),
            }
        });
        Ok(())
    }

    /// The attempt whose output is meant, and whether it is over.
    fn find_attempt(&self, read: &LogRead) -> Result<(AttemptId, bool), Rejection> {
        let state = self.engine.state();
        let (run, task) = (read.run, &read.task);
        queries::run(state, aiflow_model::wire::RunRef { run })?;
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

    fn status(&self) -> Result<String, Rejection> {
        let state = self.engine.state();
        to_json(&Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            home: self.home.root().display().to_string(),
            epoch: self.epoch,
            started_at: self.started_at.to_string(),
            log_begins: state.first_offset,
            durable: Offset(*self.durable.borrow()),
            alive_runs: state.runs.values().filter(|run| run.status.is_alive()).count(),
            alive_attempts: state.alive_attempts().count(),
            commits: self.meters.commits,
            committed_records: self.meters.records,
            committed_bytes: self.meters.bytes,
            commit_us_p50: self.meters.commit_us(50),
            commit_us_p99: self.meters.commit_us(99),
            disk_low: self.space != aiflow_log::Space::Enough,
            rss_bytes: resident_bytes(),
        })
    }
}

fn greet(hello: &HelloRequest) -> Result<String, Rejection> {
    if hello.protocol != PROTOCOL_VERSION {
        let message =
            format!("the client speaks protocol {}, the daemon {PROTOCOL_VERSION}", hello.protocol);
        return Err(Rejection::new(ErrorCode::ProtocolMismatch, message)
            .hint("use aiflow and aiflowd of the same version"));
    }
    to_json(&Hello {
        protocol: PROTOCOL_VERSION,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        features: Vec::new(),
    })
}

fn uploaded(answer: Answer, namespace: Namespace) -> Result<String, Rejection> {
    match answer {
        Answer::Uploaded { workflow, snapshot, unchanged } => {
            to_json(&UploadReply { workflow, namespace, snapshot, unchanged })
        }
        other => unexpected(&other),
    }
}

fn added(answer: Answer) -> Result<String, Rejection> {
    match answer {
        Answer::Trigger(trigger) => to_json(&TriggerReply { trigger }),
        other => unexpected(&other),
    }
}

fn stopping(answer: Answer) -> Result<String, Rejection> {
    match answer {
        Answer::Stopping(stopping) => to_json(&StopReply { stopping }),
        other => unexpected(&other),
    }
}

fn backfilled(answer: Answer) -> Result<String, Rejection> {
    match answer {
        Answer::Backfilled(windows) => to_json(&BackfillReply { windows }),
        other => unexpected(&other),
    }
}

fn unexpected(answer: &Answer) -> Result<String, Rejection> {
    Err(Rejection::new(ErrorCode::Internal, format!("the core answered {answer:?}")))
}

fn unknown_namespace(namespace: &Namespace) -> Rejection {
    Rejection::new(ErrorCode::UnknownNamespace, format!("there is no namespace {namespace}"))
        .hint("aiflow namespace list")
}
