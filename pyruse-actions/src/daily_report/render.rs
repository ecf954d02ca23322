//! Renders a report's two formats from templates: those shipped inside the program, or files instead of them.

use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use pyruse_core::serde::Serialize;

use super::content::Content;
use super::digest::Digest;
use super::settings::ReportSettings;

const TEXT: &str = include_str!("templates/report.txt");
const HTML: &str = include_str!("templates/report.html");
const DIGEST_TEXT: &str = include_str!("templates/digest.txt");
const DIGEST_HTML: &str = include_str!("templates/digest.html");

/// Renders the plain-text format.
pub(super) fn text(content: &Content, settings: &ReportSettings) -> String {
    own_text(content, settings).unwrap_or_else(|| shipped(content, TEXT, false))
}

/// Renders the HTML format.
pub(super) fn html(content: &Content, settings: &ReportSettings) -> String {
    own_html(content, settings).unwrap_or_else(|| shipped(content, HTML, true))
}

/// Renders a digest as plain text.
pub(super) fn digest_text(digest: &Digest) -> String {
    shipped(digest, DIGEST_TEXT, false)
}

/// Renders a digest as HTML.
pub(super) fn digest_html(digest: &Digest) -> String {
    shipped(digest, DIGEST_HTML, true)
}

/// Renders the user's template for plain text; `None` if there is none, or if it fails.
pub(super) fn own_text(content: &Content, settings: &ReportSettings) -> Option<String> {
    own(content, settings.text_template.as_deref()?, false)
}

/// Renders the user's template for HTML, likewise.
pub(super) fn own_html(content: &Content, settings: &ReportSettings) -> Option<String> {
    own(content, settings.html_template.as_deref()?, true)
}

/// Renders a template of the user's. If its file cannot be read or rendered, an error is logged.
fn own(content: &Content, path: &Path, html: bool) -> Option<String> {
    let source = std::fs::read_to_string(path).map_err(|e| e.to_string());
    let rendered =
        source.and_then(|source| with_template(content, &source, html).map_err(|e| format!("{e:#}")));
    let log = |e: &String| {
        tracing::error!(
            "the report's template {} cannot be used; the built-in one is used instead: {e}",
            path.display()
        );
    };
    rendered.inspect_err(log).ok()
}

fn shipped(content: &impl Serialize, template: &str, html: bool) -> String {
    with_template(content, template, html).unwrap_or_else(|e| {
        // A test renders the shipped templates with all kinds of content.
        tracing::error!("the built-in template of the report failed: {e:#}");
        "The report could not be rendered; see the journal.\n".to_owned()
    })
}

fn with_template(content: &impl Serialize, source: &str, html: bool) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(move |_| if html { AutoEscape::Html } else { AutoEscape::None });
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.render_str(source, Serde(content))
}

#[cfg(test)]
mod tests {
    use pyruse_core::jiff::tz::TimeZone;
    use pyruse_core::state::State;
    use pyruse_core::time::Timestamp;

    use super::super::day::BanNote;
    use super::super::{Details, Line, Recorded, ReportLevel};
    use super::*;

    /// A report with all kinds of content, and markup in every text.
    fn full() -> Content {
        let mut state = State::in_memory();
        let mut layout = state.layout();
        let recorded = Recorded::open(&mut layout).unwrap();
        state.adopt(&layout).unwrap();
        let at = |n: i64| Timestamp::from_seconds(1_795_000_000 + n);
        let evil = "<script>alert('x')</script>\r\nSubject: y\u{202e}\u{1b}[31m";
        for n in 0..30 {
            for level in ReportLevel::ALL {
                let message = format!("{evil} {}", n % 7);
                recorded.record(
                    &mut state,
                    Line { details: Details::FirstLast, ..Line::of(level, at(n), &message) },
                    20,
                );
            }
        }
        let day = state.get_mut(recorded.day);
        for n in 0..600 {
            day.count_entry(Some(evil), at(n));
            day.count_entry(Some("sshd"), at(n));
            day.count_entry(None, at(n));
            day.note_ban(|| BanNote {
                at: at(n),
                ip: evil.into(),
                set: evil.into(),
                chain: evil.into(),
                until: (n % 2 == 0).then(|| at(n + 600)),
                counter: None,
                line: None,
            });
            day.note_mail();
        }
        let settings = ReportSettings { max_messages: 5, ..ReportSettings::default() };
        Content::collect(&mut state, recorded, &settings, &TimeZone::UTC, at(700)).unwrap().unwrap()
    }

    #[test]
    fn the_html_format_escapes_everything_and_contains_everything() {
        let html = html(&full(), &ReportSettings::default());
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains('\u{202e}') && !html.contains('\u{1b}'), "{html}");
        for part in [
            ">1,800<",
            ">600</b>bans",
            "… and 100 more",
            "… and 2 more messages",
            "… and 10 more lines",
            "for ever",
            "2026-11-18 11:16:40+00:00",
            "(others)",
            "Until: 2026-11-18 11:07:04+00:00",
            "&lt;script&gt;",
        ] {
            assert!(html.contains(part), "{part}");
        }
    }

    #[test]
    fn the_text_form_has_one_line_for_each_line() {
        let text = text(&full(), &ReportSettings::default());
        assert!(!text.contains("\nSubject: y"), "{text}");
        assert!(text.contains("\nWARN\n====\n     5  <script>"), "{text}");
        assert!(text.contains("\n2026-11-18 11:06:40+00:00: <script>"), "{text}");
    }

    #[test]
    fn a_broken_template_falls_back_to_the_shipped_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "{% if %}").unwrap();
        let settings =
            ReportSettings { text_template: Some(file.path().to_owned()), ..ReportSettings::default() };
        assert!(text(&full(), &settings).starts_with("Pyruse on "));
        std::fs::write(&file, "{{ totals.bans }} bans on {{ host|length > 0 }}").unwrap();
        assert_eq!(text(&full(), &settings), "600 bans on True");
        std::fs::write(&file, "{{ no_such }}").unwrap();
        assert!(text(&full(), &settings).starts_with("Pyruse on "));
    }
}
