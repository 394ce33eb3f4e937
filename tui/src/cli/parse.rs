//! Words of the command line that are more than text.
//!
//! Must never guess: what parses as JSON is JSON, all else is a string.

use aiflow_model::JsonText;

/// A value: JSON if it is JSON, else the string.
pub(crate) fn value(text: &str) -> JsonText {
    JsonText::parse(text).unwrap_or_else(|_| JsonText::string(text))
}

/// A parameter `name=value`.
///
/// # Errors
/// Text for clap when there is no `=` or no name.
pub(crate) fn param(text: &str) -> Result<(String, JsonText), String> {
    match text.split_once('=') {
        Some(("", _)) => Err("the name before = is empty".to_owned()),
        Some((name, text)) => Ok((name.to_owned(), value(text))),
        None => Err("write NAME=VALUE, such as days=3".to_owned()),
    }
}

/// One of the words that the wire has for something.
pub(super) fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    let word = serde_json::Value::String(text.to_owned());
    serde_json::from_value(word).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json_or_strings() {
        for json in ["1", "-2.50", "true", "null", r#""x""#, r#"{"a": [1]}"#, " 7 "] {
            assert_eq!(value(json).as_str(), json.trim());
        }
        for text in ["", "x", "1 2", "{a: 1}", "2013-01-01", "'x'", "NaN", "01"] {
            assert_eq!(value(text).to::<String>().unwrap(), text);
        }
    }

    #[test]
    fn params_split_at_the_first_equals_sign() {
        assert_eq!(param("a=b=c").unwrap(), ("a".to_owned(), JsonText::string("b=c")));
        assert_eq!(param("days=3").unwrap().1.as_str(), "3");
        assert_eq!(param("a=").unwrap().1, JsonText::string(""));
        assert!(param("=x").is_err());
        assert!(param("x").is_err());
    }
}
