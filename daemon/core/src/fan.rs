//! Fans: a task with `for_each` is done once for each item of a list.
//!
//! What cannot be a list is an execution that failed, so that nothing waits for ever; a list of
//! nothing is one that was skipped. Must never reject: a decision is under way.

use aiflow_model::record::{FanStarted, Item};
use aiflow_model::spec::{FAN_ITEM_BYTES_MAX, FAN_ITEMS_MAX, TaskSpec};
use aiflow_model::state::{ExecutionStatus, Lane};
use aiflow_model::{ExecutionId, JsonText, Record, RunId};

use crate::scene::Scene;
use crate::task::Start;
use crate::transaction::Transaction;

impl Transaction<'_> {
    /// Creates what a start of a task brings: one execution, or one for each item.
    pub(crate) fn create(&mut self, run: RunId, task: &TaskSpec, start: Start, lane: Lane) {
        let Some(expression) = &task.for_each else {
            self.create_execution(run, &task.name, start, (lane, None));
            return;
        };
        match self.items(run, expression, &start) {
            Ok(items) if items.is_empty() => {
                self.create_ended(run, task, start, lane, ExecutionStatus::Skipped);
            }
            Ok(items) => self.create_fan(run, task, &start, lane, items),
            Err(reason) => {
                let (name, cause) = (task.name.clone(), start.cause);
                let failed = self.record(cause, Record::FanFailed { run, task: name, reason });
                let start = Start { cause: Some(failed), ..start };
                self.create_ended(run, task, start, lane, ExecutionStatus::Failed);
            }
        }
    }

    fn create_fan(
        &mut self,
        run: RunId,
        task: &TaskSpec,
        start: &Start,
        lane: Lane,
        items: Vec<JsonText>,
    ) {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let (name, window) = (task.name.clone(), start.window);
        let started = FanStarted { run, task: name, items: count, window };
        let fan = self.record(start.cause, Record::FanStarted(Box::new(started)));
        for (index, value) in (0..).zip(items) {
            let start = Start { cause: Some(fan), ..start.clone() };
            let item = Some(Item { fan, index, value });
            self.create_execution(run, &task.name, start, (lane, item));
        }
    }

    /// An execution that ends as soon as it is there, and of which rules hear.
    fn create_ended(
        &mut self,
        run: RunId,
        task: &TaskSpec,
        start: Start,
        lane: Lane,
        status: ExecutionStatus,
    ) {
        let Some(state) = self.task_state(run, &task.name) else { return };
        let sequence = state.next_sequence();
        let id = ExecutionId { run, task: task.name.clone(), sequence };
        self.create_execution(run, &task.name, start, (lane, None));
        let cause = self.state.execution(&id).map(|execution| execution.offset);
        self.finish_execution(&id, status, cause);
    }

    /// The items of a list.
    fn items(
        &mut self,
        run: RunId,
        expression: &str,
        start: &Start,
    ) -> Result<Vec<JsonText>, String> {
        let scene = (start.event.as_deref(), start.window);
        let scene = Scene::of_run(self.state, run, scene, self.now);
        let list = self.expressions.value(expression, &scene)?;
        let items: Vec<JsonText> = list.to().map_err(|_| {
            let shown: String = list.as_str().chars().take(60).collect();
            format!("`{expression}` gave {shown}, not a list")
        })?;
        if items.len() > FAN_ITEMS_MAX {
            let count = items.len();
            return Err(format!(
                "`{expression}` gave {count} items, at most {FAN_ITEMS_MAX} are done at once"
            ));
        }
        let is_long = |item: &JsonText| item.as_str().len() > FAN_ITEM_BYTES_MAX;
        if let Some(at) = items.iter().position(is_long) {
            return Err(format!(
                "item {at} of `{expression}` has more than {FAN_ITEM_BYTES_MAX} bytes"
            ));
        }
        Ok(items)
    }
}
