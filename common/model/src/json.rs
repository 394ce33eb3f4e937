//! JSON text that is known to be valid and is kept as it was given.
//!
//! Event values pass through the daemon unread unless a filter looks at them, so they are not
//! turned into trees. Must never hold text that is not one valid JSON value.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// One JSON value as text on one line. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JsonText(Arc<str>);

impl JsonText {
    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        &*self.0 == "null"
    }

    /// Checks that `text` is one JSON value.
    ///
    /// # Errors
    /// What `serde_json` finds wrong, with line and column.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(Self::of(raw))
    }

    /// Messages are one line each, so line breaks between tokens become spaces. Within a string
    /// JSON has none.
    fn of(raw: &RawValue) -> Self {
        let text = raw.get();
        if text.bytes().any(|byte| matches!(byte, b'\n' | b'\r')) {
            return Self(text.replace(['\n', '\r'], " ").into());
        }
        Self(text.into())
    }

    /// The JSON `null`.
    #[must_use]
    pub fn null() -> Self {
        Self("null".into())
    }

    /// The JSON string that holds `text`.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self(serde_json::Value::from(text).to_string().into())
    }

    /// A tree as text.
    #[must_use]
    pub fn from_value(value: &serde_json::Value) -> Self {
        Self(value.to_string().into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads it as `T`.
    ///
    /// # Errors
    /// When the value does not have the shape of `T`.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// The tree. Nesting beyond what `serde_json` reads (128) gives `null`.
    #[must_use]
    pub fn to_value(&self) -> serde_json::Value {
        self.to().unwrap_or(serde_json::Value::Null)
    }

    /// How deep lists and objects are nested: 0 for a plain value.
    #[must_use]
    pub fn depth(&self) -> usize {
        let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
        for byte in self.0.bytes() {
            match byte {
                _ if std::mem::take(&mut escaped) => {}
                b'\\' => escaped = in_string,
                b'"' => in_string = !in_string,
                b'[' | b'{' if !in_string => depth += 1,
                b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        deepest
    }

    /// Text for a place where people read it or a shell takes it: strings without their quotes.
    #[must_use]
    pub fn to_plain(&self) -> String {
        self.to::<String>().unwrap_or_else(|_| self.0.as_ref().to_owned())
    }
}

impl Default for JsonText {
    fn default() -> Self {
        Self::null()
    }
}

impl fmt::Display for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not borrowed, though that would save a copy: trees (`serde_json::Value`) lend nothing.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self::of(&raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_a_round_trip_byte_for_byte() {
        let text = r#"{"b":1,"a":[1.50, 9007199254740993]}"#;
        let json = JsonText::parse(text).unwrap();
        let back: JsonText = serde_json::from_str(&serde_json::to_string(&json).unwrap()).unwrap();
        assert_eq!(back.as_str(), text);
        let tree = serde_json::json!({"a": [1, "b"]});
        assert_eq!(serde_json::from_value::<JsonText>(tree.clone()).unwrap().to_value(), tree);
    }

    #[test]
    fn text_is_one_line() {
        let text = "{\n  \"a\": \"x\\ny\",\r\n\t\"b\": [1,\n2]\n}";
        let json = JsonText::parse(text).unwrap();
        assert_eq!(json.as_str(), "{   \"a\": \"x\\ny\",  \t\"b\": [1, 2] }");
        let read: JsonText = serde_json::from_str(text).unwrap();
        assert_eq!(read, json);
    }

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        for (text, depth) in
            [("1", 0), ("[]", 1), (r#"{"a":[1,{"b":2}]}"#, 3), (r#"["[[\"[["]"#, 1)]
        {
            assert_eq!(JsonText::parse(text).unwrap().depth(), depth, "{text}");
        }
    }

    #[test]
    fn plain_text_drops_the_quotes_of_strings_only() {
        assert_eq!(JsonText::string("a \"b\"").to_plain(), "a \"b\"");
        assert_eq!(JsonText::parse("[1]").unwrap().to_plain(), "[1]");
        assert!(JsonText::parse("{,}").is_err());
        assert!(JsonText::parse("1 2").is_err());
    }
}
