//! What a task may use, who it is, how it proves that, and what is left of it.

use aiflow_test_support::{Daemon, wait_until};
use serde_json::json;

fn work(daemon: &Daemon, run: u64, name: &str) -> std::path::PathBuf {
    daemon.home().join(format!("runs/{run}/work/{name}"))
}

#[test]
fn a_token_speaks_for_the_own_run_and_ends_with_the_attempt() {
    let daemon = Daemon::start();
    let other = daemon.start_run("workflow: o\ntasks: {t: {bash: x, start: {on: never}}}");
    let definition = "workflow: w\ntasks: {t: {bash: \"echo $AIFLOW_TOKEN > new; mv new token; \
                      aiflow emit said 1; while [ ! -e go ]; do sleep 0.02; done\"}}";
    let run = daemon.start_run(definition);
    let token = work(&daemon, run, "token");
    let token = wait_until("the token", || std::fs::read_to_string(&token).ok());
    let token = token.trim();
    let emit = |id: &str, execution: u64| {
        let event =
            json!({"key": "k", "source": "s", "id": id, "execution": execution, "token": token});
        daemon.socket().call("emit", &event)
    };
    assert!(emit("1", run).is_ok());
    let refused = emit("2", other).unwrap_err();
    assert!(refused.to_string().contains("E0501"), "{refused}");
    let forged = json!({"key": "k", "token": format!("{other}.t.1.1:00")});
    let refused = daemon.socket().call("emit", &forged).unwrap_err();
    assert!(refused.to_string().contains("E0502"), "{refused}");
    daemon.socket().call("task.heartbeat", &json!({"token": token})).unwrap();
    let said = wait_until("the task's own event", || {
        let found = daemon.socket().call("event.list", &json!({"key": "said"})).unwrap();
        found["events"].as_array().unwrap().first().cloned()
    });
    assert_eq!(said["execution"], run, "{said}");
    std::fs::write(work(&daemon, run, "go"), "\n").unwrap();
    daemon.wait_for(run, "t", 1, "success");
    let refused = emit("3", run).unwrap_err();
    assert!(refused.to_string().contains("E0303"), "{refused}");
    assert!(emit("1", run).is_ok(), "a repeat of what was taken is answered");
    let help = daemon.cli(&["heartbeat"]);
    assert!(help.stderr.contains("AIFLOW_TOKEN is not set"), "{}", help.stderr);
}

#[test]
fn a_silent_stream_is_told_and_restarted_by_its_rule() {
    let daemon = Daemon::start();
    let definition = "workflow: w\ntasks: {s: {kind: stream, heartbeat: 300ms, grace: 1s, \
                      bash: \"if [ $AIFLOW_SEQUENCE = 1 ]; then sleep 1000; fi; \
                      while sleep 0.05; do aiflow heartbeat; done\", restart: {silent: s}}}";
    let run = daemon.start_run(definition);
    daemon.wait_for(run, "s", 1, "stopped");
    let second = daemon.wait_for(run, "s", 2, "running");
    assert!(second["silent_since"].is_null(), "{second}");
}

#[test]
fn a_task_of_another_user_works_apart_and_a_secret_stays_one() {
    const SECRET: &str = "correct-horse-battery-staple";
    let daemon = Daemon::start();
    let file = daemon.scratch().join("password");
    std::fs::write(&file, SECRET).unwrap();
    let file = file.display();
    let is_root = rustix::process::geteuid().is_root();
    let run = daemon.start_run(&format!(
        "workflow: w\ntasks:\n  other: {{bash: 'id -un; echo mine > f; cat f; cat $KEY_FILE; echo $HOME', \
         run_as: nobody, secrets: {{KEY: {file}}}}}\n  own: {{bash: 'test ! -e f; cat $KEY_FILE', \
         secrets: {{KEY: {file}}}, limits: {{open_files: 77}}}}\n"
    ));
    daemon.wait_for(run, "own", 1, "success");
    assert_eq!(daemon.ok(&["logs", &run.to_string(), "own"]), "***");
    if is_root {
        daemon.wait_for(run, "other", 1, "success");
        let shown = daemon.ok(&["logs", &run.to_string(), "other"]);
        assert!(shown.starts_with("nobody\nmine\n***/"), "{shown}");
        assert!(daemon.errors().contains("running as root"));
    } else {
        let failed = daemon.wait_for(run, "other", 1, "failed");
        assert!(failed.to_string().contains("only a daemon of root"), "{failed}");
    }
    let mut found = Vec::new();
    search(&daemon.home(), SECRET.as_bytes(), &mut found);
    assert!(found.is_empty(), "the secret lies in {found:?}");
    assert!(!daemon.errors().contains(SECRET));
}

fn search(directory: &std::path::Path, wanted: &[u8], found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            search(&path, wanted, found);
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(wanted.len()).any(|window| window == wanted)
        {
            found.push(path);
        }
    }
}

#[test]
fn what_cannot_run_says_why() {
    let daemon = Daemon::start();
    let run = daemon.start_run(
        "workflow: w\ntasks: {a: {bash: x, run_as: no-such-user}, b: {bash: x, secrets: {K: /nowhere}}}",
    );
    for (task, reason) in [
        ("a", "run_as: the host knows no user `no-such-user`"),
        ("b", "read a secret: No such file or directory"),
    ] {
        let view = daemon.wait_for(run, task, 1, "failed");
        assert_eq!(view["attempts"][0]["reason"], reason, "{view}");
    }
}

#[test]
fn of_much_output_the_newest_is_kept_as_far_as_the_task_says() {
    let daemon = Daemon::start();
    let run = daemon.start_run(
        "workflow: w\ntasks: {a: {bash: seq -w 30000, limits: {output: 128KiB}}, b: {bash: seq -w 30000}}",
    );
    for task in ["a", "b"] {
        daemon.wait_for(run, task, 1, "success");
    }
    let kept = |task: &str| {
        let attempt = daemon.home().join(format!("runs/{run}/attempts/{task}.1.1"));
        let files = std::fs::read_dir(attempt).unwrap().map(Result::unwrap);
        let files = files.filter(|file| file.file_name().to_string_lossy().starts_with("output"));
        files.map(|file| file.metadata().unwrap().len()).sum::<u64>()
    };
    let bytes = kept("a");
    assert!((64 << 10..=128 << 10).contains(&bytes), "{bytes} bytes are kept");
    let shown = daemon.ok(&["logs", &run.to_string(), "a"]);
    assert!(shown.ends_with("29999\n30000") && !shown.contains("\n10000\n"), "{shown}");
    assert!(daemon.ok(&["logs", &run.to_string(), "b"]).starts_with("00001\n00002"));
}

#[test]
fn output_goes_after_its_time_and_with_its_run() {
    let mut daemon = Daemon::start();
    let run =
        daemon.start_run("workflow: w\ntasks: {a: {bash: 'echo said'}, b: {bash: 'sleep 1000'}}");
    daemon.wait_for(run, "a", 1, "success");
    daemon.wait_for(run, "b", 1, "running");
    assert_eq!(daemon.ok(&["logs", &run.to_string(), "a"]), "said");
    daemon.kill();
    daemon.resume_with(&["--keep-output", "0s"]);
    let attempts = daemon.home().join(format!("runs/{run}/attempts"));
    wait_until("the output of what ended goes", || {
        (!attempts.join("a.1.1").exists()).then_some(())
    });
    assert!(attempts.join("b.1.1/claim").exists(), "what lives keeps its directory");
    let refused = daemon.cli(&["logs", &run.to_string(), "a"]);
    assert!(
        refused.stderr.contains("E0404") && refused.stderr.contains("--keep-output"),
        "{}",
        refused.stderr
    );
    daemon.ok(&["workflow-execution", "stop", &run.to_string()]);
    daemon.wait_for(run, "b", 1, "stopped");
    wait_until("the run ends", || {
        daemon
            .cli(&["workflow-execution", "delete", &run.to_string(), "-y"])
            .code
            .eq(&0)
            .then_some(())
    });
    let runs = daemon.home().join("runs");
    wait_until("the directory of a deleted run goes", || {
        std::fs::read_dir(&runs).unwrap().next().is_none().then_some(())
    });
}
