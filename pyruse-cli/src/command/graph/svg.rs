//! The graph as SVG: self-contained, light or dark as the viewer's setting, and identical for the same workflow.

use std::fmt::Write as _;

use super::layout::{BOX, GAP, HEAD, LINE, Layout, MARGIN, PAD, footer, rows};
use super::picture::{Chain, ChainKind, ChainNumber, Exit, Picture, Step};
use crate::command::text::{cut, printable};

/// The columns of a row's text, of a box's title, and of the word at the right end of a row.
const ROW: usize = 46;
const LABEL: usize = 42;
const WORD: usize = 7;

/// The longest text in a tooltip.
const TIP: usize = 1000;

pub(super) fn draw(picture: &Picture) -> String {
    let layout = Layout::of(picture);
    let (width, height) = (layout.width, layout.height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
         <defs>{MARKERS}</defs>\n<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n",
        escaped(&format!("The workflow of {}", printable(&picture.file)))
    );
    for (title, y) in &layout.titles {
        let _ = writeln!(out, "<text class=\"section\" x=\"{MARGIN}\" y=\"{}\">{title}</text>", y + 24);
    }
    write_spine(&mut out, picture, &layout);
    for (from, to) in layout.lines.iter() {
        write_lines(&mut out, picture, &layout, *from, *to);
    }
    for n in 0..picture.chains.len() {
        write_box(&mut out, picture, &layout, n);
    }
    out.push_str("</svg>\n");
    out
}

/// Draws the main path: from each top-level chain down to the next one.
fn write_spine(out: &mut String, picture: &Picture, layout: &Layout) {
    for n in 0..picture.chains.len() {
        let Some(to) = picture.next_on_main_way(n) else { continue };
        let (from, to) = (layout.spots[n], layout.spots[to]);
        let x = MARGIN + 26;
        let _ = writeln!(
            out,
            "<path class=\"spine\" d=\"M{x} {} V{}\" marker-end=\"url(#on)\"/>",
            from.y + from.height,
            to.y - 3
        );
    }
    if let Some(first) = picture.chains.iter().position(|chain| chain.kind == ChainKind::TopLevel(1)) {
        let spot = layout.spots[first];
        let _ = writeln!(
            out,
            "<path class=\"spine\" d=\"M{} {} V{}\" marker-end=\"url(#on)\"/>",
            MARGIN + 26,
            spot.y - 20,
            spot.y - 3
        );
    }
}

/// Draws the jumps from one chain to another in the next column.
fn write_lines(out: &mut String, picture: &Picture, layout: &Layout, from: ChainNumber, to: ChainNumber) {
    let (start, end) = (layout.spots[from], layout.spots[to]);
    let steps = picture.chains[from].steps.iter().zip(rows(picture, from, &layout.lines));
    for (step, row) in steps {
        for (exit, port) in ports(step, from, layout) {
            if exit.1 != to {
                continue;
            }
            let (x, y) = (start.x + BOX, start.y + row.top + port);
            let (right, down) = (end.x - 3, end.y + HEAD / 2);
            let bend = GAP / 2;
            let class = exit.0.word();
            let _ = writeln!(
                out,
                "<path class=\"line {class}\" d=\"M{x} {y} C{} {y} {} {down} {right} {down}\" marker-end=\"url(#{class})\"/>",
                x + bend,
                right - bend
            );
        }
    }
}

/// Returns the exits of a step that are lines, with their height in its row.
fn ports(step: &Step, chain: ChainNumber, layout: &Layout) -> Vec<((Exit, ChainNumber), i64)> {
    let drawn = step.jumps().filter(|(_, to)| layout.lines.has(chain, *to));
    drawn.zip(0_i64..).map(|(exit, n)| (exit, PAD / 2 + LINE / 2 + 3 + n * LINE)).collect()
}

fn write_box(out: &mut String, picture: &Picture, layout: &Layout, n: ChainNumber) {
    let chain = &picture.chains[n];
    let spot = layout.spots[n];
    let class = match chain.kind {
        ChainKind::TopLevel(_) => "top",
        ChainKind::Jump => "jump",
        ChainKind::Unreachable => "dead",
    };
    let quiet = if chain.quiet { " quiet" } else { "" };
    let _ = writeln!(
        out,
        "<g id=\"c{n}\" class=\"{class}{quiet}\" transform=\"translate({} {})\">",
        spot.x, spot.y
    );
    let _ = writeln!(out, "<rect class=\"box\" width=\"{BOX}\" height=\"{}\" rx=\"7\"/>", spot.height);
    let _ = writeln!(
        out,
        "<path class=\"head\" d=\"M0 {HEAD} V7 a7 7 0 0 1 7 -7 H{} a7 7 0 0 1 7 7 V{HEAD} Z\"/>",
        BOX - 7
    );
    let _ = writeln!(
        out,
        "<text class=\"label\" x=\"12\" y=\"20\">{}{}</text>",
        tip(&chain.label),
        escaped(&title(chain))
    );
    for (step, row) in chain.steps.iter().zip(rows(picture, n, &layout.lines)) {
        write_row(out, picture, layout, n, step, row.top);
    }
    if let Some(text) = footer(picture, n) {
        let _ = writeln!(
            out,
            "<text class=\"foot\" x=\"12\" y=\"{}\">{}</text>",
            spot.height - PAD,
            escaped(&cut(&printable(&text), ROW + 4))
        );
    }
    out.push_str("</g>\n");
}

fn write_row(out: &mut String, picture: &Picture, layout: &Layout, n: ChainNumber, step: &Step, top: i64) {
    let dead = if step.reachable { "" } else { " class=\"never\"" };
    let _ = writeln!(out, "<g{dead}>");
    if top > HEAD {
        let _ = writeln!(out, "<path class=\"rule\" d=\"M8 {top} H{}\"/>", BOX - 8);
    }
    let mut y = top + PAD / 2 + 13;
    let middle = y - 4;
    if step.kind == "filter" {
        let _ = writeln!(out, "<path class=\"filter\" d=\"M12 {middle} l5 -5 l5 5 l-5 5 Z\"/>");
    } else {
        let _ = writeln!(
            out,
            "<rect class=\"action\" x=\"12.5\" y=\"{}\" width=\"9\" height=\"9\" rx=\"2\"/>",
            middle - 5
        );
    }
    let exits = ports(step, n, layout);
    for ((exit, _), port) in &exits {
        let word = exit.word();
        let _ = writeln!(
            out,
            "<text class=\"exit {word}\" x=\"{}\" y=\"{}\">{word}</text>",
            BOX - 10,
            top + port + 4
        );
    }
    let room = |line: usize| if exits.len() > line { ROW - WORD } else { ROW };
    let ends = if step.ends { "<tspan class=\"foot\" dx=\"8\">stops here</tspan>" } else { "" };
    let _ = writeln!(
        out,
        "<text class=\"module\" x=\"30\" y=\"{y}\">{}{ends}</text>",
        escaped(&cut(&printable(&step.module), room(0) - 14))
    );
    if !step.main_argument.is_empty() {
        y += LINE;
        let _ = writeln!(
            out,
            "<text class=\"args\" x=\"30\" y=\"{y}\">{}{}</text>",
            tip(&step.main_argument),
            escaped(&cut(&step.main_argument, room(1)))
        );
    } else if exits.len() > 1 {
        y += LINE;
    }
    for (exit, to) in step.jumps().filter(|(_, to)| !layout.lines.has(n, *to)) {
        y += LINE;
        let (word, target) = (exit.word(), &picture.chains[to]);
        let quiet = if target.quiet { " faint" } else { "" };
        let _ = writeln!(
            out,
            "<a href=\"#c{to}\"><text class=\"name {word}{quiet}\" x=\"30\" y=\"{y}\">{}{word} → {}</text></a>",
            tip(&target.label),
            escaped(&cut(&title(target), ROW - WORD))
        );
    }
    out.push_str("</g>\n");
}

fn title(chain: &Chain) -> String {
    let label = printable(&chain.label);
    cut(
        &match chain.kind {
            ChainKind::TopLevel(number) => format!("{number} · {label}"),
            _ => label,
        },
        LABEL,
    )
}

fn tip(text: &str) -> String {
    format!("<title>{}</title>", escaped(&printable(&text.chars().take(TIP).collect::<String>())))
}

/// Escapes a text for XML and HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not allowed in XML.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

const MARKERS: &str = "\
<marker id=\"then\" class=\"tip then\" viewBox=\"0 0 8 8\" refX=\"6\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 Z\"/></marker>\
<marker id=\"else\" class=\"tip else\" viewBox=\"0 0 8 8\" refX=\"6\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 Z\"/></marker>\
<marker id=\"on\" class=\"tip on\" viewBox=\"0 0 8 8\" refX=\"6\" refY=\"4\" markerWidth=\"5\" markerHeight=\"5\" orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 Z\"/></marker>";

/// Light by default; dark if the viewer's setting is.
const STYLE: &str = "
text{font:12px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#0f172a}
.page{fill:#fff}
.section{font:600 17px system-ui,'DejaVu Sans',sans-serif}
.label{font:600 13px system-ui,'DejaVu Sans',sans-serif}
.box{fill:#fff;stroke:#94a3b8}
.head{fill:#e2e8f0}
.top .box{stroke:#1e3a5f;stroke-width:1.5}
.top .head{fill:#1e3a5f}
.top .label{fill:#fff}
.dead .box{stroke:#b91c1c;stroke-dasharray:6 4}
.dead .head{fill:#fee2e2}
.quiet .box{stroke:#cbd5e1}
.quiet .head{fill:#f1f5f9}
.quiet text,.faint{opacity:.6}
.never{opacity:.4;text-decoration:line-through}
.rule{stroke:#e2e8f0}
.args{fill:#475569}
.foot{fill:#64748b;font-style:italic;font-size:11px}
.filter{fill:#fff;stroke:#0369a1;stroke-width:1.5}
.action{fill:#7c3aed}
.exit{text-anchor:end;font-size:11px}
.exit.then,.name.then{fill:#15803d}
.exit.else,.name.else{fill:#b45309}
.line{fill:none;stroke-width:1.6}
.line.then{stroke:#15803d}
.line.else{stroke:#b45309;stroke-dasharray:6 3}
.spine{fill:none;stroke:#1e3a5f;stroke-width:2.5}
.tip.then{fill:#15803d}
.tip.else{fill:#b45309}
.tip.on{fill:#1e3a5f}
@media(prefers-color-scheme:dark){
text{fill:#e2e8f0}
.page{fill:#0b1120}
.box{fill:#111827;stroke:#475569}
.head{fill:#1f2937}
.top .box{stroke:#60a5fa}
.top .head{fill:#1e40af}
.dead .box{stroke:#f87171}
.dead .head{fill:#450a0a}
.quiet .box{stroke:#334155}
.quiet .head{fill:#172033}
.rule{stroke:#1f2937}
.args{fill:#94a3b8}
.foot{fill:#94a3b8}
.filter{fill:#111827;stroke:#38bdf8}
.action{fill:#a78bfa}
.exit.then,.name.then,.tip.then{fill:#4ade80}
.exit.else,.name.else,.tip.else{fill:#fbbf24}
.line.then{stroke:#4ade80}
.line.else{stroke:#fbbf24}
.spine{stroke:#60a5fa}
.tip.on{fill:#60a5fa}
}
";
