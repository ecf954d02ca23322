//! The path of an entry as text: a paragraph per chain, a line per step, and below it what the step read and did.

use std::io::{self, Write};

use pyruse_core::effect::Effect;
use serde_json::Value;

use super::path::{End, EntryPath, Exit, FieldValue, ShownValue, StepRun};
use crate::command::paint::{Paint, TextStyle};
use crate::command::text::{columns, counted, cut, folded, printable, wrapped_anywhere};

/// The number of columns before a step's details.
const INDENT: usize = 6;

/// The number of columns of the words `read`, `args`, `saved`, `effect`, `error`.
const WORD: usize = 8;

/// The longest value, in lines: a field may have 64 KiB, an argument a thousand networks.
const LINES: usize = 5;

pub(super) fn write(out: &mut impl Write, path: &EntryPath, width: usize, paint: Paint) -> io::Result<()> {
    let width = width.clamp(40, 120);
    writeln!(out, "entry of {}", path.shown_at)?;
    if let Some(cursor) = &path.cursor {
        writeln!(out, "{}", paint.style(TextStyle::Quiet, printable(cursor)))?;
    }
    let mut chain = None;
    for step in &path.steps {
        if chain != Some(&step.chain) {
            writeln!(out, "\n{}", paint.style(TextStyle::Heading, printable(&step.chain)))?;
            chain = Some(&step.chain);
        }
        write_step(out, step, width, paint)?;
    }
    writeln!(out, "\n{}", folded(&end(path), width))?;
    let saved = path.steps.iter().any(|step| step.kind == "action" && !step.saves.is_empty());
    if saved && path.state == "empty" {
        writeln!(
            out,
            "{}",
            paint.style(
                TextStyle::Quiet,
                folded(
                    "Values saved by actions come from a state that started empty (use --state for the daemon's).",
                    width
                )
            )
        )?;
    }
    Ok(())
}

fn write_step(out: &mut impl Write, step: &StepRun, width: usize, paint: Paint) -> io::Result<()> {
    let (mark, style) = match (step.kind, step.passed, &step.error) {
        (_, _, Some(_)) => ('!', TextStyle::Bad),
        ("filter", true, None) => ('✓', TextStyle::Good),
        ("filter", false, None) => ('✗', TextStyle::Bad),
        _ => ('•', TextStyle::Accent),
    };
    let exit = match &step.exit {
        Exit::Next => String::new(),
        Exit::End => "the entry stops here".into(),
        Exit::Then { to } => format!("then → {}", printable(to)),
        Exit::Else { to } => format!("else → {}", printable(to)),
        Exit::Open { to } => format!("continue → {}", printable(to)),
    };
    let head = format!("{:>3} {mark} {}", step.step, printable(&step.module));
    let gap = 32_usize.saturating_sub(columns(&head)).max(2);
    let exit = cut(&exit, width.saturating_sub(columns(&head) + gap));
    let head = format!("{:>3} {} {}", step.step, paint.style(style, mark), printable(&step.module));
    writeln!(out, "{}", format!("{head}{:gap$}{}", "", paint.style(TextStyle::Accent, exit)).trim_end())?;
    let mut rows = Rows { out, width, paint };
    for seen in &step.reads {
        rows.row("read", &field(seen))?;
    }
    rows.row("args", &shown_args(step))?;
    for seen in &step.saves {
        rows.row("saved", &field(seen))?;
    }
    for effect in &step.effects {
        rows.row("effect", &effect_words(effect))?;
    }
    if let Some(error) = &step.error {
        rows.row("error", &printable(error))?;
    }
    Ok(())
}

struct Rows<'w, W> {
    out: &'w mut W,
    width: usize,
    paint: Paint,
}

impl<W: Write> Rows<'_, W> {
    /// Writes a word, and a text that may take several lines.
    fn row(&mut self, word: &str, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let indent = INDENT + WORD;
        let lines = wrapped_anywhere(text, self.width - indent, LINES);
        for (n, line) in lines.iter().enumerate() {
            let word = if n == 0 { word } else { "" };
            let word = self.paint.style(TextStyle::Quiet, format!("{word:<WORD$}"));
            writeln!(self.out, "{:INDENT$}{word}{line}", "")?;
        }
        Ok(())
    }
}

fn field(seen: &FieldValue) -> String {
    let name = printable(&seen.field);
    match &seen.value {
        ShownValue::Missing => format!("{name} is missing"),
        ShownValue::Integer(integer) => format!("{name} = {integer}"),
        ShownValue::Time(time) => format!("{name} = {time}"),
        ShownValue::Text(text) => format!("{name} = {}", quoted(text)),
    }
}

/// Quotes a text as in JSON, so that it can be copied into an argument.
fn quoted(text: &str) -> String {
    printable(&Value::from(text).to_string())
}

/// Returns the arguments, except those that only name fields, which are shown anyway.
fn shown_args(step: &StepRun) -> String {
    let shown = |name: &str| step.reads.iter().chain(&step.saves).any(|seen| seen.field == name);
    let names_fields = |value: &Value| match value {
        Value::String(name) => shown(name),
        Value::Array(names) => names.iter().all(|name| name.as_str().is_some_and(shown)),
        _ => false,
    };
    let Some(args) = step.args.as_object() else { return String::new() };
    let args = args.iter().filter(|(_, value)| !names_fields(value));
    let args: Vec<String> = args.map(|(name, value)| format!("{name}: {}", spaced(value))).collect();
    printable(&args.join(", "))
}

/// Formats JSON with spaces, where a long list can be wrapped.
fn spaced(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn effect_words(effect: &Effect) -> String {
    let words = match effect {
        Effect::Ban { set, ip, seconds, renewed, .. } => {
            let length = if *seconds == 0 { "for ever".to_owned() } else { format!("for {seconds} s") };
            format!("ban {ip} in `{set}` {length}{}", if *renewed { " (again)" } else { "" })
        }
        Effect::Lift { set, ip, .. } => format!("lift the ban of {ip} in `{set}`"),
        Effect::Email { subject, to, body } => format!("mail to {}: {subject}: {body}", to.join(", ")),
        Effect::Http { method, url, body } if body.is_empty() => format!("{method} {url}"),
        Effect::Http { method, url, body } => format!("{method} {url}: {body}"),
        Effect::Run { argv } => format!("run {argv:?}"),
        Effect::Log { level, message } => format!("journal line, {level}: {message}"),
        Effect::Report { level, message, .. } => format!("report line, {level}: {message}"),
        other => serde_json::to_string(other).unwrap_or_default(),
    };
    printable(&words)
}

fn end(path: &EntryPath) -> String {
    let effects: usize = path.steps.iter().map(|step| step.effects.len()).sum();
    let effects = match effects {
        0 => "no effects".to_owned(),
        number => counted(number as u64, "effect", "effects"),
    };
    let steps = counted(path.steps.len() as u64, "step", "steps");
    let why = match path.end {
        End::Action => "the last step was an action at the end of its chain",
        End::NoMoreChains => "there is no further top-level chain",
        End::Error => "the entry stops at an action that fails",
        End::OwnDiagnostic => "it is one of Pyruse's own diagnostics, which never have consequences",
        End::NotAdmitted => "it has had its consequences already",
    };
    format!("{steps}, {effects}; {why}.")
}
