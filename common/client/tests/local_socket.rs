//! The client against a real local socket.
//!
//! Must never depend on time: each side waits for what the other does.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

use std::time::Duration;

use aiflow_client::{CallError, Client, ConnectError, with_retry};
use aiflow_model::wire::{Call, Emit, EmitReply, Empty, EventCount, EventQuery, Follow};
use aiflow_model::{ErrorCode, EventKey, JsonText, Namespace, Offset};
use serde_json::json;
use server::{Peer, Server};

async fn connected(server: &Server) -> (Client, Peer) {
    let socket = server.socket();
    let (client, peer) = tokio::join!(Client::connect(&socket), server.accept());
    (client.unwrap(), peer)
}

fn event(id: &str) -> Emit {
    Emit {
        namespace: Namespace::default_namespace(),
        key: EventKey::new("k").unwrap(),
        value: JsonText::null(),
        source: Some("test".to_owned()),
        id: Some(id.to_owned()),
        execution: None,
        token: None,
    }
}

#[tokio::test]
async fn answers_in_any_order_reach_their_calls() {
    let server = Server::bind();
    let (client, mut peer) = connected(&server).await;
    assert_eq!(client.hello().version, "test");
    let mut replies = Vec::new();
    for id in 0..300_u64 {
        let call = Call::Emit(event(&id.to_string()));
        replies.push((id, client.submit::<EmitReply>(&call).await.unwrap()));
        if id % 50 == 49 {
            let mut requests = Vec::new();
            for _ in 0..50 {
                requests.push(peer.request().await);
            }
            for request in requests.iter().rev() {
                let offset: u64 = request["params"]["id"].as_str().unwrap().parse().unwrap();
                peer.answer(request, json!({"offset": offset})).await;
            }
        }
    }
    for (id, reply) in replies {
        assert_eq!(reply.receive().await.unwrap().offset, Offset(id));
    }
}

#[tokio::test]
async fn a_refusal_carries_code_and_hint() {
    let server = Server::bind();
    let (client, mut peer) = connected(&server).await;
    let serve = async {
        let request = peer.request().await;
        let data = json!({"code": "E0102", "message": "there is no workflow x", "hint": "try"});
        let error = json!({"code": -32102, "message": "there is no workflow x", "data": data});
        peer.send(json!({"jsonrpc": "2.0", "id": request["id"], "error": error})).await;
    };
    let (result, ()) = tokio::join!(client.emit(event("1")), serve);
    let Err(CallError::Rejected(rejection)) = result else { panic!("{result:?}") };
    assert_eq!(rejection.code, ErrorCode::UnknownWorkflow);
    assert_eq!(rejection.hint.as_deref(), Some("try"));
}

#[tokio::test]
async fn an_answer_of_another_shape_is_told() {
    let server = Server::bind();
    let (client, mut peer) = connected(&server).await;
    let serve = async {
        let request = peer.request().await;
        peer.answer(&request, json!({"offset": "none"})).await;
        let request = peer.request().await;
        peer.answer(&request, json!({"count": 3, "later": true})).await;
    };
    let calls = async {
        let result = client.emit(event("1")).await;
        assert!(matches!(result, Err(CallError::Protocol { method: "emit", .. })), "{result:?}");
        // The connection is as good as before, and fields of a later version are no harm.
        let EventCount { count, .. } = client.count_events(EventQuery::default()).await.unwrap();
        assert_eq!(count, 3);
    };
    tokio::join!(calls, serve);
}

#[tokio::test]
async fn a_break_ends_every_call_and_those_after_it() {
    let server = Server::bind();
    let (client, mut peer) = connected(&server).await;
    let serve = async {
        peer.request().await;
        peer.request().await;
        peer.send_text("{\"jsonrpc\":\"2.0\",\"id\":2,\"res").await;
        drop(peer);
    };
    let (first, second, ()) = tokio::join!(client.emit(event("1")), client.status(Empty {}), serve);
    let error = first.unwrap_err();
    assert!(error.is_absence(), "{error:?}");
    assert!(matches!(error, CallError::Disconnected { method: "emit", .. }), "{error:?}");
    assert!(second.unwrap_err().is_absence());
    client.closed().await;
    assert!(client.emit(event("2")).await.unwrap_err().is_absence());
}

#[tokio::test]
async fn text_that_is_no_message_breaks_the_connection() {
    let server = Server::bind();
    let (client, mut peer) = connected(&server).await;
    let serve = async {
        peer.request().await;
        peer.send_text("not json\n").await;
    };
    let (result, ()) = tokio::join!(client.emit(event("1")), serve);
    assert!(matches!(result, Err(CallError::Disconnected { .. })), "{result:?}");
}

#[tokio::test]
async fn a_request_that_is_too_long_is_refused_before_it_is_sent() {
    let server = Server::bind();
    let (client, mut peer) = connected(&server).await;
    let value = JsonText::string(&"x".repeat(2 << 20));
    let result = client.emit(Emit { value, ..event("1") }).await;
    let Err(CallError::Rejected(rejection)) = result else { panic!("{result:?}") };
    assert_eq!(rejection.code, ErrorCode::FrameTooLarge);
    drop(client);
    assert!(peer.hung_up().await);
}

#[tokio::test]
async fn another_protocol_is_refused() {
    let server = Server::bind();
    let socket = server.socket();
    let serve = async {
        let mut peer = server.accept_silently().await;
        let hello = peer.request().await;
        peer.answer(&hello, json!({"protocol": 9, "version": "9.0"})).await;
        assert!(peer.hung_up().await);
    };
    let connect = async {
        let error = Client::connect(&socket).await.unwrap_err();
        assert!(!error.is_absence());
        assert!(matches!(error, ConnectError::Mismatch { ours: 1, theirs: 9, .. }), "{error:?}");
    };
    tokio::join!(connect, serve);
}

#[tokio::test]
async fn nobody_there_is_an_absence_and_a_long_path_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let error = Client::connect(&directory.path().join("aiflow.sock")).await.unwrap_err();
    assert!(error.is_absence(), "{error:?}");
    let long = directory.path().join("x".repeat(200));
    let error = Client::connect(&long).await.unwrap_err();
    assert!(matches!(error, ConnectError::PathTooLong { .. }), "{error:?}");
    assert!(!error.is_absence());
}

#[tokio::test]
async fn records_come_in_order_and_a_break_tells_where_to_resume() {
    let server = Server::bind();
    let (client, mut peer) = connected(&server).await;
    let serve = async {
        let request = peer.request().await;
        assert_eq!(request["params"]["from"], 5);
        // Reply and first records in one write: the subscription must be known by then.
        let reply = json!({"jsonrpc": "2.0", "id": request["id"],
            "result": {"subscription": 7, "next": 5}});
        let record = json!({"offset": 5, "time": 0,
            "record": {"NamespaceAdded": {"namespace": "n5"}}});
        let params = json!({"subscription": 7, "records": [record], "next": 6});
        let records = json!({"jsonrpc": "2.0", "method": "records", "params": params});
        let later = json!({"jsonrpc": "2.0", "method": "of.a.later.version", "params": {}});
        peer.send_text(&format!("{reply}\n{records}\n{later}\n")).await;
        peer.send_records(99, 0..2).await;
        peer.send_records(7, 6..2000).await;
        peer.send_records(7, 2000..2000).await;
    };
    let follow = Follow { from: Some(Offset(5)), ..Follow::default() };
    let (followed, ()) = tokio::join!(client.follow(follow), serve);
    let (reply, mut subscription) = followed.unwrap();
    assert_eq!(reply.next, Offset(5));
    drop(peer);
    drop(client);
    let mut offsets = Vec::new();
    let broken = loop {
        match subscription.next().await {
            Ok(records) => offsets.extend(records.records.iter().map(|r| r.offset.0)),
            Err(broken) => break broken,
        }
    };
    assert_eq!(offsets, (5..2000).collect::<Vec<_>>());
    assert_eq!(broken.resume, Offset(2000));
}

#[tokio::test]
async fn calls_are_answered_beside_a_subscription() {
    let server = Server::bind();
    let (client, mut peer) = connected(&server).await;
    let serve = async {
        let request = peer.request().await;
        peer.answer(&request, json!({"subscription": 1, "next": 0})).await;
        for offset in 0..500 {
            peer.send_records(1, offset..offset + 1).await;
        }
        let request = peer.request().await;
        peer.answer(&request, json!({"offset": 500})).await;
        peer
    };
    let calls = async {
        let (_, subscription) = client.follow(Follow::default()).await.unwrap();
        let reply = client.emit(event("1")).await.unwrap();
        assert_eq!(reply, EmitReply { offset: Offset(500), duplicate: false });
        subscription
    };
    let (mut subscription, _peer) = tokio::join!(calls, serve);
    for offset in 0..500 {
        assert_eq!(subscription.next().await.unwrap().next, Offset(offset + 1));
    }
}

#[tokio::test]
async fn a_repeat_after_a_break_carries_the_same_id() {
    let server = Server::bind();
    let socket = server.socket();
    let serve = async {
        let mut peer = server.accept().await;
        let first = peer.request().await;
        drop(peer);
        let mut peer = server.accept().await;
        let second = peer.request().await;
        assert_eq!(first["params"], second["params"]);
        peer.answer(&second, json!({"offset": 4, "duplicate": true})).await;
        peer
    };
    let emit = event("once");
    let patience = Some(Duration::from_secs(60));
    let work = with_retry(&socket, patience, async |client| client.emit(emit.clone()).await);
    let (result, _peer) = tokio::join!(work, serve);
    assert_eq!(result.unwrap(), EmitReply { offset: Offset(4), duplicate: true });
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let server = Server::bind();
    let socket = server.socket();
    let serve = async {
        let mut peer = server.accept().await;
        let request = peer.request().await;
        let error = json!({"code": -32603, "message": "no"});
        peer.send(json!({"jsonrpc": "2.0", "id": request["id"], "error": error})).await;
        peer
    };
    let work = with_retry(&socket, None, async |client| client.emit(event("1")).await);
    let (result, _peer) = tokio::join!(work, serve);
    let error = result.unwrap_err();
    assert!(!error.is_absence(), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn patience_ends() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("aiflow.sock");
    let started = tokio::time::Instant::now();
    let patience = Duration::from_secs(10);
    let work = with_retry(&socket, Some(patience), async |client| client.emit(event("1")).await);
    let error = work.await.unwrap_err();
    assert!(error.is_absence(), "{error:?}");
    let took = started.elapsed();
    assert!(took <= patience && took > patience / 2, "{took:?}");
}
