//! `pyruse import fail2ban`: the jails of an installed fail2ban become rules.
//!
//! fail2ban itself says what it would run (`fail2ban-client -d`); where it is not there, its files do. Each jail becomes a
//! file of rules, and what they share another one. A page says, jail by jail, what could not come over; the others come
//! over.

mod actions;
pub(crate) mod bans;
mod chain;
mod checked;
mod commands;
mod database;
mod date;
mod expression;
mod files;
mod firewall;
mod ignored;
mod jail;
mod joined;
mod literal;
mod named;
mod origin;
mod page;
mod rules;
mod session;
mod tags;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use pyruse_core::plugin::Registry;
use pyruse_core::program;
use serde_json::{Value, json};

use self::commands::Configuration;
use self::firewall::Services;
use self::ignored::Lists;
use self::jail::Jail;
use self::origin::Source;
use self::page::{Grade, Outcome};
use self::rules::{Common, Rules};
use super::output::{File, Output};
use crate::command::text::{counted, grouped, print_line, printable};
use crate::ending::Ending;

/// How long fail2ban-client may take.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(60);

/// Writes the jails of fail2ban as rules, with a page about what differs
///
/// Nothing of fail2ban is changed, and no file is overwritten. A jail that cannot come over is reported, and the others
/// come over; the exit code is then 1.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The directory of fail2ban's configuration
    #[arg(value_name = "DIR", default_value = "/etc/fail2ban")]
    directory: PathBuf,
    #[command(flatten)]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  pyruse import fail2ban --dry-run
  pyruse import fail2ban /etc/fail2ban --output /etc/pyruse/import";

pub(crate) fn run(args: &Args) -> anyhow::Result<Ending> {
    args.output.check_absent()?;
    let configuration = read(&args.directory)?;
    let registry = Registry::linked()?;
    let services = std::fs::read_to_string("/etc/services").unwrap_or_default();
    let imported = Import::of(&configuration, &Services::parse(&services), &registry);
    let from = args.directory.display().to_string();
    let files = imported.files(&from, &args.output.shown(), &configuration);
    args.output.write(&files)?;
    imported.report(&configuration)
}

/// Asks fail2ban what it would run.
fn read(directory: &Path) -> anyhow::Result<Configuration> {
    if !directory.is_dir() {
        bail!("{} is not a directory: name that of fail2ban's configuration", directory.display());
    }
    let text = directory.to_str().context("the name of the directory is not UTF-8")?;
    let why = match program::ask(&["fail2ban-client".into()], &["-c", text, "-d"], CLIENT_TIMEOUT) {
        Ok(printed) => {
            let mut configuration = commands::read(&String::from_utf8_lossy(&printed));
            files::name_logs(directory, &mut configuration.jails);
            return Ok(configuration);
        }
        Err(failure) if failure.not_started => "is not there".to_owned(),
        Err(failure) => format!("failed ({})", failure.message),
    };
    eprintln!("pyruse: fail2ban-client {}: the files are read", printable(&why));
    files::read(directory).map_err(anyhow::Error::msg)
}

/// What the jails become.
struct Import {
    outcomes: Vec<Outcome>,
    lists: Lists,
    sources: Vec<Source>,
    /// The names of the sources.
    names: BTreeSet<String>,
}

impl Import {
    fn of(configuration: &Configuration, services: &Services, registry: &Registry) -> Import {
        let log = configuration.log.as_deref();
        let common = Common {
            services,
            log,
            remember: configuration.remember,
            logs_bans: configuration.jails.iter().any(|jail| origin::reads_bans(jail, log)),
            are_several_journals: configuration.jails.iter().any(origin::has_own_journal),
        };
        let mut import = Import {
            outcomes: Vec::new(),
            lists: Lists::default(),
            sources: Vec::new(),
            names: BTreeSet::from([origin::JOURNAL.to_owned()]),
        };
        for jail in &configuration.jails {
            let outcome = import.jail(jail, &identifier(&jail.name), &common, registry);
            import.outcomes.push(outcome);
        }
        import
    }

    fn jail(&mut self, jail: &Jail, prefix: &str, common: &Common<'_>, registry: &Registry) -> Outcome {
        let mut allowed = Vec::new();
        let rules = rules::convert(jail, prefix, common, &mut self.lists).and_then(|mut rules| {
            self.share_source(&mut rules);
            allowed = checked::check(&mut rules, &self.lists, registry)?;
            Ok((rules, format!("jails/{prefix}.json")))
        });
        Outcome { jail: jail.name.clone(), rules, allowed }
    }

    /// Gives the source of the jail its name; jails that read the same files in the same way share it.
    fn share_source(&mut self, rules: &mut Rules) {
        let Some(source) = &mut rules.source else { return };
        if let Some(known) = self.sources.iter().find(|known| known.reads_the_same(source)) {
            source.name.clone_from(&known.name);
        } else {
            source.name = unique(&identifier(&rules.jail), &mut self.names);
            self.sources.push(source.clone());
        }
        let name = source.name.clone();
        for step in rules.chains.iter_mut().flat_map(|chain| &mut chain.steps) {
            step.name_source(&name);
        }
    }

    fn rules(&self) -> impl Iterator<Item = &(Rules, String)> {
        self.outcomes.iter().filter_map(|outcome| outcome.rules.as_ref().ok())
    }

    fn files(&self, from: &str, directory: &str, configuration: &Configuration) -> Vec<File> {
        let mut files = vec![File {
            name: "README.md".into(),
            text: page::page(from, directory, &self.outcomes, &configuration.problems()),
        }];
        let paths: Vec<&str> = self.rules().map(|(_, file)| file.as_str()).collect();
        if paths.is_empty() {
            return files;
        }
        let mut keys = vec![format!("    \"include\": {}", chain::spaced(&json!(paths)))];
        let object = |members: Vec<(String, Value)>| {
            let lines: Vec<String> = members
                .iter()
                .map(|(key, value)| {
                    format!("        {}: {}", Value::from(key.as_str()), chain::spaced(value))
                })
                .collect();
            format!("{{\n{}\n    }}", lines.join(",\n"))
        };
        let used: BTreeSet<&str> = self.rules().filter_map(|(rules, _)| rules.list.as_deref()).collect();
        let lists: Vec<_> = self.lists.settings().filter(|(name, _)| used.contains(name.as_str())).collect();
        if !lists.is_empty() {
            keys.push(format!("    // Who is never banned.\n    \"lists\": {}", object(lists)));
        }
        let used: BTreeSet<&str> =
            self.rules().filter_map(|(rules, _)| rules.source.as_ref()).map(|s| s.name.as_str()).collect();
        let sources: Vec<(String, Value)> = self
            .sources
            .iter()
            .filter(|source| used.contains(source.name.as_str()))
            .map(|source| (source.name.clone(), source.settings()))
            .collect();
        if !sources.is_empty() {
            keys.push(format!("    // Log files, and other journals.\n    \"sources\": {}", object(sources)));
        }
        let programs: Vec<(String, Value)> =
            self.rules().flat_map(|(rules, _)| rules.programs.clone()).collect();
        if !programs.is_empty() {
            keys.push(format!(
                "    // Programs that ban.\n    \"runBan\": {{\"sets\": {}}}",
                object(programs)
            ));
        }
        files.push(File { name: "fail2ban.json".into(), text: format!("{{\n{}\n}}\n", keys.join(",\n")) });
        files.push(File { name: "pyruse.json".into(), text: self.main_file() });
        let rules: Vec<_> = self.rules().filter_map(|(rules, _)| rules.rule.clone()).collect();
        if !rules.is_empty() {
            files.push(File { name: "fail2ban.nft".into(), text: firewall::ruleset(&rules) });
        }
        for (rules, file) in self.rules() {
            let mut text =
                format!("// The jail {}.\n{{\n    \"actions\": {{\n", chain::one_line(&rules.jail));
            chain::write(&rules.chains, &mut text);
            text += "    }\n}\n";
            files.push(File { name: file.clone(), text });
        }
        files
    }

    fn main_file(&self) -> String {
        let mut keys = vec!["    \"include\": \"fail2ban.json\"".to_owned()];
        let has_sources = self.rules().any(|(rules, _)| rules.source.is_some());
        if has_sources && self.rules().any(|(rules, _)| rules.reads_journal) {
            keys.push("    \"sources\": {\"journal\": {\"source\": \"source_journal\"}}".into());
        }
        let recipients: BTreeSet<&str> =
            self.rules().flat_map(|(rules, _)| &rules.recipients).map(String::as_str).collect();
        if !recipients.is_empty() {
            keys.push(format!("    \"email\": {{\"to\": {}}}", chain::spaced(&json!(recipients))));
        }
        format!("{{\n{}\n}}\n", keys.join(",\n"))
    }

    /// Prints how each jail came over.
    fn report(&self, configuration: &Configuration) -> anyhow::Result<Ending> {
        for outcome in &self.outcomes {
            let grade = outcome.grade();
            let why = match &outcome.rules {
                Err(why) => format!(": {why}"),
                Ok((rules, _)) if grade == Grade::InPart => format!(": {}", rules.lacks.join("; ")),
                Ok(_) => String::new(),
            };
            let line = format!("{}: {}{why}", outcome.jail, grade.word());
            print_line(&printable(&line))?;
        }
        let problems = configuration.problems();
        for problem in &problems {
            print_line(&printable(problem))?;
        }
        let count = |grade: Grade| self.outcomes.iter().filter(|outcome| outcome.grade() == grade).count();
        print_line(&format!(
            "{}: {} the same, {} with differences, {} in part, {} not",
            counted(self.outcomes.len() as u64, "jail", "jails"),
            grouped(count(Grade::Same) as u64),
            grouped(count(Grade::Different) as u64),
            grouped(count(Grade::InPart) as u64),
            grouped(count(Grade::Not) as u64)
        ))?;
        let is_whole = problems.is_empty() && count(Grade::InPart) + count(Grade::Not) == 0;
        Ok(if is_whole && !self.outcomes.is_empty() { Ending::Good } else { Ending::Failed })
    }
}

impl Configuration {
    /// What could not be read of jails that are not there at all, in words.
    fn problems(&self) -> Vec<String> {
        let unread =
            self.unread.iter().map(|line| format!("a line of fail2ban-client was not understood: {line}"));
        let refused = self.refused.iter().cloned();
        let none = self.jails.is_empty() && self.refused.is_empty();
        unread.chain(refused).chain(none.then(|| "no jail is enabled".to_owned())).collect()
    }
}

/// Returns a name of letters, digits and `_`, for groups, sets and files. It depends on the name of the jail alone, and no
/// two jails have the same: a name with other characters than letters, digits and `-` gets a hash.
fn identifier(name: &str) -> String {
    const LONGEST: usize = 40;
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut text: String = name.chars().take(LONGEST).map(plain).collect();
    let is_letter = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !is_letter {
        text.insert_str(0, "jail_");
    }
    let is_usual = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !is_letter || name.len() > LONGEST || !name.chars().all(is_usual) {
        let _ = write!(text, "_{:08x}", hash(name));
    }
    text
}

/// FNV-1a: names of sets must be the same with every version.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Returns that name, or one with a number if it is taken.
fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut found = name.to_owned();
    let mut number = 2;
    while !taken.insert(found.clone()) {
        found = format!("{name}_{number}");
        number += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::identifier;

    #[test]
    fn no_two_jails_have_the_same_name_for_their_sets() {
        assert_eq!(identifier("nginx-http-auth"), "nginx_http_auth");
        // Sets that are in use must be found again.
        assert_eq!(identifier("a_b"), "a_b_1ba46871");
        let long = "x".repeat(300);
        let names = [
            "a-b",
            "a_b",
            "a b",
            "a.b",
            "3proxy",
            "jail-3proxy",
            "é",
            "è",
            "../x",
            "",
            &long,
            &long[..41],
            &long[..40],
        ];
        for (n, name) in names.iter().enumerate() {
            let found = identifier(name);
            assert!(found.len() < 60 && found.starts_with(|c: char| c.is_ascii_alphabetic()), "{found}");
            assert!(found.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{found}");
            assert!(names[..n].iter().all(|other| identifier(other) != found), "{name}: {found}");
        }
    }
}
