//! Decides what happens: one input and the state give a batch of records, or a rejection.
//!
//! Pure: no clock, no randomness, no files, sockets, processes or threads, no order that differs
//! from run to run. Time and ids come in as arguments. [`Engine::decide`] is the way in; the parts
//! are one file an entity: `event`, `namespace`, `workflow`, `run`, `task`, `attempt`, `trigger`;
//! conditions begin in `condition`.

mod attempt;
mod backfill;
mod backtest;
mod clock;
mod condition;
mod contact;
mod control;
pub mod definition;
mod draft;
mod dynamic;
mod effect;
mod emission;
mod engine;
mod event;
mod expression;
mod fan;
mod gather;
mod hearing;
mod hook;
mod host;
mod input;
mod launch;
mod namespace;
mod output;
mod param;
mod pool;
mod preview;
mod ready;
mod receipt;
mod run;
mod scene;
mod schedule;
mod task;
mod timer;
mod transaction;
mod trigger;
mod webhook;
mod workflow;

pub use backtest::{Attempts, Backtest, Compared, Firings};
pub use effect::{Effect, effect_of, outstanding};
pub use engine::Engine;
pub use hearing::{HostAnswer, Outcome, Question, Verdict};
pub use input::{Answer, Decision, Input};
pub use launch::{LaunchPlan, launch_plan};
pub use preview::Preview;
pub use receipt::Tracker;
pub use run::ENDED_RUNS_KEPT;
