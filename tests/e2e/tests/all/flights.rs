//! The founding story under fire: a slice of the flights while the daemon is killed at random
//! moments.
//!
//! What counts is the witness file that the tasks write themselves, not the daemon's own word.

use std::collections::BTreeMap;
use std::path::Path;

use aiflow_test_support::{Daemon, repository, wait_until};
use serde_json::Value;

const FIRST_DAY: u64 = 8;
const DAYS: u64 = 1;
const KILLS: u32 = 12;

/// The example's folder with a definition that replays another part of the month.
fn slice(target: &Path, days: u64) {
    let source = repository().join("examples/flight-delays");
    copy(&source, target);
    let definition = std::fs::read_to_string(source.join("workflow.yaml")).unwrap();
    let begin = format!("2013-01-{FIRST_DAY:02}T05:00:00Z");
    let changed = definition
        .replace("2013-01-01T05:00:00Z", &begin)
        .replace("  days: 31 ", &format!("  first_day: {FIRST_DAY}\n  days: {days} "));
    assert_ne!(changed.matches("first_day").count(), 0, "the definition has changed its form");
    std::fs::write(target.join("workflow.yaml"), changed).unwrap();
}

fn copy(source: &Path, target: &Path) {
    std::fs::create_dir_all(target).unwrap();
    for entry in std::fs::read_dir(source).unwrap().map(Result::unwrap) {
        let to = target.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Steps of a small generator (splitmix64, Steele et al. 2014), so that a seed repeats a run.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn witnesses(daemon: &Daemon, run: &str, task: &str) -> Vec<String> {
    let path = daemon.home().join(format!("runs/{run}/work/witness/{task}.log"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn pid_of(daemon: &Daemon, run: &str, task: &str) -> Option<u64> {
    let executions = daemon.executions(run.parse().unwrap());
    let of_task: Vec<&Value> = executions.iter().filter(|view| view["task"] == task).collect();
    assert!(of_task.len() <= 1, "{task} was started {} times", of_task.len());
    of_task.first()?["attempts"].as_array()?.last()?["pid"].as_u64()
}

#[test]
fn every_window_is_trained_once_whatever_dies_when() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let mut random = seed.unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("repeat with: SEED={random} cargo test -p aiflow-e2e flights");
    let mut daemon = Daemon::start();
    let example = daemon.scratch().join("example");
    slice(&example, DAYS);
    daemon.ok(&["workflow", "upload", example.join("workflow.yaml").to_str().unwrap()]);
    let run = daemon.ok(&["workflow-execution", "start", "flight_delays", "--param", "speed=7200"]);
    let ingest = wait_until("ingest runs", || pid_of(&daemon, &run, "ingest"));

    for kill in 1..=KILLS {
        // Somewhere in the work: after a random number of further windows, and then some.
        let further = next(&mut random) % 3;
        let before = witnesses(&daemon, &run, "train").len() as u64;
        let enough = (before + further).min(DAYS * 24);
        wait_until("some windows are trained", || {
            (witnesses(&daemon, &run, "train").len() as u64 >= enough).then_some(())
        });
        let spin = std::time::Duration::from_micros(next(&mut random) % 60_000);
        let begin = std::time::Instant::now();
        wait_until("a random moment has come", || (begin.elapsed() >= spin).then_some(()));
        eprintln!("kill {kill} after {before} windows");
        daemon.kill();
        daemon.resume();
    }

    let expected = (DAYS * 24) as usize;
    wait_until("every window is validated", || {
        (witnesses(&daemon, &run, "validate").len() >= expected).then_some(())
    });
    for task in ["train", "validate"] {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for window in witnesses(&daemon, &run, task) {
            *counts.entry(window).or_default() += 1;
        }
        assert_eq!(counts.len(), expected, "{task} missed a window: {counts:?}");
        assert!(counts.values().all(|count| *count == 1), "{task} repeated one: {counts:?}");
    }
    let number = run.parse().unwrap();
    wait_until("the records say so as well", || {
        let views = daemon.executions(number);
        let done = |task: &str| {
            let of_task = views.iter().filter(|view| view["task"] == task);
            of_task.filter(|view| view["status"] == "success").count()
        };
        (done("train") == expected && done("validate") == expected).then_some(())
    });
    assert_eq!(pid_of(&daemon, &run, "ingest"), Some(ingest), "ingest outlived every daemon");
    daemon.ok(&["workflow-execution", "stop", &run]);
    wait_until("the run has stopped", || {
        let shown = daemon.ok(&["-o", "json", "workflow-execution", "show", &run]);
        (serde_json::from_str::<Value>(&shown).unwrap()["status"] == "stopped").then_some(())
    });
}

/// The event time that a source has told last, in seconds since 1970.
fn watermark(daemon: &Daemon, key: &str) -> Option<i64> {
    let events = daemon.ok(&["-o", "json", "event", "list", key, "--limit", "1"]);
    let events: Value = serde_json::from_str(&events).unwrap();
    let value = &events.as_array()?.last()?["value"];
    let text = value.as_str().or_else(|| value["watermark"].as_str())?;
    Some(text.parse::<aiflow_model::Timestamp>().unwrap().0 / 1_000_000)
}

fn signal(pid: u64, signal: &str) {
    let words = [signal.to_owned(), pid.to_string()];
    assert!(std::process::Command::new("kill").args(words).status().unwrap().success());
}

/// The weather stands still while the flights go on for a day of event time, then it goes on.
#[test]
fn windows_wait_for_a_stalled_source_say_why_and_run_once_each() {
    const STALLED_DAYS: u64 = 2;
    let daemon = Daemon::start();
    let example = daemon.scratch().join("example");
    slice(&example, STALLED_DAYS);
    daemon.ok(&["workflow", "upload", example.join("workflow.yaml").to_str().unwrap()]);
    let run =
        daemon.ok(&["workflow-execution", "start", "flight_delays", "--param", "speed=20000"]);
    wait_until("the first window is trained", || {
        (!witnesses(&daemon, &run, "train").is_empty()).then_some(())
    });
    let observe = wait_until("observe runs", || pid_of(&daemon, &run, "observe"));
    signal(observe, "-STOP");
    let stalled = watermark(&daemon, "weather.watermark").unwrap();
    let day = 24 * 3600;
    wait_until("the flights are a day ahead", || {
        watermark(&daemon, "flights.watermark").filter(|time| *time >= stalled + day)
    });
    let hour = |window: &String| window.parse::<aiflow_model::Timestamp>().unwrap().0 / 1_000_000;
    let first = hour(witnesses(&daemon, &run, "train").iter().min().unwrap());
    let passed = usize::try_from((stalled - first) / 3600).unwrap();
    wait_until("all that both have passed is trained", || {
        (witnesses(&daemon, &run, "train").len() >= passed).then_some(())
    });
    let rules = daemon.ok(&["-o", "json", "workflow-execution", "rules", &run]);
    let rules: Value = serde_json::from_str(&rules).unwrap();
    let train = rules.as_array().unwrap().iter().find(|rule| rule["task"] == "train").unwrap();
    let says = train["progress"].to_string();
    assert!(says.contains("held by weather.watermark"), "{says}");
    let trained = witnesses(&daemon, &run, "train");
    assert!(trained.iter().all(|window| hour(window) + 3600 <= stalled), "{trained:?}");
    signal(observe, "-CONT");
    let expected = (STALLED_DAYS * 24) as usize;
    wait_until("every window is validated", || {
        (witnesses(&daemon, &run, "validate").len() >= expected).then_some(())
    });
    for task in ["train", "validate"] {
        let windows = witnesses(&daemon, &run, task);
        let once: std::collections::BTreeSet<&String> = windows.iter().collect();
        assert_eq!((windows.len(), once.len()), (expected, expected), "{task}: {windows:?}");
    }
    daemon.ok(&["workflow-execution", "stop", &run]);
}
