//! The mail of a report: subject, text, HTML, and the short form, together under one bound.
//!
//! A server refuses a mail that is too large, and anybody who can write log lines decides how large a report would be. So
//! the digest is made with fewer and fewer rows until the encoded mail fits; what is left out is counted in it.

use pyruse_core::text::floor_char_boundary;

use super::attach::ATTACHED;
use super::digest::{Day, Digest, Limits, Weighing};
use super::render;
use super::settings::{Attach, ReportSettings};

/// The maximum size of the short form, in bytes.
const SHORT: usize = 16 * 1024;

/// The room for the mail's own headers, in bytes.
const HEADERS: usize = 2048;

/// A report as it is sent.
pub(super) struct Composed {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
    /// What is sent if the server refuses the mail as too large.
    pub(super) short: String,
    pub(super) verdict: String,
    /// Whether rows are left out.
    pub(super) is_cut: bool,
}

/// Composes the mail of a day; `None` if nothing is recorded. `subject` is a subject that is not a template.
pub(super) fn compose(day: &Day<'_>, settings: &ReportSettings, subject: Option<&str>) -> Option<Composed> {
    let bound = settings.max_bytes as usize - HEADERS;
    let bound = if settings.attach == Attach::None { bound } else { bound - bound / ATTACHED };
    let weighing = Weighing::of(day)?;
    let mut limits = Limits::NORMAL;
    let (digest, text, html) = loop {
        let digest = weighing.digest(limits);
        let (text, html) = (render::digest_text(&digest), render::digest_html(&digest));
        if encoded_len(&text) + encoded_len(&html) <= bound {
            break (digest, text, html);
        }
        let Some(fewer) = limits.halved() else {
            // Not even the fewest rows fit: then the text alone is sent.
            break (digest, cut(text, bound), String::new());
        };
        limits = fewer;
    };
    Some(Composed {
        subject: subject.map_or_else(|| digest.subject(&settings.subject), str::to_owned),
        verdict: digest.verdict().to_owned(),
        is_cut: digest.is_cut(),
        text,
        html,
        short: short(day, &weighing.digest(Limits::SHORT)),
    })
}

/// Returns the short form of a report, from a digest with few rows.
pub(super) fn short(day: &Day<'_>, digest: &Digest) -> String {
    let (date, text) = (day.date(), render::digest_text(digest));
    let short = format!(
        "The mail server refused the whole report as too large. This is its short form.\nThe whole is shown by:\n\n    \
         pyruse report show --date {date}\n\n{text}"
    );
    cut(short, SHORT)
}

fn cut(mut text: String, bound: usize) -> String {
    while encoded_len(&text) > bound {
        text.truncate(floor_char_boundary(&text, text.len() / 2));
        text.push('…');
    }
    text
}

/// Returns how long a text is as quoted-printable, at most.
fn encoded_len(text: &str) -> usize {
    let special = |byte: &u8| !matches!(byte, b' '..=b'~' | b'\n') || *byte == b'=';
    let length = text.len() + 2 * text.bytes().filter(special).count();
    // A soft line break in each full line; a line end is two characters, and a blank before it is encoded.
    length + length / 70 * 3 + 3 * text.bytes().filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_an_encoded_text_is_never_underestimated() {
        for text in
            ["a = b\n".repeat(1000), "é€😀".repeat(1000), "x".repeat(10_000), " \n.\nFrom \n".repeat(500)]
        {
            let encoded = crate::email::quoted(text.clone()).into_vec().len();
            let estimated = encoded_len(&text);
            assert!((encoded..2 * encoded).contains(&estimated), "{encoded} {estimated}");
        }
        assert!(encoded_len(&cut("é".repeat(10_000), 500)) <= 500);
    }
}
