//! `pyruse check --explain CODE`: prints the page of one kind of finding.
//!
//! The texts and examples are those of `docs/lints.md`: both come from the lints themselves.

use std::io::{self, Write};

use anyhow::bail;
use pyruse_core::config::{Lint, nearest};
use pyruse_core::review::lints;
use serde_json::{Value, json};

use crate::command::json;
use crate::command::page::TextPage;
use crate::command::table::{Column, Table};
use crate::command::text::{printable, terminal_columns};

/// Prints the page of a code; for an empty code, the list of all.
pub(super) fn run(code: &str, json: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if code.is_empty() {
        return Ok(list(&mut out, json)?);
    }
    let lint = find(code)?;
    if json {
        json::write_line(&mut out, &as_json(lint))?;
    } else {
        out.write_all(page(lint, terminal_columns()).as_bytes())?;
    }
    Ok(())
}

/// Finds a lint by its code or its name, ignoring case.
fn find(code: &str) -> anyhow::Result<&'static Lint> {
    let is_meant =
        |lint: &&Lint| lint.code.eq_ignore_ascii_case(code) || lint.name.eq_ignore_ascii_case(code);
    if let Some(lint) = lints().find(is_meant) {
        return Ok(lint);
    }
    let near = nearest(code, lints().flat_map(|lint| [lint.code, lint.name]));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    bail!("there is no finding `{}`{hint} (`pyruse check --explain` lists all of them)", printable(code));
}

fn list(out: &mut impl Write, json: bool) -> io::Result<()> {
    if json {
        return lints().try_for_each(|lint| json::write_line(out, &as_json(lint)));
    }
    let mut table =
        Table::new([Column::name("CODE"), Column::name("NAME"), Column::name("IS"), Column::text("FINDS")]);
    for lint in lints() {
        table.row([lint.code.into(), lint.name.into(), lint.severity.word().into(), lint.what.into()]);
    }
    table.write(out, terminal_columns())
}

fn page(lint: &Lint, width: usize) -> String {
    let Lint { code, name, severity, what, why, instead, .. } = lint;
    let mut page = TextPage::new(&format!("{code}: {name} ({})", severity.word()), width);
    page.prose(what, 2);
    page.title("Why it matters");
    page.prose(&sentence(why), 2);
    page.title("Instead");
    page.prose(instead, 2);
    match lint.examples.rules() {
        Some([bad, good]) => {
            page.title("Reported for");
            page.verbatim(&bad, 2);
            page.title("Not reported for");
            page.verbatim(&good, 2);
        }
        None => {
            page.title("Only `pyruse check --live` finds this: it checks this machine, without changing it.");
        }
    }
    page.title("If it does not apply");
    page.prose("Allow it, with the reason, on a line of the step or directly above it:", 2);
    page.verbatim(&format!("// allow {code}: the reason"), 4);
    page.out
}

/// Makes a sentence of a text that has a small first letter and no full stop because it usually follows other words.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}

fn as_json(lint: &Lint) -> Value {
    let mut object = json!({
        "code": lint.code,
        "name": lint.name,
        "severity": lint.severity,
        "what": lint.what,
        "why": lint.why,
        "instead": lint.instead,
        "page": lint.page(),
    });
    if let Some([bad, good]) = lint.examples.rules() {
        object["examples"] = json!({"found": bad, "notFound": good});
    }
    object
}
