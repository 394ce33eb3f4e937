//! Values of JSON in the expression language, and back.
//!
//! Must never make of one value another: what has no counterpart is refused.

use rhai::Dynamic;
use serde_json::Value;

/// Deepest nesting of an expression, and of what one gives.
pub(crate) const DEPTH_MAX: usize = 32;

/// JSON as an expression sees it.
pub(crate) fn to_dynamic(value: Value) -> Dynamic {
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

/// What a script keeps, as JSON.
///
/// # Errors
/// What cannot be kept.
pub(crate) fn to_json(value: &Dynamic, depth: usize) -> Result<Value, String> {
    if depth > DEPTH_MAX {
        return Err(format!("something nested deeper than {DEPTH_MAX}"));
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(flag.into());
    }
    if let Ok(number) = value.as_int() {
        return Ok(number.into());
    }
    if let Ok(number) = value.as_float() {
        let number = serde_json::Number::from_f64(number);
        return number.map(Value::Number).ok_or_else(|| "a number that is not finite".to_owned());
    }
    if value.is_string() || value.is_char() {
        return Ok(value.to_string().into());
    }
    if let Ok(items) = value.as_array_ref() {
        return items.iter().map(|item| to_json(item, depth + 1)).collect();
    }
    if let Ok(entries) = value.as_map_ref() {
        let entries =
            entries.iter().map(|(name, entry)| Ok((name.to_string(), to_json(entry, depth + 1)?)));
        return entries.collect();
    }
    Err(format!("a {}", value.type_name()))
}
