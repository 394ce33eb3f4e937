//! What expressions name of a run: its parameters and its tasks.
//!
//! Text in quotes is passed over. Must never refuse a name that an expression puts together itself.

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// A parameter: `params.days`.
    Param,
    /// A task: `tasks.train`.
    Task,
}

/// Each parameter and task that an expression names.
pub(crate) fn mentions(text: &str) -> Vec<(Named, String)> {
    let words = words(&without_text(text));
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let named = match word.as_str() {
            "params" => Named::Param,
            "tasks" => Named::Task,
            _ => continue,
        };
        let is_member = at > 0 && words[at - 1] == ".";
        if let (false, Some("."), Some(name)) =
            (is_member, words.get(at + 1).map(String::as_str), words.get(at + 2))
        {
            found.push((named, name.clone()));
        }
    }
    found
}

/// The expression with what stands in quotes taken out.
fn without_text(text: &str) -> String {
    let (mut plain, mut quote, mut escaped) = (String::new(), None, false);
    for c in text.chars() {
        match quote {
            Some(_) if std::mem::take(&mut escaped) => {}
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'' | '`') => {
                quote = Some(c);
                plain.push(' ');
            }
            None => plain.push(c),
        }
    }
    plain
}

/// Names and other characters, without the space between them.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in text.chars() {
        let is_word = c.is_ascii_alphanumeric() || c == '_';
        match words.last_mut().filter(|_| is_word && in_word) {
            Some(word) => word.push(c),
            None if c.is_whitespace() => {}
            None => words.push(c.to_string()),
        }
        in_word = is_word;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_found_and_text_is_passed_over() {
        let named = |text: &str| {
            let show = |(named, name)| format!("{named:?} {name}");
            mentions(text).into_iter().map(show).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(named("tasks.a.outputs.x < params . days"), "Task a, Param days");
        assert_eq!(named("value.tasks.a == \"tasks.b \\\" tasks.c\" + 'p' + `tasks.d`"), "");
        assert_eq!(named("tasks[\"a-b\"].status"), "");
    }
}
