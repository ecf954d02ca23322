//! Walks through a JSON object without building it: members of objects within it have names that are joined by dots,
//! elements of an array have the name of the array, and an empty array is an empty text.

/// What is nested deeper is one text.
const DEPTH: usize = 16;

/// The longest name, in bytes.
const NAME: usize = 1024;

/// A value that is no object and no array.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'v> {
    /// The text that a string stands for.
    Text(&'v [u8]),
    /// A number, as it is written.
    Number(&'v [u8]),
    /// `true` or `false`, or what is nested too deep.
    Other(&'v [u8]),
}

impl<'v> Scalar<'v> {
    pub(super) fn bytes(self) -> &'v [u8] {
        let (Scalar::Text(bytes) | Scalar::Number(bytes) | Scalar::Other(bytes)) = self;
        bytes
    }
}

/// Calls `see` with the name and the value of each member that is not `null`; `None` if the line is not an object.
pub(super) fn walk(line: &[u8], see: &mut dyn FnMut(&[u8], Scalar<'_>)) -> Option<()> {
    let mut walk = Walk { line, at: 0, name: Vec::new(), text: Vec::new(), see };
    walk.space();
    if walk.peek()? != b'{' {
        return None;
    }
    walk.value(0)?;
    walk.space();
    (walk.at == line.len()).then_some(())
}

/// A string.
enum Str<'l> {
    /// It has no escapes: these bytes of the line.
    Plain(&'l [u8]),
    /// What it stands for is in [`Walk::text`].
    Decoded,
}

struct Walk<'l, 's> {
    line: &'l [u8],
    at: usize,
    /// The names down to the current member.
    name: Vec<u8>,
    /// What a string with escapes stands for.
    text: Vec<u8>,
    see: &'s mut dyn FnMut(&[u8], Scalar<'_>),
}

impl<'l> Walk<'l, '_> {
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.space();
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Goes behind the next byte if it is this one.
    fn takes(&mut self, byte: u8) -> bool {
        self.expect(byte).is_some()
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        self.space();
        match self.peek()? {
            b'{' | b'[' if depth >= DEPTH => {
                let start = self.at;
                self.skip()?;
                (self.see)(&self.name, Scalar::Other(&self.line[start..self.at]));
                Some(())
            }
            b'{' => self.members(depth),
            b'[' => self.elements(depth),
            b'"' => {
                let text = match self.string()? {
                    Str::Plain(text) => text,
                    Str::Decoded => &self.text,
                };
                (self.see)(&self.name, Scalar::Text(text));
                Some(())
            }
            _ => self.word(),
        }
    }

    fn members(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.takes(b'}') {
            return Some(());
        }
        let length = self.name.len();
        loop {
            self.space();
            if self.peek()? != b'"' {
                return None;
            }
            let name = match self.string()? {
                Str::Plain(name) => name,
                Str::Decoded => &self.text,
            };
            if length > 0 {
                self.name.push(b'.');
            }
            let room = NAME.saturating_sub(self.name.len());
            self.name.extend_from_slice(&name[..name.len().min(room)]);
            self.expect(b':')?;
            self.value(depth + 1)?;
            self.name.truncate(length);
            if self.takes(b'}') {
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    fn elements(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.takes(b']') {
            // So a rule can distinguish it from a member that is missing: Caddy writes so that a password was sent.
            (self.see)(&self.name, Scalar::Text(b""));
            return Some(());
        }
        loop {
            self.value(depth + 1)?;
            if self.takes(b']') {
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Option<()> {
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let length = self.line[self.at..].iter().take_while(is_part).count();
        let word = &self.line[self.at..self.at + length];
        let value = match word {
            b"null" => None,
            b"true" | b"false" => Some(Scalar::Other(word)),
            [b'-' | b'0'..=b'9', ..] => Some(Scalar::Number(word)),
            _ => return None,
        };
        self.at += length;
        if let Some(value) = value {
            (self.see)(&self.name, value);
        }
        Some(())
    }

    /// Reads a string.
    fn string(&mut self) -> Option<Str<'l>> {
        self.at += 1;
        let start = self.at;
        let end = start + memchr::memchr2(b'"', b'\\', &self.line[start..])?;
        if self.line[end] == b'"' {
            self.at = end + 1;
            return Some(Str::Plain(&self.line[start..end]));
        }
        self.text.clear();
        self.text.extend_from_slice(&self.line[start..end]);
        self.at = end;
        loop {
            let end = self.at + memchr::memchr2(b'"', b'\\', &self.line[self.at..])?;
            self.text.extend_from_slice(&self.line[self.at..end]);
            self.at = end + 1;
            if self.line[end] == b'"' {
                return Some(Str::Decoded);
            }
            self.escape()?;
        }
    }

    fn escape(&mut self) -> Option<()> {
        let byte = self.peek()?;
        self.at += 1;
        let plain = match byte {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let character = self.character()?;
                self.text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Some(());
            }
            b'"' | b'\\' | b'/' => byte,
            _ => return None,
        };
        self.text.push(plain);
        Some(())
    }

    /// The character of `\uXXXX`, or of two of them; half of a pair is U+FFFD.
    fn character(&mut self) -> Option<char> {
        let first = self.hex()?;
        if (0xd800..0xdc00).contains(&first) && self.line[self.at..].starts_with(b"\\u") {
            let at = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00));
            }
            self.at = at;
        }
        Some(char::from_u32(first).unwrap_or('\u{fffd}'))
    }

    fn hex(&mut self) -> Option<u32> {
        let digits =
            self.line.get(self.at..self.at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        self.at += 4;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }

    /// Goes behind an object or an array, however deep it is.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }
}
