//! Why, what became of an event, and how things stood: what the loop hands to a question.
//!
//! Must never read the log on the loop: that is the question's.

use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::why::{Creations, Health, why};
use aiflow_model::wire::{RunRef, WhyRequest};

use crate::connection::Reply;
use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::pending::Departure;
use crate::queries;
use crate::question::{Question, with_chains};

impl Daemon {
    /// Why tasks of a run wait, or ran.
    pub(crate) fn why(&mut self, asked: &WhyRequest, reply: Reply) -> Result<(), Failure> {
        let state = self.engine.state();
        let health =
            Health { disk_low: self.space != aiflow_log::Space::Enough, stopping: self.stopping };
        let now = self.clock.now();
        let Some(why) = why(state, asked.run, asked.task.as_ref(), now, health) else {
            let known = queries::run(state, RunRef { run: asked.run });
            reply.refuse(known.err().unwrap_or_else(|| unknown_task(asked)));
            return Ok(());
        };
        let creations = Creations::of(state, asked.run);
        let log = (self.storage.clone(), state.first_offset);
        let ask = move || with_chains(why, &creations, log);
        self.hold(Departure::Question(Question::new(reply, ask)));
        Ok(())
    }
}

fn unknown_task(asked: &WhyRequest) -> Rejection {
    let WhyRequest { run, task } = asked;
    let task = task.as_ref().map_or_else(String::new, ToString::to_string);
    Rejection::new(ErrorCode::UnknownTask, format!("run {run} has no task {task}"))
        .hint(format!("its tasks: aiflow why {run}"))
}
