//! What a part of a line is: a host, an id, a number; see [`super::shape`].

use std::net::{Ipv4Addr, Ipv6Addr};

use super::mask::Mask;

pub(super) fn is_blank(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f
}

/// A name contains letters, `-` or `_`.
pub(super) const LETTERS: u8 = 1;

/// A name contains decimal digits.
pub(super) const DIGITS: u8 = 2;

/// A name contains dots.
pub(super) const DOTS: u8 = 4;

/// What each byte is in a name; 0: it is in none.
const IN_NAME: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = match byte {
            b'0'..=b'9' => DIGITS,
            b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' => LETTERS,
            b'.' => DOTS,
            _ => 0,
        };
        byte += 1;
    }
    table
};

pub(super) fn is_of_name(byte: u8) -> bool {
    IN_NAME[usize::from(byte)] != 0
}

/// Returns the length of the name that a text begins with, and what it contains.
pub(super) fn name(text: &[u8]) -> (usize, u8) {
    let mut contains = 0;
    for (length, byte) in text.iter().enumerate() {
        let class = IN_NAME[usize::from(*byte)];
        if class == 0 {
            return (length, contains);
        }
        contains |= class;
    }
    (text.len(), contains)
}

/// Returns the length of a number, with the further numbers of a time, a date or a version.
pub(super) fn number_length(text: &[u8]) -> usize {
    let mut end = 0;
    loop {
        end += text[end..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        match text.get(end..end + 2) {
            Some([b'.' | b':' | b'-' | b',', digit]) if digit.is_ascii_digit() => end += 1,
            _ => return end,
        }
    }
}

pub(super) fn mask_of_quoted(text: &str) -> Mask {
    let bytes = text.as_bytes();
    if text.parse::<Ipv4Addr>().is_ok() || text.parse::<Ipv6Addr>().is_ok() {
        Mask::Address
    } else if bytes.first() == Some(&b'/') && !bytes.iter().any(|byte| is_blank(*byte)) {
        Mask::Path
    } else if is_host(bytes) {
        Mask::Host
    } else {
        Mask::Text
    }
}

pub(super) fn is_key_of_user(key: &[u8]) -> bool {
    [b"user".as_slice(), b"ruser", b"logname", b"acct", b"USER"].contains(&key)
}

pub(super) fn is_uuid(text: &[u8]) -> bool {
    let is_part = |(n, byte): (usize, &u8)| match n {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() >= 36
        && text[..36].iter().enumerate().all(is_part)
        && text.get(36).is_none_or(|byte| !byte.is_ascii_alphanumeric())
}

/// Whether letters and digits are an id instead of a word with a number.
pub(super) fn is_id(text: &[u8]) -> bool {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    if text.starts_with(b"0x") && text.len() > 2 {
        return text[2..].iter().all(u8::is_ascii_hexdigit);
    }
    if text.len() >= 7 && digits >= 2 && digits < text.len() && text.iter().all(u8::is_ascii_hexdigit) {
        return true;
    }
    let changes = text.windows(2).filter(|two| two[0].is_ascii_digit() != two[1].is_ascii_digit()).count();
    text.len() >= 8 && changes >= 3
}

/// Whether a text is the name of a host; see the module documentation.
pub(super) fn is_host(text: &[u8]) -> bool {
    /// The last labels that make a host name of two.
    const TOP: [&[u8]; 40] = [
        b"com", b"net", b"org", b"edu", b"gov", b"mil", b"int", b"info", b"biz", b"io", b"dev", b"app",
        b"cloud", b"online", b"site", b"xyz", b"top", b"club", b"de", b"fr", b"uk", b"eu", b"ru", b"cn",
        b"jp", b"nl", b"it", b"es", b"pl", b"ch", b"at", b"be", b"us", b"br", b"in", b"lan", b"local",
        b"home", b"arpa", b"example",
    ];
    /// What only looks like the last label of a host name.
    const OTHER: [&[u8]; 40] = [
        b"service",
        b"socket",
        b"timer",
        b"mount",
        b"target",
        b"scope",
        b"slice",
        b"device",
        b"path",
        b"swap",
        b"automount",
        b"php",
        b"html",
        b"htm",
        b"js",
        b"css",
        b"json",
        b"xml",
        b"txt",
        b"log",
        b"conf",
        b"cfg",
        b"ini",
        b"sh",
        b"py",
        b"pl",
        b"rb",
        b"so",
        b"ko",
        b"gz",
        b"tar",
        b"zip",
        b"deb",
        b"rpm",
        b"db",
        b"sqlite",
        b"pem",
        b"crt",
        b"key",
        b"yaml",
    ];
    let Some(dot) = text.iter().rposition(|byte| *byte == b'.') else { return false };
    let last = &text[dot + 1..];
    if !(2..=24).contains(&last.len()) || !last.iter().all(u8::is_ascii_alphabetic) || text.len() > 253 {
        return false;
    }
    let is_one_of = |list: &[&[u8]]| list.iter().any(|label| last.eq_ignore_ascii_case(label));
    let labels = text.split(|byte| *byte == b'.');
    let is_label = |label: &[u8]| !label.is_empty() && label[0] != b'-' && label[label.len() - 1] != b'-';
    let count = labels.clone().count();
    if count == 2 {
        is_one_of(&TOP) && labels.clone().all(is_label)
    } else {
        !is_one_of(&OTHER) && labels.clone().all(is_label)
    }
}
