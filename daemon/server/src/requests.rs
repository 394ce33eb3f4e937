//! What each request asks of the loop: an input to decide, or a look at the state.
//!
//! Must never hold business rules: those are the core's.

use aiflow_core::Input;
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::wire::{
    Call, DryRun, EventCount, EventPage, EventQuery, Follow, FollowReply, Hello, HelloRequest,
    PROTOCOL_VERSION, SliceQuery, Status,
};
use aiflow_model::{Namespace, Offset};

use serde_json::value::RawValue;

use crate::connection::Reply;
use crate::daemon::Daemon;
use crate::event_index::{EventFilter, EventIndex, Range, Stream};
use crate::failure::Failure;
use crate::follow::{Subscription, gone};
use crate::inputs::{self, Asked};
use crate::meters::{disk_room, resident_bytes};
use crate::parked::Purpose;
use crate::pending::Departure;
use crate::queries::{self, to_json};
use crate::slice;

/// Events that a list shows when it is not told how many.
const EVENTS_DEFAULT: u32 = 100;
/// Most events in one list.
const EVENTS_MAX: u32 = 10_000;

/// What a question gives: the result as JSON text.
type Answered = Result<String, Rejection>;

impl Daemon {
    pub(crate) fn request(&mut self, call: Call, reply: Reply) -> Result<(), Failure> {
        let call = match inputs::asked(call, &self.tokens, reply.is_inside()) {
            Ok(Asked::Decide(input)) => return self.take_in(input, Purpose::Request(reply)),
            Ok(Asked::Look(call)) => call,
            Err(rejection) => {
                reply.refuse(rejection);
                return Ok(());
            }
        };
        let state = self.engine.state();
        let looked = match call {
            Call::Follow(follow) => return self.follow(follow, reply),
            Call::DryRun(tried) => return self.dry_run(&tried, reply),
            Call::RunDiff(asked) => return self.diff_runs(asked, reply),
            Call::Why(asked) => return self.why(&asked, reply),
            Call::EventShow(event) => return self.show_event(event, reply),
            Call::StateAt(moment) => return self.state_at(moment, reply),
            Call::Backtest(asked) => return self.backtest(*asked, reply),
            Call::Since(moment) => return self.since(moment, reply),
            Call::EventList(query) => return self.list_events(query, reply),
            Call::EventCount(query) => return self.count_events(query, reply),
            Call::LogRead(read) => return self.read_output(read, reply),
            Call::RunShow(run) => return self.show_run(run, reply),
            Call::RuleList(asked) => {
                return self.ask_of_run(asked.run, reply, move |s| queries::rules(s, asked));
            }
            Call::TaskList(asked) => {
                return self.ask_of_run(asked.run, reply, move |s| queries::tasks(s, asked));
            }
            Call::OutputList(query) => {
                return self.ask_of_run(query.run, reply, move |s| queries::outputs(s, &query));
            }
            Call::LogSlice(query) => return self.slice(query, reply),
            Call::DaemonStop(_) => {
                self.stopping = true;
                Ok("{}".to_owned())
            }
            Call::Hello(hello) => greet(&hello),
            Call::NamespaceList(_) => queries::namespaces(state),
            Call::WorkflowList(filter) => queries::workflows(state, &filter),
            Call::WorkflowShow(named) => queries::workflow(state, &named),
            Call::DraftList(filter) => queries::drafts(state, &filter),
            Call::DraftShow(asked) => queries::draft(state, asked),
            Call::TriggerList(filter) => queries::triggers(state, &filter),
            Call::TriggerShow(trigger) => queries::trigger(state, trigger),
            Call::RunList(query) if !query.is_plain() => return self.list_past_runs(query, reply),
            Call::RunList(query) => queries::runs(state, &query),
            Call::DaemonStatus(_) => self.status(),
            // Files are taken by the connection itself; what is decided was sorted out before.
            _ => Ok("{}".to_owned()),
        };
        self.answer(reply, looked);
        Ok(())
    }

    /// What a request would cause.
    fn dry_run(&mut self, tried: &DryRun, reply: Reply) -> Result<(), Failure> {
        match self.tried_input(tried) {
            Ok(input) => self.take_in(input, Purpose::DryRun(reply)),
            Err(rejection) => {
                reply.refuse(rejection);
                Ok(())
            }
        }
    }

    fn tried_input(&self, tried: &DryRun) -> Result<Input, Rejection> {
        let refused = |message| Rejection::new(ErrorCode::InvalidParams, message);
        let params = tried.params.to::<Box<RawValue>>();
        let params = params.map_err(|error| refused(format!("dry_run: {error}")))?;
        let call = Call::read(&tried.method, Some(&params))?;
        match inputs::asked(call, &self.tokens, false)? {
            Asked::Decide(input) => Ok(input),
            Asked::Look(_) => {
                let message = format!("dry_run: {} changes nothing that is recorded", tried.method);
                Err(refused(message).hint("call it as it is"))
            }
        }
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
                let source = None;
                let events = |namespace| Stream::Events(EventFilter { namespace, key, source });
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
        let is_of_all = query.key.is_none() && query.source.is_none();
        if is_of_all && query.from.is_none() && query.since.is_none() {
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
        ask: impl FnOnce(&EventIndex, &EventFilter, Range) -> Answered + Send + 'static,
    ) {
        let namespace = query.namespace.unwrap_or_else(Namespace::default_namespace);
        if !self.engine.state().namespaces.contains_key(&namespace) {
            reply.refuse(unknown_namespace(&namespace));
            return;
        }
        let filter = EventFilter { namespace, key: query.key, source: query.source };
        let from = query.from.unwrap_or_default().0;
        let range = Range { from, since: query.since, end: *self.durable.borrow() };
        let index = self.index.clone();
        tokio::task::spawn_local(async move {
            let _turn = index.turn().await;
            if let Some(client) = reply.notifications() {
                client.room().await;
            }
            // The line is made there as well: it may be large.
            let answered = tokio::task::spawn_blocking(move || match ask(&index, &filter, range) {
                Ok(text) => reply.result(&text),
                Err(rejection) => reply.refuse(rejection),
            });
            if let Err(error) = answered.await {
                tracing::error!(%error, "a question about events was not answered");
            }
        });
    }

    /// Brings a slice of the past, off the loop.
    fn slice(&mut self, query: SliceQuery, reply: Reply) -> Result<(), Failure> {
        let past = self.past();
        let end = *self.durable.borrow();
        let index = self.index.clone();
        tokio::task::spawn_local(async move {
            // One at a time: each may hold a second state for a moment.
            let _turn = index.turn().await;
            if let Some(client) = reply.notifications() {
                client.room().await;
            }
            let answered = tokio::task::spawn_blocking(move || {
                match slice::read(&past.log, end, query, |from| past.state_at(Offset(from))) {
                    Ok(text) => reply.result(&text),
                    Err(rejection) => reply.refuse(rejection),
                }
                aiflow_supervise::return_free_memory();
            });
            if let Err(error) = answered.await {
                tracing::error!(%error, "a question about the past was not answered");
            }
        });
        Ok(())
    }

    fn status(&self) -> Result<String, Rejection> {
        let state = self.engine.state();
        let [history, postgres] = self.history.reached();
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
            history: history.map(Offset),
            postgres: postgres.map(Offset),
            commit_times: self.meters.commit_times(),
            queues: self.queues(),
            disk: disk_room(self.home.root()),
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

fn unknown_namespace(namespace: &Namespace) -> Rejection {
    Rejection::new(ErrorCode::UnknownNamespace, format!("there is no namespace {namespace}"))
        .hint("aiflow namespace list")
}
