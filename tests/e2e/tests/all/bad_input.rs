//! Bad input gets a clear error; the connection and the daemon live on; nothing is half done.

use aiflow_model::ErrorCode;
use aiflow_test_support::Daemon;
use serde_json::{Value, json};

const RUN: &str = "workflow: w\ntasks: {keep: {kind: stream, bash: 'sleep 1000'}}";

#[track_caller]
fn code_of(error: &Value) -> ErrorCode {
    serde_json::from_value(error["code"].clone()).unwrap_or_else(|_| panic!("no code in {error}"))
}

#[test]
fn lines_that_are_no_requests_are_answered_and_the_connection_lives_on() {
    let daemon = Daemon::start();
    let mut socket = daemon.socket();
    let long = [
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"emit\",\"params\":{\"key\":\"k\",\"value\":\""
            .as_slice(),
        &vec![b'x'; 10 << 20],
        b"\"}}\n",
    ]
    .concat();
    let deep = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"emit\",\"params\":{{\"key\":\"k\",\"value\":{}1{}}}}}\n",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    for (line, expected) in [
        (b"{\"jsonrpc\": }\n".as_slice(), ErrorCode::InvalidFrame),
        (b"hello\n", ErrorCode::InvalidFrame),
        (b"\xff\xfe{}\n", ErrorCode::InvalidFrame),
        (b"[]\n", ErrorCode::InvalidRequest),
        (b"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"emit\"}\n", ErrorCode::InvalidRequest),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"emitt\"}\n", ErrorCode::UnknownMethod),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"emit\",\"params\":{}}\n",
            ErrorCode::InvalidParams,
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"emit\",\"params\":{\"key\":\"a b\"}}\n",
            ErrorCode::InvalidParams,
        ),
        (deep.as_bytes(), ErrorCode::ValueTooLarge),
        (&long, ErrorCode::FrameTooLarge),
    ] {
        socket.send(line);
        let reply = socket.receive();
        let error = &reply["error"]["data"];
        assert_eq!(code_of(error), expected, "{reply}");
        assert!(!error["message"].as_str().unwrap().is_empty());
    }
    let reply = socket.call("emit", &json!({"key": "k", "value": {"fine": true}})).unwrap();
    assert!(reply["offset"].as_u64().is_some(), "{reply}");
    assert_eq!(socket.call("event.count", &json!({})).unwrap()["count"], 1, "nothing else came in");
}

#[test]
fn a_line_in_pieces_and_several_lines_at_once_are_read() {
    let daemon = Daemon::start();
    let mut socket = daemon.socket();
    let request = |id: u32| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"emit\",\"params\":{{\"key\":\"k\"}}}}\n"
        )
    };
    for byte in request(1).bytes() {
        socket.send(&[byte]);
    }
    assert_eq!(socket.receive()["id"], 1);
    let many: String = (2..400).map(request).collect();
    socket.send(many.as_bytes());
    let mut offsets = Vec::new();
    for id in 2..400 {
        let reply = socket.receive();
        assert_eq!(reply["id"], id, "replies to one client come in the order of its requests");
        offsets.push(reply["result"]["offset"].as_u64().unwrap());
    }
    assert!(offsets.is_sorted() && offsets.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn requests_that_name_what_is_not_there_say_so() {
    let daemon = Daemon::start();
    let run = daemon.start_run(RUN);
    let mut socket = daemon.socket();
    let value = "x".repeat((1 << 20) + 1);
    for (method, params, expected) in [
        ("emit", json!({"key": "k", "namespace": "nowhere"}), ErrorCode::UnknownNamespace),
        ("emit", json!({"key": "k", "execution": 99}), ErrorCode::UnknownRun),
        ("emit", json!({"key": "k", "value": value}), ErrorCode::ValueTooLarge),
        ("emit", json!({"key": "k", "id": "x".repeat(300)}), ErrorCode::ValueTooLarge),
        ("execution.start", json!({"workflow": "nope"}), ErrorCode::UnknownWorkflow),
        ("execution.start", json!({"workflow": "w", "params": {"p": 1}}), ErrorCode::UnknownParam),
        ("execution.show", json!({"run": 99}), ErrorCode::UnknownRun),
        ("execution.stop", json!({"run": 99}), ErrorCode::UnknownRun),
        ("task.start", json!({"run": run, "task": "zz"}), ErrorCode::UnknownTask),
        ("task.start", json!({"run": run, "task": "keep"}), ErrorCode::AlreadyAlive),
        ("log.read", json!({"run": run, "task": "zz"}), ErrorCode::UnknownTask),
        (
            "log.read",
            json!({"run": run, "task": "keep", "sequence": 9}),
            ErrorCode::UnknownExecution,
        ),
        ("event.list", json!({"namespace": "nowhere"}), ErrorCode::UnknownNamespace),
        ("follow", json!({"from": 1_000_000}), ErrorCode::OffsetOutOfRange),
        ("hello", json!({"protocol": 99}), ErrorCode::ProtocolMismatch),
        (
            "workflow.upload",
            json!({"source": "workflow: w\ntasks: {a: {bash: x}}", "files": [{"path": "../x", "sha256": "0".repeat(64), "bytes": 1}]}),
            ErrorCode::InvalidFile,
        ),
        (
            "workflow.upload",
            json!({"source": "workflow: w\ntasks: {a: {bash: x}}", "files": [{"path": "x", "sha256": "0".repeat(64), "bytes": 1}]}),
            ErrorCode::InvalidFile,
        ),
        (
            "file.put",
            json!({"sha256": "../../x", "bytes": 1, "position": 0, "data": ""}),
            ErrorCode::InvalidFile,
        ),
        (
            "file.put",
            json!({"sha256": "0".repeat(64), "bytes": 1, "position": 0, "data": "eA=="}),
            ErrorCode::InvalidFile,
        ),
    ] {
        let error = socket.call(method, &params).unwrap_err();
        assert_eq!(code_of(&error), expected, "{method}: {error}");
    }
    assert_eq!(socket.call("event.count", &json!({})).unwrap()["count"], 0);
}

#[test]
fn definitions_are_refused_with_line_column_and_hint_and_nothing_is_stored() {
    let daemon = Daemon::start();
    let file = daemon.scratch().join("w.yaml");
    for (text, expected) in [
        ("workflow: w\ntasks:\n  a: {bsh: x}\n", ":3:7: error: a task has no key `bsh`"),
        ("workflow: w\ntasks:\n  a: {bash: [1]}\n", ":3:13: error: bash has to be a single value"),
        (
            "workflow: w\ntasks:\n  a: {bash: x, start: {after: b}}\n",
            ":3:31: error: there is no task `b`",
        ),
        ("workflow: w\ntasks:\n  a: {bash: x}\n  a: {bash: y}\n", ":4:3: error: `a` stands twice"),
        (
            "workflow: w\ntasks:\n  a: {bash: x, start: {after: b}}\n  b: {bash: x, start: {after: a}}\n",
            ":3:3: error: task `a` can never start",
        ),
        (
            "workflow: w\ntasks:\n  a: {bash: x, timeout: soon}\n",
            ":3:25: error: timeout: \"soon\" is not a length of time",
        ),
        (
            "workflow: w\ntasks:\n  a: {bash: x, start: {on: k, if: \"value >\"}}\n",
            ":3:35: error: `if` does not compile",
        ),
        ("workflow: [\n", "error: not YAML"),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = daemon.cli(&["workflow", "upload", file.to_str().unwrap()]);
        assert_eq!(output.code, i32::from(aiflow_model::exit_code::REFUSED), "{}", output.stderr);
        assert!(output.stderr.contains(expected), "expected {expected:?} in:\n{}", output.stderr);
        assert!(output.stdout.is_empty());
    }
    assert_eq!(daemon.ok(&["-o", "json", "workflow", "list"]), "[]");
}
