//! The written forms of dates that are recognised.

use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

/// A written form of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", rename_all = "lowercase")]
#[schemars(crate = "pyruse_core::schemars")]
pub(super) enum Form {
    /// `2026-11-18 12:06:40`, `2026-11-18T11:06:40.123Z`, `2026/11/18 12:06:40`.
    Iso,
    /// `Nov 18 12:06:40`.
    Syslog,
    /// `18/Nov/2026:12:06:40 +0100`.
    Clf,
    /// `Wed Nov 18 12:06:40 2026`.
    Ctime,
    /// `Wed, 18 Nov 2026 12:06:40 +0100`.
    Rfc2822,
    /// Seconds since 1970: `1795000000.123`.
    Epoch,
    /// `@400000006afd…`.
    Tai64n,
}

/// All of them: the one that says most of a text comes first.
pub(super) const ALL: [Form; 7] =
    [Form::Iso, Form::Syslog, Form::Clf, Form::Ctime, Form::Rfc2822, Form::Epoch, Form::Tai64n];

impl Form {
    /// Returns the form with this name in the configuration.
    pub(super) fn named(name: &str) -> Option<Form> {
        Some(match name {
            "iso" => Form::Iso,
            "syslog" => Form::Syslog,
            "clf" => Form::Clf,
            "ctime" => Form::Ctime,
            "rfc2822" => Form::Rfc2822,
            "epoch" => Form::Epoch,
            "tai64n" => Form::Tai64n,
            _ => return None,
        })
    }

    /// Parses a date at the beginning of `text`; returns it with its length.
    pub(super) fn parse(self, text: &[u8]) -> Option<(Written, usize)> {
        let mut scan = Scan { text, at: 0 };
        let written = match self {
            Form::Iso => scan.iso()?,
            Form::Syslog => scan.syslog()?,
            Form::Clf => scan.clf()?,
            Form::Ctime => scan.ctime()?,
            Form::Rfc2822 => scan.rfc2822()?,
            Form::Epoch => scan.epoch()?,
            Form::Tai64n => scan.tai64n()?,
        };
        Some((written, scan.at))
    }
}

/// A date as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// By a calendar and a clock.
    Civil(Civil),
    /// Microseconds since 1970.
    Instant(i64),
}

/// See [`Written`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: Option<i16>,
    pub(super) month: i8,
    pub(super) day: i8,
    pub(super) hour: i8,
    pub(super) minute: i8,
    pub(super) second: i8,
    pub(super) micros: i32,
    /// Seconds that the zone is ahead of UTC, if the text says so.
    pub(super) offset: Option<i32>,
}

const MONTHS: [&[u8; 3]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

const DAYS: [&[u8; 3]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];

struct Scan<'t> {
    text: &'t [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn is_digit(&self, ahead: usize) -> bool {
        self.text.get(self.at + ahead).is_some_and(u8::is_ascii_digit)
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let byte = self.peek().filter(|byte| bytes.contains(byte))?;
        self.at += 1;
        Some(byte)
    }

    fn two(&mut self) -> Option<i8> {
        let (tens, ones) = (self.peek()?, *self.text.get(self.at + 1)?);
        if !(tens.is_ascii_digit() && ones.is_ascii_digit()) {
            return None;
        }
        self.at += 2;
        Some(((tens - b'0') * 10 + (ones - b'0')).cast_signed())
    }

    fn year(&mut self) -> Option<i16> {
        let (century, year) = (self.two()?, self.two()?);
        Some(i16::from(century) * 100 + i16::from(year))
    }

    /// A day: two digits, or a space and one, or one.
    fn day(&mut self) -> Option<i8> {
        if self.peek()? == b' ' {
            self.at += 1;
        } else if self.is_digit(1) {
            return self.two();
        }
        if !self.is_digit(0) || self.is_digit(1) {
            return None;
        }
        self.at += 1;
        Some((self.text[self.at - 1] - b'0').cast_signed())
    }

    fn name(&mut self, names: &[&[u8; 3]]) -> Option<i8> {
        let word = self.text.get(self.at..self.at + 3)?;
        let lower = [word[0] | 0x20, word[1] | 0x20, word[2] | 0x20];
        let n = names.iter().position(|name| **name == lower)?;
        self.at += 3;
        i8::try_from(n).ok()
    }

    fn month(&mut self) -> Option<i8> {
        self.name(&MONTHS).map(|n| n + 1)
    }

    /// `hh:mm:ss`, and a fraction.
    fn clock(&mut self, civil: &mut Civil) -> Option<()> {
        civil.hour = self.two()?;
        self.byte(b':')?;
        civil.minute = self.two()?;
        self.byte(b':')?;
        civil.second = self.two()?;
        if self.is_digit(0) {
            return None;
        }
        civil.micros = self.fraction();
        Some(())
    }

    /// `.123` or `,123`, if it is there.
    fn fraction(&mut self) -> i32 {
        if !matches!(self.peek(), Some(b'.' | b',')) || !self.is_digit(1) {
            return 0;
        }
        self.at += 1;
        let (mut micros, mut digits) = (0, 0);
        while self.is_digit(0) {
            if digits < 6 {
                micros = micros * 10 + i32::from(self.text[self.at] - b'0');
                digits += 1;
            }
            self.at += 1;
        }
        micros * 10_i32.pow(6 - digits)
    }

    /// `Z`, `+01:00`, `+0100`, `+01`, also after a space; or `UTC`, `GMT`.
    fn zone(&mut self) -> Option<i32> {
        let start = self.at;
        if self.peek() == Some(b' ') {
            self.at += 1;
        }
        let offset = self.offset();
        if offset.is_none() {
            self.at = start;
        }
        offset
    }

    fn offset(&mut self) -> Option<i32> {
        let ends = |scan: &Self| !scan.peek().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let rest = &self.text[self.at..];
        for (name, length) in [(&b"UTC"[..], 3), (b"GMT", 3), (b"Z", 1), (b"z", 1)] {
            if rest.starts_with(name) {
                self.at += length;
                return ends(self).then_some(0);
            }
        }
        let sign = if self.one_of(b"+-")? == b'+' { 1 } else { -1 };
        let hours = i32::from(self.two()?);
        let has_colon = self.byte(b':').is_some();
        let minutes = if has_colon || self.is_digit(0) { i32::from(self.two()?) } else { 0 };
        (ends(self) && hours <= 15 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }

    fn iso(&mut self) -> Option<Written> {
        let mut civil = Civil { year: Some(self.year()?), ..Civil::default() };
        if self.is_digit(0) {
            // 20261118T110640
            (civil.month, civil.day) = (self.two()?, self.two()?);
        } else {
            let separator = self.one_of(b"-/.")?;
            civil.month = self.two()?;
            self.byte(separator)?;
            civil.day = self.two()?;
        }
        self.one_of(b"T _:t")?;
        if self.is_digit(2) {
            (civil.hour, civil.minute, civil.second) = (self.two()?, self.two()?, self.two()?);
            if self.is_digit(0) {
                return None;
            }
            civil.micros = self.fraction();
        } else {
            self.clock(&mut civil)?;
        }
        civil.offset = self.zone();
        Some(Written::Civil(civil))
    }

    fn syslog(&mut self) -> Option<Written> {
        let mut civil = Civil { month: self.month()?, ..Civil::default() };
        self.byte(b' ')?;
        civil.day = self.day()?;
        // Nov 18, 2026 12:06:40
        let _ = self.byte(b',');
        self.byte(b' ')?;
        if self.is_digit(2) && self.is_digit(3) {
            civil.year = Some(self.year()?);
            self.byte(b' ')?;
        }
        self.clock(&mut civil)?;
        civil.offset = self.zone();
        Some(Written::Civil(civil))
    }

    fn clf(&mut self) -> Option<Written> {
        let mut civil = Civil { day: self.two()?, ..Civil::default() };
        let separator = self.one_of(b"/- ")?;
        // With slashes, a number may be the day as well.
        civil.month = if separator == b'-' && self.is_digit(0) { self.two()? } else { self.month()? };
        self.byte(separator)?;
        civil.year = Some(self.year()?);
        self.one_of(b": ")?;
        self.clock(&mut civil)?;
        civil.offset = self.zone();
        Some(Written::Civil(civil))
    }

    fn ctime(&mut self) -> Option<Written> {
        self.name(&DAYS)?;
        self.byte(b' ')?;
        let mut civil = Civil { month: self.month()?, ..Civil::default() };
        self.byte(b' ')?;
        civil.day = self.day()?;
        self.byte(b' ')?;
        self.clock(&mut civil)?;
        civil.offset = self.zone();
        self.byte(b' ')?;
        civil.year = Some(self.year()?);
        Some(Written::Civil(civil))
    }

    fn rfc2822(&mut self) -> Option<Written> {
        self.name(&DAYS)?;
        self.byte(b',')?;
        self.byte(b' ')?;
        let mut civil = Civil { day: self.day()?, ..Civil::default() };
        self.byte(b' ')?;
        civil.month = self.month()?;
        self.byte(b' ')?;
        civil.year = Some(self.year()?);
        self.byte(b' ')?;
        self.clock(&mut civil)?;
        civil.offset = self.zone();
        Some(Written::Civil(civil))
    }

    fn epoch(&mut self) -> Option<Written> {
        let mut seconds: i64 = 0;
        for _ in 0..10 {
            let byte = self.peek().filter(u8::is_ascii_digit)?;
            seconds = seconds * 10 + i64::from(byte - b'0');
            self.at += 1;
        }
        let micros = self.fraction();
        let ends = !self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric());
        ends.then(|| Written::Instant(seconds * 1_000_000 + i64::from(micros)))
    }

    /// 64 bits of seconds from 2^62 on, by TAI, and 32 bits of nanoseconds (cr.yp.to/libtai/tai64.html).
    fn tai64n(&mut self) -> Option<Written> {
        self.byte(b'@')?;
        let mut part = |digits| {
            let text = self.text.get(self.at..self.at + digits)?;
            self.at += digits;
            let text = std::str::from_utf8(text).ok().filter(|text| !text.starts_with('+'))?;
            u64::from_str_radix(text, 16).ok()
        };
        let (seconds, nanos) = (part(16)?, part(8)?);
        // UTC has been 37 seconds behind TAI since 2017.
        let seconds = seconds.checked_sub((1 << 62) + 37).filter(|seconds| *seconds < 1 << 40)?;
        let micros = i64::try_from(nanos / 1000).ok().filter(|micros| *micros < 1_000_000)?;
        i64::try_from(seconds).ok().map(|seconds| Written::Instant(seconds * 1_000_000 + micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_parsed_with_its_length_and_no_further() {
        let at = |offset| Civil {
            year: Some(2026),
            month: 11,
            day: 8,
            hour: 12,
            minute: 6,
            second: 40,
            micros: 0,
            offset,
        };
        let hour = Some(3600);
        for (form, text, rest, civil) in [
            (Form::Iso, "2026-11-08 12:06:40", " x", at(None)),
            (Form::Iso, "2026-11-08T12:06:40Z", "", at(Some(0))),
            (Form::Iso, "2026/11/08 12:06:40", " [error]", at(None)),
            (Form::Iso, "20261108T120640Z", " x", at(Some(0))),
            (Form::Iso, "2026-11-08 12:06:40,123", " x", Civil { micros: 123_000, ..at(None) }),
            (Form::Iso, "2026-11-08T12:06:40.123456789+01:00", " x", Civil { micros: 123_456, ..at(hour) }),
            (Form::Iso, "2026-11-08 12:06:40 UTC", " x", at(Some(0))),
            (Form::Iso, "2026-11-08 12:06:40 -0730", "]", at(Some(-27_000))),
            (Form::Iso, "2026-11-08 12:06:40", " +x", at(None)),
            (Form::Syslog, "Nov  8 12:06:40", " server", Civil { year: None, ..at(None) }),
            (Form::Syslog, "Nov 08 12:06:40", ": x", Civil { year: None, ..at(None) }),
            (Form::Syslog, "Nov 8 2026 12:06:40", " x", at(None)),
            (Form::Syslog, "Nov 8, 2026 12:06:40", " x", at(None)),
            (Form::Clf, "08/Nov/2026:12:06:40 +0100", "] x", at(hour)),
            (Form::Clf, "08-Nov-2026 12:06:40 UTC", "] x", at(Some(0))),
            (Form::Clf, "08-11-2026 12:06:40 +0100", " x", at(hour)),
            (Form::Clf, "08-Nov-2026 12:06:40.5", " x", Civil { micros: 500_000, ..at(None) }),
            (Form::Ctime, "Sun Nov  8 12:06:40 2026", " x", at(None)),
            (Form::Ctime, "Sun Nov 08 12:06:40.123456 2026", "]", Civil { micros: 123_456, ..at(None) }),
            (Form::Rfc2822, "Sun, 8 Nov 2026 12:06:40 +0100", "", at(hour)),
        ] {
            let (written, length) =
                form.parse([text, rest].concat().as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((written, length), (Written::Civil(civil), text.len()), "{text}");
        }
        for (form, text, micros) in [
            (Form::Epoch, "1795000000.123:45", 1_795_000_000_123_000),
            (Form::Epoch, "1795000000", 1_795_000_000_000_000),
            (Form::Tai64n, "@400000006afd8ae51dcd6500 x", 1_795_001_024_500_000),
        ] {
            let found = form.parse(text.as_bytes()).map(|(written, _)| written);
            assert_eq!(found, Some(Written::Instant(micros)), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "2026",
            "2026-1-1 1:1:1",
            "20261118",
            "Nov",
            "Nov 123 12:06:40",
            "08/11/2026 12:06:40",
            "192.0.2.1",
            "1795",
            "@4",
        ] {
            assert!(ALL.iter().all(|form| form.parse(text.as_bytes()).is_none()), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(text in "(\\d{4}[-/.]\\d\\d[-/.]\\d\\d[T ]|[A-Z][a-z]{2},? )?[0-9A-Za-z:+@ .,-]{0,40}", bytes: Vec<u8>) {
            for form in ALL {
                form.parse(text.as_bytes());
                form.parse(&bytes);
            }
        }
    }
}
