//! The URL of a request: the server, which no entry can change, and a path with a query, in which values are encoded.

use std::net::IpAddr;
use std::ops::Range;

use pyruse_core::entry::Entry;
use pyruse_core::plugin::{Compile, Invalid, Message, StepError};
use pyruse_core::template::Part;

use super::encode::{Place, not_in_url, shortened};
use super::pieces::{ID, OWN, Pieces, SECRET};

const ARGUMENT: &str = "url";

/// A URL with values to be inserted.
pub(super) struct Url {
    /// Scheme, host and port: `https://ntfy.sh`.
    pub(super) origin: String,
    /// Path and query.
    message: Message,
    /// How many bytes of the first literal are the origin.
    skip: usize,
}

impl Url {
    /// Compiles the argument `url`.
    pub(super) fn compile(text: &str, cx: &mut Compile<'_>) -> Result<Url, Invalid> {
        let message = cx.message_with(ARGUMENT, text, &OWN)?;
        let first = match message.parts().next() {
            Some(Part::Literal(literal)) => literal.to_owned(),
            _ => String::new(),
        };
        let Some(host) = first.strip_prefix("https://").or(first.strip_prefix("http://")) else {
            let help = "write the server itself: `https://ntfy.example.org/{topic}`";
            return Err(cx.error_with_help(ARGUMENT, "a URL must begin with `https://` or `http://`", help));
        };
        let scheme = first.len() - host.len();
        let end = host.find(['/', '?', '#']);
        if end.is_none() && message.parts().nth(1).is_some() {
            let help = "put a `/` behind the server; an entry must not choose where a request goes";
            let what = "the server of a URL cannot contain values or secrets";
            return Err(cx.error_with_help(ARGUMENT, what, help));
        }
        let end = end.unwrap_or(host.len());
        let authority = match authority(&host[..end]) {
            Ok(authority) => authority,
            Err(why) => return Err(cx.error_within(ARGUMENT, scheme, why)),
        };
        let skip = scheme + end;
        let origin = format!("{}{authority}", &first[..scheme]);
        check_path(text, &message, skip, cx)?;
        Ok(Url { origin, message, skip })
    }

    /// Whether the secret is inserted.
    pub(super) fn has_secret(&self) -> bool {
        self.message.names().iter().any(|name| name == SECRET)
    }

    /// Returns the path and query for this entry. A value that would make another path of it is an error: a part that is
    /// empty, `.` or `..`.
    pub(super) fn render(&self, entry: &mut Entry<'_>, id: &str, limit: usize) -> Result<Pieces, StepError> {
        let mut pieces = Pieces::default();
        let mut path = Segments::default();
        let mut skip = self.skip;
        let names = self.message.names();
        self.message.render_parts(entry, &mut |part| match part {
            Part::Literal(text) => {
                let text = &text[std::mem::take(&mut skip)..];
                path.literal(text);
                pieces.push(text);
            }
            Part::Value { name, .. } if names[name] == SECRET => {
                path.value("secret", &names[name]);
                pieces.push_secret();
            }
            Part::Value { name, .. } if names[name] == ID => {
                path.value(id, &names[name]);
                pieces.push(id);
            }
            Part::Value { name, text, is_missing } => {
                let text = if is_missing { "" } else { text };
                path.value(text, &names[name]);
                Place::Url.encode(&shortened(text, limit), pieces.end());
            }
        })?;
        path.end();
        if let Some(name) = path.bad {
            let what =
                format!("`{name}` makes an empty part, `.` or `..` of the URL's path: nothing is sent");
            return Err(StepError::new(what));
        }
        let shown = pieces.end();
        if shown.is_empty() && !pieces.has_secret() {
            pieces.push("/");
        }
        Ok(pieces)
    }
}

/// The segments of a path while it is rendered.
#[derive(Default)]
struct Segments {
    segment: String,
    /// The last value in the segment.
    value: Option<String>,
    in_query: bool,
    /// The value that made a segment which names another place.
    bad: Option<String>,
}

impl Segments {
    fn literal(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '/' | '?' => {
                    self.end();
                    self.in_query |= c == '?';
                }
                c => self.segment.push(c),
            }
        }
    }

    fn value(&mut self, text: &str, name: &str) {
        self.segment.push_str(text);
        self.value = Some(name.to_owned());
    }

    fn end(&mut self) {
        if let Some(name) = self.value.take()
            && !self.in_query
            && ["", ".", ".."].contains(&&*self.segment)
        {
            self.bad.get_or_insert(name);
        }
        self.segment.clear();
    }
}

/// Returns the host and port in their normal form, or why the text is not that.
pub(crate) fn authority(text: &str) -> Result<String, String> {
    if text.contains('@') {
        return Err(
            "a URL must not contain a user or password: write the secret into a file, and name it in \
                    `secretFile`"
                .into(),
        );
    }
    let bad = || format!("`{text}` is not a host, or a host and a port");
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            (host, Some(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(bad)?))
        }
        _ => (text, None),
    };
    let host = if let Some(inner) = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        format!("[{}]", inner.parse::<std::net::Ipv6Addr>().map_err(|_| bad())?)
    } else {
        let host = idna::domain_to_ascii(host).map_err(|_| bad())?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if host.is_empty() || host.len() > 253 || !host.chars().all(plain) {
            return Err(bad());
        }
        host
    };
    Ok(port.map_or(host.clone(), |port| format!("{host}:{port}")))
}

/// Checks the literal text behind the server.
fn check_path(text: &str, message: &Message, skip: usize, cx: &mut Compile<'_>) -> Result<(), Invalid> {
    let mut skip = skip;
    for part in message.parts() {
        let Part::Literal(literal) = part else { continue };
        let rest = &literal[std::mem::take(&mut skip)..];
        if let Some(at) = not_in_url(rest) {
            let c = rest[at..].chars().next().unwrap_or_default();
            let offset = text.rfind(c).unwrap_or(0);
            let why = match c {
                '#' => "`#…` is not sent to a server: leave it out".to_owned(),
                '%' => "two hexadecimal digits must follow a `%`; for the character itself write `%25`"
                    .to_owned(),
                c => format!("a URL must not contain `{}`: encode it as `%…`", c.escape_default()),
            };
            return Err(cx.error_within(ARGUMENT, offset, why));
        }
    }
    Ok(())
}

/// Returns `true` if what is sent to this origin stays on the machine, in the local network, or is encrypted.
pub(crate) fn protects_secrets(origin: &str) -> bool {
    let Some(authority) = origin.strip_prefix("http://") else { return true };
    let host = &authority[host_of(authority)];
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

/// Returns where the host is in `host:port`, without the brackets of an IPv6 address.
pub(super) fn host_of(authority: &str) -> Range<usize> {
    match authority.strip_prefix('[').and_then(|inner| inner.find(']')) {
        Some(end) => 1..1 + end,
        None => 0..authority.find(':').unwrap_or(authority.len()),
    }
}

/// Returns host and port of an origin.
pub(super) fn server(origin: &str) -> (String, u16) {
    let (authority, default) = match origin.strip_prefix("http://") {
        Some(authority) => (authority, 80),
        None => (origin.trim_start_matches("https://"), 443),
    };
    let host = host_of(authority);
    let port =
        authority[host.end..].trim_start_matches(']').strip_prefix(':').and_then(|port| port.parse().ok());
    (authority[host].to_owned(), port.unwrap_or(default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_a_port() {
        for (text, normal) in [
            ("ntfy.sh", "ntfy.sh"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::1]:80", "[::1]:80"),
            ("[2001:DB8:0::1]", "[2001:db8::1]"),
            ("Bücher.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(authority(text).as_deref(), Ok(normal), "{text}");
        }
        for bad in ["", "a b", "a:0", "a:99999", "a:", "[::1", "::1", "user@host", "a\\b"] {
            assert!(authority(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_parts_of_an_origin_are_found() {
        for (origin, host, port) in [
            ("https://a", "a", 443),
            ("http://a", "a", 80),
            ("http://a:81", "a", 81),
            ("https://[::1]:9", "::1", 9),
            ("https://[::1]", "::1", 443),
        ] {
            assert_eq!(server(origin), (host.to_owned(), port), "{origin}");
        }
    }

    #[test]
    fn a_secret_is_only_sent_encrypted_or_nearby() {
        for good in
            ["https://a", "http://localhost:1", "http://127.0.0.1", "http://[::1]:8", "http://10.0.0.1:80"]
        {
            assert!(protects_secrets(good), "{good}");
        }
        for bad in ["http://a", "http://192.0.2.1", "http://[2001:db8::1]", "http://localhost.example.org"] {
            assert!(!protects_secrets(bad), "{bad}");
        }
    }
}
