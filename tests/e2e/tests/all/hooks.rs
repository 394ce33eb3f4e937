//! Hooks of a workflow: a real POST, tried again across a killed daemon, once each.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use aiflow_test_support::Daemon;
use serde_json::Value;

/// What came in one request.
struct Request {
    head: String,
    body: Value,
}

/// An address that answers its first request with a failure, and what it was sent.
fn listen() -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for (count, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(&stream);
            let (mut head, mut line) = (String::new(), String::new());
            while reader.read_line(&mut line).unwrap() > 2 {
                head.push_str(&line);
                line.clear();
            }
            let length = head.lines().find_map(|line| {
                line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
            });
            let mut body = vec![0; length.unwrap()];
            reader.read_exact(&mut body).unwrap();
            let answer = if count == 0 { "500 Not Now" } else { "204 No Content" };
            stream
                .write_all(format!("HTTP/1.1 {answer}\r\nConnection: close\r\n\r\n").as_bytes())
                .unwrap();
            let body = serde_json::from_slice(&body).unwrap();
            if sender.send(Request { head, body }).is_err() {
                return;
            }
        }
    });
    (address, requests)
}

#[test]
fn a_webhook_is_sent_who_failed_and_tried_again_under_the_same_key() {
    let mut daemon = Daemon::start();
    let (address, requests) = listen();
    let run = daemon.start_run(&format!(
        "workflow: nightly\non_failure: {{webhook: '{address}', retry: {{attempts: 3, backoff: 2s}}}}\n\
         on_success: {{bash: 'false'}}\ntasks: {{load: {{bash: exit 3}}}}\n"
    ));
    let first = requests.recv().unwrap();
    daemon.wait_for(run, "on_failure", 1, "retrying");
    daemon.kill();
    daemon.resume();
    let second = requests.recv().unwrap();
    daemon.wait_for(run, "on_failure", 1, "success");
    for (request, attempt) in [(&first, "1.on_failure.1.1"), (&second, "1.on_failure.1.2")] {
        assert!(request.head.contains("Idempotency-Key: 1.on_failure.1\r\n"), "{}", request.head);
        assert_eq!(request.body["attempt"], attempt);
        assert_eq!(request.body["status"], "failed");
        assert_eq!(request.body["failed_tasks"][0], "load");
    }
    assert_eq!(daemon.executions(run).len(), 2, "no other hook");
    let shown: Value = serde_json::from_str(&daemon.ok(&[
        "-o",
        "json",
        "workflow-execution",
        "show",
        &run.to_string(),
    ]))
    .unwrap();
    assert_eq!(shown["status"], "failed");
    drop(requests);
}
