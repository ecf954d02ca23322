//! Prints effects, one per line: as JSON, or for people.

use std::io::{self, Write};

use pyruse_core::effect::{Effect, PlacedEffect};

use super::json;
use super::simulation::SimulationObserver;
use super::text::printable;

/// Prints effects as they happen.
pub(crate) struct EffectPrinter<W> {
    pub(crate) out: W,
    json: bool,
    /// The current line: its parts are many, and small.
    line: Vec<u8>,
}

impl<W: Write> EffectPrinter<W> {
    pub(crate) fn new(out: W, json: bool) -> EffectPrinter<W> {
        EffectPrinter { out, json, line: Vec::new() }
    }
}

impl<W: Write> SimulationObserver for EffectPrinter<W> {
    fn effect(&mut self, effect: &PlacedEffect<'_>) -> io::Result<()> {
        if self.json {
            self.line.clear();
            json::write_line(&mut self.line, effect)?;
            return self.out.write_all(&self.line);
        }
        let line = match effect.effect {
            Effect::Ban { set, ip, seconds, renewed, .. } => {
                let length = if *seconds == 0 { "for ever".to_owned() } else { format!("for {seconds} s") };
                format!("ban     {ip} in `{set}` {length}{}", if *renewed { " (again)" } else { "" })
            }
            Effect::Lift { set, ip, .. } => format!("lift    {ip} in `{set}`"),
            Effect::Email { subject, to, body } => {
                format!("mail    {subject} (to {}): {body}", to.join(", "))
            }
            Effect::Http { method, url, body } if body.is_empty() => format!("http    {method} {url}"),
            Effect::Http { method, url, body } => format!("http    {method} {url}: {body}"),
            Effect::Run { argv } => format!("run     {argv:?}"),
            Effect::Log { level, message } => format!("log     {level}: {message}"),
            Effect::Report { level, message, .. } => format!("report  {level}: {message}"),
            Effect::Error { message } => format!("error   {message}"),
            other => format!("effect  {}", serde_json::to_string(other).unwrap_or_default()),
        };
        writeln!(
            self.out,
            "{}  {}  [{} #{}]",
            effect.at.local(),
            printable(&line),
            printable(effect.chain),
            effect.step
        )
    }
}
