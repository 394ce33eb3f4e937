//! Waits that spread what would else come at once: drawn from the name of what waits, so that every
//! replay draws the same.
//!
//! Must never draw from anything but its arguments.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use crate::time::Span;

/// A length of time from nothing up to `longest`, which is the same for the same name.
#[must_use]
pub fn jitter(name: &str, longest: Span) -> Span {
    let mut hasher = SipHasher24::new();
    hasher.write(name.as_bytes());
    let range = longest.0.saturating_add(1);
    Span(hasher.finish() % range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_spread_and_the_same_again() {
        let longest = Span::from_seconds(10);
        let drawn: Vec<u64> =
            (0..1_000).map(|n| jitter(&format!("1.a.{n}.2"), longest).0).collect();
        assert!(drawn.iter().all(|span| *span <= longest.0));
        for tenth in 0..10 {
            let of_tenth = drawn.iter().filter(|span| **span * 10 / (longest.0 + 1) == tenth);
            assert!((60..140).contains(&of_tenth.count()), "tenth {tenth}");
        }
        // Written to the log by way of what it decides: must not change.
        assert_eq!(jitter("7.train.12.3", longest), Span(GOLDEN));
        assert_eq!(jitter("7.train.12.3", Span(0)), Span(0));
    }

    const GOLDEN: u64 = 4_888_437;
}
