//! The schema that editors are given and the reader agree: on the keys, on the words, on all that
//! is shown to work, and on what is wrong in form.
//!
//! The schema may pass what the reader refuses for its meaning. It must never refuse what the
//! reader takes, but for numbers, `true` and `false` in quotes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aiflow_core::definition::{keys, read};
use jsonschema::Validator;
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../../../../docs/workflow.schema.json");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn validator() -> Validator {
    let schema = schema();
    jsonschema::meta::validate(&schema).expect("it follows the draft that it names");
    jsonschema::draft202012::new(&schema).unwrap()
}

fn to_json(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

/// All files below a folder that end so, as text.
fn texts(folder: &Path, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(texts(&path, ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// Every example, every workflow of the guide, and each condition that the guide shows alone.
fn shown() -> Vec<String> {
    let mut definitions = texts(&root().join("examples"), ".yaml");
    for page in texts(&root().join("docs/guide"), ".md") {
        for block in page.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            if block.lines().any(|line| line.starts_with("workflow: ")) {
                definitions.push(block.to_owned());
            } else {
                definitions.extend(block.lines().map(|condition| {
                    format!(
                        "workflow: w\ntasks:\n  a: {{bash: x, heartbeat: 1m}}\n  b: {{bash: x}}\n  \
                         c: {{bash: x, start: {condition}}}\n"
                    )
                }));
            }
        }
    }
    assert!(definitions.len() > 60, "{}", definitions.len());
    definitions
}

/// The titles of all mappings with keys of their own, and those keys.
fn described(schema: &Value, found: &mut BTreeMap<String, Vec<String>>) {
    if let (Some(Value::Object(keys)), Some(title)) =
        (schema.get("properties"), schema["title"].as_str())
    {
        assert_eq!(schema["additionalProperties"], false, "{title} takes any key");
        let before = found.insert(title.to_owned(), keys.keys().cloned().collect());
        assert_eq!(before, None, "{title} stands twice");
    }
    match schema {
        Value::Object(entries) => entries.values().for_each(|part| described(part, found)),
        Value::Array(items) => items.iter().for_each(|part| described(part, found)),
        _ => {}
    }
}

#[test]
fn the_schema_has_the_keys_that_the_reader_knows() {
    let mut in_schema = BTreeMap::new();
    described(&schema(), &mut in_schema);
    let sorted = |keys: &[&str]| {
        let mut keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        keys.sort();
        keys
    };
    let known: BTreeMap<_, _> =
        keys().into_iter().map(|(what, keys)| (what, sorted(keys))).collect();
    for keys in in_schema.values_mut() {
        keys.sort();
    }
    assert_eq!(in_schema, known);
}

/// How many lists of words stand in the schema, those left out that only tell kinds apart.
fn lists_of_words(schema: &Value) -> usize {
    match schema {
        Value::Object(entries) => {
            let inner = entries.iter().filter(|(key, _)| *key != "if").map(|(_, part)| part);
            usize::from(schema["enum"].is_array()) + inner.map(lists_of_words).sum::<usize>()
        }
        Value::Array(items) => items.iter().map(lists_of_words).sum(),
        _ => 0,
    }
}

#[test]
fn the_schema_has_the_words_that_the_reader_knows() {
    let schema = schema();
    let places = [
        ("/$defs/task/properties/kind", "kind: WORD"),
        ("/$defs/task/properties/overlap", "overlap: WORD"),
        ("/$defs/restart/properties/on", "restart: {on: WORD, backoff: 1s}"),
        ("/$defs/emit/properties/scope", "emit: {when: {on: p}, key: q, scope: WORD}"),
        ("/$defs/status", "stop: {after: {a: WORD}}"),
        ("/$defs/every/properties/late", "stop: {every: 1h, clock: {watermark: w}, late: WORD}"),
        ("/$defs/missed", "stop: {every: 1h, missed: WORD}"),
        ("/$defs/param/properties/type", "stop: {on: k}}\nparams: {p: {type: WORD}}\nx: {y: z"),
        ("/$defs/reset", "stop: {all: [{on: p}], reset: WORD}"),
    ];
    assert_eq!(lists_of_words(&schema), places.len(), "each list has its place here");
    for (pointer, line) in places {
        let words = schema.pointer(pointer).unwrap()["enum"].as_array().unwrap();
        let words: Vec<&str> = words.iter().map(|word| word.as_str().unwrap()).collect();
        // A word that is near to none is answered with all of them.
        let wrong = line.replace("WORD", "xxxxxxxxxxxxxxxx");
        let faults =
            read(&format!("workflow: w\ntasks:\n  a: {{bash: x, {wrong}}}\n")).unwrap_err();
        let all = Some(format!("one of: {}", words.join(", ")));
        assert!(faults.iter().any(|fault| fault.hint == all), "{line}: {all:?}\n{faults:?}");
    }
}

#[test]
fn what_is_shown_fits_if_it_is_read() {
    let validator = validator();
    let mut refused = 0;
    for definition in shown() {
        let fits = validator.validate(&to_json(&definition)).map_err(|error| error.to_string());
        assert_eq!(fits.is_ok(), read(&definition).is_ok(), "{fits:?}\n{definition}");
        refused += usize::from(fits.is_err());
    }
    assert_eq!(refused, 2, "the guide shows two definitions that are refused");
}

/// What a definition becomes when something in it, at any depth, is put in another's place.
fn changed(value: &Value, change: &impl Fn(&Value) -> Option<Value>) -> Vec<Value> {
    let mut all: Vec<Value> = change(value).into_iter().collect();
    match value {
        Value::Object(entries) => {
            for (key, part) in entries {
                for new in changed(part, change) {
                    let mut whole = entries.clone();
                    whole.insert(key.clone(), new);
                    all.push(whole.into());
                }
            }
        }
        Value::Array(items) => {
            for (at, part) in items.iter().enumerate() {
                for new in changed(part, change) {
                    let mut whole = items.clone();
                    whole[at] = new;
                    all.push(whole.into());
                }
            }
        }
        _ => {}
    }
    all
}

/// Good definitions of which each place is changed so; JSON is YAML, so the reader takes it.
fn agree(change: impl Fn(&Value) -> Option<Value>, both_ways: bool) -> usize {
    let validator = validator();
    let mut refused = 0;
    for definition in shown() {
        if read(&definition).is_err() {
            continue;
        }
        for value in changed(&to_json(&definition), &change) {
            let is_read = read(&value.to_string());
            let fits = validator.is_valid(&value);
            refused += usize::from(!fits);
            assert!(fits || is_read.is_err(), "the schema alone refuses {value}");
            assert!(!both_ways || !fits || is_read.is_ok(), "it fits: {value}\n{is_read:?}");
        }
    }
    refused
}

#[test]
fn unknown_keys_do_not_fit_at_any_place() {
    let with_key = |value: &Value| {
        let mut entries = value.as_object()?.clone();
        entries.insert("kye".to_owned(), json!([[]]));
        Some(entries.into())
    };
    assert!(agree(with_key, true) > 300);
}

#[test]
fn wrong_types_do_not_fit_at_any_place() {
    assert!(agree(|_| Some(Value::Null), true) > 1_000);
    assert!(agree(|_| Some(json!([[]])), true) > 1_000);
}

#[test]
fn nothing_that_the_reader_takes_is_refused() {
    for other in [json!([]), json!({}), json!(17), json!(true), json!("zzz"), json!({"zzz": 1})] {
        agree(|_| Some(other.clone()), false);
    }
}

#[test]
fn what_the_reader_refuses_for_its_form_does_not_fit() {
    let validator = validator();
    let refused = |definition: &str| {
        assert!(read(definition).is_err(), "{definition}");
        assert!(!validator.is_valid(&to_json(definition)), "{definition}");
    };
    refused("tasks: {a: {bash: x}}");
    refused("workflow: w");
    refused("{workflow: w, max_active_runs: 0, tasks: {a: {bash: x}}}");
    refused("{workflow: w, pools: {a.b: 1}, tasks: {a: {bash: x}}}");
    refused("{workflow: w, triggers: {on: x}, tasks: {a: {bash: x}}}");
    refused("{workflow: w, late_after: 1h, tasks: {a: {bash: x}}}");
    refused("{workflow: w, on_failure: {bash: x, start: {on: k}}, tasks: {a: {bash: x}}}");
    refused("{workflow: w, on_failure: {webhook: x}, tasks: {a: {bash: x}}}");
    for task in [
        "bash: x, webhook: \"http://y\"",
        "bash: x, ready: {onn: k}",
        "bsh: x",
        "kind: stream",
        "bash: x, exec: [y]",
        "bash: x, kind: straem",
        "bash: x, timeout: 10 minutes",
        "bash: x, heartbeat: 0s",
        "bash: x, parallel: 0",
        "bash: x, env: {AIFLOW_X: y}",
        "bash: x, priority: 1001",
        "bash: x, overlap: lates",
        "bash: x, pools: {gpu: 0}",
        "bash: x, retry: {backoff: 1s}",
        "bash: x, retry: {attempts: 2, on: [0]}",
        "bash: x, retry: {attempts: 2, backoff: soon}",
        "bash: x, restart: {on: always, codes: 3}",
        "bash: x, limits: {memory: lots}",
        "bash: x, limits: {open_files: 0}",
        "bash: x, run_as: a b",
        "bash: x, secrets: {KEY: key.txt}",
        "bash: x, emit: {when: {on: p}}",
        "bash: x, emit: {when: {on: p}, key: q*}",
        "bash: x, emit: {when: {on: p}, key: q, scope: all}",
    ] {
        refused(&format!("workflow: w\ntasks:\n  a: {{{task}}}\n"));
    }
    for param in ["{type: itn}", "{default: 3}", "{type: int, default: x}", "{type: bool, a: 1}"] {
        refused(&format!("{{workflow: w, params: {{p: {param}}}, tasks: {{a: {{bash: x}}}}}}"));
    }
    for condition in [
        "{after: b, iff: x}",
        "{onn: x}",
        "{on: x, after: b}",
        "{on: x, reset: never}",
        "{on: \"a b\"}",
        "{after: {b: succes}}",
        "{all: []}",
        "{any: [{on: x}], within: 1m}",
        "{count: {of: {on: x}, n: 0}}",
        "{count: {of: {on: x}, n: 2}, reset: per kye}",
        "{sum: {of: {on: x}, expr: value, reaches: 0}}",
        "{throttle: {of: {on: x}, for: 1s}}",
        "{every: 1h, from: yesterday}",
        "{every: 1h, clock: wal}",
        "{every: 1h, clock: {watermark: []}}",
        "{every: 1h, clock: {watermark: [v, {idle: 5m}]}}",
        "{every: 1h, missed: al}",
        "{cron: \"0 6 * * *\", except: [Sunday]}",
    ] {
        refused(&format!(
            "workflow: w\ntasks:\n  b: {{bash: x}}\n  a: {{bash: x, start: {condition}}}\n"
        ));
    }
}
