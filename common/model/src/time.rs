//! Points in time, lengths of time and event-time windows, all in whole microseconds.
//!
//! Must never read a clock: `now` is always an argument.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A point in time: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A length of time in microseconds, never negative.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Span(pub u64);

/// A stretch of event time: from `start` (in) to `end` (out).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// First instant that belongs to it.
    pub start: Timestamp,
    /// First instant after it.
    pub end: Timestamp,
}

/// Text that is not a time or a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct InvalidTime {
    /// The text as given.
    pub text: String,
    /// What was expected, with an example.
    pub expected: &'static str,
}

impl Timestamp {
    /// This point moved later; stays at the end of time rather than overflow.
    #[must_use]
    pub fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }

    /// That much earlier, not before the earliest there is.
    #[must_use]
    pub fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub_unsigned(span.0))
    }

    /// How long after `earlier` this is; zero when it is not after.
    #[must_use]
    pub fn since(self, earlier: Self) -> Span {
        Span(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The boundary of `period` at or below this point, counted from 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn floor_to(self, period: Span) -> Self {
        let period = i64::try_from(period.0).unwrap_or(i64::MAX).max(1);
        Self(self.0.saturating_sub(self.0.rem_euclid(period)))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, without a fraction where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => f.pad(&time.to_string()),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTime;
    /// Reads RFC 3339 with an offset or `Z`.
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let time: jiff::Timestamp = text.trim().parse().map_err(|_| InvalidTime {
            text: text.chars().take(80).collect(),
            expected: "a time in RFC 3339, such as 2013-01-03T05:00:00Z",
        })?;
        Ok(Self(time.as_microsecond()))
    }
}

const UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

impl Span {
    /// Whole seconds.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds * 1_000_000)
    }

    /// Whole milliseconds, rounded down.
    #[must_use]
    pub const fn milliseconds(self) -> u64 {
        self.0 / 1_000
    }

    /// For std's waits.
    #[must_use]
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.0)
    }
}

impl fmt::Display for Span {
    /// The largest two units that are not zero: `1h 30m`, `250ms`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut parts = Vec::new();
        for (unit, size) in UNITS.iter().rev() {
            if rest >= *size && parts.len() < 2 {
                parts.push(format!("{}{unit}", rest / size));
                rest %= size;
            }
        }
        f.pad(&if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") })
    }
}

impl FromStr for Span {
    type Err = InvalidTime;
    /// Reads a sum of numbers with units `us ms s m h d`, such as `90s` or `1h30m`.
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        parse_span(text.trim()).map(Self).ok_or_else(|| InvalidTime {
            text: text.chars().take(80).collect(),
            expected: "a length of time, such as 500ms, 90s, 10m or 1h30m",
        })
    }
}

fn parse_span(mut text: &str) -> Option<u64> {
    let mut sum: u64 = 0;
    if text.is_empty() {
        return None;
    }
    while !text.is_empty() {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = text[..digits].parse().ok()?;
        let rest = &text[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (_, size) = UNITS.iter().find(|(unit, _)| *unit == &rest[..letters])?;
        sum = sum.checked_add(number.checked_mul(*size)?)?;
        text = rest[letters..].trim_start();
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_show() {
        assert_eq!("1h30m".parse::<Span>().unwrap(), Span::from_seconds(5400));
        assert_eq!("90s".parse::<Span>().unwrap().to_string(), "1m 30s");
        assert_eq!("250ms".parse::<Span>().unwrap(), Span(250_000));
        for bad in ["", "1", "h", "1 hour", "-1s", "99999999999999999999s", "1x"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn times_read_show_and_floor() {
        let time: Timestamp = "2013-01-03T05:17:00Z".parse().unwrap();
        assert_eq!(time.to_string(), "2013-01-03T05:17:00Z");
        let hour = Span::from_seconds(3600);
        assert_eq!(time.floor_to(hour).to_string(), "2013-01-03T05:00:00Z");
        assert_eq!(Timestamp(-1).floor_to(hour), Timestamp(-3_600_000_000));
        assert!("2013-01-03".parse::<Timestamp>().is_err());
    }
}
