//! Expressions over an event and a run: filters, numbers and scripts, evaluated in a sandbox with
//! bounds.
//!
//! The language is rhai. No time, no files; operations, depth and sizes are bounded, so that an
//! evaluation ends soon and always gives the same. Must never be asked on replay.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;

use aiflow_model::JsonText;
use rhai::{AST, Dynamic, Scope};

use crate::dynamic::{DEPTH_MAX, to_dynamic, to_json};
use crate::scene::Scene;

/// Most operations of one evaluation.
const OPERATIONS_MAX: u64 = 10_000;
/// Most characters, elements or entries of a value made by an expression.
const SIZE_MAX: usize = 1 << 20;
/// Most bytes that a script may keep, as JSON.
const STATE_BYTES_MAX: usize = 1 << 16;
/// What an expression may look at, each name with whether it is of an event.
const NAMES: [(&str, Of); 6] = [
    ("value", Of::Event),
    ("key", Of::Event),
    ("source", Of::Event),
    ("time", Of::Both),
    ("params", Of::Run),
    ("tasks", Of::Run),
];

/// What a name tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Event,
    Run,
    Both,
}

/// What there is to look at where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// An event, and no run: a trigger.
    Event,
    /// A run, and no event: after the end of a task.
    Run,
    /// An event in a run.
    EventInRun,
}

impl Sight {
    /// The names that may be used, for people.
    pub(crate) fn names(self) -> String {
        let names: Vec<&str> = NAMES.iter().filter(|n| self.has(n.1)).map(|n| n.0).collect();
        names.join(", ")
    }

    const fn has(self, of: Of) -> bool {
        match (self, of) {
            (Self::EventInRun, _) | (_, Of::Both) => true,
            (Self::Event, of) => matches!(of, Of::Event),
            (Self::Run, of) => matches!(of, Of::Run),
        }
    }
}

/// The sandbox and what was compiled in it, by its text.
#[derive(Default)]
pub(crate) struct Expressions {
    /// Made for the first expression: it knows hundreds of functions, and many workflows need none.
    engine: OnceCell<rhai::Engine>,
    compiled: BTreeMap<(Kind, String), Result<Compiled, String>>,
}

/// A text that was compiled.
struct Compiled {
    ast: AST,
    looks_at_run: bool,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// One expression: no statements, no loops.
    Expression,
    /// Statements, which may change `state`.
    Script,
}

impl fmt::Debug for Expressions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expressions")
            .field("compiled", &self.compiled.len())
            .finish_non_exhaustive()
    }
}

impl Expressions {
    /// Whether the filter is true of the event.
    ///
    /// # Errors
    /// Why it could not be told: the expression failed or gave something other than true or false.
    pub(crate) fn passes(&mut self, filter: &str, scene: &Scene<'_>) -> Result<bool, String> {
        let result = self.evaluate(Kind::Expression, filter, scene, |_| {})?.0;
        result.as_bool().map_err(|kind| format!("`{filter}` gave a {kind}, not true or false"))
    }

    /// The number that the expression gives of the event.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn number(&mut self, expression: &str, scene: &Scene<'_>) -> Result<f64, String> {
        let result = self.evaluate(Kind::Expression, expression, scene, |_| {})?.0;
        let number = match (result.as_int(), result.as_float()) {
            // Whole numbers beyond 2^53 lose their last digits, as in JSON.
            (Ok(whole), _) => Some(whole as f64),
            (_, Ok(number)) => Some(number).filter(|number| number.is_finite()),
            _ => None,
        };
        number.ok_or_else(|| format!("`{expression}` gave {result}, not a number"))
    }

    /// What the expression gives of the event.
    ///
    /// # Errors
    /// Why there is nothing that an event can say.
    pub(crate) fn value(
        &mut self,
        expression: &str,
        scene: &Scene<'_>,
    ) -> Result<JsonText, String> {
        let result = self.evaluate(Kind::Expression, expression, scene, |_| {})?.0;
        let value = to_json(&result, 0).map_err(|what| format!("`{expression}` gave {what}"))?;
        Ok(JsonText::from_value(&value))
    }

    /// Runs a script with what it kept; gives whether to fire, and what it keeps now.
    ///
    /// # Errors
    /// Why it failed; then it keeps what it had.
    pub(crate) fn run(
        &mut self,
        script: &str,
        state: &JsonText,
        scene: &Scene<'_>,
    ) -> Result<(bool, JsonText), String> {
        let (result, scope) = self.evaluate(Kind::Script, script, scene, |scope| {
            scope.push_dynamic("state", to_dynamic(state.to_value()));
        })?;
        let fires = result
            .as_bool()
            .map_err(|kind| format!("the script gave a {kind}, not true or false, at its end"))?;
        let kept = scope.get_value::<Dynamic>("state").unwrap_or(Dynamic::UNIT);
        let kept = to_json(&kept, 0).map_err(|what| format!("the script kept {what}"))?;
        let kept = JsonText::from_value(&kept);
        let bytes = kept.as_str().len();
        if bytes > STATE_BYTES_MAX {
            return Err(format!("the script kept {bytes} bytes, at most {STATE_BYTES_MAX}"));
        }
        Ok((fires, kept))
    }

    /// Evaluates a text; gives what it gave, and the scope as it left it.
    fn evaluate(
        &mut self,
        kind: Kind,
        text: &str,
        scene: &Scene<'_>,
        add: impl FnOnce(&mut Scope<'static>),
    ) -> Result<(Dynamic, Scope<'static>), String> {
        let engine = self.engine.get_or_init(sandbox);
        let compiled = match self.compiled.entry((kind, text.to_owned())) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                let sees = |sight| compile(engine, kind, text, sight);
                let looks_at_run = sees(Sight::Event).is_err();
                let compiled = sees(Sight::EventInRun);
                let compiled = compiled.map(|ast| Compiled { ast, looks_at_run });
                new.insert(compiled.map_err(|error| error.message))
            }
        };
        let compiled =
            compiled.as_ref().map_err(|error| format!("it does not compile: {error}"))?;
        let mut scope = scene.scope(compiled.looks_at_run);
        add(&mut scope);
        let evaluated = engine.eval_ast_with_scope(&mut scope, &compiled.ast);
        match evaluated {
            Ok(result) => Ok((result, scope)),
            Err(error) if kind == Kind::Expression => Err(format!("`{text}` failed: {error}")),
            Err(error) => Err(format!("the script failed: {error}")),
        }
    }
}

/// Text that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpressionError {
    /// What is wrong with it.
    pub(crate) message: String,
}

/// Checks that a text compiles and uses only the names that it will be given.
pub(crate) fn check(kind: Kind, text: &str, sight: Sight) -> Result<(), ExpressionError> {
    compile(&sandbox(), kind, text, sight).map(drop)
}

/// What an expression gives that looks at nothing of the event.
#[derive(Debug)]
pub(crate) struct Constant(Dynamic);

impl Constant {
    pub(crate) fn as_bool(&self) -> Option<bool> {
        self.0.as_bool().ok()
    }

    pub(crate) fn as_number(&self) -> Option<f64> {
        self.0.as_int().map(|whole| whole as f64).or_else(|_| self.0.as_float()).ok()
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The constant that an expression is; none if it looks at the event, or fails.
pub(crate) fn constant(text: &str) -> Option<Constant> {
    let engine = sandbox();
    // Without any name in scope whatever looks at one does not compile.
    let ast = engine.compile_expression_with_scope(&Scope::new(), text).ok()?;
    engine.eval_ast::<Dynamic>(&ast).ok().map(Constant)
}

fn compile(
    engine: &rhai::Engine,
    kind: Kind,
    text: &str,
    sight: Sight,
) -> Result<AST, ExpressionError> {
    let mut scope = Scope::new();
    for (name, _) in NAMES.into_iter().filter(|(_, of)| sight.has(*of)) {
        scope.push_constant_dynamic(name, Dynamic::UNIT);
    }
    let compiled = match kind {
        Kind::Expression => engine.compile_expression_with_scope(&scope, text),
        Kind::Script => {
            scope.push_dynamic("state", Dynamic::UNIT);
            engine.compile_with_scope(&scope, text)
        }
    };
    compiled.map_err(|error| ExpressionError { message: error.to_string() })
}

fn sandbox() -> rhai::Engine {
    let mut engine = rhai::Engine::new();
    engine
        .set_max_operations(OPERATIONS_MAX)
        .set_max_expr_depths(DEPTH_MAX, DEPTH_MAX)
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

#[cfg(test)]
mod tests {
    use super::*;
    use aiflow_model::record::Event;
    use aiflow_model::{EventKey, Namespace, Timestamp};

    fn event(value: &str) -> Event {
        Event {
            namespace: Namespace::default_namespace(),
            key: EventKey::new("model.validated").unwrap(),
            value: JsonText::parse(value).unwrap(),
            source: "train".to_owned(),
            id: "1".to_owned(),
            execution: None,
        }
    }

    fn passes(filter: &str, value: &str) -> Result<bool, String> {
        Expressions::default().passes(filter, &Scene::of_event(&event(value), Timestamp(0)))
    }

    #[test]
    fn numbers_are_whole_or_not_and_finite() {
        let number = |text: &str, value: &str| {
            Expressions::default().number(text, &Scene::of_event(&event(value), Timestamp(0)))
        };
        assert_eq!(number("value.rows * 2", r#"{"rows": 3}"#), Ok(6.0));
        assert_eq!(number("value", "0.5"), Ok(0.5));
        for (text, value) in [("value", r#""3""#), ("value.rows", "{}"), ("1.0 / value", "0.0")] {
            assert!(number(text, value).is_err(), "{text} of {value}");
        }
    }

    #[test]
    fn a_script_keeps_its_state_or_says_why_it_failed() {
        let mut expressions = Expressions::default();
        let script = "if state == () { state = #{seen: []}; } \
                      state.seen.push(value); state.seen.len() >= 2";
        let mut run = |script: &str, state: &str, value: &str| {
            let state = JsonText::parse(state).unwrap();
            let event = event(value);
            let ran = expressions.run(script, &state, &Scene::of_event(&event, Timestamp(0)));
            ran.map(|(fires, state)| (fires, state.as_str().to_owned()))
        };
        assert_eq!(run(script, "null", "1.5"), Ok((false, r#"{"seen":[1.5]}"#.to_owned())));
        assert_eq!(
            run(script, r#"{"seen":[1]}"#, "null"),
            Ok((true, r#"{"seen":[1,null]}"#.into()))
        );
        for failing in [
            "loop {}",
            "state = 1",
            "state = || 1; true",
            "throw 1",
            "state = \"x\"; while state.len() < 100000 { state += state; } true",
            "fn f(n) { f(n + 1) } f(1)",
        ] {
            assert!(run(failing, "null", "1").is_err(), "{failing}");
        }
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
            assert!(check(Kind::Expression, filter, Sight::EventInRun).is_err(), "{filter}");
        }
        assert!(check(Kind::Expression, "value.mae < 15.0", Sight::Event).is_ok());
    }
}
