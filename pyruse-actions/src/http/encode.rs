//! Values of entries, encoded for the place in the request where they stand: so no value can end its place and begin
//! something else.

use std::fmt::Write as _;

use pyruse_core::text::floor_char_boundary;

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the path or the query of the URL.
    Url,
    /// In a value of a form (`application/x-www-form-urlencoded`).
    Form,
    /// In a string of JSON.
    Json,
    /// In a header.
    Header,
    /// In a body of plain text.
    Text,
}

impl Place {
    /// Appends the encoded text.
    pub(super) fn encode(self, text: &str, out: &mut String) {
        match self {
            Place::Url | Place::Form => percent_encode(text, out),
            Place::Json => {
                // A string always serializes; its quotes belong to the template.
                let quoted = serde_json::to_string(text).unwrap_or_default();
                out.push_str(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default());
            }
            Place::Header => out.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c })),
            Place::Text => out.push_str(text),
        }
    }

    /// Returns the secret for this place, or why it cannot stand there. The secret is the operator's: in a URL, it may
    /// have several segments.
    pub(super) fn secret(self, secret: &str) -> Result<String, &'static str> {
        match self {
            Place::Url if secret.bytes().all(is_in_url) => Ok(secret.to_owned()),
            Place::Url => Err("it contains characters that a URL must not contain"),
            Place::Header if secret.chars().any(char::is_control) => {
                Err("it contains control characters, which a header must not contain")
            }
            Place::Header | Place::Text => Ok(secret.to_owned()),
            Place::Form | Place::Json => {
                let mut encoded = String::new();
                self.encode(secret, &mut encoded);
                Ok(encoded)
            }
        }
    }
}

/// Encodes all bytes but those that never have a meaning in a URL (RFC 3986, "unreserved").
fn percent_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Whether the byte may stand in a path as it is (RFC 3986, "pchar" and `/`).
fn is_in_url(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@/%".contains(&byte)
}

/// Returns the offset of the first character that must not stand in the path and query of a URL, if there is one.
pub(super) fn not_in_url(text: &str) -> Option<usize> {
    text.char_indices().find_map(|(at, c)| {
        let is_good = match c {
            '%' => text[at + 1..].bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2,
            '?' => true,
            _ => u8::try_from(c).is_ok_and(is_in_url),
        };
        (!is_good).then_some(at)
    })
}

/// Returns the start of a value, with a mark if it was cut.
pub(super) fn shortened(text: &str, limit: usize) -> std::borrow::Cow<'_, str> {
    if text.len() <= limit {
        return text.into();
    }
    format!("{}…", &text[..floor_char_boundary(text, limit)]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that has a meaning in one of the places.
    const NASTY: &str = "a/../?b=c&d#e%2f \"},{\\\r\nX-Evil: 1\0\u{2028}ä+;:@";

    fn encoded(place: Place, text: &str) -> String {
        let mut out = String::new();
        place.encode(text, &mut out);
        out
    }

    fn percent_decoded(text: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            if byte == b'%' {
                let hex: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap());
            } else {
                bytes.push(byte);
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_value_in_a_url_or_a_form_is_one_value() {
        for place in [Place::Url, Place::Form] {
            let text = encoded(place, NASTY);
            assert!(text.bytes().all(|byte| is_unreserved(byte) || byte == b'%'), "{text}");
            assert_eq!(percent_decoded(&text), NASTY);
        }
    }

    #[test]
    fn a_value_in_json_stays_in_its_string() {
        let text = format!(r#"{{"a": "{}", "b": 1}}"#, encoded(Place::Json, NASTY));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json, serde_json::json!({"a": NASTY, "b": 1}));
    }

    #[test]
    fn a_value_in_a_header_is_one_line() {
        assert_eq!(encoded(Place::Header, "a\r\nX-Evil: 1\0\u{85}ä"), "a  X-Evil: 1  ä");
    }

    #[test]
    fn a_secret_that_would_end_its_place_is_refused() {
        assert_eq!(Place::Url.secret("T0/B0/x-Y:1").as_deref(), Ok("T0/B0/x-Y:1"));
        for bad in ["a?b", "a#b", "a b", "ä", "a\nb"] {
            assert!(Place::Url.secret(bad).is_err(), "{bad:?}");
        }
        assert!(Place::Header.secret("a\u{7f}").is_err());
        assert_eq!(Place::Json.secret("a\"b").as_deref(), Ok("a\\\"b"));
        assert_eq!(Place::Form.secret("a&b").as_deref(), Ok("a%26b"));
    }

    #[test]
    fn what_must_not_stand_in_a_url_is_found() {
        for (text, at) in
            [("/a/b?c=d&e=%20", None), ("/a b", Some(2)), ("/ä", Some(1)), ("/%2", Some(1)), ("/#a", Some(1))]
        {
            assert_eq!(not_in_url(text), at, "{text}");
        }
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        assert_eq!(shortened("äää", 6), "äää");
        assert_eq!(shortened("äää", 5), "ää…");
    }
}
