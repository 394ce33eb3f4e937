//! YAML text as a tree in which each node knows its place.
//!
//! Duplicate keys, aliases, tags and several documents are refused: a definition says one thing
//! once. Must never resolve types: the reader knows what it wants at each place.

use aiflow_model::error::Diagnostic;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Deepest nesting of a definition.
const DEPTH_MAX: usize = 64;

/// A place in the text, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// One node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Text; `plain` when it stands without quotes.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the text.
    Map(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) node: Node,
}

impl Value {
    /// The word for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Scalar { text, plain: true } if is_null(text) => "nothing",
            Self::Scalar { .. } => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn to_place(span: Span) -> Place {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Place { line: number(span.start.line()), column: number(span.start.col() + 1) }
}

fn fault(place: Place, message: impl Into<String>) -> Diagnostic {
    Diagnostic { line: place.line, column: place.column, message: message.into(), hint: None }
}

/// Parses the one document of `text`.
///
/// # Errors
/// The first fault of form.
pub(crate) fn parse(text: &str) -> Result<Node, Diagnostic> {
    let mut tree = Tree { parser: Parser::new_from_str(text), last: Place { line: 1, column: 1 } };
    let mut root = None;
    loop {
        let (event, place) = tree.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            Event::StreamEnd => break,
            event if root.is_none() => root = Some(tree.node(event, place, 0)?),
            _ => return Err(fault(place, "a second document: a file holds one workflow")),
        }
    }
    root.ok_or_else(|| fault(Place { line: 1, column: 1 }, "the file is empty"))
}

struct Tree<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    last: Place,
}

impl<'a> Tree<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Place), Diagnostic> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                self.last = to_place(span);
                Ok((event, self.last))
            }
            Some(Err(error)) => {
                let mark = error.marker();
                Err(fault(to_place(Span::empty(*mark)), format!("not YAML: {}", error.info())))
            }
            None => Ok((Event::StreamEnd, self.last)),
        }
    }

    fn node(&mut self, event: Event<'a>, place: Place, depth: usize) -> Result<Node, Diagnostic> {
        if depth > DEPTH_MAX {
            return Err(fault(place, format!("nested deeper than {DEPTH_MAX}")));
        }
        let value = match event {
            Event::Scalar(text, style, _, tag) => {
                if tag.is_some() {
                    return Err(fault(place, "tags (!…) are not used in definitions"));
                }
                Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(..) => self.list(depth)?,
            Event::MappingStart(..) => self.map(depth)?,
            Event::Alias(_) => {
                return Err(fault(place, "aliases (*…) are not used in definitions"));
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return Err(fault(place, "the text ends here, but should not")),
        };
        Ok(Node { place, value })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Diagnostic> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, place) => items.push(self.node(event, place, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Diagnostic> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, place) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Value::Map(entries)),
                Event::Scalar(key, ..) => key.into_owned(),
                _ => return Err(fault(place, "a key has to be a single value")),
            };
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let message = format!("`{key}` stands twice; first in line {}", first.place.line);
                return Err(fault(place, message));
            }
            let (event, node_place) = self.next()?;
            let node = self.node(event, node_place, depth + 1)?;
            entries.push(Entry { key, place, node });
        }
    }
}
