//! The graph in the language of Graphviz: a table for each chain, with a port for each step.

use std::fmt::Write as _;

use super::mermaid::{MANY, title};
use super::picture::{Chain, ChainKind, Exit, Picture};
use super::svg::escaped;
use crate::command::text::cut;

const COLUMNS: usize = 60;

pub(super) fn draw(picture: &Picture) -> String {
    let mut out = String::from(
        "digraph pyruse {\n    rankdir=TB;\n    node [shape=plain, fontname=\"sans-serif\", fontsize=11];\n    \
         edge [fontname=\"sans-serif\", fontsize=9];\n",
    );
    for (n, chain) in picture.chains.iter().enumerate() {
        let _ = writeln!(out, "    c{n} [label=<{}>];", table(picture, chain));
    }
    for (n, chain) in picture.chains.iter().enumerate() {
        for (s, step) in chain.steps.iter().enumerate() {
            for (exit, to) in step.jumps().filter(|(_, to)| is_drawn(&picture.chains[*to])) {
                let attributes = match exit {
                    Exit::Then => "color=\"#15803d\"",
                    Exit::Else => "color=\"#b45309\", style=dashed",
                };
                let _ =
                    writeln!(out, "    c{n}:s{s} -> c{to}:title [label=\"{}\", {attributes}];", exit.word());
            }
        }
        if let Some(to) = picture.goes_on_at_only(n) {
            let _ = writeln!(out, "    c{n}:open -> c{to}:title [weight=10, penwidth=2];");
        }
    }
    out.push_str("}\n");
    out
}

fn is_drawn(chain: &Chain) -> bool {
    chain.callers.len() <= MANY
}

fn table(picture: &Picture, chain: &Chain) -> String {
    let (border, colour) = match chain.kind {
        ChainKind::TopLevel(_) => ("#1e3a5f", "#dbeafe"),
        ChainKind::Jump => ("#64748b", "#f1f5f9"),
        ChainKind::Unreachable => ("#b91c1c", "#fee2e2"),
    };
    let text_colour = if chain.quiet { "#94a3b8" } else { "#0f172a" };
    let mut out = format!(
        "<TABLE BORDER=\"1\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"4\" COLOR=\"{border}\">\
         <TR><TD PORT=\"title\" BGCOLOR=\"{colour}\" ALIGN=\"LEFT\"><FONT COLOR=\"{text_colour}\"><B>{}</B></FONT></TD></TR>",
        escaped(&title(chain))
    );
    for (s, step) in chain.steps.iter().enumerate() {
        let sign = if step.kind == "filter" { "◇" } else { "■" };
        let _ = write!(
            out,
            "<TR><TD PORT=\"s{s}\" ALIGN=\"LEFT\" BALIGN=\"LEFT\"><FONT COLOR=\"{text_colour}\">{sign} {}",
            escaped(&step.module)
        );
        if !step.main_argument.is_empty() {
            let _ = write!(out, "<BR/>{}", escaped(&cut(&step.main_argument, COLUMNS)));
        }
        for (exit, to) in step.jumps().filter(|(_, to)| !is_drawn(&picture.chains[*to])) {
            let _ =
                write!(out, "<BR/>{} → {}", exit.word(), escaped(&cut(&picture.chains[to].label, COLUMNS)));
        }
        out.push_str("</FONT></TD></TR>");
    }
    let on = match chain.goes_on_at.as_slice() {
        [] => "",
        [Some(_)] => "else: on",
        [None] => "else: stop",
        _ => "else: continue after the caller",
    };
    if !on.is_empty() {
        let _ =
            write!(out, "<TR><TD PORT=\"open\" ALIGN=\"LEFT\"><FONT COLOR=\"#64748b\">{on}</FONT></TD></TR>");
    }
    out.push_str("</TABLE>");
    out
}
