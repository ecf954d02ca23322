//! Renders a report's two formats from templates: those shipped inside the program, or files instead of them.

use std::path::{Path, PathBuf};

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

/// Renders the first program's form as plain text.
pub(super) fn text(content: &Content) -> String {
    shipped(content, TEXT, false)
}

/// Renders the first program's form as HTML.
pub(super) fn html(content: &Content) -> String {
    shipped(content, HTML, true)
}

/// Renders a digest as plain text.
pub(super) fn digest_text(digest: &Digest) -> String {
    shipped(digest, DIGEST_TEXT, false)
}

/// Renders a digest as HTML.
pub(super) fn digest_html(digest: &Digest) -> String {
    shipped(digest, DIGEST_HTML, true)
}

/// The user's templates. If one cannot be read or rendered, an error is logged, once, and it is not used any more.
pub(super) struct Templates<'s> {
    text: Option<Template<'s>>,
    html: Option<Template<'s>>,
}

struct Template<'s> {
    path: &'s Path,
    source: String,
}

impl<'s> Templates<'s> {
    /// Reads the templates that the settings name.
    pub(super) fn load(settings: &'s ReportSettings) -> Templates<'s> {
        let load = |path: &'s Option<PathBuf>| {
            let path = path.as_deref()?;
            let source = std::fs::read_to_string(path).map_err(|e| log(path, &e.to_string())).ok()?;
            Some(Template { path, source })
        };
        Templates { text: load(&settings.text_template), html: load(&settings.html_template) }
    }

    /// Renders the template for plain text; `None` if there is none, or if it fails.
    pub(super) fn text(&mut self, content: &Content) -> Option<String> {
        own(&mut self.text, content, false)
    }

    /// Renders the template for HTML, likewise.
    pub(super) fn html(&mut self, content: &Content) -> Option<String> {
        own(&mut self.html, content, true)
    }
}

fn own(template: &mut Option<Template<'_>>, content: &Content, html: bool) -> Option<String> {
    let Template { path, source } = template.as_ref()?;
    let rendered = with_template(content, source, html).map_err(|e| log(path, &format!("{e:#}"))).ok();
    if rendered.is_none() {
        *template = None;
    }
    rendered
}

fn log(path: &Path, error: &str) {
    tracing::error!(
        "the report's template {} cannot be used; the built-in one is used instead: {error}",
        path.display()
    );
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
        let html = html(&full());
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
        let text = text(&full());
        assert!(!text.contains("\nSubject: y"), "{text}");
        assert!(text.contains("\nWARN\n====\n     5  <script>"), "{text}");
        assert!(text.contains("\n2026-11-18 11:06:40+00:00: <script>"), "{text}");
    }

    #[test]
    fn a_broken_template_is_not_used() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let settings =
            ReportSettings { text_template: Some(file.path().to_owned()), ..ReportSettings::default() };
        for (template, expected) in [
            ("{% if %}", None),
            ("{{ totals.bans }} bans on {{ host|length > 0 }}", Some("600 bans on True")),
            ("{{ no_such }}", None),
        ] {
            std::fs::write(file.path(), template).unwrap();
            let mut templates = Templates::load(&settings);
            assert_eq!(templates.text(&full()).as_deref(), expected);
            assert_eq!(templates.html(&full()), None);
        }
        drop(file);
        assert_eq!(Templates::load(&settings).text(&full()), None);
    }
}
