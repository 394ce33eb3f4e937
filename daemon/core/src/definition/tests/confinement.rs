//! What a task may use and who it is, as a definition says it.

use aiflow_model::spec::{Confinement, Limits};
use aiflow_model::time::Span;

use super::{read, refused};

#[test]
fn what_a_task_may_use_is_read() {
    let spec = read(
        "workflow: w\ntasks:\n  a:\n    bash: x\n    heartbeat: 30s\n    run_as: nobody\n    \
         limits: {memory: 512MiB, open_files: 64, processes: 9, file_size: 1GB, \
         cpu_time: 10m, output: 6GiB}\n    \
         secrets: {DB_PASSWORD: /etc/aiflow/db}\n",
    );
    let task = spec.unwrap().task("a").unwrap().clone();
    assert_eq!(task.heartbeat, Some(Span::from_seconds(30)));
    let Confinement { limits, run_as, secrets } = task.confinement;
    assert_eq!(run_as.as_deref(), Some("nobody"));
    assert_eq!(secrets["DB_PASSWORD"], "/etc/aiflow/db");
    let (memory, file_size) = (Some(512 << 20), Some(1_000_000_000));
    let cpu_time = Some(Span::from_seconds(600));
    let (open_files, processes, output) = (Some(64), Some(9), Some(6 << 30));
    assert_eq!(limits, Limits { memory, open_files, processes, file_size, cpu_time, output });
}

#[test]
fn what_a_task_cannot_use_is_refused() {
    let task = |line: &str| format!("workflow: w\ntasks:\n  a:\n    bash: x\n    {line}\n");
    for (line, expected) in [
        ("heartbeat: 0s", "5:16 heartbeat has to be at least 1ms"),
        (
            "limits: {memory: lots}",
            "5:22 memory has to be a size of at least 1.0 MiB | memory: 512MiB",
        ),
        ("limits: {memory: 10}", "5:22 memory has to be a size"),
        (
            "limits: {output: 1KiB}",
            "5:22 output has to be a size of at least 128.0 KiB and at most 4.0 TiB",
        ),
        ("limits: {mem: 1GiB}", "5:14 limits has no key `mem`"),
        ("limits: {open_files: 0}", "5:26 open_files has to be a whole number from 8"),
        ("limits: {cpu_time: 1500ms}", "5:24 cpu_time has to be whole seconds | cpu_time: 10m"),
        ("limits: 5", "5:13 limits has to be a mapping"),
        ("run_as: \"a b\"", "5:13 run_as has to be the login name of a user | run_as: nobody"),
        (
            "secrets: {KEY: key.txt}",
            "5:20 secret KEY has to be the absolute path of a file | KEY: /etc",
        ),
        ("secrets: {1KEY: /k}", "5:15 \"1KEY\" cannot be set as a variable"),
        (
            "restart: {silent: a}",
            "5:23 task `a` has no heartbeat, so it is never silent | give `a`",
        ),
        ("restart: {silent: b}", "5:23 there is no task `b`"),
    ] {
        refused(&task(line), expected);
    }
}
