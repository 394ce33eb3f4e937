//! Programs of others that do a task's work (operators) or run its command elsewhere (executors).
//!
//! Must never know where they are found, nor how they are spoken to: `docs/plugins.md` says that.

use serde::{Deserialize, Serialize};

use crate::{JsonText, PluginName};

/// A plugin, and what it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plugin {
    /// Its name: the program is `aiflow-operator-NAME` or `aiflow-executor-NAME`.
    pub name: PluginName,
    /// What it is told, as it is.
    #[serde(default, skip_serializing_if = "JsonText::is_null")]
    pub config: JsonText,
}
