//! Filters: expressions over an event, evaluated in a sandbox with bounds.
//!
//! The language is rhai's expressions. No loops, no time, no files; operations, depth and sizes
//! are bounded, so that an expression ends soon and always gives the same. Must never be asked on
//! replay.

use std::collections::BTreeMap;
use std::fmt;

use aiflow_model::Timestamp;
use aiflow_model::record::Event;
use rhai::{AST, Dynamic, Scope};
use serde_json::Value;

/// Most operations of one evaluation.
const OPERATIONS_MAX: u64 = 10_000;
/// Deepest nesting of an expression.
const EXPRESSION_DEPTH_MAX: usize = 32;
/// Most characters, elements or entries of a value made by an expression.
const SIZE_MAX: usize = 1 << 20;

/// The sandbox and the filters that were compiled in it, by their text.
pub(crate) struct Filters {
    engine: rhai::Engine,
    compiled: BTreeMap<String, Result<AST, String>>,
}

impl Default for Filters {
    fn default() -> Self {
        Self { engine: sandbox(), compiled: BTreeMap::new() }
    }
}

impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filters").field("compiled", &self.compiled.len()).finish_non_exhaustive()
    }
}

impl Filters {
    /// Whether the filter is true of the event.
    ///
    /// # Errors
    /// Why it could not be told: the expression failed or gave something other than true or false.
    pub(crate) fn passes(
        &mut self,
        filter: &str,
        event: &Event,
        now: Timestamp,
    ) -> Result<bool, String> {
        if !self.compiled.contains_key(filter) {
            let compiled = compile(&self.engine, filter).map_err(|error| error.message);
            self.compiled.insert(filter.to_owned(), compiled);
        }
        let Some(Ok(ast)) = self.compiled.get(filter) else {
            return Err("the filter does not compile".to_owned());
        };
        let mut scope = Scope::new();
        scope.push_constant_dynamic("value", to_dynamic(event.value.to_value()));
        scope.push_constant("key", event.key.as_str().to_owned());
        scope.push_constant("source", event.source.clone());
        scope.push_constant("time", now.to_string());
        let result: Dynamic = self
            .engine
            .eval_ast_with_scope(&mut scope, ast)
            .map_err(|error| format!("`{filter}` failed: {error}"))?;
        result.as_bool().map_err(|kind| format!("`{filter}` gave a {kind}, not true or false"))
    }
}

/// A filter that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilterError {
    /// What is wrong with it.
    pub(crate) message: String,
}

/// Checks that a filter compiles and uses only the names that it will be given.
pub(crate) fn check(filter: &str) -> Result<(), FilterError> {
    compile(&sandbox(), filter).map(drop)
}

fn compile(engine: &rhai::Engine, filter: &str) -> Result<AST, FilterError> {
    let mut scope = Scope::new();
    for name in ["value", "key", "source", "time"] {
        scope.push_constant_dynamic(name, Dynamic::UNIT);
    }
    engine
        .compile_expression_with_scope(&scope, filter)
        .map_err(|error| FilterError { message: error.to_string() })
}

fn sandbox() -> rhai::Engine {
    let mut engine = rhai::Engine::new();
    engine
        .set_max_operations(OPERATIONS_MAX)
        .set_max_expr_depths(EXPRESSION_DEPTH_MAX, EXPRESSION_DEPTH_MAX)
        .set_max_string_size(SIZE_MAX)
        .set_max_array_size(SIZE_MAX)
        .set_max_map_size(SIZE_MAX)
        .set_max_call_levels(8)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        // Constants must not be folded in: the scope at compile time holds only names.
        .set_optimization_level(rhai::OptimizationLevel::None)
        .on_print(|_| {})
        .on_debug(|_, _, _| {})
        .disable_symbol("eval");
    engine
}

fn to_dynamic(value: Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(flag) => flag.into(),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.into(),
        Value::Array(items) => items.into_iter().map(to_dynamic).collect::<Vec<_>>().into(),
        Value::Object(entries) => entries
            .into_iter()
            .map(|(name, entry)| (name.into(), to_dynamic(entry)))
            .collect::<rhai::Map>()
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aiflow_model::{EventKey, JsonText, Namespace};

    fn passes(filter: &str, value: &str) -> Result<bool, String> {
        let event = Event {
            namespace: Namespace::default_namespace(),
            key: EventKey::new("model.validated").unwrap(),
            value: JsonText::parse(value).unwrap(),
            source: "train".to_owned(),
            id: "1".to_owned(),
            execution: None,
        };
        Filters::default().passes(filter, &event, Timestamp(0))
    }

    #[test]
    fn filters_see_value_key_source_and_time() {
        assert_eq!(passes("value.mae < 15.0", r#"{"mae": 11.8}"#), Ok(true));
        assert_eq!(passes("value.mae < 15.0", r#"{"mae": 15}"#), Ok(false));
        assert_eq!(
            passes("value.a[1] == \"x\" && source == \"train\"", r#"{"a":[0,"x"]}"#),
            Ok(true)
        );
        assert_eq!(passes("key.starts_with(\"model.\") && time != \"\"", "null"), Ok(true));
    }

    #[test]
    fn what_cannot_be_told_is_an_error_with_its_reason() {
        for (filter, value) in [
            ("value.mae < 15.0", "{}"),
            ("value.mae", r#"{"mae": 1}"#),
            ("value.a.b.c == 1", r#"{"a": 1}"#),
            ("1 / value == 1", "0"),
        ] {
            let reason = passes(filter, value).unwrap_err();
            assert!(reason.contains(filter), "{reason}");
        }
    }

    #[test]
    fn what_is_unbounded_or_unknown_does_not_compile() {
        let deep = format!("{}1{} == 1", "(".repeat(200), ")".repeat(200));
        for filter in ["while true {}", "let x = 1; x == 1", "valeu == 1", "", "1 +", &deep] {
            assert!(check(filter).is_err(), "{filter}");
        }
        assert!(check("value.mae < 15.0").is_ok());
    }
}
