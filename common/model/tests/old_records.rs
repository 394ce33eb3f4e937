//! Records as the first builds wrote them are read for ever: what was added since has its default.

use aiflow_model::state::NodeState;
use aiflow_model::{LoggedRecord, State};

/// Payloads of one log, in order, as they stood in it; the last fields are of a watermark clock.
const LOG: &[&str] = &[
    r#"{"record":{"DaemonStarted":{"version":"0.1.0","epoch":1,"boot_id":"b","pid":1}}}"#,
    r#"{"record":{"NamespaceAdded":{"namespace":"default"}}}"#,
    r#"{"record":{"WorkflowUploaded":{"namespace":"default","snapshot":1,"spec":{"name":"w","params":{},"tasks":[{"name":"t","kind":"batch","command":{"bash":"x"},"rules":[{"action":"start","condition":{"every":{"period":3600000000,"clock":{"watermark":["f","g"]}}}}],"overlap":"ignore","parallel":1,"retry":{"on":"failure","attempts_max":2,"backoff":{"min":1000000,"max":60000000}},"grace":10000000}]},"source":"x","files":[]}}}"#,
    r#"{"record":{"RunStarted":{"run":1,"namespace":"default","workflow":"w","snapshot":1,"params":{}}}}"#,
    r#"{"cause":3,"record":{"ConditionAdvanced":{"run":1,"rule":0,"node":0,"state":{"clock":{"marks":[null,null],"next":null}}}}}"#,
    r#"{"record":{"EventEmitted":{"namespace":"default","key":"f","value":"2026-01-01T00:00:00Z","source":"s","id":"1"}}}"#,
    r#"{"cause":5,"record":{"ConditionAdvanced":{"run":1,"rule":0,"node":0,"state":{"clock":{"marks":[{"time":1767225600000000,"event":5},null],"next":null}}}}}"#,
    r#"{"cause":6,"record":{"TaskExecutionCreated":{"id":{"run":1,"task":"t","sequence":1}}}}"#,
    r#"{"cause":7,"record":{"AttemptQueued":{"id":"1.t.1.1"}}}"#,
    r#"{"record":{"AttemptStarted":{"id":"1.t.1.1","pid":7}}}"#,
    r#"{"record":{"AttemptEnded":{"id":"1.t.1.1","outcome":{"exited":{"code":0}}}}}"#,
    r#"{"cause":10,"record":{"TaskExecutionFinished":{"id":{"run":1,"task":"t","sequence":1},"status":"success"}}}"#,
];

#[test]
fn a_log_of_the_first_builds_is_folded() {
    let mut state = State::empty();
    for (offset, payload) in (0..).zip(LOG) {
        let rest = payload.strip_prefix('{').unwrap();
        let logged = format!("{{\"offset\":{offset},\"time\":1767225600000000,{rest}");
        let logged: LoggedRecord = serde_json::from_str(&logged).unwrap_or_else(|error| {
            panic!("record {offset} cannot be read any more: {error}\n{logged}")
        });
        state.apply(&logged).unwrap();
    }
    let run = state.run(aiflow_model::RunId(1)).unwrap();
    assert_eq!(run.tasks[0].executions[0].status.word(), "success");
    let NodeState::Clock(clock) = &run.conditions[0][&0] else { panic!("{:?}", run.conditions) };
    assert_eq!(clock.marks.len(), 2);
    assert!(clock.silent.is_empty() && clock.next.is_none());
}
