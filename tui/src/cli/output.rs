//! The only place that writes to stdout and stderr.
//!
//! Must never write colours or wrapped lines where no terminal is, and never fail loudly because
//! the reader has gone.

use std::io::{self, IsTerminal, Write};

use aiflow_model::Timestamp;
use clap::ValueEnum;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use rustix::event::{PollFd, PollFlags, poll};
use serde::Serialize;

use super::failure::Failure;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns with a header, for people
    #[default]
    Table,
    /// JSON, indented
    Json,
    /// YAML
    Yaml,
    /// Fields between tabs, no header
    Plain,
}

/// Something that is shown as a row of a table.
pub(crate) trait Row: Serialize {
    /// Names of the columns.
    const COLUMNS: &'static [&'static str];

    /// One text for each column.
    fn cells(&self) -> Vec<String>;

    /// Names and texts when it is shown alone.
    fn details(&self) -> Vec<(String, String)> {
        Self::COLUMNS.iter().map(ToString::to_string).zip(self.cells()).collect()
    }
}

/// Where results go and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    pub(crate) fn format(self) -> Format {
        self.format
    }

    /// Prints rows.
    pub(crate) fn list<T: Row>(self, rows: &[T]) -> Result<(), Failure> {
        let text = match self.format {
            Format::Table => table(rows, terminal_width()),
            Format::Plain => rows.iter().map(|row| plain_line(row)).collect(),
            Format::Json => json(rows)?,
            Format::Yaml => yaml(rows)?,
        };
        self.write(text.as_bytes())
    }

    /// Prints one thing alone.
    pub(crate) fn show<T: Row>(self, row: &T) -> Result<(), Failure> {
        let text = match self.format {
            Format::Table => details(row, terminal_width()),
            Format::Plain => plain_line(row),
            Format::Json => json(row)?,
            Format::Yaml => yaml(row)?,
        };
        self.write(text.as_bytes())
    }

    /// Prints one thing of many that come over time: a line each.
    pub(crate) fn item<T: Row>(self, row: &T) -> Result<(), Failure> {
        let text = match self.format {
            Format::Table | Format::Plain => plain_line(row),
            Format::Json => {
                serde_json::to_string(row).map(|text| text + "\n").map_err(unwritten)?
            }
            Format::Yaml => format!("---\n{}", yaml(row)?),
        };
        self.write(text.as_bytes())
    }

    /// Prints an answer: for people and shells `text`, for programs the whole.
    pub(crate) fn answer<T: Serialize>(self, whole: &T, text: &str) -> Result<(), Failure> {
        let text = match self.format {
            Format::Table | Format::Plain => format!("{}\n", clean(text)),
            Format::Json => json(whole)?,
            Format::Yaml => yaml(whole)?,
        };
        self.write(text.as_bytes())
    }

    /// Prints several results: in words a line each, else as a list.
    pub(crate) fn answers<T: Serialize>(
        self,
        whole: &[T],
        texts: &[String],
    ) -> Result<(), Failure> {
        let text = match self.format {
            Format::Table | Format::Plain => {
                texts.iter().map(|t| format!("{}\n", clean(t))).collect()
            }
            Format::Json => json(&whole)?,
            Format::Yaml => yaml(&whole)?,
        };
        self.write(text.as_bytes())
    }

    /// Begins anew at the top of a terminal; elsewhere one result follows the other.
    pub(crate) fn clear(self) -> Result<(), Failure> {
        if io::stdout().is_terminal() { self.write(b"\x1b[2J\x1b[H") } else { Ok(()) }
    }

    /// Prints bytes as they are.
    pub(crate) fn write(self, bytes: &[u8]) -> Result<(), Failure> {
        write_all(io::stdout().lock(), bytes, "stdout")
    }

    /// Prints bytes as they are to stderr, where they are data too: what a task wrote there.
    pub(crate) fn write_stderr(self, bytes: &[u8]) -> Result<(), Failure> {
        write_all(io::stderr().lock(), bytes, "stderr")
    }
}

/// Tells people something on stderr. That nobody may listen is no failure.
pub(crate) fn note(text: &str) {
    if !text.is_empty() {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// Waits until nobody reads stdout any more; for verbs that may have nothing to write for long.
/// Never ends where that cannot be told, such as for a file.
pub(crate) async fn reader_gone() -> Failure {
    let (sender, gone) = tokio::sync::oneshot::channel();
    // A thread, because the poll of a descriptor that may be a file cannot be left to tokio.
    std::thread::spawn(move || {
        let stdout = io::stdout();
        // No events are asked for: errors and hang-ups are told anyway.
        let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
        if poll(&mut fds, None).is_ok() {
            let _ = sender.send(());
        }
    });
    match gone.await {
        Ok(()) => Failure::NobodyReads,
        Err(_) => std::future::pending().await,
    }
}

fn write_all(mut to: impl Write, bytes: &[u8], name: &str) -> Result<(), Failure> {
    let written = to.write_all(bytes).and_then(|()| to.flush());
    written.map_err(|source| match source.kind() {
        io::ErrorKind::BrokenPipe => Failure::NobodyReads,
        _ => Failure::system(format!("cannot write to {name}"), source),
    })
}

fn unwritten(error: impl std::fmt::Display) -> Failure {
    Failure::input(format!("the result cannot be written: {error}"), None)
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(unwritten)
}

fn yaml<T: Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    // By way of a tree: values of events are JSON text, which only serde_json takes apart.
    let tree = serde_json::to_value(value).map_err(unwritten)?;
    let text = serde_saphyr::to_string(&tree).map_err(unwritten)?;
    Ok(format!("{}\n", text.trim_end()))
}

fn plain_line<T: Row>(row: &T) -> String {
    let cells: Vec<_> = row.cells().iter().map(|cell| clean(cell)).collect();
    cells.join("\t") + "\n"
}

/// Characters of one cell before it is cut.
const CELL_CHARS_MAX: usize = 400;

fn cell(text: &str) -> String {
    let text = without_fraction(&clean(text));
    match text.char_indices().nth(CELL_CHARS_MAX) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A point in time to whole seconds; other text as it is.
fn without_fraction(text: &str) -> String {
    match text.split_once('.') {
        Some((seconds, _)) if text.ends_with('Z') && text.parse::<Timestamp>().is_ok() => {
            format!("{seconds}Z")
        }
        _ => text.to_owned(),
    }
}

fn empty_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// Columns up to this width are never wrapped: shreds of ids and times help nobody.
const WHOLE_COLUMN_MAX: u16 = 30;

fn rendered(mut table: Table, width: Option<u16>) -> String {
    let widths = table.column_max_content_widths();
    if let Some(width) = width.filter(|_| widths.iter().any(|width| *width > WHOLE_COLUMN_MAX)) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        let narrow = |width: &u16| *width <= WHOLE_COLUMN_MAX;
        let columns = table.column_iter_mut().zip(&widths);
        for (column, _) in columns.filter(|(_, width)| narrow(width)) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}

fn table<T: Row>(rows: &[T], width: Option<u16>) -> String {
    let mut table = empty_table();
    table.set_header(T::COLUMNS.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>());
    for row in rows {
        table.add_row(row.cells().iter().map(|text| cell(text)).collect::<Vec<_>>());
    }
    rendered(table, width)
}

fn details<T: Row>(row: &T, width: Option<u16>) -> String {
    let mut table = empty_table();
    for (name, text) in row.details() {
        table.add_row([name, cell(&text)]);
    }
    rendered(table, width)
}

fn terminal_width() -> Option<u16> {
    let stdout = io::stdout();
    let size = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout))?;
    size.ok().map(|size| size.ws_col).filter(|columns| *columns > 0)
}

/// Text on one line that cannot steer a terminal: line breaks and tabs become spaces, other
/// control characters show as their number.
pub(crate) fn clean(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => clean.push(' '),
            c if c.is_control() => clean.extend(c.escape_unicode()),
            c => clean.push(c),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use aiflow_model::JsonText;

    #[derive(Serialize)]
    struct Sample {
        name: &'static str,
        value: JsonText,
    }

    impl Row for Sample {
        const COLUMNS: &'static [&'static str] = &["name", "value"];
        fn cells(&self) -> Vec<String> {
            vec![self.name.to_owned(), self.value.to_string()]
        }
    }

    fn samples() -> Vec<Sample> {
        let value = |text| JsonText::parse(text).unwrap();
        vec![
            Sample { name: "größe", value: value(r#"{"a":[1.5,"2013-01-01T00:00:00Z"]}"#) },
            Sample { name: "漢\tb\u{1b}[31m", value: value(r#""yes""#) },
        ]
    }

    #[test]
    fn a_table_is_aligned_by_what_the_terminal_shows() {
        assert_eq!(
            table(&samples(), None),
            "NAME            VALUE\n\
             größe           {\"a\":[1.5,\"2013-01-01T00:00:00Z\"]}\n\
             漢 b\\u{1b}[31m  \"yes\"\n"
        );
        let widest = table(&samples(), Some(30)).lines().map(|line| line.chars().count()).max();
        assert!(widest.unwrap() <= 30);
    }

    #[test]
    fn times_are_shown_to_the_second_and_other_text_as_it_is() {
        assert_eq!(without_fraction("2026-11-23T08:19:19.74546Z"), "2026-11-23T08:19:19Z");
        for text in ["2026-11-23T08:19:19Z", "1.5", "a.Z", ""] {
            assert_eq!(without_fraction(text), text);
        }
    }

    #[test]
    fn plain_is_one_line_a_row_and_json_is_whole() {
        let samples = samples();
        assert_eq!(plain_line(&samples[1]), "漢 b\\u{1b}[31m\t\"yes\"\n");
        let back: serde_json::Value = serde_json::from_str(&json(&samples).unwrap()).unwrap();
        assert_eq!(back[0]["value"]["a"][0], 1.5);
        assert_eq!(json(&samples[..0]).unwrap(), "[]\n");
    }

    #[test]
    fn yaml_reads_back_as_the_same() {
        let odd =
            ["yes", "1", "null", "~", "- a", "a: b", "2013-01-01", "x\ny", "é", "", "#c", "1e3"];
        let json = serde_json::json!({"odd": odd, "n": [1, -2.5, null, true], "empty": [[], {}]});
        let text = yaml(&json).unwrap();
        let back: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(back, json, "{text}");
        assert!(yaml(&samples()).unwrap().contains("name: größe"));
    }

    #[test]
    fn a_thing_alone_is_names_and_texts() {
        assert_eq!(details(&samples()[1], None), "name   漢 b\\u{1b}[31m\nvalue  \"yes\"\n");
    }
}
