//! A mail on its way: its queued form, and the message made from it.

use std::time::UNIX_EPOCH;

use lettre::message::header::{ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Body, Message, MultiPart, SinglePart};
use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{Handle, Queue, State};
use pyruse_core::time::Timestamp;

use super::settings::{EmailSettings, full_host, host, mailbox};
use crate::unique;

/// A mail in the queue: its content and its identity. The addresses come from the settings at delivery, so that a
/// mistake in them can be corrected while mails wait.
#[derive(Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(crate) struct Outgoing {
    pub(super) subject: String,
    pub(super) body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    html: Option<String>,
    /// What is sent instead if the server refuses the mail as too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    short: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attachment: Option<Attachment>,
    /// The name of the series that the mail belongs to, e.g. `pyruse-report`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    series: Option<String>,
    /// The same for all tries, so that a mail that arrives twice can be recognized.
    message_id: String,
    /// When the reported event happened.
    pub(super) date: Timestamp,
}

/// A compressed file that is attached to a mail.
#[derive(Clone, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(crate) struct Attachment {
    name: String,
    /// Its content, encoded as it is sent.
    base64: String,
}

impl Attachment {
    /// Returns an attachment with this content.
    pub(crate) fn new(name: &str, content: Vec<u8>) -> Attachment {
        // Everything can be encoded as Base64.
        let encoded = Body::new_with_encoding(content, ContentTransferEncoding::Base64)
            .map_or_else(|_| Vec::new(), Body::into_vec);
        Attachment { name: name.to_owned(), base64: String::from_utf8_lossy(&encoded).into_owned() }
    }

    fn part(self) -> Result<SinglePart, String> {
        let kind = ContentType::parse("application/gzip").map_err(|e| e.to_string())?;
        let encoding = ContentTransferEncoding::Base64;
        let body = Body::dangerous_pre_encoded(self.base64.into_bytes(), encoding);
        Ok(lettre::message::Attachment::new(self.name).body(body, kind))
    }
}

impl Outgoing {
    /// Returns a mail of plain text.
    pub(crate) fn text(subject: &str, body: String, date: Timestamp) -> Outgoing {
        let message_id = format!("<{}@{}>", unique::id(), host());
        Outgoing {
            subject: subject.to_owned(),
            body,
            html: None,
            short: None,
            attachment: None,
            series: None,
            message_id,
            date,
        }
    }

    /// Adds an HTML form beside the text.
    pub(crate) fn with_html(self, html: String) -> Outgoing {
        Outgoing { html: Some(html), ..self }
    }

    /// Adds a shorter text, for a server that refuses the mail as too large.
    pub(crate) fn with_short(self, short: String) -> Outgoing {
        Outgoing { short: Some(short), ..self }
    }

    /// Attaches a file.
    pub(crate) fn with_attachment(self, attachment: Option<Attachment>) -> Outgoing {
        Outgoing { attachment, ..self }
    }

    /// Makes it one of a series, by which mail programs can sort it (`List-Id`).
    pub(crate) fn in_series(self, name: &str) -> Outgoing {
        Outgoing { series: Some(name.to_owned()), ..self }
    }

    /// Reads a queued mail.
    pub(crate) fn read(payload: &str) -> Option<Outgoing> {
        serde_json::from_str(payload).ok()
    }

    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    pub(crate) fn date(&self) -> Timestamp {
        self.date
    }

    pub(crate) fn is_in_series(&self, name: &str) -> bool {
        self.series.as_deref() == Some(name)
    }

    /// Returns the short form of the mail, if it has one.
    pub(super) fn shortened(&self) -> Option<Outgoing> {
        let body = self.short.clone()?;
        Some(Outgoing {
            subject: self.subject.clone(),
            body,
            html: None,
            short: None,
            attachment: None,
            series: self.series.clone(),
            message_id: self.message_id.clone(),
            date: self.date,
        })
    }

    /// Queues it.
    pub(crate) fn queue(&self, state: &mut State, queue: Handle<Queue>) {
        // A struct of texts and numbers can always be serialized.
        state.get_mut(queue).push(None, serde_json::to_string(self).unwrap_or_default());
    }

    /// Builds the message, with the sender and the recipients of the settings.
    pub(super) fn compose(self, settings: &EmailSettings) -> Result<Message, String> {
        let mut builder = Message::builder().from(mailbox(&settings.from)?);
        for address in &settings.to {
            builder = builder.to(mailbox(address)?);
        }
        let part = |kind: ContentType, body: String| SinglePart::builder().header(kind).body(quoted(body));
        if let Some(name) = &self.series {
            builder = builder.header(ListId(format!("<{name}.{}>", full_host())));
        }
        let builder = builder
            .subject(self.subject)
            .message_id(Some(self.message_id))
            .header(AutoSubmitted)
            .date(UNIX_EPOCH + Timestamp(0).until(self.date));
        let text = part(ContentType::TEXT_PLAIN, self.body);
        let alternative = |text, html| {
            MultiPart::alternative().singlepart(text).singlepart(part(ContentType::TEXT_HTML, html))
        };
        let message = match (self.html, self.attachment) {
            (None, None) => builder.singlepart(text),
            (Some(html), None) => builder.multipart(alternative(text, html)),
            (None, Some(file)) => {
                builder.multipart(MultiPart::mixed().singlepart(text).singlepart(file.part()?))
            }
            (Some(html), Some(file)) => builder
                .multipart(MultiPart::mixed().multipart(alternative(text, html)).singlepart(file.part()?)),
        };
        message.map_err(|e| e.to_string())
    }
}

/// The header that says that a program wrote the mail, so that no absence reply is sent to it (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(AutoSubmitted)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The header that names the series of a mail (RFC 2919).
#[derive(Clone)]
struct ListId(String);

impl Header for ListId {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Id")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(ListId(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// The maximum length of a line of quoted-printable text, without its line end (RFC 2045).
const LINE: usize = 76;

/// Encodes a text as quoted-printable. No line begins with what a program on the way may interpret: a dot, which ends a
/// mail for `sendmail` without `-i`, or `From `, which begins the next mail in a mailbox.
pub(crate) fn quoted(text: String) -> Body {
    let encoding = ContentTransferEncoding::QuotedPrintable;
    // Every text can be encoded as quoted-printable.
    let encoded = Body::new_with_encoding(text, encoding).map_or_else(|text| text, Body::into_vec);
    let mut safe = Vec::with_capacity(encoded.len());
    for mut line in encoded.split_inclusive(|byte| *byte == b'\n') {
        while let Some(first) = code_of_first(line) {
            safe.extend_from_slice(first);
            let is_long = line.trim_ascii_end().len() + first.len() - 1 > LINE;
            line = &line[1..];
            if !is_long {
                break;
            }
            // A soft line break, which is not part of the text. The rest may also begin with a dot.
            safe.extend_from_slice(b"=\r\n");
        }
        safe.extend_from_slice(line);
    }
    Body::dangerous_pre_encoded(safe, encoding)
}

/// Returns the code of the first character if the line must not begin with it.
fn code_of_first(line: &[u8]) -> Option<&'static [u8]> {
    match line {
        [b'.', ..] => Some(b"=2E"),
        [b'F', b'r', b'o', b'm', b' ', ..] => Some(b"=46"),
        _ => None,
    }
}

/// Returns the message for a pipe: with the line ends of this system.
pub(super) fn for_a_pipe(message: &Message) -> Vec<u8> {
    let text = message.formatted();
    let is_kept = |n: usize| text[n] != b'\r' || text.get(n + 1) != Some(&b'\n');
    (0..text.len()).filter(|n| is_kept(*n)).map(|n| text[n]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composed(html: Option<&str>) -> String {
        let settings = EmailSettings {
            from: "pyruse@example.org".into(),
            to: vec!["a@example.org".into(), "root".into()],
            ..EmailSettings::default()
        };
        let mail = Outgoing {
            subject: "Überfall".into(),
            body: "naïve = ja\n.\nFrom here\n".into(),
            html: html.map(str::to_owned),
            short: None,
            attachment: None,
            series: None,
            message_id: "<1@example.org>".into(),
            date: Timestamp(1_795_000_000_000_000),
        };
        String::from_utf8(for_a_pipe(&mail.compose(&settings).unwrap())).unwrap()
    }

    #[test]
    fn a_mail_is_quoted_printable_utf_8_with_its_identity() {
        let text = composed(None);
        let (head, body) = text.split_once("\n\n").unwrap();
        let mut head: Vec<&str> = head.lines().collect();
        head.sort_unstable();
        let to = format!("To: a@example.org, root@{}", host());
        assert_eq!(
            head,
            [
                "Auto-Submitted: auto-generated",
                "Content-Transfer-Encoding: quoted-printable",
                "Content-Type: text/plain; charset=utf-8",
                "Date: Wed, 18 Nov 2026 11:06:40 +0000",
                "From: pyruse@example.org",
                "MIME-Version: 1.0",
                "Message-ID: <1@example.org>",
                "Subject: =?utf-8?b?w5xiZXJmYWxs?=",
                &to,
            ]
        );
        assert_eq!(body.trim_end(), "na=C3=AFve =3D ja\n=2E\n=46rom here");
    }

    #[test]
    fn no_line_of_a_body_begins_with_a_dot_or_from_and_the_text_stays_the_same() {
        let long = |text: &str| text.repeat(40);
        for text in [".", "a\n.\nb", "..", ".a.\n.\n.", "From a", "\r\n.\r\n", &long("."), &long(".From ")]
            .into_iter()
            .chain([long("From ").as_str(), &long("..ä"), &format!("{}\n.\n", long("x"))])
        {
            let encoded = String::from_utf8(quoted(text.to_owned()).into_vec()).unwrap();
            for line in encoded.split("\r\n") {
                assert!(!line.starts_with(['.', '\n']) && !line.starts_with("From "), "{text:?}: {encoded}");
                assert!(line.len() <= LINE, "{text:?}: {line}");
            }
            let decoded = decode(&encoded);
            assert_eq!(decoded, text.replace("\r\n", "\n").replace('\n', "\r\n"), "{encoded}");
        }
    }

    /// Decodes quoted-printable by its definition: soft breaks are removed, `=XX` is a byte.
    fn decode(encoded: &str) -> String {
        let text = encoded.replace("=\r\n", "");
        let mut parts = text.split('=');
        let mut bytes = parts.next().unwrap().as_bytes().to_vec();
        for part in parts {
            bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
            bytes.extend_from_slice(&part.as_bytes()[2..]);
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn with_html_it_has_both_forms_each_quoted_printable() {
        let text = composed(Some("<p>ä</p>"));
        let (head, body) = text.split_once("\n\n").unwrap();
        assert!(head.contains("Content-Type: multipart/alternative;"), "{head}");
        assert!(!head.contains("quoted-printable"), "{head}");
        assert_eq!(body.matches("Content-Transfer-Encoding: quoted-printable").count(), 2, "{body}");
        assert!(body.contains("<p>=C3=A4</p>"), "{body}");
    }
}
