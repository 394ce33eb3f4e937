//! Whether a plugin keeps to the dialogue: for its author to run.
//!
//! Must never leave a job behind: what was started is stopped.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::program::{Found, Kind};
use super::speak::{Described, JobState, LATER, Plugin, SOON, Silence, Standing, Started};

/// Longest time that a job of the check may take to end once it was told to.
const END_WITHIN: Duration = Duration::from_secs(60);

/// One thing that a plugin has to do, and whether it did.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Finding {
    pub(crate) what: &'static str,
    pub(crate) ok: bool,
    pub(crate) said: String,
}

/// Tries each method of a plugin with a job of this configuration.
pub(crate) async fn check(found: &Found, config: Value, command: Vec<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(silence) = tried(found, config, command, &mut findings).await {
        let what = "it answers";
        findings.push(Finding { what, ok: false, said: silence.to_string() });
    }
    findings
}

async fn tried(
    found: &Found,
    config: Value,
    command: Vec<String>,
    findings: &mut Vec<Finding>,
) -> Result<(), Silence> {
    let mut note = |what, ok, said: String| findings.push(Finding { what, ok, said });
    let (mut plugin, Described { version, about, .. }) = Plugin::start(&found.path).await?;
    note("it describes itself", !about.is_empty(), format!("{version} {about}"));
    let refused: Result<Value, Silence> = plugin.ask("no-such-method", json!({}), Some(SOON)).await;
    let is_refused = matches!(refused, Err(Silence::Refused(_)));
    note("it refuses a method that it does not know, and lives on", is_refused, said(&refused));

    let mut start = json!({"attempt": "1.check.1.1", "config": config});
    if found.kind == Kind::Executor {
        start["command"] = json!(command);
        start["directory"] = json!("/");
    }
    let started: Started = plugin.ask("start", start.clone(), Some(LATER)).await?;
    let handle = started.handle;
    note("it starts a job", !handle.is_null(), handle.to_string());
    let again: Started = plugin.ask("start", start, Some(LATER)).await?;
    note(
        "the same attempt again is the same job",
        again.handle == handle,
        again.handle.to_string(),
    );
    let standing: Standing = plugin.ask("status", json!({"handle": handle}), Some(LATER)).await?;
    note("it says where the job stands", true, format!("{:?}", standing.state));

    // As after a crash: another process that knows nothing but the handle.
    drop(plugin);
    let (mut plugin, _) = Plugin::start(&found.path).await?;
    let adopt = json!({
        "attempt": "1.check.1.2", "previous": "1.check.1.1", "handle": handle, "config": config,
    });
    let adopted: Started = plugin.ask("adopt", adopt, Some(LATER)).await?;
    let is_known = !adopted.handle.is_null();
    note("another process of it takes the job over", is_known, adopted.handle.to_string());
    let handle = if is_known { adopted.handle } else { handle };
    let stopped: Result<Value, Silence> =
        plugin.ask("stop", json!({"handle": handle}), Some(SOON)).await;
    note("it stops the job", stopped.is_ok(), said(&stopped));
    let stopped: Result<Value, Silence> =
        plugin.ask("stop", json!({"handle": handle}), Some(SOON)).await;
    note("to stop it again is no fault", stopped.is_ok(), said(&stopped));
    let began = Instant::now();
    loop {
        let params = json!({"handle": handle});
        let standing: Standing = plugin.ask("status", params, Some(LATER)).await?;
        if standing.state != JobState::Running || began.elapsed() > END_WITHIN {
            let is_over = standing.state != JobState::Running;
            note("the job ends", is_over, format!("{:?}", standing.state));
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(standing.poll_ms.unwrap_or(100))).await;
    }
}

fn said(answer: &Result<Value, Silence>) -> String {
    match answer {
        Ok(answer) => answer.to_string(),
        Err(silence) => silence.to_string(),
    }
}
