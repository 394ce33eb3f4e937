//! Refusals with a stable code: what failed, on what, why, and the next command to type.
//!
//! Codes are never reused; each has a page `docs/errors/<code>.md`. Must never carry a panic's
//! text.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $rpc:literal;)*) => {
        /// Stable identity of a kind of refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl ErrorCode {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as text, such as `E0201`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The number that JSON-RPC 2.0 wants in `error.code`.
            #[must_use]
            pub const fn rpc_code(self) -> i32 {
                match self { $(Self::$name => $rpc,)* }
            }
        }
    };
}

codes! {
    /// The line is not JSON or not UTF-8.
    InvalidFrame = "E0001", -32700;
    /// The line is JSON but not a JSON-RPC 2.0 request.
    InvalidRequest = "E0002", -32600;
    /// There is no such method.
    UnknownMethod = "E0003", -32601;
    /// The parameters do not fit the method.
    InvalidParams = "E0004", -32602;
    /// The line is longer than a request may be.
    FrameTooLarge = "E0005", -32005;
    /// Client and daemon speak different versions of the protocol.
    ProtocolMismatch = "E0006", -32006;
    /// Something went wrong inside the daemon.
    Internal = "E0007", -32603;
    /// The namespace does not exist.
    UnknownNamespace = "E0101", -32101;
    /// The workflow does not exist.
    UnknownWorkflow = "E0102", -32102;
    /// The run does not exist.
    UnknownRun = "E0103", -32103;
    /// The task does not exist.
    UnknownTask = "E0104", -32104;
    /// There is no such execution or attempt.
    UnknownExecution = "E0105", -32105;
    /// The trigger does not exist.
    UnknownTrigger = "E0106", -32106;
    /// The draft does not exist.
    UnknownDraft = "E0107", -32107;
    /// The definition of a workflow is wrong.
    InvalidDefinition = "E0201", -32201;
    /// A name breaks its rule.
    InvalidName = "E0202", -32202;
    /// A value is larger than it may be.
    ValueTooLarge = "E0203", -32203;
    /// A file of a workflow is missing, too large or changed.
    InvalidFile = "E0204", -32204;
    /// A parameter is not one of the workflow's.
    UnknownParam = "E0205", -32205;
    /// A request id was used before for something else.
    RequestConflict = "E0206", -32206;
    /// A parameter is missing, or of another kind than the workflow says.
    InvalidParam = "E0207", -32207;
    /// The run has ended.
    RunEnded = "E0301", -32301;
    /// The task is alive already.
    AlreadyAlive = "E0302", -32302;
    /// Nothing of the task is alive.
    NotAlive = "E0303", -32303;
    /// The workflow is disabled.
    WorkflowDisabled = "E0304", -32304;
    /// Something of it is still alive or there.
    StillAlive = "E0305", -32305;
    /// A draft could not tell what the definition would do.
    DraftImpossible = "E0306", -32306;
    /// The workflow has another definition than when the draft began.
    DraftOutdated = "E0307", -32307;
    /// The disk has no room for new work.
    DiskFull = "E0401", -32401;
    /// The daemon is going down.
    ShuttingDown = "E0402", -32402;
    /// The offset is not in the log.
    OffsetOutOfRange = "E0403", -32403;
    /// The output of an attempt is no longer kept.
    OutputRemoved = "E0404", -32404;
    /// The history has not come as far as the question needs.
    HistoryBehind = "E0405", -32405;
    /// A task spoke for a run that is not its own.
    NotItsRun = "E0501", -32501;
    /// The token is not one that this daemon gave.
    InvalidToken = "E0502", -32502;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A request that is not allowed: a normal answer, not a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Which kind.
    pub code: ErrorCode,
    /// What failed, on what, and why.
    pub message: String,
    /// The next command to type, or what to write instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Places in a definition that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
}

/// One fault in a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Rejection {
    /// A refusal without a hint.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, diagnostics: Vec::new() }
    }

    /// The same with the next command to type.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Rejection {}
