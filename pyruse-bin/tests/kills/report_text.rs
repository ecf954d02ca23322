//! Reads reports in their text form, so that the sum of all reports can be compared with what was recorded. A report that
//! is cut, except in its list of bans, is an error, because it is incomplete.

use std::collections::BTreeMap;

use super::distinct;
use crate::common::Site;

/// The content of one or more reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReportText {
    pub entries: u64,
    pub warnings: u64,
    pub bans: u64,
    pub mails: u64,
    /// How often each line was recorded; with its section.
    pub lines: BTreeMap<String, u64>,
    /// Whether there were too many to list them all.
    pub unlisted_bans: bool,
    /// How often each address was banned in each set.
    pub banned: BTreeMap<String, u64>,
    pub identifiers: BTreeMap<String, u64>,
}

impl ReportText {
    /// Reads a report in its text form.
    pub fn read(text: &str) -> ReportText {
        let mut reported = ReportText::default();
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
                (reported.entries, reported.warnings, reported.bans, reported.mails) =
                    (next(), next(), next(), next());
            }
            match section {
                "BANS" if line.starts_with('…') => reported.unlisted_bans = true,
                _ if line.starts_with('…') => panic!("the report is cut: {line}"),
                "BANS" => {
                    let (ban, _) = line.split_once(", by ").unwrap();
                    let (_, ban) = ban.split_once("  ").unwrap();
                    *reported.banned.entry(ban.replace("  ", " ")).or_default() += 1;
                }
                // A line that is indented more than a count has times.
                "WARN" | "INFO" if !line.starts_with("        ") => {
                    let (count, message) = line.trim_start().split_once("  ").unwrap();
                    *reported.lines.entry(format!("{section} {message}")).or_default() +=
                        count.parse::<u64>().unwrap();
                }
                "OTHER" => {
                    let (_, message) = line.split_once(": ").unwrap();
                    *reported.lines.entry(format!("OTHER {message}")).or_default() += 1;
                }
                "BUSIEST IDENTIFIERS" => {
                    let (name, count) = line.rsplit_once(": ").unwrap();
                    *reported.identifiers.entry(name.to_owned()).or_default() +=
                        count.replace(',', "").parse::<u64>().unwrap();
                }
                _ => {}
            }
        }
        reported
    }

    /// Adds the content of another report.
    pub fn add(mut self, other: ReportText) -> ReportText {
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

/// Returns `true` if the mail is a report.
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

/// All reports that have arrived, each once.
pub fn reports(site: &Site) -> Vec<ReportText> {
    let mails: Vec<String> = site.mails().into_iter().filter(|mail| is_report(mail)).collect();
    // The boundary between two parts differs at each try.
    distinct(&mails, |mail| ReportText::read(&text_part(mail)))
}
