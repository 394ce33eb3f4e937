//! The rooms and the arrows between them, as ARCHITECTURE.md draws them: any other is a fault.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use aiflow_test_support::repository;
use serde_json::Value;

/// Which of our crates each may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("aiflow-model", &[]),
    ("aiflow-client", &["aiflow-model"]),
    ("aiflow-core", &["aiflow-model"]),
    ("aiflow-history", &["aiflow-model"]),
    ("aiflow-log", &[]),
    ("aiflow-supervise", &[]),
    (
        "aiflowd",
        &["aiflow-core", "aiflow-history", "aiflow-log", "aiflow-model", "aiflow-supervise"],
    ),
    ("aiflow", &["aiflow-client", "aiflow-model"]),
];

/// Crates that a pure room must not have, each with why.
const IMPURE: &[(&str, &str)] = &[
    ("tokio", "it waits"),
    ("rustix", "it calls the system"),
    ("libc", "it calls the system"),
    ("rand", "it is not repeatable"),
    ("uuid", "it is not repeatable"),
    ("tracing", "it writes"),
];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .current_dir(repository())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What each crate of ours uses when it is built, tests left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let used = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap();
        all.iter().filter(|used| used["kind"] != "dev").map(name).collect()
    };
    packages.iter().map(|package| (name(package), used(package))).collect()
}

#[test]
fn crates_use_only_what_their_arrows_allow() {
    let dependencies = dependencies();
    for (room, allowed) in ARROWS {
        let used = dependencies.get(*room).unwrap_or_else(|| panic!("there is no crate {room}"));
        for other in used.iter().filter(|name| name.starts_with("aiflow")) {
            assert!(allowed.contains(&other.as_str()), "{room} must not use {other}");
        }
    }
}

#[test]
fn nothing_but_tests_uses_tests() {
    let tests = [
        "aiflow-test-support",
        "aiflow-e2e",
        "aiflow-tidy",
        "aiflow-bench",
        "aiflow-fuzz",
        "aiflow-power",
        "aiflow-sim",
        "aiflow-trials",
    ];
    for (room, used) in dependencies() {
        let of_tests = used.iter().any(|name| tests.contains(&name.as_str()));
        assert!(!of_tests || tests.contains(&room.as_str()), "{room} uses a crate of the tests");
    }
}

#[test]
fn pure_rooms_have_no_impure_crates() {
    let dependencies = dependencies();
    for room in ["aiflow-model", "aiflow-core"] {
        for (name, why) in IMPURE {
            assert!(!dependencies[room].contains(*name), "{room} must not use {name}: {why}");
        }
    }
}
