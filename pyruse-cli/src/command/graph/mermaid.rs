//! The graph in the language of Mermaid: a subgraph for each chain, with its steps in it.
//!
//! Labels may contain any character. Mermaid supports entity codes (`#34;`) in quoted texts; all characters that could
//! end such a text, or have a meaning in it, are written this way.

use std::fmt::Write as _;

use super::picture::{Chain, ChainKind, Exit, Picture};
use crate::command::text::cut;

/// A longer label would make a box that is wider than a screen.
const COLUMNS: usize = 60;

/// A chain with at least this many callers is named where it is used.
pub(super) const MANY: usize = 4;

pub(super) fn draw(picture: &Picture) -> String {
    let mut out = String::from("flowchart TD\n");
    let drawn = |chain: &Chain| chain.callers.len() <= MANY;
    for (n, chain) in picture.chains.iter().enumerate() {
        let _ = writeln!(out, "    subgraph c{n} [\"{}\"]", text(&title(chain)));
        let _ = writeln!(out, "        direction TB");
        for (s, step) in chain.steps.iter().enumerate() {
            let mut label = text(&step.module);
            if !step.main_argument.is_empty() {
                let _ = write!(label, "<br/>{}", text(&step.main_argument));
            }
            for (exit, to) in step.jumps().filter(|(_, to)| !drawn(&picture.chains[*to])) {
                let _ = write!(label, "<br/>{} → {}", exit.word(), text(&picture.chains[to].label));
            }
            let (open, close) = if step.kind == "filter" { ("{{\"", "\"}}") } else { ("[\"", "\"]") };
            let _ = writeln!(out, "        c{n}s{s}{open}{label}{close}");
        }
        for s in 1..chain.steps.len() {
            if chain.steps[s].reachable {
                let _ = writeln!(out, "        c{n}s{} --> c{n}s{s}", s - 1);
            }
        }
        let _ = writeln!(out, "    end");
    }
    for (n, chain) in picture.chains.iter().enumerate() {
        for (s, step) in chain.steps.iter().enumerate() {
            for (exit, to) in step.jumps().filter(|(_, to)| drawn(&picture.chains[*to])) {
                let line = if exit == Exit::Then { "-->" } else { "-.->" };
                let _ = writeln!(out, "    c{n}s{s} {line}|{}| c{to}s0", exit.word());
            }
        }
        if let Some(to) = picture.goes_on_at_only(n) {
            let _ = writeln!(out, "    c{n} ==> c{to}");
        }
    }
    for (n, chain) in picture.chains.iter().enumerate() {
        if chain.kind == ChainKind::Unreachable {
            let _ = writeln!(out, "    style c{n} stroke-dasharray:6 4");
        } else if chain.quiet {
            let _ = writeln!(out, "    style c{n} opacity:0.5");
        }
    }
    out
}

/// Returns the label with its number.
pub(super) fn title(chain: &Chain) -> String {
    let label = cut(&crate::command::text::printable(&chain.label), COLUMNS);
    match chain.kind {
        ChainKind::TopLevel(number) => format!("{number} · {label}"),
        ChainKind::Jump => label,
        ChainKind::Unreachable => format!("{label} (never reached)"),
    }
}

/// Escapes and shortens a text for use within quotes.
fn text(text: &str) -> String {
    let mut out = String::new();
    for c in cut(text, COLUMNS).chars() {
        match c {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | ';' | '{' | '}' | '[' | ']' | '|' | '%' | '*'
            | '_' | '~' => {
                let _ = write!(out, "#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    // An empty text is not a label.
    if out.is_empty() { "#160;".into() } else { out }
}
