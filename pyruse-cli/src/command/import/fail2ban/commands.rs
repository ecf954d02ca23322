//! What `fail2ban-client -d` prints, one command to fail2ban's server per line, becomes jails.

use std::collections::BTreeMap;

use super::jail::{Action, Jail, boolean, seconds};
use super::literal::{self, Literal};

/// What fail2ban would run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Configuration {
    pub(super) jails: Vec<Jail>,
    /// Jails and files that could not be read, and why.
    pub(super) refused: Vec<String>,
    /// Lines that are no command.
    pub(super) unread: Vec<String>,
    /// The path of the database; `None`: there is none.
    pub(super) database: Option<String>,
    /// For how long the database remembers bans, in seconds.
    pub(super) remember: Option<u64>,
    /// The file that fail2ban logs to.
    pub(super) log: Option<String>,
}

/// Reads the commands. A line that is none of them is noted, and the others are read.
pub(super) fn read(printed: &str) -> Configuration {
    let mut configuration = Configuration::default();
    let mut places = BTreeMap::new();
    for line in printed.lines().filter(|line| !line.trim().is_empty()) {
        match literal::parse(line) {
            Ok(Literal::List(words)) => command(&words, &mut configuration, &mut places),
            Ok(_) => configuration.unread.push(shortened(line)),
            Err(why) => configuration.unread.push(format!("{why}: {}", shortened(line))),
        }
    }
    configuration
}

fn shortened(line: &str) -> String {
    line.chars().take(60).collect()
}

/// `places` are the jails by their names.
fn command(words: &[Literal], configuration: &mut Configuration, places: &mut BTreeMap<String, usize>) {
    let text = |at: usize| words.get(at).and_then(Literal::as_text).unwrap_or_default();
    match (text(0).as_str(), words.len()) {
        ("add", 3..) => {
            let mut jail = Jail::new(&text(1));
            jail.backend = text(2);
            places.insert(jail.name.clone(), configuration.jails.len());
            configuration.jails.push(jail);
        }
        ("config-error", _) => {
            configuration.refused.push(format!("fail2ban itself cannot use it: {}", text(1)));
        }
        // The options of the server have no jail in between.
        ("set", 3) => match text(1).as_str() {
            "dbfile" => configuration.database = Some(text(2)).filter(|path| path != "None"),
            "dbpurgeage" => configuration.remember = seconds(&text(2)).ok().flatten(),
            "logtarget" => configuration.log = Some(text(2)),
            _ => {}
        },
        ("set" | "multi-set", 4..) => {
            if let Some(jail) = places.get(&text(1)).and_then(|at| configuration.jails.get_mut(*at)) {
                set(jail, &text(2), &words[3..]);
            }
        }
        _ => {}
    }
}

fn set(jail: &mut Jail, option: &str, values: &[Literal]) {
    // `addfailregex` has one text, or a list of them.
    let texts: Vec<String> = values.iter().flat_map(Literal::items).filter_map(Literal::as_text).collect();
    let first = texts.first().cloned().unwrap_or_default();
    match option {
        "action" => {
            let properties: BTreeMap<String, String> = values
                .iter()
                .skip(1)
                .flat_map(Literal::items)
                .filter_map(|pair| match pair.items() {
                    [name, value] => Some((name.as_text()?, value.as_text()?)),
                    _ => None,
                })
                .collect();
            match jail.actions.iter_mut().find(|action| action.name == first) {
                Some(action) => action.properties.extend(properties),
                None => jail.actions.push(Action { name: first, properties }),
            }
        }
        // An action in Python has its path, and its options as a text.
        "addaction" => {
            let mut action = Action { name: first, ..Action::default() };
            if let Some(path) = texts.get(1).filter(|path| !path.is_empty()) {
                action.properties.insert("python".into(), path.clone());
            }
            jail.actions.push(action);
        }
        // The second word is `head` or `tail`.
        "addlogpath" => jail.logpaths.push(first),
        "addjournalmatch" => {
            if !jail.journalmatch.is_empty() {
                jail.journalmatch.push("+".into());
            }
            jail.journalmatch.extend(texts);
        }
        _ => jail.set(option, &texts),
    }
}

impl Jail {
    /// Sets an option that has a value, or several. What has no meaning here is left out; a value that is wrong is noted.
    pub(super) fn set(&mut self, option: &str, texts: &[String]) {
        let first = texts.first().cloned().unwrap_or_default();
        let filled = Some(first.clone()).filter(|text| !text.is_empty());
        match option {
            "usedns" => self.use_dns = first,
            "prefregex" => self.prefregex = filled,
            "addfailregex" => self.failregex.extend_from_slice(texts),
            "addignoreregex" => self.ignoreregex.extend_from_slice(texts),
            "addignoreip" => self.ignoreip.extend_from_slice(texts),
            "datepattern" => self.datepattern = filled,
            "logtimezone" => self.logtimezone = filled,
            "logencoding" => self.logencoding = filled,
            "ignorecommand" => self.ignorecommand = filled,
            "ignoreself" => self.ignoreself = boolean(&first).unwrap_or(true),
            "bantime.increment" => self.increment.enabled = boolean(&first).unwrap_or(false),
            "bantime.overalljails" => self.increment.overalljails = boolean(&first).unwrap_or(false),
            "bantime.factor" => self.increment.factor = filled,
            "bantime.formula" => self.increment.formula = filled,
            "bantime.rndtime" => self.increment.rndtime = filled,
            "bantime.multipliers" => {
                match first.split_whitespace().map(str::parse).collect::<Result<Vec<u64>, _>>() {
                    Ok(multipliers) => self.increment.multipliers = multipliers,
                    Err(_) => self.misread(option, &first),
                }
            }
            "maxlines" => self.number(option, &first, |jail, lines| jail.maxlines = lines),
            "maxretry" => self.number(option, &first, |jail, tries| jail.maxretry = tries),
            "findtime" => match seconds(&first) {
                Ok(Some(found)) => self.findtime = found,
                _ => self.misread(option, &first),
            },
            "bantime" => match seconds(&first) {
                Ok(found) => self.bantime = found,
                Err(_) => self.misread(option, &first),
            },
            "bantime.maxtime" => match seconds(&first) {
                Ok(found) => self.increment.maxtime = found,
                Err(_) => self.misread(option, &first),
            },
            _ => {}
        }
    }

    fn number(&mut self, option: &str, text: &str, set: impl FnOnce(&mut Jail, u64)) {
        match text.parse() {
            Ok(number) => set(self, number),
            Err(_) => self.misread(option, text),
        }
    }

    fn misread(&mut self, option: &str, text: &str) {
        self.unread.push(format!("`{option}` is `{text}`, which cannot be read: the default is used"));
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn commands_become_jails() {
        let read = read(concat!(
            "['set', 'dbfile', '/var/lib/f/f.sqlite3']\n['set', 'dbpurgeage', '1d']\n",
            "['add', 'a', 'systemd']\n['multi-set', 'a', 'addfailregex', ['^x <HOST>$', '^y']]\n",
            "['set', 'a', 'addfailregex', '^z']\n['set', 'a', 'addjournalmatch', '_UID=0', '+', '_COMM=a']\n",
            "['set', 'a', 'bantime', -1]\n['set', 'a', 'maxretry', 'many']\n",
            "['set', 'a', 'addlogpath', '/var/log/a', 'head']\n['set', 'a', 'addaction', 'n']\n",
            "['multi-set', 'a', 'action', 'n', [['actionban', 'nft <ip>'], ['norestored', True]]]\n",
            "['config-error', \"Jail 'b' skipped\"]\nnonsense\n",
        ));
        let jail = &read.jails[0];
        assert_eq!(jail.failregex, ["^x <HOST>$", "^y", "^z"]);
        assert_eq!(jail.journalmatch, ["_UID=0", "+", "_COMM=a"]);
        assert_eq!((jail.bantime, jail.maxretry), (None, 3));
        assert_eq!(jail.unread, ["`maxretry` is `many`, which cannot be read: the default is used"]);
        assert_eq!(jail.logpaths, ["/var/log/a"]);
        assert_eq!(jail.actions.len(), 1);
        assert_eq!(
            (jail.actions[0].get("actionban"), jail.actions[0].get("norestored")),
            ("nft <ip>", "True")
        );
        assert_eq!(read.refused, ["fail2ban itself cannot use it: Jail 'b' skipped"]);
        assert_eq!(read.unread, ["unexpected `n` at byte 0: nonsense"]);
        assert_eq!((read.database.as_deref(), read.remember), (Some("/var/lib/f/f.sqlite3"), Some(86_400)));
    }
}
