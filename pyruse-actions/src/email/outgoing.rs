//! A mail on its way: what is queued, and the message that is made of it.

use std::time::UNIX_EPOCH;

use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Message, MultiPart, SinglePart};
use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{Handle, Queue, State};
use pyruse_core::time::Timestamp;

use super::settings::{EmailSettings, host, mailbox};
use crate::unique;

/// A mail in the queue: its content and its identity. Addresses come from the settings when it is delivered, so that
/// a mistake in them can be mended while mails wait.
#[derive(Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(crate) struct Outgoing {
    pub(super) subject: String,
    pub(super) body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    html: Option<String>,
    /// The same over all tries, so that a mail that arrives twice can be known as one.
    message_id: String,
    /// When what it tells of happened.
    pub(super) date: Timestamp,
}

impl Outgoing {
    /// A mail of plain text.
    pub(crate) fn text(subject: &str, body: String, date: Timestamp) -> Outgoing {
        let message_id = format!("<{}@{}>", unique::id(), host());
        Outgoing { subject: subject.to_owned(), body, html: None, message_id, date }
    }

    /// The same with an HTML form beside the text.
    pub(crate) fn with_html(self, html: String) -> Outgoing {
        Outgoing { html: Some(html), ..self }
    }

    /// Queues it.
    pub(crate) fn queue(&self, state: &mut State, queue: Handle<Queue>) {
        // A struct of texts and numbers always becomes JSON.
        state.get_mut(queue).push(None, serde_json::to_string(self).unwrap_or_default());
    }

    /// The message, from and to those whom the settings name.
    pub(super) fn compose(self, settings: &EmailSettings) -> Result<Message, String> {
        let mut builder = Message::builder().from(mailbox(&settings.from)?);
        for address in &settings.to {
            builder = builder.to(mailbox(address)?);
        }
        let part = |kind: ContentType, body: String| {
            SinglePart::builder().header(kind).header(ContentTransferEncoding::QuotedPrintable).body(body)
        };
        let builder = builder
            .subject(self.subject)
            .message_id(Some(self.message_id))
            .date(UNIX_EPOCH + Timestamp(0).until(self.date));
        let text = part(ContentType::TEXT_PLAIN, self.body);
        let message = match self.html {
            None => builder.singlepart(text),
            Some(html) => builder.multipart(
                MultiPart::alternative().singlepart(text).singlepart(part(ContentType::TEXT_HTML, html)),
            ),
        };
        message.map_err(|e| e.to_string())
    }
}

/// The message as a pipe takes it: with the line ends of this system.
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
        assert_eq!(body.trim_end(), "na=C3=AFve =3D ja\n.\nFrom here");
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
