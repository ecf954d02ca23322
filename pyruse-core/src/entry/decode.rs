//! Bytes to text: UTF-8 first, else the configured 8-bit encoding.
//!
//! A journal field is bytes, written by anybody. Nothing here fails and nothing is lost silently: what neither
//! encoding knows becomes U+FFFD.

use std::borrow::Cow;

use encoding_rs::Encoding;

/// An 8-bit encoding, by one of the labels that Python and WHATWG share.
#[derive(Clone, Copy, Debug)]
pub struct EightBit(Inner);

#[derive(Clone, Copy, Debug)]
enum Inner {
    /// Python's `iso-8859-1` maps each byte to the code point of its number; WHATWG's label of that name means
    /// windows-1252, which differs in 0x80–0x9f.
    Latin1,
    Other(&'static Encoding),
}

const LATIN1: &[&str] = &[
    "iso-8859-1",
    "iso8859-1",
    "iso_8859-1",
    "8859",
    "cp819",
    "latin",
    "latin-1",
    "latin_1",
    "latin1",
    "l1",
    "iso-ir-100",
];

impl Default for EightBit {
    fn default() -> Self {
        EightBit(Inner::Latin1)
    }
}

impl EightBit {
    /// The encoding of that label, in either case; `None` for a label that is unknown or not 8-bit.
    pub fn for_label(label: &str) -> Option<EightBit> {
        let label = label.trim().to_ascii_lowercase();
        if LATIN1.contains(&label.as_str()) {
            return Some(EightBit(Inner::Latin1));
        }
        let encoding = Encoding::for_label(label.replace('_', "-").as_bytes())
            .or_else(|| Encoding::for_label(label.as_bytes()))?;
        (encoding.is_single_byte()).then_some(EightBit(Inner::Other(encoding)))
    }

    /// The text of bytes that are not UTF-8.
    pub fn decode<'b>(&self, bytes: &'b [u8]) -> Cow<'b, str> {
        match self.0 {
            Inner::Latin1 => encoding_rs::mem::decode_latin1(bytes),
            Inner::Other(encoding) => encoding.decode_without_bom_handling(bytes).0,
        }
    }
}

/// Cuts at `limit` bytes; where that would split a UTF-8 sequence, before it.
pub(crate) fn cut(bytes: &[u8], limit: usize) -> &[u8] {
    if bytes.len() <= limit {
        return bytes;
    }
    let kept = &bytes[..limit];
    match std::str::from_utf8(kept) {
        // No length: the sequence was whole before the cut, as far as one can know.
        Err(e) if e.error_len().is_none() => &kept[..e.valid_up_to()],
        _ => kept,
    }
}

/// An integer as the journal writes them: an optional sign and decimal digits, nothing else.
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
