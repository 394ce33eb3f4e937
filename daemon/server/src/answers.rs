//! Why, what became of an event, and how things stood: what the loop hands to a question.
//!
//! Must never read the log on the loop: that is the question's.

use aiflow_model::State;
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::why::{Creations, Health, why};
use aiflow_model::wire::{
    BacktestRequest, DiffRequest, EventRef, Moment, RunQuery, RunRef, WhyRequest,
};

use crate::backtest;
use crate::connection::Reply;
use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::past::Past;
use crate::pending::Departure;
use crate::queries;
use crate::question::{Question, with_chains};
use crate::run_diff;
use crate::waypoints::Waypoints;

impl Daemon {
    /// Why tasks of a run wait, or ran.
    pub(crate) fn why(&mut self, asked: &WhyRequest, reply: Reply) -> Result<(), Failure> {
        let health =
            Health { disk_low: self.space != aiflow_log::Space::Enough, stopping: self.stopping };
        let now = self.clock.now();
        let look = move |state: &State, asked: &WhyRequest| {
            let Some(why) = why(state, asked.run, asked.task.as_ref(), now, health) else {
                let known = queries::run(state, RunRef { run: asked.run });
                return Err(known.err().unwrap_or_else(|| unknown_task(asked)));
            };
            Ok((why, Creations::of(state, asked.run)))
        };
        let state = self.engine.state();
        let log = (self.storage.clone(), state.first_offset);
        if state.archived.contains(asked.run) {
            let asked = asked.clone();
            return self.ask_past(reply, move |past| {
                let (why, creations) = look(&past.state_with(asked.run)?, &asked)?;
                with_chains(why, &creations, log)
            });
        }
        match look(state, asked) {
            Ok((why, creations)) => {
                let ask = move || with_chains(why, &creations, log);
                self.hold(Departure::Question(Question::new(reply, ask)));
            }
            Err(rejection) => reply.refuse(rejection),
        }
        Ok(())
    }

    /// What became of an event.
    pub(crate) fn show_event(&mut self, event: EventRef, reply: Reply) -> Result<(), Failure> {
        self.ask_past(reply, move |past| past.receipt(event))
    }

    /// How things stood.
    pub(crate) fn state_at(&mut self, moment: Moment, reply: Reply) -> Result<(), Failure> {
        self.ask_past(reply, move |past| past.state(moment))
    }

    /// What has happened since.
    pub(crate) fn since(&mut self, moment: Moment, reply: Reply) -> Result<(), Failure> {
        self.ask_past(reply, move |past| past.since(moment))
    }

    /// What a definition would have done with the events that came.
    pub(crate) fn backtest(&mut self, asked: BacktestRequest, reply: Reply) -> Result<(), Failure> {
        let state = self.engine.state();
        let now = self.clock.now();
        if let Some(run) = asked.run.filter(|run| state.archived.contains(*run)) {
            return self.ask_past(reply, move |past| {
                let compared = backtest::named_run(&past.state_with(run)?, run)?;
                backtest::run(past, &asked, Some(compared), now)
            });
        }
        let compared = asked.run.map_or_else(
            || Ok(backtest::alive_run(state, &asked)),
            |run| backtest::named_run(state, run).map(Some),
        );
        let compared = match compared {
            Ok(compared) => compared,
            Err(rejection) => {
                reply.refuse(rejection);
                return Ok(());
            }
        };
        self.ask_past(reply, move |past| backtest::run(past, &asked, compared, now))
    }

    /// Lists runs from the history, once it holds all that is known now.
    pub(crate) fn list_past_runs(&mut self, query: RunQuery, reply: Reply) -> Result<(), Failure> {
        let end = self.engine.state().next_offset.0;
        let asked = self.history.ask(end, move |store| aiflow_history::list_runs(store, &query));
        tokio::task::spawn_local(async move {
            match asked.await.and_then(|runs| queries::to_json(&runs)) {
                Ok(text) => reply.result(&text),
                Err(rejection) => reply.refuse(rejection),
            }
        });
        Ok(())
    }

    /// How a run differs from another.
    pub(crate) fn diff_runs(&mut self, asked: DiffRequest, reply: Reply) -> Result<(), Failure> {
        let state = self.engine.state();
        let (run, snapshots, past) = (asked.run, state.snapshots.clone(), self.past());
        if let Some(against) = asked.against {
            let ask = move || run_diff::between(&past, [against, run], &snapshots);
            self.hold(Departure::Question(Question::new(reply, ask)));
            return Ok(());
        }
        // The history knows what is durable alone, and so does what is asked once it has answered.
        let good = self.history.ask(past.end.0, move |store| run_diff::last_good(store, run));
        let questions = self.questions.clone();
        tokio::task::spawn_local(async move {
            match good.await.and_then(|found| run_diff::found(run, found)) {
                Ok(against) => questions.ask(Question::new(reply, move || {
                    run_diff::between(&past, [against, run], &snapshots)
                })),
                Err(rejection) => reply.refuse(rejection),
            }
        });
        Ok(())
    }

    /// Asks about the past up to now, once now is durable.
    pub(crate) fn ask_past(
        &mut self,
        reply: Reply,
        ask: impl FnOnce(&Past) -> Result<String, Rejection> + Send + 'static,
    ) -> Result<(), Failure> {
        let past = self.past();
        self.hold(Departure::Question(Question::new(reply, move || ask(&past))));
        Ok(())
    }

    /// The past up to now.
    pub(crate) fn past(&self) -> Past {
        let state = self.engine.state();
        Past {
            log: self.storage.clone(),
            waypoints: Waypoints::new(self.storage.clone(), self.home.waypoints()),
            index: self.index.clone(),
            first: state.first_offset,
            end: state.next_offset,
        }
    }
}

fn unknown_task(asked: &WhyRequest) -> Rejection {
    let WhyRequest { run, task } = asked;
    let task = task.as_ref().map_or_else(String::new, ToString::to_string);
    Rejection::new(ErrorCode::UnknownTask, format!("run {run} has no task {task}"))
        .hint(format!("its tasks: aiflow why {run}"))
}
