//! The shape of a line: its text with everything masked that varies between lines of the same kind.
//!
//! A text enters; its words leave, each with what is masked in it, and the masked values. Only the first
//! [`SHAPE_LIMIT`] bytes count, so a long line costs no more. What is masked:
//!
//! - *addresses*: IPv4 and IPv6; MAC addresses are ids;
//! - *numbers*: digits, also as a part of a word (`sdb1`), with the times, dates and versions that consist of them;
//! - *ids*: UUIDs; hexadecimal numbers with `0x`; 7 or more hexadecimal digits that contain letters and at least two
//!   decimal digits; 8 or more letters and digits that change between both three times or more;
//! - *paths*: what follows the first directory (`/var/…`), and the whole of a path that has only one part;
//! - *host names*: with three labels or more, or with two if the last one is a common top-level domain; the names of
//!   units and of usual files are not host names;
//! - *users*: the word after `user` or in `user=…` (and `ruser=`, `logname=`, `acct=`) if what follows it fits, the word
//!   between `for` and `from`, the one before `(uid=`, the local part of a mail address;
//! - *quoted texts*: between double quotes, and between single quotes that stand at the ends of words; if the quoted
//!   text is one of the above, it is masked as that.
//!
//! Names of units, processes and everything else stay: a unit that fails for the first time is another kind of line.
//!
//! The scanner is written by hand because it runs for every recorded line: one expression for all of these is several
//! times slower.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use pyruse_core::text::floor_char_boundary;

use super::mask::Mask;
use super::tokens::{
    DIGITS, DOTS, LETTERS, is_blank, is_host, is_id, is_key_of_user, is_of_name, is_uuid, mask_of_quoted,
    name, number_length,
};

/// How much of a line decides its shape, in bytes.
pub(super) const SHAPE_LIMIT: usize = 512;

/// The maximum number of words; the last one contains the rest of the line.
pub(super) const MAX_WORDS: usize = 48;

/// A word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Its part of [`Shape::bytes`], without the null byte.
    shape: Range<usize>,
    /// Its part of the line.
    line: Range<usize>,
}

/// The shape of the line that was read last.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// The words, each with a null byte behind it.
    bytes: Vec<u8>,
    words: Vec<Word>,
    /// The masked values that are counted, as parts of the line.
    values: Vec<(Mask, Range<usize>)>,
}

impl Shape {
    /// Reads a line. Its words and values refer to it.
    pub(super) fn read(&mut self, line: &str) {
        self.bytes.clear();
        self.words.clear();
        self.values.clear();
        let line = &line[..floor_char_boundary(line, SHAPE_LIMIT)];
        Scan { line: line.as_bytes(), text: line, at: 0, context: Context::Plain, shape: self }.run();
    }

    /// Returns how many words the line has.
    pub(super) fn words(&self) -> usize {
        self.words.len()
    }

    /// Returns the masked form of a word.
    pub(super) fn word(&self, n: usize) -> &[u8] {
        &self.bytes[self.words[n].shape.clone()]
    }

    /// Returns the masked form of several words, each with a null byte behind it.
    pub(super) fn bytes(&self, words: Range<usize>) -> &[u8] {
        let Some(words) = self.words.get(words).filter(|words| !words.is_empty()) else { return &[] };
        &self.bytes[words[0].shape.start..=words[words.len() - 1].shape.end]
    }

    /// Returns a word as it is in the line.
    pub(super) fn original<'l>(&self, n: usize, line: &'l str) -> &'l str {
        line.get(self.words[n].line.clone()).unwrap_or_default()
    }

    /// Returns the masked values of the line, except those in the words of `joined`, which count as a whole.
    pub(super) fn values<'l>(&self, line: &'l str, joined: u64) -> impl Iterator<Item = (Mask, &'l str)> {
        let is_joined = move |at: &Range<usize>| {
            joined != 0
                && (0..self.words.len()).any(|n| is_in(joined, n) && self.words[n].line.contains(&at.start))
        };
        let whole = (0..self.words.len()).filter(move |n| is_in(joined, *n));
        let values = self.values.iter().filter(move |(_, at)| !is_joined(at));
        values
            .map(|(mask, at)| (*mask, line.get(at.clone()).unwrap_or_default()))
            .chain(whole.map(|n| (Mask::Word, self.original(n, line))))
    }
}

/// Whether a set of words, one bit for each, contains this one.
pub(super) fn is_in(words: u64, n: usize) -> bool {
    n < 64 && words >> n & 1 == 1
}

/// What the words before say about the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Plain,
    /// The last word was `user`.
    User,
    /// The last word was `for`.
    For,
    /// The last word was `by`.
    By,
}

struct Scan<'s, 'l> {
    line: &'l [u8],
    text: &'l str,
    at: usize,
    context: Context,
    shape: &'s mut Shape,
}

impl Scan<'_, '_> {
    fn run(&mut self) {
        loop {
            while self.peek(0).is_some_and(is_blank) {
                self.at += 1;
            }
            if self.at == self.line.len() {
                return;
            }
            let (start, begun) = (self.at, self.shape.bytes.len());
            let is_last = self.shape.words.len() + 1 == MAX_WORDS;
            self.word(is_last);
            let shape = begun..self.shape.bytes.len();
            self.shape.bytes.push(0);
            self.context = match self.line.get(start..self.at).unwrap_or_default() {
                word if word.eq_ignore_ascii_case(b"user") => Context::User,
                b"for" => Context::For,
                b"by" => Context::By,
                _ => Context::Plain,
            };
            self.shape.words.push(Word { shape, line: start..self.at });
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.line.get(self.at + ahead).copied()
    }

    fn mask(&mut self, mask: Mask, end: usize) {
        self.shape.bytes.push(mask as u8);
        if mask.is_counted() && end > self.at {
            self.shape.values.push((mask, self.at..end));
        }
        self.at = end;
    }

    fn copy(&mut self, end: usize) {
        // The codes of masks are control characters; in a text they would forge a mask.
        let bytes = &self.line[self.at..end];
        self.shape.bytes.extend(bytes.iter().map(|byte| if *byte < b' ' { b' ' } else { *byte }));
        self.at = end;
    }

    /// Reads one word, up to a blank that is not quoted; `is_rest`: up to the end.
    fn word(&mut self, is_rest: bool) {
        if self.user() {
            self.context = Context::Plain;
        }
        let mut is_boundary = true;
        while let Some(byte) = self.peek(0) {
            if is_blank(byte) {
                if !is_rest {
                    return;
                }
                self.copy(self.at + 1);
                is_boundary = true;
                continue;
            }
            let from = self.at;
            match byte {
                b'"' | b'\'' if is_boundary => self.quoted(byte),
                b'/' if is_boundary => self.path(),
                _ if is_boundary && byte.is_ascii_alphanumeric() => self.token(),
                b':' if is_boundary && self.peek(1) == Some(b':') => self.token(),
                _ => self.copy(self.at + 1),
            }
            let last = self.line[self.at - 1];
            // A text beyond ASCII is one with the letters around it. A single quote may be an apostrophe.
            let is_inside =
                last.is_ascii_alphanumeric() || last >= 0x80 || last == b'\'' && self.at > from + 1;
            // What follows a host is a path.
            is_boundary = !is_inside || self.shape.bytes.last() == Some(&(Mask::Host as u8));
        }
    }

    /// Masks a user, where the words before and after say that there is one.
    fn user(&mut self) -> bool {
        if self.context == Context::Plain {
            return false;
        }
        let rest = &self.line[self.at..];
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-+@$\\".contains(byte) || *byte >= 0x80;
        let length = rest.iter().take_while(|byte| is_name(byte)).count();
        let after = &rest[length..];
        let next_is = |words: &[&[u8]]| {
            after.first() == Some(&b' ')
                && words.iter().any(|word| {
                    after[1..]
                        .strip_prefix(*word)
                        .is_some_and(|rest| rest.first().is_none_or(|byte| is_blank(*byte)))
                })
        };
        let fits = length > 0
            && match self.context {
                Context::User => {
                    after.first().is_none_or(|byte| b"(,:;])".contains(byte))
                        || next_is(&[b"from", b"by", b"on", b"at", b"to", b"in", b"with", b"and"])
                }
                Context::For => next_is(&[b"from"]) && rest[..length] != *b"user",
                Context::By => after.starts_with(b"(uid="),
                Context::Plain => false,
            };
        if fits {
            self.mask(Mask::User, self.at + length);
        }
        fits
    }

    /// Masks what is quoted; a quotation mark without a partner is copied.
    fn quoted(&mut self, quote: u8) {
        let inside = self.at + 1;
        let is_end = |n: &usize| {
            self.line[*n] == quote
                && (quote == b'"' || self.line.get(n + 1).is_none_or(|next| !next.is_ascii_alphanumeric()))
        };
        let Some(end) = (inside..self.line.len()).find(is_end) else { return self.copy(inside) };
        self.copy(inside);
        if end > inside {
            let mask = mask_of_quoted(&self.text[inside..end]);
            self.mask(mask, end);
        }
        self.copy(end + 1);
    }

    fn path(&mut self) {
        let starts = |byte: u8| byte.is_ascii_alphanumeric() || b"._-~%".contains(&byte) || byte >= 0x80;
        if !self.peek(1).is_some_and(starts) {
            // The two slashes of a URL belong together.
            return self.copy(self.at + 1 + usize::from(self.peek(1) == Some(b'/')));
        }
        let rest = &self.line[self.at..];
        let ends = |byte: &u8| is_blank(*byte) || b"\"'<>()[]{},;:|`".contains(byte);
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        let path = rest[..length].trim_ascii_end();
        let length = path.len() - usize::from(path.len() > 2 && path.ends_with(b"."));
        let end = self.at + length;
        if let Some(second) = rest[1..length].iter().position(|byte| *byte == b'/') {
            self.shape.bytes.extend_from_slice(&rest[..second + 2]);
        } else {
            self.shape.bytes.push(b'/');
        }
        self.mask(Mask::Path, end);
    }

    /// Reads a token that begins with a letter, a digit or `::`.
    fn token(&mut self) {
        let rest = &self.line[self.at..];
        let (length, contains) = name(rest);
        // Most tokens are words: no part of such a one is anything else.
        if contains == LETTERS && length > 0 && !matches!(rest.get(length), Some(b':' | b'@' | b'=')) {
            self.shape.bytes.extend_from_slice(&rest[..length]);
            self.at += length;
            return;
        }
        let has_digit = contains & DIGITS != 0;
        if (has_digit || rest.get(length) == Some(&b':')) && self.address() {
            return;
        }
        if length == 0 {
            return self.copy(self.at + 1);
        }
        // A mail address: its user is not its host's.
        if rest.get(length) == Some(&b'@') {
            let host = rest[length + 1..].iter().take_while(|byte| is_of_name(**byte)).count();
            if is_host(&rest[length + 1..length + 1 + host]) {
                self.mask(Mask::User, self.at + length);
                self.copy(self.at + 1);
                return self.mask(Mask::Host, self.at + host);
            }
        }
        if rest.get(length) == Some(&b'=') && is_key_of_user(&rest[..length]) {
            self.copy(self.at + length + 1);
            let rest = &self.line[self.at..];
            let ends = |byte: &u8| is_blank(*byte) || b"\"',;()".contains(byte);
            let length = rest.iter().position(ends).unwrap_or(rest.len());
            if length > 0 {
                self.mask(Mask::User, self.at + length);
            }
            return;
        }
        let name = &rest[..length];
        if contains & DOTS != 0 {
            let trimmed = name.iter().rposition(|byte| !b".-_".contains(byte)).map_or(0, |last| last + 1);
            if is_host(&name[..trimmed]) {
                return self.mask(Mask::Host, self.at + trimmed);
            }
        }
        if has_digit && is_uuid(name) {
            return self.mask(Mask::Id, self.at + 36);
        }
        let run = rest.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len());
        if !rest[..run].iter().any(u8::is_ascii_digit) {
            return self.copy(self.at + run);
        }
        if is_id(&rest[..run]) {
            return self.mask(Mask::Id, self.at + run);
        }
        // A number may contain more than the run, and end in the middle of another: `2026-11-18T11:06`.
        while let Some(byte) = self.peek(0).filter(u8::is_ascii_alphanumeric) {
            if byte.is_ascii_digit() {
                let number = number_length(&self.line[self.at..]);
                self.mask(Mask::Number, self.at + number);
            } else {
                self.copy(self.at + 1);
            }
        }
    }

    /// Masks an IP address or a MAC address that begins here.
    fn address(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let of_address = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
        let length = rest.bytes().take(46).take_while(|byte| of_address(byte)).count();
        let run = rest[..length].trim_end_matches('.');
        let is_end = |end: usize| rest.as_bytes().get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let colons = run.bytes().filter(|byte| *byte == b':').count();
        if colons >= 2 {
            // A colon behind an address is punctuation.
            for run in [run, run.strip_suffix(':').unwrap_or(run)] {
                let has_digits = run.bytes().any(|byte| byte.is_ascii_hexdigit());
                if has_digits && is_end(run.len()) && run.parse::<Ipv6Addr>().is_ok() {
                    self.mask(Mask::Address, self.at + run.len());
                    return true;
                }
            }
            let pairs = run.trim_end_matches(':');
            let is_pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
            if pairs.len() >= 17 && is_end(pairs.len()) && pairs.split(':').all(is_pair) {
                self.mask(Mask::Id, self.at + pairs.len());
                return true;
            }
        }
        let v4 = run.split_once(':').map_or(run, |(v4, _)| v4).trim_end_matches('.');
        let dots = v4.bytes().filter(|byte| *byte == b'.').count();
        if dots == 3 && is_end(v4.len()) && v4.parse::<Ipv4Addr>().is_ok() {
            self.mask(Mask::Address, self.at + v4.len());
            return true;
        }
        false
    }
}
