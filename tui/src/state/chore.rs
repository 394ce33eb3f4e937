//! What the model wants of the terminal and of other programs; the loop does it.

/// Something outside that is neither the daemon nor the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Into the clipboard.
    Copy(String),
    /// Shown in the user's editor, a copy.
    Edit { name: String, text: String },
    /// Into the user's pager.
    Page(String),
    /// Kept for the next session: what was chosen in the palette.
    Remember(String),
    /// Whether clicks and the wheel come to us.
    Mouse(bool),
}
