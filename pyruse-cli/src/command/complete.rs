//! `pyruse complete`: prints the possible endings of a command line, for the completion scripts of shells.
//!
//! The scripts (`packaging/completions`) only pass what was typed and read what is printed, one candidate per line. So
//! bash, zsh and fish offer the same, including values that only this program knows: modules, sets, bans, keys.
//!
//! Candidates come from the configuration and the state, so attackers can write them. A candidate with characters that
//! a terminal executes is not offered; for bash, which inserts the text unchanged, everything that a shell would
//! interpret is quoted.

use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::mpsc::channel;
use std::time::Duration;

use clap_complete::engine::{CompletionCandidate, complete};

use super::text::is_hidden;
use crate::ending::Ending;

/// The longest time for a list: a daemon that hangs must not block the shell.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Prints the possible endings of a command line, for the completion scripts
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The line up to the cursor, as bash passes it; the output is quoted for bash
    #[arg(long, allow_hyphen_values = true, conflicts_with = "words")]
    line: Option<String>,
    /// The characters at which bash breaks words
    #[arg(long, allow_hyphen_values = true, default_value = "", requires = "line")]
    breaks: String,
    /// The words up to the cursor, without their quotes; the last one is completed
    #[arg(last = true)]
    words: Vec<OsString>,
}

/// Runs the command; `cli` builds the whole command line, on another thread.
pub(crate) fn run(cli: fn() -> clap::Command, args: &Args) -> anyhow::Result<Ending> {
    let typed = args.line.as_deref().map(Typed::of);
    let words = match &typed {
        Some(typed) => typed.words.iter().map(OsString::from).collect(),
        None => args.words.clone(),
    };
    let mut out = io::stdout().lock();
    for candidate in candidates(cli, words) {
        let Some(value) = candidate.get_value().to_str().filter(|value| !value.contains(is_hidden)) else {
            continue;
        };
        if let Some(typed) = &typed {
            if let Some(value) = typed.quoted(value, &args.breaks) {
                writeln!(out, "{value}")?;
            }
        } else {
            let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
            writeln!(out, "{value}\t{}", help.lines().next().unwrap_or_default())?;
        }
    }
    Ok(Ending::Good)
}

/// Returns the candidates for the last word.
fn candidates(cli: fn() -> clap::Command, words: Vec<OsString>) -> Vec<CompletionCandidate> {
    let (sender, found) = channel();
    std::thread::spawn(move || {
        let last = words.len().saturating_sub(1);
        let directory = std::env::current_dir().ok();
        let found = complete(&mut cli(), words, last, directory.as_deref());
        // The receiver may have timed out.
        let _ = sender.send(found.unwrap_or_default());
    });
    found.recv_timeout(TIME_LIMIT).unwrap_or_default()
}

/// Returns the words of the command line that is being completed, without their quotes.
pub(super) fn words_of_the_line() -> Vec<String> {
    let args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let behind = |name: &str| args.iter().position(|arg| arg == name).map(|at| &args[at + 1..]);
    match (behind("--line"), behind("--")) {
        (Some([line, ..]), _) => Typed::of(line).words,
        (_, Some(words)) => words.to_vec(),
        _ => Vec::new(),
    }
}

/// A line as typed, up to the cursor.
struct Typed {
    /// The words without their quotes; the last one may be empty.
    words: Vec<String>,
    /// The last word as typed.
    last: String,
}

impl Typed {
    /// Splits the line into words, as a shell does; a quote may still be open.
    fn of(line: &str) -> Typed {
        let (mut words, mut word, mut last) = (Vec::new(), String::new(), String::new());
        let mut quote = None;
        let mut letters = line.chars();
        while let Some(c) = letters.next() {
            match (quote, c) {
                (None, ' ' | '\t' | '\n') => {
                    if !last.is_empty() {
                        words.push(std::mem::take(&mut word));
                    }
                    last.clear();
                    continue;
                }
                (None, '\'' | '"') => quote = Some(c),
                (Some(open), c) if open == c => quote = None,
                (None | Some('"'), '\\') => {
                    last.push('\\');
                    let Some(next) = letters.next() else { break };
                    word.push(next);
                    last.push(next);
                    continue;
                }
                (_, c) => word.push(c),
            }
            last.push(c);
        }
        words.push(word);
        Typed { words, last }
    }

    /// Returns the candidate in the form in which bash inserts it instead of its last word; `None` if it cannot be
    /// written in that form.
    fn quoted(&self, value: &str, breaks: &str) -> Option<String> {
        if self.last.starts_with(['\'', '"']) {
            // The quote stays open, and bash closes it.
            return (!value.contains(['\'', '"', '\\', '$', '`', '!'])).then(|| value.to_owned());
        }
        // bash only replaces the text after the last of these characters.
        let before = self
            .last
            .rfind(|c| matches!(c, ':' | '=') && breaks.contains(c))
            .map_or("", |at| &self.last[..=at]);
        let rest =
            if before.is_empty() { value } else { value.strip_prefix(&Typed::of(before).words.concat())? };
        let mut quoted = String::with_capacity(rest.len());
        for c in rest.chars() {
            if !(c.is_alphanumeric() || "_./:=@%+,-".contains(c)) {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        Some(quoted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_into_words_as_a_shell_does() {
        for (line, words) in [
            ("pyruse ", &["pyruse", ""][..]),
            ("pyruse  bans\tadd 1", &["pyruse", "bans", "add", "1"]),
            ("p --set 'ip filter ss", &["p", "--set", "ip filter ss"]),
            (r#"p "a\"b c" d\ e"#, &["p", "a\"b c", "d e"]),
            (r"p 'a\'", &["p", r"a\"]),
            (r"p '' \", &["p", "", ""]),
        ] {
            assert_eq!(Typed::of(line).words, words, "{line}");
        }
    }

    #[test]
    fn nothing_is_offered_to_bash_that_it_would_execute() {
        for (line, value, quoted) in [
            ("p ", "ip filter ssh", Some(r"ip\ filter\ ssh")),
            ("p ", "$(reboot);`x`&|>'\"", Some(r#"\$\(reboot\)\;\`x\`\&\|\>\'\""#)),
            ("p 'ip ", "ip filter ssh", Some("ip filter ssh")),
            ("p 'ip ", "ip'$(reboot)", None),
            ("p nftBan:1", "nftBan:12", Some("12")),
            ("p 2001:db8:", "2001:db8::1", Some(":1")),
            ("p --set=a", "--set=ab", Some("ab")),
        ] {
            assert_eq!(Typed::of(line).quoted(value, " \t\n\"'><=;|&(:").as_deref(), quoted, "{line}{value}");
        }
        assert_eq!(Typed::of("p a:1").quoted("a:12", " ").as_deref(), Some("a:12"));
    }
}
