//! Times, lengths, numbers and ends as people read them.
//!
//! Pure; must never read a clock or know a terminal. All times are UTC.

use aiflow_model::record::Outcome;
use aiflow_model::time::{Span, Timestamp};

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `12:04:31`.
pub(crate) fn clock(time: Timestamp) -> String {
    format(time, "%H:%M:%S")
}

/// `12:04`.
pub(crate) fn clock_short(time: Timestamp) -> String {
    format(time, "%H:%M")
}

/// `2013-01-03 05:00`, with seconds only where there are any.
pub(crate) fn date_time(time: Timestamp) -> String {
    let has_seconds = time.0.rem_euclid(60_000_000) != 0;
    format(time, if has_seconds { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M" })
}

/// The same without the year, for narrow places: `01-03 05:00`.
pub(crate) fn date_time_short(time: Timestamp) -> String {
    format(time, "%m-%d %H:%M")
}

/// A time beside another: the date is left out where both share it.
pub(crate) fn beside(time: Timestamp, other: Timestamp) -> String {
    let day = Span(DAY);
    if time.floor_to(day) == other.floor_to(day) { clock_short(time) } else { date_time(time) }
}

/// `1 task`, `12 tasks`.
pub(crate) fn count(number: impl TryInto<u64>, of: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{} {of}{}", grouped(number), if number == 1 { "" } else { "s" })
}

fn format(time: Timestamp, pattern: &str) -> String {
    match jiff::Timestamp::from_microsecond(time.0) {
        Ok(time) => time.strftime(pattern).to_string(),
        Err(_) => time.to_string(),
    }
}

/// How a window of this length is labelled: the group it stands in, and its own two letters.
pub(crate) fn window_label(start: Timestamp, period: Span) -> (String, String) {
    let (group, label) = match period.0 {
        DAY.. => ("%Y-%m", "%d"),
        HOUR.. => ("%m-%d", "%H"),
        MINUTE.. => ("%m-%d %Hh", "%M"),
        _ => ("%H:%M", "%S"),
    };
    (format(start, group), format(start, label))
}

/// A window by its start, in a line of text: `01-03 04h`.
pub(crate) fn window_name(start: Timestamp, period: Span) -> String {
    match period.0 {
        DAY.. => format(start, "%m-%d"),
        HOUR.. if start.0.rem_euclid(HOUR.cast_signed()) == 0 => format(start, "%m-%d %Hh"),
        MINUTE.. => format(start, "%m-%d %H:%M"),
        _ => format(start, "%H:%M:%S"),
    }
}

/// A window where the day is known or there is no room for it: `04h`.
pub(crate) fn window_short(start: Timestamp, period: Span) -> String {
    match period.0 {
        DAY.. => format(start, "%m-%d"),
        HOUR.. if start.0.rem_euclid(HOUR.cast_signed()) == 0 => format(start, "%Hh"),
        MINUTE.. => format(start, "%H:%M"),
        _ => format(start, "%H:%M:%S"),
    }
}

/// A length of time, at most seven characters: `0.4s`, `14s`, `2m14s`, `3h05m`, `2d04h`.
pub(crate) fn length(span: Span) -> String {
    match span.0 {
        DAY.. => format!("{}d{:02}h", span.0 / DAY, span.0 % DAY / HOUR),
        HOUR.. => format!("{}h{:02}m", span.0 / HOUR, span.0 % HOUR / MINUTE),
        MINUTE.. => format!("{}m{:02}s", span.0 / MINUTE, span.0 % MINUTE / SECOND),
        _ if span.0 >= 10 * SECOND => format!("{}s", span.0 / SECOND),
        _ => format!("{}.{}s", span.0 / SECOND, span.0 % SECOND / 100_000),
    }
}

/// How long ago something was. After a minute only minutes, for then nothing draws each second.
pub(crate) fn ago(span: Span) -> String {
    match span.0 {
        HOUR.. => format!("{} ago", length(span)),
        MINUTE.. => format!("{}m ago", span.0 / MINUTE),
        _ => format!("{} ago", length(span)),
    }
}

/// A length of event time in words: `1 h`, `2 h 30 min`, `45 s`.
pub(crate) fn length_in_words(span: Span) -> String {
    let units = [("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", SECOND), ("ms", 1_000)];
    let mut rest = span.0;
    let mut parts: Vec<String> = Vec::new();
    for (unit, size) in units {
        if rest >= size && parts.len() < 2 {
            parts.push(format!("{} {unit}", rest / size));
            rest %= size;
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

/// `48,213`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text without what would move a terminal's cursor or change its colours; tabs become spaces.
pub(crate) fn printable(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' if chars.peek() == Some(&'[') => {
                chars.next();
                // A control sequence ends with a letter or one of @ ~ and the like.
                for c in chars.by_ref() {
                    if ('@'..='~').contains(&c) {
                        break;
                    }
                }
            }
            '\t' => plain.push_str("    "),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

/// How an attempt ended, in a word or two.
pub(crate) fn outcome_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Exited { code } => format!("exit {code}"),
        Outcome::Signaled { signal } => format!("signal {signal}"),
        Outcome::SpawnFailed { reason } => format!("not started: {reason}"),
        Outcome::NeverStarted => "never started".to_owned(),
        Outcome::Interrupted => "interrupted".to_owned(),
        Outcome::Unknown { reason } => format!("unknown: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_stay_short() {
        let shown = |text: &str| length(text.parse().unwrap());
        assert_eq!(shown("400ms"), "0.4s");
        assert_eq!(shown("14s"), "14s");
        assert_eq!(shown("2m14s"), "2m14s");
        assert_eq!(shown("3h5m"), "3h05m");
        assert_eq!(shown("52h"), "2d04h");
        assert_eq!(ago("2m14s".parse().unwrap()), "2m ago");
        assert_eq!(length_in_words("2h30m".parse().unwrap()), "2 h 30 min");
        assert_eq!(length_in_words(Span(0)), "0 s");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            ["0", "999", "1,000", "48,213"].map(str::to_owned),
            [0, 999, 1000, 48213].map(grouped)
        );
    }

    #[test]
    fn escapes_are_left_out() {
        assert_eq!(printable("a\u{1b}[31;1mred\u{1b}[0m\tb\r\u{7}"), "ared    b");
    }
}
