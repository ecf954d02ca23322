//! The reports that were sent and are kept: lists them, shows one, and writes them as a static site.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, bail};
use pyruse_core::plugin::{KeptReport, ReportForm};
use pyruse_core::state::State;
use serde_json::{Value, json};

use super::super::json;
use super::super::loaded::Loaded;
use super::super::text::{print_line, printable};
use crate::ending::Ending;
use crate::storage;

pub(super) const NO_REPORT: &str = "no linked module makes a report";

/// Returns the kept reports, the oldest first.
fn read(config: Option<&Path>) -> anyhow::Result<Vec<KeptReport>> {
    let loaded = Loaded::open(config)?;
    let mut state = storage::read(&loaded.config().storage)?.unwrap_or_else(State::in_memory);
    let mut engine = loaded.plan.bind(&mut state)?;
    Ok(engine.services.kept_reports(&mut state).context(NO_REPORT)??)
}

/// Lists the kept reports, the latest first.
pub(super) fn list(config: Option<&Path>, as_json: bool) -> anyhow::Result<Ending> {
    let reports = read(config)?;
    if as_json {
        let one = |report: &KeptReport| {
            json!({
                "date": report.date,
                "since": report.since.map(|since| since.to_string()),
                "until": report.until.to_string(),
                "verdict": report.verdict,
                "counts": serde_json::from_str::<Value>(&report.json).ok().map(|report| report["counts"].clone()),
            })
        };
        json::print(&json!({"reports": reports.iter().rev().map(one).collect::<Vec<_>>()}))?;
        return Ok(Ending::Good);
    }
    if reports.is_empty() {
        tracing::info!("no report was sent yet; the one of today is shown by: pyruse report show");
    }
    for report in reports.iter().rev() {
        print_line(&printable(&format!("{}  {}", report.date, report.verdict)))?;
    }
    Ok(Ending::Good)
}

/// Prints the reports of a date, the first one first; for programs and as HTML, the last one.
pub(super) fn show(config: Option<&Path>, date: &str, form: ReportForm) -> anyhow::Result<Ending> {
    let reports = read(config)?;
    let Some(report) = reports.iter().rev().find(|report| report.date == date) else {
        let last =
            reports.last().map_or_else(String::new, |last| format!("; the last one is of {}", last.date));
        bail!("no report of `{date}` is kept{last}; list them with: pyruse report list");
    };
    match form {
        ReportForm::Json => {
            let report: Value = serde_json::from_str(&report.json).context("the report is not JSON")?;
            json::print(&json!({ "report": report }))?;
        }
        ReportForm::Html => print_line(report.html.trim_end())?,
        _ => {
            let of_date = reports.iter().filter(|report| report.date == date);
            let texts: Vec<&str> = of_date.map(|report| report.text.trim_end()).collect();
            print_line(&texts.join("\n\n\n"))?;
        }
    }
    Ok(Ending::Good)
}

/// Writes the kept reports as pages, and an index of them.
pub(super) fn export(config: Option<&Path>, directory: &Path) -> anyhow::Result<Ending> {
    let reports = read(config)?;
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let mut items = String::new();
    for (n, report) in reports.iter().enumerate().rev() {
        let earlier = reports[..n].iter().filter(|other| other.date == report.date).count();
        let name =
            if earlier == 0 { report.date.clone() } else { format!("{}-{}", report.date, earlier + 1) };
        write(directory, &format!("{name}.html"), &report.html)?;
        let _ = writeln!(
            items,
            "<li><a href=\"{name}.html\">{}</a> {}</li>",
            escaped(&report.date),
            escaped(&report.verdict)
        );
    }
    let list = if items.is_empty() {
        "<p>No report was sent yet.</p>".to_owned()
    } else {
        format!("<ul>\n{items}</ul>")
    };
    write(directory, "index.html", &INDEX.replace("{list}", &list))?;
    tracing::info!("{} reports are written to {}", reports.len(), directory.display());
    Ok(Ending::Good)
}

/// The page that lists the others.
const INDEX: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Reports of Pyruse</title>
<style>
:root { color-scheme: light dark; }
body { max-width: 760px; margin: 0 auto; padding: 16px; font: 15px/1.6 system-ui, sans-serif; }
</style>
</head>
<body>
<h1>Reports of Pyruse</h1>
{list}
</body>
</html>
"#;

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// Writes a file as a whole: a web server may be reading it. A link of that name is replaced, not followed.
fn write(directory: &Path, name: &str, content: &str) -> anyhow::Result<()> {
    let (path, new) = (directory.join(name), directory.join(format!(".{name}.new")));
    let _ = fs::remove_file(&new);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&new)
        .and_then(|mut file| file.write_all(content.as_bytes()))
        .and_then(|()| fs::rename(&new, &path));
    written.with_context(|| format!("writing {}", path.display()))
}
