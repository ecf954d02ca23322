//! Decodes bytes to text: as UTF-8 if possible, otherwise with the configured 8-bit encoding.
//!
//! A journal field holds bytes that anybody can write. Decoding never fails, and nothing is lost silently: bytes that
//! neither encoding knows become U+FFFD.

use std::borrow::Cow;

use encoding_rs::Encoding;

/// An 8-bit encoding, named by one of the labels that Python and WHATWG share.
#[derive(Clone, Copy, Debug)]
pub struct EightBit {
    encoding: &'static Encoding,
    /// Whether the bytes 0x80 to 0x9f are the control characters with those numbers, as in every ISO 8859. For some of
    /// its labels, WHATWG means the Windows code page that has letters there; Python means ISO 8859.
    iso: bool,
}

/// Python's names of ISO 8859-1 that WHATWG does not know.
const LATIN1: &[&str] = &["8859", "cp819", "latin", "latin-1", "iso8859"];

impl Default for EightBit {
    fn default() -> Self {
        EightBit { encoding: encoding_rs::WINDOWS_1252, iso: true }
    }
}

impl EightBit {
    /// Returns the encoding with this label, in either case; `None` if the label is unknown or its encoding is not
    /// 8-bit.
    pub fn for_label(label: &str) -> Option<EightBit> {
        let label = label.trim().to_ascii_lowercase();
        let hyphenated = label.replace('_', "-");
        if LATIN1.contains(&hyphenated.as_str()) {
            return Some(EightBit::default());
        }
        let known = |label: &str| Encoding::for_label(label.as_bytes());
        let encoding = known(&hyphenated).or_else(|| known(&label)).filter(|found| found.is_single_byte())?;
        let is_windows = ["windows", "cp", "x-cp", "dos"].iter().any(|prefix| hyphenated.starts_with(prefix));
        let by_windows = [encoding_rs::WINDOWS_1252, encoding_rs::WINDOWS_1254, encoding_rs::WINDOWS_874];
        Some(EightBit { encoding, iso: !is_windows && by_windows.contains(&encoding) })
    }

    /// Decodes bytes that are not UTF-8.
    pub fn decode<'b>(&self, bytes: &'b [u8]) -> Cow<'b, str> {
        if !self.iso {
            return self.encoding.decode_without_bom_handling(bytes).0;
        }
        let mut text = String::with_capacity(bytes.len() * 2);
        for part in bytes.chunk_by(|a, b| is_control(*a) == is_control(*b)) {
            if is_control(part[0]) {
                text.extend(part.iter().map(|byte| char::from(*byte)));
            } else {
                text.push_str(&self.encoding.decode_without_bom_handling(part).0);
            }
        }
        text.into()
    }
}

fn is_control(byte: u8) -> bool {
    (0x80..0xa0).contains(&byte)
}

/// Cuts at `limit` bytes; if that would split a UTF-8 sequence, cuts before the sequence.
pub(crate) fn cut(bytes: &[u8], limit: usize) -> &[u8] {
    if bytes.len() <= limit {
        return bytes;
    }
    let kept = &bytes[..limit];
    match std::str::from_utf8(kept) {
        // No error length: the sequence was complete before the cut, as far as one can know.
        Err(e) if e.error_len().is_none() => &kept[..e.valid_up_to()],
        _ => kept,
    }
}

/// Parses an integer as the journal writes them: an optional sign and decimal digits, nothing else.
pub(crate) fn integer(bytes: &[u8]) -> Option<i64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin1_is_python_s_latin1_and_not_windows_1252() {
        let text = EightBit::default().decode(b"\x80\xe4\xff").into_owned();
        assert_eq!(text, "\u{80}ä\u{ff}");
    }

    #[test]
    fn other_labels_are_those_of_whatwg() {
        let decode = |label, bytes| EightBit::for_label(label).map(|e| e.decode(bytes).into_owned());
        assert_eq!(decode("iso-8859-15", b"\xa4".as_slice()).as_deref(), Some("€"));
        assert_eq!(decode("CP1252", b"\x80".as_slice()).as_deref(), Some("€"));
        assert_eq!(decode("koi8-r", b"\xc1".as_slice()).as_deref(), Some("а"));
        assert_eq!(decode("iso8859_9", b"\x80a\xdd\x9f".as_slice()).as_deref(), Some("\u{80}aİ\u{9f}"));
        assert_eq!(decode("windows-1254", b"\x80\xdd".as_slice()).as_deref(), Some("€İ"));
        assert!(EightBit::for_label("utf-16").is_none());
        assert!(EightBit::for_label("iso-8859-99").is_none());
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        let text = "ä".repeat(10);
        assert_eq!(cut(text.as_bytes(), 5), "ää".as_bytes());
        assert_eq!(cut(text.as_bytes(), 6), "äää".as_bytes());
        assert_eq!(cut(b"\xff\xfe\xfd", 2), b"\xff\xfe");
    }

    #[test]
    fn integers_are_strict() {
        assert_eq!(integer(b"6"), Some(6));
        assert_eq!(integer(b"-1"), Some(-1));
        for odd in [b"".as_slice(), b" 6", b"6 ", b"0x6", b"6\n", b"\xff", b"6.0", b"99999999999999999999"] {
            assert_eq!(integer(odd), None, "{odd:?}");
        }
    }
}
