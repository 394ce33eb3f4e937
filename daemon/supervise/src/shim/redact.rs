//! Masks secrets in a stream of bytes, also where a secret comes in pieces.
//!
//! Looks for each value itself, in base64 at each of its three alignments, and in the form that
//! URLs have. It must never let a part of a secret through because the rest had not come yet.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What stands for a secret.
const MASK: &[u8] = b"***";
/// Shorter values are not looked for: they would mask ordinary words.
const BYTES_MIN: usize = 4;

/// Looks for secrets; with none it costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    /// Longest first, so that a form that holds another is masked whole.
    forms: Vec<Vec<u8>>,
    /// Whether a form begins with this byte.
    begins: Vec<bool>,
}

impl Redactor {
    pub(crate) fn new(values: &[Vec<u8>]) -> Self {
        let mut forms: Vec<Vec<u8>> = values.iter().flat_map(|value| forms_of(value)).collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        let mut begins = vec![false; 256];
        for form in &forms {
            begins[usize::from(form[0])] = true;
        }
        Self { forms, begins }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// Takes what was held back and what came; gives out what is safe to show. `held` keeps what
    /// may be the beginning of a secret, unless the stream has ended.
    pub(crate) fn mask(&self, held: &mut Vec<u8>, ended: bool) -> Vec<u8> {
        let stream = std::mem::take(held);
        let mut shown = Vec::with_capacity(stream.len());
        let mut at = 0;
        while at < stream.len() {
            let rest = &stream[at..];
            if !self.begins[usize::from(rest[0])] {
                shown.push(rest[0]);
                at += 1;
            } else if !ended
                && self.forms.iter().any(|f| f.len() > rest.len() && f.starts_with(rest))
            {
                *held = rest.to_vec();
                break;
            } else if let Some(form) = self.forms.iter().find(|form| rest.starts_with(form)) {
                shown.extend_from_slice(MASK);
                at += form.len();
            } else {
                shown.push(rest[0]);
                at += 1;
            }
        }
        shown
    }
}

/// The forms in which a value is recognised. A last line feed is the file's, not the value's; a
/// value of several lines is also looked for line by line, as programs print it so.
fn forms_of(value: &[u8]) -> Vec<Vec<u8>> {
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    let value = value.strip_suffix(b"\r").unwrap_or(value);
    let mut forms = vec![value.to_vec()];
    if value.contains(&b'\n') {
        forms.extend(value.split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
    }
    forms.push(percent_encoded(value));
    for skipped in 0..3 {
        // What stands before it in the text that was encoded moves the value by one or two bytes;
        // the digits that it shares with its neighbours are left out.
        let padded = [&[0; 2][..skipped], value].concat();
        let (first, last) = ([0, 2, 3][skipped], padded.len() * 8 / 6);
        for digits in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            forms.push(digits.as_bytes()[first.min(last)..last].to_vec());
        }
    }
    forms.retain(|form| form.len() >= BYTES_MIN);
    forms
}

/// As RFC 3986 wants it: all but the unreserved characters.
fn percent_encoded(value: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in value {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(*byte);
        } else {
            text.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    fn masked(redactor: &Redactor, stream: &[u8], chunk: usize) -> Vec<u8> {
        let (mut held, mut shown) = (Vec::new(), Vec::new());
        for part in stream.chunks(chunk) {
            held.extend_from_slice(part);
            shown.extend(redactor.mask(&mut held, false));
        }
        shown.extend(redactor.mask(&mut held, true));
        shown
    }

    fn contains(text: &[u8], part: &[u8]) -> bool {
        text.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn a_secret_is_masked_whatever_the_pieces() {
        let redactor = Redactor::new(&[b"s3cret-value\n".to_vec(), b"s3cr".to_vec()]);
        let stream = b"a s3cret-value, s3cret-valu, s3cr and s3c";
        for chunk in 1..stream.len() {
            assert_eq!(masked(&redactor, stream, chunk), b"a ***, ***et-valu, *** and s3c");
        }
    }

    #[test]
    fn encoded_forms_are_masked_at_every_alignment() {
        let secret = b"p\xc3\xa4ss word/42";
        let redactor = Redactor::new(&[secret.to_vec()]);
        for before in ["", "u", "us", "use", "user:"] {
            for after in ["", "x", "xy", "xyz"] {
                let text = [before.as_bytes(), secret, after.as_bytes()].concat();
                let encoded = STANDARD.encode(&text);
                let shown = masked(&redactor, encoded.as_bytes(), 3);
                assert!(contains(&shown, MASK), "{before:?} {after:?}: {encoded}");
                assert!(shown.len() <= encoded.len() - secret.len(), "most of it is gone");
            }
        }
        assert_eq!(masked(&redactor, b"?q=p%C3%A4ss%20word%2F42&", 4), b"?q=***&");
    }

    #[test]
    fn each_line_of_a_key_is_masked_and_short_values_are_not() {
        let redactor = Redactor::new(&[b"line one\nline two\n".to_vec(), b"abc".to_vec()]);
        assert_eq!(masked(&redactor, b"> line two\n> abc", 2), b"> ***\n> abc");
        assert!(Redactor::new(&[b"abc".to_vec()]).forms.iter().all(|form| form.len() >= BYTES_MIN));
    }

    #[test]
    fn random_bytes_that_hold_no_secret_come_out_as_they_are() {
        let redactor = Redactor::new(&[b"needle".to_vec()]);
        let mut state = 7_u32;
        let stream: Vec<u8> = (0..10_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b"nedl "[(state >> 24) as usize % 5]
            })
            .collect();
        for chunk in [1, 2, 3, 7, 4096] {
            let shown = masked(&redactor, &stream, chunk);
            let text = String::from_utf8(stream.clone()).unwrap().replace("needle", "***");
            assert_eq!(shown, text.as_bytes());
        }
    }
}
