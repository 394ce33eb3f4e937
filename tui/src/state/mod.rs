//! What the screens show, as data: the daemon's state, the recent events, and where the user is.
//!
//! Pure: no terminal, no socket, no clock (`now` is a field that the loop sets). Records change it
//! through [`Model::take`], keys through the actions.

pub(crate) mod about;
pub(crate) mod ansi;
pub(crate) mod asking;
pub(crate) mod bars;
pub(crate) mod beside;
pub(crate) mod chore;
pub(crate) mod clocks_list;
pub(crate) mod command;
pub(crate) mod condition_tree;
pub(crate) mod dialog;
pub(crate) mod exchange;
pub(crate) mod fate;
pub(crate) mod foretell;
pub(crate) mod form;
pub(crate) mod graph;
pub(crate) mod health;
pub(crate) mod input_line;
pub(crate) mod item;
pub(crate) mod items;
pub(crate) mod link;
pub(crate) mod log;
pub(crate) mod mark;
mod model;
pub(crate) mod palette;
pub(crate) mod past;
pub(crate) mod rates;
pub(crate) mod receipts;
pub(crate) mod recent;
pub(crate) mod runs;
pub(crate) mod screen;
pub(crate) mod streams;
mod take;
pub(crate) mod task_detail;
pub(crate) mod tasks;
pub(crate) mod text;
pub(crate) mod travel;
pub(crate) mod why;
pub(crate) mod windows;
pub(crate) mod words;
pub(crate) mod world;

pub(crate) use dialog::{Asked, Confirm, Dialog, Prompt};
pub(crate) use model::{Link, Model};
pub(crate) use screen::{Pane, Screen};
