//! The mail of a report: subject, text, HTML, and the short form, together under one bound.
//!
//! A server refuses a mail that is too large, and anybody who can write log lines decides how large a report would be. So
//! the digest, and every other form, is made with fewer and fewer rows until the encoded mail fits; what is left out is
//! counted in it. A template of the user's may be large whatever its rows: then the text alone is sent, cut.

use std::fmt::Write as _;

use pyruse_core::text::grouped;

use super::attach::ATTACHED;
use super::content::Content;
use super::digest::{Day, Digest, Limits, Weighing};
use super::render::{self, Templates};
use super::settings::{Attach, ReportSettings};

/// The maximum size of the short form, in bytes.
const SHORT: usize = 16 * 1024;

/// The room for the mail's own headers, in bytes.
const HEADERS: usize = 2048;

/// The room for what is said about a text that is cut, in bytes.
const CUT_NOTE: usize = 256;

/// The subject of a report in the first program's form.
const FORMER_SUBJECT: &str = "Pyruse Report";

/// A report as it is sent.
pub(super) struct Composed {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
    /// What is sent if the server refuses the mail as too large.
    pub(super) short: String,
    pub(super) verdict: String,
    /// The text as it would be without a bound, if something is left out and that is attached.
    pub(super) whole: Option<String>,
}

/// Composes the mail of a day; `None` if nothing is recorded. `content` is that of the forms that are not a digest, if one
/// is wanted; `subject` is a subject that is not a template.
pub(super) fn compose(
    day: &Day<'_>,
    content: Option<Content>,
    settings: &ReportSettings,
    subject: Option<&str>,
) -> Option<Composed> {
    let weighing = Weighing::of(day)?;
    let bound = settings.max_bytes as usize - HEADERS;
    let bound = if settings.attach == Attach::None { bound } else { bound - bound / ATTACHED };
    let of_digest = || digest(&weighing, bound, settings.attach == Attach::Cut);
    let parts = match content {
        Some(content) => former(content, settings, bound, of_digest),
        None => of_digest(),
    };
    let least = weighing.digest(Limits::SHORT);
    let former_subject = (!settings.group).then_some(FORMER_SUBJECT);
    Some(Composed {
        subject: subject.or(former_subject).map_or_else(|| least.subject(&settings.subject), str::to_owned),
        verdict: least.verdict().to_owned(),
        short: short(day, &least),
        text: parts.text,
        html: parts.html,
        whole: parts.whole,
    })
}

/// The parts of a mail.
struct Parts {
    text: String,
    html: String,
    whole: Option<String>,
}

impl Parts {
    fn fit(&self, bound: usize) -> bool {
        encoded_len(&self.text) + encoded_len(&self.html) <= bound
    }

    /// Sends the text alone, and as much of it as fits.
    fn cut(&mut self, bound: usize) {
        self.html.clear();
        let room = bound.saturating_sub(CUT_NOTE);
        let end = prefix(&self.text, room);
        let left = grouped((self.text.len() - end) as u64);
        self.text.truncate(end);
        let what = if left == "0" {
            "The HTML part is"
        } else {
            &format!("… {left} more bytes and the HTML part are")
        };
        // Writing to a text does not fail.
        let _ =
            write!(self.text, "\n{what} left out:\nthe mail would be larger than `dailyReport.maxBytes`.\n");
    }
}

/// Returns the digest, with as many rows as fit.
fn digest(weighing: &Weighing<'_>, bound: usize, is_attached: bool) -> Parts {
    let mut limits = Limits::NORMAL;
    loop {
        let digest = weighing.digest(limits);
        let (text, html) = (render::digest_text(&digest), render::digest_html(&digest));
        let mut parts = Parts { text, html, whole: None };
        let fits = parts.fit(bound);
        if let Some(fewer) = limits.halved().filter(|_| !fits) {
            limits = fewer;
            continue;
        }
        if !fits {
            parts.cut(bound);
        }
        if is_attached && (!fits || digest.is_cut()) {
            parts.whole = Some(render::digest_text(&weighing.digest(Limits::NONE)));
        }
        return parts;
    }
}

/// Returns the form of the first program, or that of the user's templates, with as many rows as fit. What the user has no
/// template for is in the form of the first program, or a digest.
fn former(
    mut content: Content,
    settings: &ReportSettings,
    bound: usize,
    of_digest: impl Fn() -> Parts,
) -> Parts {
    let mut templates = Templates::load(settings);
    let digest = settings.group.then(of_digest);
    let mut render = |content: &Content| {
        let (text, html) = (templates.text(content), templates.html(content));
        match &digest {
            Some(digest) => Parts {
                text: text.unwrap_or_else(|| digest.text.clone()),
                html: html.unwrap_or_else(|| digest.html.clone()),
                whole: None,
            },
            None => Parts {
                text: text.unwrap_or_else(|| render::text(content)),
                html: html.unwrap_or_else(|| render::html(content)),
                whole: None,
            },
        }
    };
    let mut parts = render(&content);
    if parts.fit(bound) {
        return parts;
    }
    let whole = Some(std::mem::take(&mut parts.text));
    loop {
        // A template may show something else than rows.
        let has_fewer = content.halve();
        let mut parts = Parts { whole: None, ..render(&content) };
        if parts.fit(bound) || !has_fewer {
            if !parts.fit(bound) {
                parts.cut(bound);
            }
            return Parts { whole, ..parts };
        }
    }
}

/// Returns the short form of a report, from a digest with few rows.
fn short(day: &Day<'_>, digest: &Digest) -> String {
    let (date, text) = (day.date(), render::digest_text(digest));
    let mut short = format!(
        "The mail server refused the whole report as too large. This is its short form.\nThe whole is shown by:\n\n    \
         pyruse report show --date {date}\n\n{text}"
    );
    short.truncate(prefix(&short, SHORT));
    short
}

/// How long a text is as quoted-printable, at most, in bytes.
#[derive(Default)]
struct Encoded {
    characters: usize,
    line_ends: usize,
}

impl Encoded {
    fn add(&mut self, character: char) {
        let is_plain = matches!(character, ' '..='~' | '\n') && character != '=';
        self.characters += if is_plain { 1 } else { 3 * character.len_utf8() };
        self.line_ends += usize::from(character == '\n');
    }

    fn len(&self) -> usize {
        // A soft line break in each full line; a line end is two characters, and a blank before it is encoded.
        self.characters + self.characters / 70 * 3 + 3 * self.line_ends
    }
}

fn encoded_len(text: &str) -> usize {
    let mut encoded = Encoded::default();
    text.chars().for_each(|character| encoded.add(character));
    encoded.len()
}

/// Returns the length of the longest beginning of a text that takes at most `bound` bytes when it is encoded.
fn prefix(text: &str, bound: usize) -> usize {
    let mut encoded = Encoded::default();
    let exceeding = text.char_indices().find(|(_, character)| {
        encoded.add(*character);
        encoded.len() > bound
    });
    exceeding.map_or(text.len(), |(at, _)| at)
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
    }

    #[test]
    fn the_longest_beginning_that_fits_ends_between_characters() {
        for (text, bound) in
            [("é€😀a\n=".repeat(1000), 500), ("x".repeat(9000), 8191), ("€".into(), 8), ("ab".into(), 9)]
        {
            let end = prefix(&text, bound);
            assert!(encoded_len(&text[..end]) <= bound);
            let more = text[end..].chars().next().map_or(end, |next| end + next.len_utf8());
            assert!(more == end || encoded_len(&text[..more]) > bound, "{end} of {}", text.len());
        }
    }
}
