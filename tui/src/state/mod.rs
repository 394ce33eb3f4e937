//! What the screens show, as data: the daemon's state, the recent events, and where the user is.
//!
//! Pure: no terminal, no socket, no clock (`now` is a field that the loop sets). Records change it
//! through [`Model::take`], keys through the actions.

mod dialog;
pub(crate) mod fate;
pub(crate) mod input_line;
pub(crate) mod log;
pub(crate) mod mark;
mod model;
pub(crate) mod rates;
pub(crate) mod recent;
pub(crate) mod runs;
pub(crate) mod streams;
pub(crate) mod tasks;
pub(crate) mod text;
pub(crate) mod windows;

pub(crate) use dialog::{Confirm, Dialog, EmitField, EmitForm};
pub(crate) use model::{Link, Model, Notice, Pane, Screen};
