//! Figures: medians, rows and the table. The only place that writes to stdout and stderr.
//!
//! Must never judge beyond `within` and `over`, and never turn a verdict into an exit code.

use std::fmt::Write as _;
use std::io::Write as _;

/// One line of the table.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) measured: String,
    pub(crate) bare: String,
    pub(crate) ratio: String,
    pub(crate) budget: String,
    pub(crate) is_within: Option<bool>,
    pub(crate) notes: Vec<String>,
}

impl Row {
    /// A row that could not be measured.
    pub(crate) fn failed(name: &str, error: &anyhow::Error) -> Self {
        let notes = vec![format!("{name} could not be measured: {error:#}")];
        Self { work: name.to_owned(), measured: "failed".to_owned(), notes, ..Self::default() }
    }

    /// The median of some times, in nanoseconds, of which less than `most` is wanted.
    pub(crate) fn timed(work: &str, times: &[f64], budget: &str, most: f64) -> Self {
        let (middle, slowest) = (median(times), percentile(times, 100));
        let row = Self {
            work: work.to_owned(),
            measured: milliseconds(middle),
            notes: vec![format!("{work}: slowest of {} {}", times.len(), milliseconds(slowest))],
            ..Self::default()
        };
        row.judged(budget, middle < most)
    }

    /// Sets the ratio of two figures.
    pub(crate) fn compared(mut self, measured: f64, bare: f64) -> Self {
        self.ratio = if bare > 0.0 { format!("{:.2}x", measured / bare) } else { String::new() };
        self
    }

    /// Sets the budget and whether it is kept.
    pub(crate) fn judged(mut self, budget: &str, is_within: bool) -> Self {
        budget.clone_into(&mut self.budget);
        self.is_within = Some(is_within);
        self
    }

    fn cells(&self) -> [&str; 6] {
        let verdict = match self.is_within {
            Some(true) => "within",
            Some(false) => "over",
            None => "",
        };
        [&self.work, &self.measured, &self.bare, &self.ratio, &self.budget, verdict]
    }
}

/// All rows.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
}

impl Table {
    /// The table as text, its notes below.
    pub(crate) fn show(&self) -> String {
        let head = ["work", "measured", "beside", "ratio", "budget", "verdict"];
        let lines: Vec<[&str; 6]> =
            std::iter::once(head).chain(self.rows.iter().map(Row::cells)).collect();
        let widths: [usize; 6] = std::array::from_fn(|column| {
            lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)
        });
        let mut text = String::new();
        for line in &lines {
            let mut shown = String::new();
            for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
                // Names and verdicts to the left, figures to the right.
                let _ = match column {
                    0 => write!(shown, "{cell:<width$}"),
                    5 => write!(shown, "  {cell}"),
                    _ => write!(shown, "  {cell:>width$}"),
                };
            }
            text.push_str(shown.trim_end());
            text.push('\n');
        }
        text.push('\n');
        for note in self.rows.iter().flat_map(|row| &row.notes) {
            let _ = writeln!(text, "* {note}");
        }
        text
    }
}

/// The value below which `percent` of the values lie; 0 of none.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last * percent + 50) / 100).copied().unwrap_or(0.0)
}

/// The middle value.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

/// A count as a floating number.
#[expect(clippy::cast_precision_loss, reason = "figures have three digits that count")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

/// Nanoseconds as milliseconds.
pub(crate) fn milliseconds(ns: f64) -> String {
    format!("{:.2} ms", ns / 1e6)
}

/// A rate with thousands set apart.
pub(crate) fn rate(per_second: f64) -> String {
    let digits = format!("{per_second:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + "/s"
}

/// KiB as MiB.
pub(crate) fn mebibytes(kib: u64) -> String {
    format!("{:.2} MiB", number(kib) / 1024.0)
}

/// Writes the result.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Tells whoever waits what is being done.
pub(crate) fn progress(text: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(std::io::stderr().lock(), "{text} …");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shown() {
        assert_eq!(rate(1_234_567.4), "1,234,567/s");
        assert_eq!(rate(999.0), "999/s");
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((percentile(&[1.0, 2.0], 99) - 2.0).abs() < f64::EPSILON);
        assert!(median(&[]).abs() < f64::EPSILON);
    }
}
