//! Jails from the files of fail2ban, where fail2ban-client is not there to say what they mean.

mod sections;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use self::sections::{DEFAULT, Sections};
use super::commands::Configuration;
use super::jail::{Action, Jail, boolean, seconds};
use super::named::{self, Named};

/// The section of filters and actions, and the one of their options.
const DEFINITION: &str = "Definition";
const INIT: &str = "Init";

/// How often tags within tags are replaced.
const ROUNDS: usize = 20;

/// The longest value with its tags replaced, in bytes.
const LONGEST: usize = 1 << 20;

/// Options of a jail that also its filter may have.
const OF_FILTER: [&str; 6] =
    ["prefregex", "failregex", "ignoreregex", "datepattern", "maxlines", "journalmatch"];

/// Options of a jail alone, and the command that sets each.
const OF_JAIL: [(&str, &str); 17] = [
    ("usedns", "usedns"),
    ("logtimezone", "logtimezone"),
    ("logencoding", "logencoding"),
    ("ignorecommand", "ignorecommand"),
    ("ignoreself", "ignoreself"),
    ("maxretry", "maxretry"),
    ("findtime", "findtime"),
    ("bantime", "bantime"),
    ("bantime.increment", "bantime.increment"),
    ("bantime.maxtime", "bantime.maxtime"),
    ("bantime.factor", "bantime.factor"),
    ("bantime.formula", "bantime.formula"),
    ("bantime.multipliers", "bantime.multipliers"),
    ("bantime.rndtime", "bantime.rndtime"),
    ("bantime.overalljails", "bantime.overalljails"),
    ("maxlines", "maxlines"),
    ("datepattern", "datepattern"),
];

/// Reads the enabled jails. A jail that cannot be read is noted, and the others are read.
pub(super) fn read(directory: &Path) -> Result<Configuration, String> {
    let mut server = Sections::default();
    server.read(&directory.join("fail2ban.conf"))?;
    let option = |key: &str| server.get(DEFINITION, key).ok().flatten();
    let mut configuration = Configuration {
        database: option("dbfile").filter(|path| path != "None"),
        remember: option("dbpurgeage").and_then(|text| seconds(&text).ok().flatten()),
        log: option("logtarget"),
        ..Configuration::default()
    };
    let mut jails = sections(directory, &mut configuration.refused);
    let names: Vec<String> = jails
        .names()
        .filter(|name| ![DEFAULT, "INCLUDES", DEFINITION].contains(name))
        .map(str::to_owned)
        .collect();
    for name in &names {
        let enabled = jails.get(name, "enabled").map(|text| text.and_then(|text| boolean(&text)));
        match enabled.and_then(|enabled| {
            if enabled == Some(true) { jail(directory, &mut jails, name).map(Some) } else { Ok(None) }
        }) {
            Ok(Some(jail)) => configuration.jails.push(jail),
            Ok(None) => {}
            Err(why) => configuration.refused.push(format!("{name}: not: {why}")),
        }
    }
    Ok(configuration)
}

/// Gives the jails the log files that are configured. fail2ban-client says only those that are there.
pub(super) fn name_logs(directory: &Path, jails: &mut [Jail]) {
    let mut unread = Vec::new();
    let sections = sections(directory, &mut unread);
    for jail in jails.iter_mut().filter(|jail| !jail.reads_journal()) {
        match sections.get(&jail.name, "logpath").map(|text| logs(&text.unwrap_or_default())) {
            Ok(logs) if logs.is_empty() => {}
            Ok(logs) => jail.logpaths = logs,
            Err(why) => jail.unread.push(format!("only log files that are there now are read: {why}")),
        }
    }
}

/// Reads the sections of all jails. A file that cannot be read is noted, and the others are read.
fn sections(directory: &Path, unread: &mut Vec<String>) -> Sections {
    let mut jails = Sections::default();
    let mut paths = vec![directory.join("jail.conf")];
    paths.extend(in_order(&directory.join("jail.d"), "conf"));
    paths.push(directory.join("jail.local"));
    paths.extend(in_order(&directory.join("jail.d"), "local"));
    for path in paths {
        if let Err(why) = jails.read_one(&path, 0) {
            unread.push(format!("a file was left out: {why}"));
        }
    }
    jails.set(DEFAULT, "fail2ban_confpath", &directory.display().to_string().replace('%', "%%"));
    jails
}

/// The files of a directory with that extension, in alphabetical order.
fn in_order(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).into_iter().flatten().flatten().map(|file| file.path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}

fn jail(directory: &Path, jails: &mut Sections, name: &str) -> Result<Jail, String> {
    let text_of =
        |jails: &Sections, key: &str| jails.get(name, key).map(|text| text.filter(|text| !text.is_empty()));
    let mut jail = Jail::new(name);
    if let Some(backend) = text_of(jails, "backend")? {
        jail.backend = backend;
    }
    let filter = text_of(jails, "filter")?.map(|text| named::parse(&text));
    let filter = filter.filter(|filter| !filter.name.is_empty());
    if let Some(filter) = &filter {
        of_filter(directory, jails, filter, &mut jail)?;
    }
    let option = |key: &str| text_of(jails, key);
    if filter.is_none() {
        for key in OF_FILTER {
            if let Some(text) = option(key)? {
                set(&mut jail, key, &text);
            }
        }
    }
    for (key, command) in OF_JAIL.iter().filter(|(key, _)| filter.is_none() || !OF_FILTER.contains(key)) {
        if let Some(text) = option(key)? {
            jail.set(command, &[text]);
        }
    }
    let words = |text: String| -> Vec<String> {
        text.split([',', ' ', '\n', '\t']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    jail.ignoreip = option("ignoreip")?.map(words).unwrap_or_default();
    if !jail.reads_journal() {
        jail.logpaths = option("logpath")?.map(|text| logs(&text)).unwrap_or_default();
    }
    for text in named::split(&option("action")?.unwrap_or_default()) {
        let action = action(directory, &named::parse(&text), name)?;
        jail.actions.push(action);
    }
    Ok(jail)
}

/// The log files. Each line is a path, which may have wildcards, and where to begin.
fn logs(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn set(jail: &mut Jail, key: &str, text: &str) {
    let lines =
        || -> Vec<String> { text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect() };
    match key {
        "failregex" => jail.set("addfailregex", &lines()),
        "ignoreregex" => jail.set("addignoreregex", &lines()),
        "journalmatch" => {
            for (n, line) in lines().iter().enumerate() {
                if n > 0 {
                    jail.journalmatch.push("+".into());
                }
                jail.journalmatch.extend(line.split_whitespace().map(str::to_owned));
            }
        }
        _ => jail.set(key, &[text.to_owned()]),
    }
}

/// Sets what the filter says, or the jail in its place.
fn of_filter(directory: &Path, jails: &mut Sections, filter: &Named, jail: &mut Jail) -> Result<(), String> {
    let path = file(directory, "filter.d", &filter.name)?;
    let mut sections = Sections::default();
    sections.read(&path)?;
    let mut tags = tags_of(&sections)?;
    tags.entry("logtype".into()).or_default();
    let logtype = if jail.reads_journal() { "journal" } else { "file" };
    // The jail decides, unless the filter's options do.
    tags.insert("logtype".into(), logtype.into());
    for (key, value) in &filter.options {
        tags.insert(key.clone(), value.clone());
    }
    for key in OF_FILTER {
        let own = tags.get(key).cloned().unwrap_or_default();
        jails.set(&jail.name, &format!("known/{key}"), &own.replace('%', "%%"));
        let text = match jails.get(&jail.name, key)?.filter(|text| !text.is_empty()) {
            Some(text) => text,
            None => own,
        };
        let text = replaced(&text, &tags, &sections);
        if !text.is_empty() {
            set(jail, key, &text);
        }
    }
    Ok(())
}

/// The options of a filter or an action that tags name: those of its definition, and of its options.
fn tags_of(sections: &Sections) -> Result<BTreeMap<String, String>, String> {
    let mut tags = BTreeMap::new();
    for section in [DEFAULT, DEFINITION, INIT] {
        for key in sections.options(section) {
            if let Some(value) = sections.get(section, key)? {
                tags.insert(key.to_owned(), value);
            }
        }
    }
    for (section, family) in [("Init?family=inet6", "inet6"), ("Init?family=inet4", "inet4")] {
        for key in sections.options(section) {
            if let Some(value) = sections.get(section, key)? {
                tags.insert(format!("{key}?family={family}"), value);
            }
        }
    }
    Ok(tags)
}

/// Replaces `<tag>` and `<section/option>`, also within each other. Those that nothing is known of stay.
fn replaced(text: &str, tags: &BTreeMap<String, String>, sections: &Sections) -> String {
    let mut text = text.to_owned();
    for _ in 0..ROUNDS {
        let mut out = String::new();
        let mut rest = text.as_str();
        let mut is_changed = false;
        while let Some(at) = rest.find('<') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let inner = &rest[1..];
            let tag =
                inner.find(['<', '>']).filter(|end| inner[*end..].starts_with('>')).map(|end| &inner[..end]);
            let value = tag.and_then(|tag| {
                let lower = tag.to_ascii_lowercase();
                tags.get(&lower).cloned().or_else(|| {
                    let (section, key) = tag.rsplit_once('/')?;
                    sections.get(section, &key.to_ascii_lowercase()).ok().flatten()
                })
            });
            if let (Some(tag), Some(value)) = (tag, value) {
                out.push_str(&value);
                rest = &rest[tag.len() + 2..];
                is_changed = true;
            } else {
                out.push('<');
                rest = &rest[1..];
            }
        }
        out.push_str(rest);
        text = out;
        if !is_changed || text.len() > LONGEST {
            break;
        }
    }
    text
}

fn action(directory: &Path, named: &Named, jail: &str) -> Result<Action, String> {
    let mut properties = BTreeMap::new();
    let mut known = Sections::default();
    if Path::new(&named.name).extension().is_some_and(|extension| extension == "py") {
        properties.insert("python".into(), named.name.clone());
    } else {
        let mut sections = Sections::default();
        sections.read(&file(directory, "action.d", &named.name)?)?;
        properties = tags_of(&sections)?;
        known = sections;
    }
    properties.insert("name".into(), jail.to_owned());
    for (key, value) in &named.options {
        // Those of a family are those of all then.
        properties.retain(|known, _| !known.starts_with(&format!("{key}?")));
        if let Some(before) = properties.insert(key.clone(), value.clone()) {
            properties.insert(format!("known/{key}"), before);
        }
    }
    // What depends on the family of the address is replaced for a ban.
    let of_family = |key: &String| properties.keys().any(|other| other.starts_with(&format!("{key}?")));
    let tags =
        properties.iter().filter(|(key, _)| !of_family(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
    for (key, value) in &mut properties {
        if key.starts_with("action") {
            *value = replaced(value, &tags, &known);
        }
    }
    // The end of their `name` distinguishes two actions of a kind.
    let suffix = properties.get("name").and_then(|name| name.strip_prefix(jail)).unwrap_or_default();
    let with_suffix = format!("{}{suffix}", named.name);
    let name = properties.get("actname").unwrap_or(&with_suffix).clone();
    Ok(Action { name, properties })
}

/// The file of a filter or an action.
fn file(directory: &Path, kind: &str, name: &str) -> Result<PathBuf, String> {
    let path = directory.join(kind).join(format!("{name}.conf"));
    let is_plain = !name.split('/').any(|part| part == "..");
    if is_plain && (path.exists() || path.with_extension("local").exists()) {
        Ok(path)
    } else {
        Err(format!("there is no {}", path.display()))
    }
}
