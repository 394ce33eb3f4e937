//! The keys as they ship. Within a place the order is that of the footer and of the help.

use crossterm::event::KeyCode;

use super::Action;
use super::keys::Key;
use super::place::Place;
use crate::state::Screen;

/// A line of the table, as it ships.
#[derive(Debug)]
pub(super) struct Shipped {
    pub(super) place: Place,
    pub(super) keys: &'static [Key],
    pub(super) action: Action,
    /// For the footer; empty: not there.
    pub(super) short: &'static str,
    /// For the help.
    pub(super) help: &'static str,
}

const fn bind(
    place: Place,
    keys: &'static [Key],
    action: Action,
    short: &'static str,
    help: &'static str,
) -> Shipped {
    Shipped { place, keys, action, short, help }
}

use Action as A;
use Place as P;

const OVERVIEW: Place = P::Screen(Screen::Overview);
const STREAMS: Place = P::Screen(Screen::Streams);
const RUN: Place = P::Screen(Screen::Run);
const WORKFLOW: Place = P::Screen(Screen::Workflow);
const TASK: Place = P::Screen(Screen::Task);
const EVENTS: Place = P::Screen(Screen::Events);
const LOG: Place = P::Screen(Screen::Log);
const CLOCKS: Place = P::Screen(Screen::Clocks);

const ENTER: Key = Key::code(KeyCode::Enter);
const ESC: Key = Key::code(KeyCode::Esc);
const TAB: Key = Key::code(KeyCode::Tab);
const BACK_TAB: Key = Key::code(KeyCode::BackTab);
const UP: Key = Key::code(KeyCode::Up);
const DOWN: Key = Key::code(KeyCode::Down);
const LEFT: Key = Key::code(KeyCode::Left);
const RIGHT: Key = Key::code(KeyCode::Right);

const fn key(c: char) -> Key {
    Key::char(c)
}

const fn control(c: char) -> Key {
    Key::control(c)
}

/// Every key.
pub(super) const SHIPPED: &[Shipped] = &[
    bind(OVERVIEW, &[ENTER], A::Open, "open", "open the run, or the workflow"),
    bind(
        OVERVIEW,
        &[key('n')],
        A::StartRun,
        "new run",
        "start a run of the workflow, after asking",
    ),
    bind(
        OVERVIEW,
        &[key('D')],
        A::EnableWorkflow,
        "",
        "let the workflow start runs, or nothing new",
    ),
    bind(OVERVIEW, &[key('i')], A::Fold, "", "fold a workflow's runs away, or show them"),
    bind(OVERVIEW, &[key('/')], A::Filter, "filter", "only workflows and runs with these words"),
    bind(STREAMS, &[ENTER], A::Open, "open", "open the task, or the event"),
    bind(STREAMS, &[TAB], A::NextPane, "pane", "go to the next pane"),
    bind(STREAMS, &[BACK_TAB], A::PreviousPane, "", "go to the pane before"),
    bind(RUN, &[ENTER], A::Open, "open", "open the task"),
    bind(RUN, &[TAB], A::NextPane, "view", "bars of time, then the graph, then the table"),
    bind(RUN, &[BACK_TAB], A::PreviousPane, "", "the view before"),
    bind(RUN, &[key('-')], A::LessTime, "", "show less of the time"),
    bind(RUN, &[key('+')], A::MoreTime, "", "show more of the time"),
    bind(RUN, &[key('i')], A::Fold, "focus", "only what is one step from the task, or all"),
    bind(WORKFLOW, &[ENTER], A::Open, "open", "open the run"),
    bind(WORKFLOW, &[TAB], A::NextPane, "view", "runs, then the graph, then the definition"),
    bind(WORKFLOW, &[BACK_TAB], A::PreviousPane, "", "the view before"),
    bind(
        WORKFLOW,
        &[key('n')],
        A::StartRun,
        "new run",
        "start a run of the workflow, after asking",
    ),
    bind(
        WORKFLOW,
        &[key('D')],
        A::EnableWorkflow,
        "",
        "let the workflow start runs, or nothing new",
    ),
    bind(TASK, &[ENTER], A::Open, "log", "read what the execution wrote"),
    bind(TASK, &[key('n')], A::NextMatch, "failed", "the next execution that failed"),
    bind(TASK, &[key('N')], A::PreviousMatch, "", "the one above that failed"),
    bind(TASK, &[TAB], A::NextPane, "pane", "between executions and what is known of one"),
    bind(TASK, &[BACK_TAB], A::PreviousPane, "", "the same"),
    bind(P::Tasks, &[key('w')], A::Why, "why", "why it waits, or stands as it stands"),
    bind(P::Tasks, &[key('l')], A::Logs, "log", "read what it wrote"),
    bind(P::Tasks, &[key('L')], A::AllLogs, "", "the logs of all tasks of the run, by time"),
    bind(
        P::Tasks,
        &[key('d')],
        A::Diff,
        "diff",
        "how the run differs from the last that succeeded",
    ),
    bind(P::Tasks, &[key('s')], A::StopTask, "stop", "stop the task, after asking"),
    bind(P::Tasks, &[key('t')], A::StartTask, "start", "start the task, after asking"),
    bind(P::Tasks, &[key('R')], A::RestartTask, "", "stop and start the task anew, after asking"),
    bind(P::Tasks, &[key('r')], A::Rerun, "rerun", "run an ended execution anew, after asking"),
    bind(P::Tasks, &[key('f')], A::RerunFromHere, "", "the same, and all that follows by `after`"),
    bind(P::Tasks, &[key('x')], A::Skip, "", "go on without the execution, after asking"),
    bind(P::Tasks, &[key('m')], A::MarkSuccess, "", "go on as if it had succeeded, after asking"),
    bind(P::Tasks, &[key('b')], A::Backfill, "", "run windows of the task that you name"),
    bind(P::Tasks, &[key('S')], A::StopRun, "", "stop the whole run, after asking"),
    bind(P::Tasks, &[key('p')], A::PauseRun, "", "let nothing new start in the run, or go on"),
    bind(
        P::Tasks,
        &[Key::code(KeyCode::Char(' '))],
        A::Mark,
        "",
        "mark it: what is done next is for all marks",
    ),
    bind(P::Tasks, &[key('v')], A::MarkRange, "", "mark all from the last mark to here"),
    bind(EVENTS, &[ENTER], A::Open, "", "go to the first that it started"),
    bind(
        EVENTS,
        &[TAB],
        A::NextPane,
        "detail",
        "all that is known of the event, or the feed again",
    ),
    bind(EVENTS, &[BACK_TAB], A::PreviousPane, "", "the same"),
    bind(EVENTS, &[key('/')], A::Filter, "filter", "show only events with these words"),
    bind(EVENTS, &[key('f')], A::Follow, "newest", "go to the newest event and stay there"),
    bind(EVENTS, &[key('i')], A::Fold, "fold", "show the value whole, or folded"),
    bind(LOG, &[key('f')], A::Follow, "follow", "follow new lines, or stop to"),
    bind(LOG, &[key('/')], A::Filter, "search", "search; n and N go on and back"),
    bind(LOG, &[key('n')], A::NextMatch, "", "the next line that was searched for"),
    bind(LOG, &[key('N')], A::PreviousMatch, "", "the one before"),
    bind(LOG, &[key('i')], A::Fold, "only", "only lines that were searched for, or all"),
    bind(LOG, &[key('w')], A::Wrap, "wrap", "break long lines, or cut them"),
    bind(LOG, &[LEFT], A::Left, "", "to the left in long lines"),
    bind(LOG, &[RIGHT], A::Right, "", "to the right in long lines"),
    bind(LOG, &[key('t')], A::Times, "times", "show when each line came"),
    bind(LOG, &[key('[')], A::EarlierLog, "", "the task's execution before"),
    bind(LOG, &[key(']')], A::LaterLog, "", "the task's execution after"),
    bind(LOG, &[key('E')], A::Editor, "", "open a copy in your editor"),
    bind(LOG, &[key('|')], A::Pager, "", "read it in your pager"),
    bind(
        CLOCKS,
        &[key('p')],
        A::PauseTrigger,
        "pause",
        "let the trigger look at nothing, or again",
    ),
    bind(CLOCKS, &[ENTER], A::Open, "open", "open its workflow"),
    bind(P::Past, &[LEFT], A::StepBack, "", "a record back"),
    bind(P::Past, &[RIGHT], A::StepForward, "", "a record on"),
    bind(P::Past, &[Key::shifted(KeyCode::Left), key('<')], A::EventBack, "", "an event back"),
    bind(P::Past, &[Key::shifted(KeyCode::Right), key('>')], A::EventForward, "", "an event on"),
    bind(P::Past, &[key('F')], A::FailureBack, "", "to the failure before"),
    bind(P::Past, &[key('f')], A::FailureForward, "", "to the next failure"),
    bind(P::Past, &[key('o')], A::GoToOffset, "", "to an offset"),
    bind(P::Past, &[key('t')], A::GoToTime, "", "to a time"),
    bind(P::Past, &[key('q'), key('T')], A::TimeTravel, "", "back to now"),
    bind(P::Everywhere, &[key('e')], A::Emit, "emit", "emit an event"),
    bind(P::Everywhere, &[key('T')], A::TimeTravel, "time", "go back in time"),
    bind(P::Everywhere, &[key(':')], A::Palette, "command", "look for a command or a place"),
    bind(P::Everywhere, &[key('?')], A::Help, "help", "show or hide this help"),
    bind(P::Everywhere, &[DOWN, key('j')], A::Down, "", "down"),
    bind(P::Everywhere, &[UP, key('k')], A::Up, "", "up"),
    bind(
        P::Everywhere,
        &[Key::code(KeyCode::PageDown), control('d')],
        A::PageDown,
        "",
        "a page down",
    ),
    bind(P::Everywhere, &[Key::code(KeyCode::PageUp), control('u')], A::PageUp, "", "a page up"),
    bind(P::Everywhere, &[key('g'), Key::code(KeyCode::Home)], A::First, "", "to the first line"),
    bind(
        P::Everywhere,
        &[key('G'), Key::code(KeyCode::End)],
        A::Last,
        "",
        "to the last line; a log follows",
    ),
    bind(P::Everywhere, &[ESC, key('h')], A::Back, "", "out, one level; never quits"),
    bind(P::Everywhere, &[key('z')], A::Zoom, "", "the pane that has the keys alone, or all"),
    bind(P::Everywhere, &[key('y')], A::Copy, "", "copy the line, through the terminal (OSC 52)"),
    bind(
        P::Everywhere,
        &[key('Y')],
        A::CopyCommand,
        "",
        "copy the command line that shows the same",
    ),
    bind(
        P::Everywhere,
        &[key('u')],
        A::CopyLink,
        "",
        "copy a link to what is shown, at this offset",
    ),
    bind(P::Everywhere, &[key('1')], A::Show(Screen::Overview), "", "workflows and runs"),
    bind(
        P::Everywhere,
        &[key('2')],
        A::Show(Screen::Streams),
        "",
        "streams and windows of the open run",
    ),
    bind(
        P::Everywhere,
        &[key('3')],
        A::Show(Screen::Run),
        "",
        "the open run in time, as a graph, as a table",
    ),
    bind(P::Everywhere, &[key('4')], A::Show(Screen::Workflow), "", "the workflow of the open run"),
    bind(P::Everywhere, &[key('5')], A::Show(Screen::Task), "", "the selected task"),
    bind(P::Everywhere, &[key('6')], A::Show(Screen::Events), "", "events"),
    bind(P::Everywhere, &[key('7')], A::Show(Screen::Log), "", "the log of the selected task"),
    bind(P::Everywhere, &[key('8')], A::Show(Screen::Clocks), "", "schedules, triggers and clocks"),
    bind(P::Everywhere, &[key('9')], A::Show(Screen::System), "", "how the daemon is"),
    bind(P::Everywhere, &[key('c')], A::Theme, "", "the next set of colours"),
    bind(P::Everywhere, &[key('M')], A::Mouse, "", "take the mouse, or leave it to the terminal"),
    bind(
        P::Everywhere,
        &[key('q'), control('c')],
        A::Quit,
        "quit",
        "quit; the daemon and its tasks go on",
    ),
    bind(P::Form, &[ENTER], A::Confirm, "do it", "emit the event, or start the run"),
    bind(
        P::Form,
        &[control('p')],
        A::Foretell,
        "what if",
        "tell what it would cause, and do nothing",
    ),
    bind(P::Form, &[TAB, DOWN], A::NextField, "next field", "to the next field"),
    bind(P::Form, &[BACK_TAB, UP], A::PreviousField, "", "to the field before"),
    bind(P::Form, &[ESC], A::Back, "cancel", "do nothing"),
    bind(P::Form, &[control('c')], A::Quit, "", "quit"),
    bind(P::Prompt, &[ENTER], A::Confirm, "keep", "take it"),
    bind(P::Prompt, &[ESC], A::Back, "cancel", "leave it as it was"),
    bind(P::Prompt, &[control('c')], A::Quit, "", "quit"),
    bind(P::Palette, &[ENTER], A::Confirm, "do it", "do what is chosen"),
    bind(P::Palette, &[DOWN, control('n')], A::Down, "", "the next one"),
    bind(P::Palette, &[UP, control('p')], A::Up, "", "the one before; on top: what you did before"),
    bind(P::Palette, &[ESC], A::Back, "close", "close the palette"),
    bind(
        P::Palette,
        &[control('y')],
        A::CopyCommand,
        "copy line",
        "copy the command line that does the same",
    ),
    bind(P::Palette, &[control('c')], A::Quit, "", "quit"),
    bind(P::Question, &[key('y'), ENTER], A::Confirm, "yes", "do it"),
    bind(P::Question, &[key('n'), ESC, key('q'), key('h')], A::Back, "no", "do nothing"),
    bind(
        P::Question,
        &[key('Y')],
        A::CopyCommand,
        "copy line",
        "copy the command line that does the same",
    ),
    bind(P::Question, &[control('c')], A::Quit, "", "quit"),
    bind(
        P::Why,
        &[ESC, key('w'), key('d'), key('q'), key('h'), ENTER],
        A::Back,
        "close",
        "close it",
    ),
    bind(P::Why, &[DOWN, key('j')], A::Down, "", "down"),
    bind(P::Why, &[UP, key('k')], A::Up, "", "up"),
    bind(P::Why, &[Key::code(KeyCode::PageDown), key(' ')], A::PageDown, "", "a page down"),
    bind(P::Why, &[Key::code(KeyCode::PageUp)], A::PageUp, "", "a page up"),
    bind(P::Why, &[key('y')], A::Copy, "copy", "copy the answer"),
    bind(
        P::Why,
        &[key('Y')],
        A::CopyCommand,
        "copy line",
        "copy the command line that would start it",
    ),
    bind(P::Why, &[control('c')], A::Quit, "", "quit"),
    bind(P::Help, &[ESC, key('?'), key('q'), key('h')], A::Back, "close", "close the help"),
    bind(P::Help, &[DOWN, key('j')], A::Down, "", "down"),
    bind(P::Help, &[UP, key('k')], A::Up, "", "up"),
    bind(P::Help, &[Key::code(KeyCode::PageDown), key(' ')], A::PageDown, "page", "a page down"),
    bind(P::Help, &[Key::code(KeyCode::PageUp)], A::PageUp, "", "a page up"),
    bind(P::Help, &[control('c')], A::Quit, "", "quit"),
];
