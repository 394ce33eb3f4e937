//! No text of a user is left, everywhere that one can be; what is kept is kept as it was.

use serde_json::{Value, json};

use super::*;
use crate::record::Payload;

fn hash(bytes: &[u8]) -> u64 {
    let hash: u64 = bytes.iter().fold(7, |hash, byte| hash.wrapping_mul(31) + u64::from(*byte));
    hash.wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

/// One text and one number of a user's, wherever a record can have one.
fn records() -> Vec<Value> {
    let secret = json!({"hidden-key": ["hidden", 4242.5, 4242, true, null]});
    let condition = json!({"all": [
        {"on": {"key": "k", "filter": "hidden"}},
        {"after": {"tasks": {"t": "success"}, "filter": "hidden"}},
        {"sum": {"of": {"on": {"key": "k"}}, "expr": "hidden", "reaches": 4242.0, "carry": true}},
        {"state": {"of": {"on": {"key": "k"}}, "script": "hidden"}},
        {"custom": {"of": {"on": {"key": "k"}}, "host":
            {"exec": ["hidden"], "config": secret, "timeout": 1}}},
        {"cron": {"expression": "0 6 * * MON", "zone": "Europe/Berlin"}},
    ]});
    let emission = json!({"key": "k", "value": "hidden"});
    let task = |command: Value| {
        json!({"name": "t", "kind": "batch", "command": command, "env": {"NAME": "hidden"},
            "executor": {"name": "p", "config": secret}, "for_each": "hidden",
            "rules": [{"action": "emit", "condition": condition, "emission": emission}],
            "overlap": "queue", "parallel": 1, "grace": 1,
            "confinement": {"run_as": "hidden", "secrets": {"NAME": "/hidden"}}})
    };
    let tasks = [
        json!({"bash": "hidden"}),
        json!({"exec": ["hidden"]}),
        json!({"webhook": "https://hidden"}),
        json!({"operator": {"name": "p", "config": secret}}),
    ];
    let spec = json!({"name": "w", "params": {"p": secret}, "files": ["hidden"],
        "tasks": tasks.map(task), "triggers": [condition],
        "emits": [{"action": "emit", "condition": condition, "emission": emission}]});
    let file = json!({"path": "hidden", "sha256": "hidden", "bytes": 1});
    let id = json!({"run": 1, "task": "t", "sequence": 1});
    let of_node = |state: Value| json!({"ConditionAdvanced": {"run": 1, "rule": 0, "node": 0, "state": state}});
    let of_trigger = |change: Value| json!({"TriggerChanged": {"trigger": 1, "change": change}});
    let sum = json!({"sum": {"total": 4242.0, "so_far": {}}});
    let script = json!({"script": {"state": secret}});
    let of_draft = |change: Value| json!({"DraftChanged": {"draft": 1, "change": change}});
    let failed = json!({"run": 1, "rule": 0, "node": 0, "event": 1, "reason": "hidden"});
    vec![
        json!({"DaemonStarted": {"version": "1", "epoch": 1, "boot_id": "hidden", "pid": 3}}),
        json!({"NamespaceAdded": {"namespace": "n", "properties": {"p": secret}}}),
        json!({"NamespaceChanged": {"namespace": "n", "properties": {"p": secret}}}),
        json!({"WorkflowUploaded": {"namespace": "n", "snapshot": 1, "spec": spec,
            "source": "hidden", "files": [file]}}),
        json!({"EventEmitted": {"namespace": "n", "key": "k", "value": secret,
            "source": "hidden", "id": "hidden"}}),
        json!({"RunStarted": {"run": 1, "namespace": "n", "workflow": "w", "snapshot": 1,
            "params": {"p": secret}, "request": "hidden"}}),
        json!({"RunControlled": {"run": 1, "control": "paused", "request": "hidden"}}),
        json!({"BackfillRequested": {"run": 1, "task": "t", "from": 0, "to": 1, "parallel": 1,
            "request": "hidden"}}),
        json!({"DraftStarted": {"draft": 1, "namespace": "n", "spec": spec, "source": "hidden",
            "files": [file], "expires": 1, "request": "hidden"}}),
        of_draft(json!({"filter_failed":
            {"rule": 0, "node": 0, "event": 1, "reason": "hidden"}})),
        of_draft(json!({"advanced": {"rule": 0, "node": 0, "state": sum}})),
        of_node(sum.clone()),
        of_node(script.clone()),
        of_node(json!({"parts": {"k": sum}})),
        of_node(json!({"part": {"part": "k", "state": script}})),
        json!({"FilterFailed": failed}),
        json!({"EmissionFailed": {"run": 1, "rule": 0, "reason": "hidden"}}),
        json!({"FanFailed": {"run": 1, "task": "t", "reason": "hidden"}}),
        json!({"TaskExecutionCreated": {"id": id,
            "item": {"fan": 1, "index": 0, "value": secret}}}),
        json!({"AttemptEnded": {"id": "1.t.1.1", "outcome": {"unknown": {"reason": "hidden"}}}}),
        json!({"AttemptEnded": {"id": "1.t.1.1",
            "outcome": {"spawn_failed": {"reason": "hidden"}}}}),
        json!({"OutputSet": {"id": "1.t.1.1", "name": "o", "value": secret}}),
        json!({"TriggerAdded": {"trigger": 1, "namespace": "n", "workflow": "w",
            "condition": condition, "origin": "request", "emission": emission,
            "request": "hidden"}}),
        of_trigger(json!({"advanced": {"node": 0, "state": script}})),
        of_trigger(json!({"filter_failed": {"node": 0, "event": 1, "reason": "hidden"}})),
        of_trigger(json!({"start_refused": {"reason": "hidden"}})),
        of_trigger(json!({"emission_failed": {"reason": "hidden"}})),
    ]
}

fn redacted(record: &Value, keep: Keep) -> (Value, Value) {
    let payload = json!({"record": record}).to_string();
    let Payload { record, .. } = serde_json::from_str::<Payload>(&payload).unwrap();
    let mut changed = record.clone();
    Redactor::new(&hash, keep).record(&mut changed);
    (serde_json::to_value(&record).unwrap(), serde_json::to_value(&changed).unwrap())
}

#[test]
fn nothing_of_a_users_is_left_and_all_the_rest_is() {
    for record in records() {
        let (before, after) = redacted(&record, Keep::default());
        let text = after.to_string();
        assert!(!text.contains("hidden") && !text.contains("4242"), "{text}");
        assert_ne!(before, after);
        // What is equal stays equal, and what is redacted is so for good.
        let (_, again) = redacted(&record, Keep::default());
        assert_eq!(after, again);
        same_shape(&before, &after);
    }
}

/// Both have the same kinds of values at the same places.
fn same_shape(before: &Value, after: &Value) {
    match (before, after) {
        (Value::Array(before), Value::Array(after)) => {
            assert_eq!(before.len(), after.len());
            before.iter().zip(after).for_each(|(before, after)| same_shape(before, after));
        }
        (Value::Object(before), Value::Object(after)) => assert_eq!(before.len(), after.len()),
        (Value::String(_), Value::String(_)) => {}
        (Value::Number(before), Value::Number(after)) => {
            assert_eq!(before.is_f64(), after.is_f64(), "{before} {after}");
        }
        (before, after) => assert_eq!(before, after),
    }
}

#[test]
fn what_is_to_be_kept_is_kept() {
    let all: Keep = KEEP_WORDS.join(",").parse().unwrap();
    assert_eq!(all.words(), KEEP_WORDS);
    for record in records().iter().skip(1) {
        let (before, after) = redacted(record, all);
        assert_eq!(before, after);
    }
    for word in KEEP_WORDS {
        let keep: Keep = word.parse().unwrap();
        let kept = records()
            .iter()
            .filter(|record| redacted(record, keep).1.to_string().contains("hidden"))
            .count();
        assert!(kept > 0 && kept < records().len(), "{word}: {kept}");
    }
    assert!("value".parse::<Keep>().unwrap_err().contains("values, definitions"));
}

#[test]
fn equal_numbers_are_equal_however_they_are_written() {
    let redactor = Redactor::new(&hash, Keep::default());
    let numbers = ["7", "7.0", "70e-1", "7.5", "8"].map(|text| {
        let mut value = JsonText::parse(text).unwrap();
        redactor.value(&mut value);
        value.to_string()
    });
    assert!(numbers[0] == numbers[1] && numbers[1] == numbers[2], "{numbers:?}");
    assert!(numbers[0] != numbers[3] && numbers[0] != numbers[4], "{numbers:?}");
}
