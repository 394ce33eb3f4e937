//! One attempt with a plugin: started or taken over, watched, and stopped when that is asked.
//!
//! The driver is the attempt's process. Must never end before the job has, unless nothing more can
//! be learned of it; and then it fails, so that nobody takes the job for done.

use std::path::Path;
use std::time::Duration;

use aiflow_model::exit_code;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::handle::{Kept, Place};
use super::program::Found;
use super::speak::{JobState, LATER, Plugin, SOON, Silence, Standing, Started};

/// How often in a row a plugin that has ended is started anew.
const RESTARTS_MAX: u32 = 5;
/// Pauses between two looks at a job, and before a plugin is started anew, in milliseconds.
const POLL_DEFAULT: u64 = 1_000;
const POLL_MIN: u64 = 10;
const POLL_MAX: u64 = 60_000;
const RESTART_PAUSE: Duration = Duration::from_millis(500);

/// What is to be done.
pub(crate) struct Order {
    pub(crate) plugin: Found,
    /// Which attempt this is.
    pub(crate) attempt: String,
    /// As the definition has it.
    pub(crate) config: Value,
    /// What an executor is to run.
    pub(crate) command: Vec<String>,
    /// Says something to whoever reads the task's output.
    pub(crate) say: fn(&str),
}

/// How it ended.
enum End {
    Standing(Standing),
    Lost(Silence),
}

/// Does it; gives the exit code of the attempt. What is to be said goes to stderr.
pub(crate) async fn drive(order: &Order, directory: &Path) -> std::io::Result<u8> {
    let mut terminate = signal(SignalKind::terminate())?;
    let place = Place::of(directory, order.plugin.kind.word(), &order.attempt);
    let code = match run(order, directory, &place, &mut terminate).await {
        End::Standing(standing) => {
            place.clear();
            if let Some(message) = &standing.message {
                (order.say)(message);
            }
            match standing.state {
                JobState::Succeeded | JobState::Running => exit_code::SUCCESS,
                JobState::Failed => standing.code.filter(|code| *code != 0).unwrap_or(1),
                // As a shell tells of a process that a SIGTERM has ended.
                JobState::Stopped => 143,
            }
        }
        End::Lost(silence) => {
            let (kind, name) = (order.plugin.kind.word(), &order.plugin.name);
            (order.say)(&format!("error: {kind} {name}: {silence}"));
            exit_code::OPERATING
        }
    };
    Ok(code)
}

async fn run(order: &Order, directory: &Path, place: &Place, terminate: &mut Signal) -> End {
    let mut plugin = match Plugin::start(&order.plugin.path).await {
        Ok((plugin, _)) => plugin,
        Err(silence) => return End::Lost(silence),
    };
    let handle = match begin(&mut plugin, order, directory, place).await {
        Ok(handle) => handle,
        Err(silence) => return End::Lost(silence),
    };
    let kept = Kept { attempt: order.attempt.clone(), handle };
    if let Err(error) = place.keep(&kept) {
        (order.say)(&format!("warning: the handle of the job cannot be kept: {error}"));
    }
    watch(plugin, order, kept, terminate).await
}

/// Takes over what the attempt before this one has left, or starts anew.
async fn begin(
    plugin: &mut Plugin,
    order: &Order,
    directory: &Path,
    place: &Place,
) -> Result<Value, Silence> {
    if let Some(before) = place.read() {
        let params = json!({
            "attempt": order.attempt,
            "previous": before.attempt,
            "handle": before.handle,
            "config": order.config,
        });
        let adopted: Started = plugin.ask("adopt", params, Some(LATER)).await?;
        if !adopted.handle.is_null() {
            return Ok(adopted.handle);
        }
    }
    let mut params = json!({"attempt": order.attempt, "config": order.config});
    if !order.command.is_empty() {
        params["command"] = json!(order.command);
        params["directory"] = json!(directory);
    }
    let started: Started = plugin.ask("start", params, None).await?;
    Ok(started.handle)
}

/// Looks at the job until it has ended, and passes on that it is to end. A plugin that ends
/// meanwhile is started anew.
async fn watch(mut plugin: Plugin, order: &Order, kept: Kept, terminate: &mut Signal) -> End {
    let (mut is_to_end, mut was_told, mut restarts) = (false, false, 0);
    loop {
        if is_to_end && !was_told {
            was_told = true;
            if let Err(silence) = stop(&mut plugin, &kept.handle).await {
                (order.say)(&format!("warning: the job cannot be asked to end: {silence}"));
            }
        }
        let pause = match look(&mut plugin, &kept.handle, &mut is_to_end, terminate).await {
            Ok(standing) if standing.state != JobState::Running => return End::Standing(standing),
            Ok(standing) => {
                restarts = 0;
                let poll = standing.poll_ms.unwrap_or(POLL_DEFAULT);
                Duration::from_millis(poll.clamp(POLL_MIN, POLL_MAX))
            }
            Err(Silence::Gone | Silence::Late { .. }) if restarts < RESTARTS_MAX => {
                restarts += 1;
                // The new one has not heard that the job is to end.
                was_told = false;
                match again(order, &kept).await {
                    Ok(started) => plugin = started,
                    Err(silence) => (order.say)(&format!("warning: {silence}")),
                }
                RESTART_PAUSE * restarts
            }
            Err(silence) => return End::Lost(silence),
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = terminate.recv(), if !is_to_end => is_to_end = true,
        }
    }
}

/// Where the job stands.
async fn look(
    plugin: &mut Plugin,
    handle: &Value,
    is_to_end: &mut bool,
    terminate: &mut Signal,
) -> Result<Standing, Silence> {
    let asked = plugin.ask("status", json!({"handle": handle}), Some(LATER));
    tokio::pin!(asked);
    loop {
        tokio::select! {
            standing = &mut asked => return standing,
            _ = terminate.recv(), if !*is_to_end => *is_to_end = true,
        }
    }
}

async fn stop(plugin: &mut Plugin, handle: &Value) -> Result<(), Silence> {
    plugin.ask::<Value>("stop", json!({"handle": handle}), Some(SOON)).await.map(drop)
}

async fn again(order: &Order, kept: &Kept) -> Result<Plugin, Silence> {
    let (mut plugin, _) = Plugin::start(&order.plugin.path).await?;
    let params = json!({
        "attempt": order.attempt,
        "previous": kept.attempt,
        "handle": kept.handle,
        "config": order.config,
    });
    plugin.ask::<Value>("adopt", params, Some(LATER)).await?;
    Ok(plugin)
}
