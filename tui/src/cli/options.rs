//! Options that many verbs share.
//!
//! Must never give an option two meanings.

use std::path::PathBuf;

use aiflow_model::Namespace;
use clap::Args;

use super::output::Format;

/// Options of every verb, before or after it.
#[derive(Debug, Args)]
pub(crate) struct GlobalOptions {
    /// The daemon's directory [default: $AIFLOW_HOME, else aiflow in the XDG state directory]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// How results are written [default: table]
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT", env = "AIFLOW_OUTPUT")]
    pub(crate) output: Option<Format>,
    /// Change nothing: only print what the daemon would record and do
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
    /// Look again each time that something has been recorded
    #[arg(long, global = true)]
    pub(crate) watch: bool,
}

/// One namespace.
#[derive(Debug, Clone, Args)]
pub(crate) struct InNamespace {
    /// The namespace
    #[arg(short, long, value_name = "NS", env = "AIFLOW_NAMESPACE", default_value = "default")]
    pub(crate) namespace: Namespace,
}

/// One namespace or all.
#[derive(Debug, Clone, Args)]
pub(crate) struct WithinNamespace {
    /// Only this namespace [default: all]
    #[arg(short, long, value_name = "NS", env = "AIFLOW_NAMESPACE")]
    pub(crate) namespace: Option<Namespace>,
}
