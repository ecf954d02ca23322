//! What reports tell, read again from their text form: so that the sum of all reports can be compared with what was
//! recorded. A report that is cut, but for its list of bans, would tell less than there is, and is an error.

use std::collections::BTreeMap;

use super::distinct;
use crate::common::Site;

/// What reports tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    pub entries: u64,
    pub warnings: u64,
    pub bans: u64,
    pub mails: u64,
    /// How often each line was recorded; with its section.
    pub lines: BTreeMap<String, u64>,
    /// Were they too many to list them all?
    pub unlisted_bans: bool,
    /// How often each address was banned in each set.
    pub banned: BTreeMap<String, u64>,
    pub identifiers: BTreeMap<String, u64>,
}

impl Told {
    /// Reads a report in its text form.
    pub fn read(text: &str) -> Told {
        let mut told = Told::default();
        let mut section = "";
        let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
        while let Some(line) = lines.next() {
            if lines.next_if(|next| next.starts_with("===")).is_some() {
                section = line;
                continue;
            }
            if let Some(totals) = line.strip_prefix("Entries read ") {
                let mut totals = totals.split(", ").map(|total| {
                    total.trim_start_matches(|c: char| !c.is_ascii_digit()).replace(',', "").parse().unwrap()
                });
                let mut next = || totals.next().unwrap();
                (told.entries, told.warnings, told.bans, told.mails) = (next(), next(), next(), next());
            }
            match section {
                "BANS" if line.starts_with('…') => told.unlisted_bans = true,
                _ if line.starts_with('…') => panic!("the report is cut: {line}"),
                "BANS" => {
                    let (ban, _) = line.split_once(", by ").unwrap();
                    let (_, ban) = ban.split_once("  ").unwrap();
                    *told.banned.entry(ban.replace("  ", " ")).or_default() += 1;
                }
                // Set in farther than a count are times.
                "WARN" | "INFO" if !line.starts_with("        ") => {
                    let (count, message) = line.trim_start().split_once("  ").unwrap();
                    *told.lines.entry(format!("{section} {message}")).or_default() +=
                        count.parse::<u64>().unwrap();
                }
                "OTHER" => {
                    let (_, message) = line.split_once(": ").unwrap();
                    *told.lines.entry(format!("OTHER {message}")).or_default() += 1;
                }
                "BUSIEST IDENTIFIERS" => {
                    let (name, count) = line.rsplit_once(": ").unwrap();
                    *told.identifiers.entry(name.to_owned()).or_default() +=
                        count.replace(',', "").parse::<u64>().unwrap();
                }
                _ => {}
            }
        }
        told
    }

    /// What both tell together.
    pub fn add(mut self, other: Told) -> Told {
        self.entries += other.entries;
        self.warnings += other.warnings;
        self.bans += other.bans;
        self.mails += other.mails;
        self.unlisted_bans |= other.unlisted_bans;
        let maps = [
            (&mut self.lines, other.lines),
            (&mut self.banned, other.banned),
            (&mut self.identifiers, other.identifiers),
        ];
        for (sum, map) in maps {
            for (key, count) in map {
                *sum.entry(key).or_default() += count;
            }
        }
        self
    }
}

/// Is it a report?
pub fn is_report(mail: &str) -> bool {
    mail.contains("\nSubject: Pyruse Report\n")
}

/// The text part of a report's mail.
fn text_part(mail: &str) -> String {
    let (_, rest) = mail.split_once("Content-Type: text/plain").expect("a report has a text part");
    let (_, rest) = rest.split_once("\n\n").unwrap();
    let coded = rest.split_once("\n--").map_or(rest, |(part, _)| part).replace("=\n", "");
    let mut bytes = Vec::new();
    let mut pieces = coded.split('=');
    bytes.extend(pieces.next().unwrap_or_default().bytes());
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).expect("quoted-printable"));
        bytes.extend(piece[2..].bytes());
    }
    String::from_utf8(bytes).unwrap()
}

/// All reports that have come, each once.
pub fn reports(site: &Site) -> Vec<Told> {
    let mails: Vec<String> = site.mails().into_iter().filter(|mail| is_report(mail)).collect();
    // The line between two parts is another one at each try.
    distinct(&mails, |mail| Told::read(&text_part(mail)))
}
