//! A page of Markdown: its blocks, its headings, its links.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A fenced block.
pub struct Block {
    /// The line of its fence, from 1.
    pub line: usize,
    pub language: String,
    /// The text behind the language: what the block is, for the tests.
    pub info: String,
    pub text: String,
}

pub struct Page {
    pub path: PathBuf,
    pub blocks: Vec<Block>,
    /// The names of its headings, as links refer to them.
    pub anchors: Vec<String>,
    /// The targets of its links, each with its line.
    pub links: Vec<(usize, String)>,
    /// The texts between backticks in its prose, each with its line.
    pub codes: Vec<(usize, String)>,
}

impl Page {
    pub fn read(path: &Path) -> Page {
        let text = std::fs::read_to_string(path).unwrap();
        let mut page = Page {
            path: path.to_owned(),
            blocks: Vec::new(),
            anchors: Vec::new(),
            links: Vec::new(),
            codes: Vec::new(),
        };
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut lines = text.lines().enumerate().map(|(n, line)| (n + 1, line));
        let mut prose = String::new();
        while let Some((number, line)) = lines.next() {
            let indent = line.len() - line.trim_start().len();
            if let Some(info) = line.trim_start().strip_prefix("```") {
                let (language, info) = info.trim().split_once(' ').unwrap_or((info.trim(), ""));
                let body: Vec<&str> = lines
                    .by_ref()
                    .map(|(_, line)| line)
                    .take_while(|line| line.trim() != "```")
                    .map(|line| line.get(indent..).unwrap_or(line.trim_start()))
                    .collect();
                page.blocks.push(Block {
                    line: number,
                    language: language.to_owned(),
                    info: info.to_owned(),
                    text: body.iter().flat_map(|line| [*line, "\n"]).collect(),
                });
                continue;
            }
            if let Some(heading) = heading(line) {
                let anchor = anchor(heading);
                let count = seen.entry(anchor.clone()).or_default();
                page.anchors.push(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
                *count += 1;
            }
            // A link's text may continue in the next line; its target does not.
            prose.clear();
            prose.push_str(&without_code(line));
            let codes = line.split('`').skip(1).step_by(2);
            page.codes.extend(codes.map(|code| (number, code.to_owned())));
            page.links.extend(targets(&prose).map(|target| (number, target.to_owned())));
        }
        page
    }

    /// The position of a block, for people.
    pub fn place(&self, block: &Block) -> String {
        format!("{}:{}", self.path.display(), block.line)
    }
}

fn heading(line: &str) -> Option<&str> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    (1..=6).contains(&level).then(|| line[level..].strip_prefix(' '))?
}

/// The name of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The line without the texts between backticks, because expressions look like links.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// The texts in `](…)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}
