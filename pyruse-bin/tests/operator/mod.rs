//! An operator: runs commands, and records their output as a person sees it.

#![allow(dead_code, reason = "each test file uses a part of this")]

use std::process::Output;

use serde_json::Value;

use crate::common::{Firewall, Running, Site};

/// Exit code, standard output and standard error.
pub fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    format!("exit code {code}\n{}{}", text(&output.stdout), text(&output.stderr))
}

/// The output of a command, with the site's path and all times replaced.
pub fn plain(site: &Site, text: &str) -> String {
    let text = text.replace(&site.path("").display().to_string(), "SITE/");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("20") {
        let shape: String =
            rest[at..].chars().take(19).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        out.push_str(&rest[..at]);
        if shape == "0000-00-00 00:00:00" {
            out.push_str("YYYY-MM-DD hh:mm:ss");
            rest = &rest[at + 19..];
            // Output for people has the zone of this machine.
            if rest.starts_with(['+', '-']) && rest.as_bytes().get(3) == Some(&b':') {
                out.push_str("+zz:zz");
                rest = &rest[6..];
            }
        } else if shape == "0000-00-00T00:00:00" {
            // Output for programs has as many digits behind the point as necessary.
            out.push_str("YYYY-MM-DDThh:mm:ss");
            rest = rest[at + 19..].trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
        } else {
            out.push_str("20");
            rest = &rest[at + 2..];
        }
    }
    out.push_str(rest);
    // The age of a ban is some seconds, or some more on a busy machine.
    if out.contains("  AGE  ") { out.lines().map(|line| without_seconds(line) + "\n").collect() } else { out }
}

/// The line, with durations below a minute replaced, and the rest aligned.
fn without_seconds(line: &str) -> String {
    let is_seconds =
        |word: &str| word.strip_suffix('s').is_some_and(|n| n.len() <= 2 && n.parse::<u8>().is_ok());
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for at in (0..words.len()).rev().filter(|at| *at > 0) {
        if is_seconds(&words[at]) {
            if words[at].len() == 2 && words.get(at + 1).is_some_and(String::is_empty) {
                words.remove(at + 1);
            }
            "NNs".clone_into(&mut words[at]);
        }
    }
    words.join(" ")
}

/// The number of a process, replaced.
pub fn without_pid(text: &str, pid: u32) -> String {
    text.replace(&format!("process {pid}"), "process PID")
}

/// The object that a command prints.
pub fn json(site: &Site, firewall: Option<&Firewall>, args: &[&str]) -> Value {
    let output = site.pyruse(firewall, args);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&output)))
}

/// Set and address of all bans.
pub fn bans(site: &Site, firewall: &Firewall) -> Vec<(String, String)> {
    let listed = json(site, Some(firewall), &["bans", "list", "--json"]);
    let text = |ban: &Value, key: &str| ban[key].as_str().unwrap().to_owned();
    listed["bans"].as_array().unwrap().iter().map(|ban| (text(ban, "set"), text(ban, "ip"))).collect()
}

pub fn stop(pyruse: Running, site: &Site) {
    assert!(pyruse.terminate().success(), "{}", site.log());
}

/// The commands of an operator and their output.
pub struct Session<'s> {
    site: &'s Site,
    firewall: Option<&'s Firewall>,
    lines: Vec<String>,
}

impl<'s> Session<'s> {
    pub fn new(site: &'s Site, firewall: Option<&'s Firewall>) -> Session<'s> {
        Session { site, firewall, lines: Vec::new() }
    }

    pub fn run(&mut self, args: &[&str]) -> String {
        let printed = plain(self.site, &said(&self.site.pyruse(self.firewall, args)));
        let quoted: Vec<String> = args
            .iter()
            .map(|arg| if arg.contains(' ') { format!("'{arg}'") } else { (*arg).into() })
            .collect();
        self.lines.push(format!("$ pyruse {}\n{printed}", quoted.join(" ")));
        printed
    }

    pub fn note(&mut self, text: &str) {
        self.lines.push(format!("# {text}\n"));
    }

    pub fn text(self) -> String {
        self.lines.join("\n")
    }
}
