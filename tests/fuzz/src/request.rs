//! A line from a client: refused, or a call that says the same when it is written and read again.
//!
//! Never: a panic, or a line break within what becomes one line of the log or of a reply.

use aiflow_model::JsonText;
use aiflow_model::wire::{Call, RequestLine};

/// The input: a byte that chooses a method, then its parameters; or, if there is no such method,
/// a whole line, which is read as the daemon does.
pub fn request(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let Some(method) = Call::METHODS.get(usize::from(*choice)) else {
        read(text);
        return;
    };
    read(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{text}}}"#));
}

fn read(line: &str) {
    let Ok(request) = serde_json::from_str::<RequestLine<'_>>(line) else { return };
    let call = match Call::read(&request.method, request.params) {
        Ok(call) => call,
        Err(rejection) => {
            let text = serde_json::to_string(&rejection).unwrap();
            let again: aiflow_model::error::Rejection = serde_json::from_str(&text).unwrap();
            assert_eq!(format!("{again:?}"), format!("{rejection:?}"));
            return;
        }
    };
    let params = call.params().unwrap();
    let again = Call::read(call.method(), Some(&params)).unwrap();
    // Calls have no equality: their Debug text shows every field.
    assert_eq!(format!("{again:?}"), format!("{call:?}"), "{line}");
    assert_eq!(again.params().unwrap().get(), params.get(), "{line}");
    match &call {
        Call::Emit(emit) => value(&emit.value),
        Call::RunStart(start) => start.params.values().for_each(value),
        _ => {}
    }
}

/// What the daemon and the terminal do to a value they did not look into.
fn value(value: &JsonText) {
    assert!(!value.as_str().contains(['\n', '\r']), "a value on two lines");
    assert_eq!(JsonText::parse(value.as_str()).unwrap(), *value);
    let _ = (value.depth(), value.to_value(), value.to_plain());
}
