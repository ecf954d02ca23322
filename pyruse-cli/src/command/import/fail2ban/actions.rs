//! The actions of a jail become steps: bans in sets of our ruleset, mails, bans and notices by programs.

use serde_json::{Value, json};

use super::chain::Step;
use super::firewall::{self, Rule, Services};
use super::jail::{Action, Jail};
use super::tags::{self, Family};

/// What the actions of a jail become.
#[derive(Debug, Default)]
pub(super) struct Acts {
    /// Steps that ban.
    pub(super) bans: Vec<Step>,
    /// Steps behind them.
    pub(super) notices: Vec<Step>,
    /// The rule of the firewall, if the jail has one.
    pub(super) rule: Option<Rule>,
    /// Members of `runBan.sets`.
    pub(super) programs: Vec<(String, Value)>,
    /// Recipients of mails.
    pub(super) recipients: Vec<String>,
    /// What is different.
    pub(super) notes: Vec<String>,
    /// What could not come over.
    pub(super) lacks: Vec<String>,
}

/// Converts the actions of a jail.
pub(super) struct Converter<'c> {
    pub(super) jail: &'c Jail,
    /// Begins the names of its fields and sets.
    pub(super) prefix: &'c str,
    pub(super) services: &'c Services,
    /// The argument `banSeconds`, and others about the duration.
    pub(super) duration: &'c [(&'static str, Value)],
}

/// Programs that change a packet filter: a set of ours does the same.
const FIREWALLS: [&str; 6] = ["nft", "iptables", "ipset", "firewall-cmd", "ip6tables", "ufw"];

impl Converter<'_> {
    pub(super) fn convert(&self) -> Acts {
        let mut acts = Acts::default();
        for action in &self.jail.actions {
            self.action(action, &mut acts);
        }
        acts
    }

    fn action(&self, action: &Action, acts: &mut Acts) {
        let name = &action.name;
        if action.properties.contains_key("python") {
            acts.lacks.push(format!(
                "the action {name} is in Python: write an `action_email` or `action_run` instead"
            ));
            return;
        }
        let ban = tags::resolve(action, action.get("actionban"), Family::Inet4);
        let unban = tags::resolve(action, action.get("actionunban"), Family::Inet4);
        if ban.trim().is_empty() && unban.trim().is_empty() {
            acts.notes.push(format!("the action {name} does nothing for a ban, and was left out"));
        } else if is_firewall(&ban, &unban) {
            self.firewall(action, acts);
        } else if is_mail(action, &ban) {
            self.mail(action, acts);
        } else if let Some(recipe) = recipe(&ban) {
            acts.lacks.push(format!(
                "the action {name} needs a secret, which is not copied: write it into a file, and add the step of the \
                 guide ({recipe})"
            ));
        } else if unban.trim().is_empty() {
            self.notice(action, &ban, acts);
        } else {
            self.program(action, acts);
        }
    }

    fn firewall(&self, action: &Action, acts: &mut Acts) {
        let property = |name: &str| tags::resolve(action, action.get(name), Family::Inet4);
        let commands = format!("{}\n{}", action.get("actionstart"), action.get("actionban"));
        let has_ports =
            ["dport", "--port", "port port=", "to any port"].iter().any(|word| commands.contains(word));
        let ports =
            if has_ports { self.services.ports(&property("port"), &mut acts.notes) } else { Vec::new() };
        let protocols: Vec<String> = property("protocol")
            .split([',', ' '])
            .filter(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
            .map(str::to_owned)
            .collect();
        let protocols = if protocols.iter().any(|p| p == "all") {
            Vec::new()
        } else {
            firewall::protocols(protocols, !ports.is_empty(), &mut acts.notes)
        };
        let ports = if protocols.iter().any(|p| !firewall::has_ports(p)) { Vec::new() } else { ports };
        let chain = property("chain");
        let rejects = property("blocktype").to_ascii_lowercase().contains("reject");
        let forwards = chain.contains("FORWARD") || chain.contains("DOCKER");
        if has_ports && ports.is_empty() && property("port") != "0:65535" {
            acts.notes.push("none of its ports is known: all packets of banned addresses are stopped".into());
        }
        if let Some(rule) = &mut acts.rule {
            acts.notes.push(format!(
                "the ports of the action {} were added to those of its first one",
                action.name
            ));
            rule.add(ports, protocols, self.services);
            return;
        }
        let (jail, set) = (self.jail.name.clone(), self.prefix.to_owned());
        let rule = Rule { jail, set, protocols, ports, rejects, forwards };
        let [four, six] = rule.sets();
        let args = [("nftSetIPv4", json!(four)), ("nftSetIPv6", json!(six))];
        acts.bans.push(Step::action("action_nftBan", self.with_duration(&args)));
        acts.rule = Some(rule);
    }

    /// `actionban` and `actionunban` of its own, by a shell as in fail2ban.
    fn program(&self, action: &Action, acts: &mut Acts) {
        let name = &action.name;
        let mut sets = Vec::new();
        for family in [Family::Inet4, Family::Inet6] {
            let command = |key: &str| tags::of_ban(&tags::resolve(action, action.get(key), family));
            match (command("actionban"), command("actionunban")) {
                (Ok(ban), Ok(unban)) => sets.push(json!({"ban": shell(&ban), "unban": shell(&unban)})),
                (Err(tags), _) | (_, Err(tags)) => {
                    acts.lacks.push(format!(
                        "the action {name} uses {}, which a program that bans does not get: see the guide about bans by \
                         programs",
                        listed(&tags)
                    ));
                    return;
                }
            }
        }
        let set: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let set = format!("{}_{set}", self.prefix);
        if sets[0] == sets[1] {
            sets.pop();
        }
        let mut args = vec![("set", json!(set))];
        if sets.len() == 2 {
            args.push(("setIPv6", json!(format!("{set}6"))));
        }
        acts.bans.push(Step::action("action_runBan", self.with_duration(&args)));
        acts.programs
            .extend(sets.into_iter().zip([set.clone(), format!("{set}6")]).map(|(s, name)| (name, s)));
        for (key, when) in [("actionstart", "before Pyruse starts"), ("actionstop", "after it has stopped")] {
            let command = tags::resolve(action, action.get(key), Family::Inet4);
            if !command.trim().is_empty() {
                acts.notes.push(format!(
                    "the action {name} runs a command {when}, which is yours to run: `{command}`"
                ));
            }
        }
        acts.notes.push(format!("the programs of {name} run as the user of Pyruse, not as root"));
    }

    /// A program that only reports: run once, for the entry.
    fn notice(&self, action: &Action, command: &str, acts: &mut Acts) {
        match tags::of_notice(command) {
            Ok((command, names)) => {
                let fields = [
                    ("IP", format!("{{{}_ip}}", self.prefix)),
                    ("FAILURES", format!("{{{}_failures}}", self.prefix)),
                    ("MATCHES", "{MESSAGE}".to_owned()),
                    ("FAILED_USER", format!("{{{}_user}}", self.prefix)),
                ];
                let env: serde_json::Map<String, Value> = fields
                    .into_iter()
                    .filter(|(name, _)| names.contains(name))
                    .map(|(name, template)| (name.into(), json!(template)))
                    .collect();
                if names.contains(&"MATCHES") {
                    acts.notes.push(format!("the action {} gets the last line, not all", action.name));
                }
                let command = command.replace('{', "{{").replace('}', "}}");
                let args = json!({"argv": ["/bin/sh", "-c", command], "env": env});
                acts.notices.push(Step::action("action_run", args));
                acts.notes
                    .push(format!("the program of {} runs as the user of Pyruse, not as root", action.name));
            }
            Err(tags) => acts.lacks.push(format!(
                "the action {} uses {}, which Pyruse does not have",
                action.name,
                listed(&tags)
            )),
        }
    }

    fn mail(&self, action: &Action, acts: &mut Acts) {
        let recipient = tags::resolve(action, action.get("dest"), Family::Inet4);
        acts.recipients.extend(recipient.split([',', ' ']).filter(|to| !to.is_empty()).map(str::to_owned));
        let jail = self.jail.name.replace('{', "{{").replace('}', "}}");
        let ban = action.get("actionban");
        if ban.contains("whois") {
            acts.notes.push(format!(
                "the mail of {} has no answer of whois: the guide about fail2ban's actions has a program for it",
                action.name
            ));
        }
        if ban.contains("grep") || ban.contains("matches>") {
            acts.notes.push(format!("the mail of {} has the last line, not all", action.name));
        }
        let (ip, failures) = (format!("{{{}_ip}}", self.prefix), format!("{{{}_failures}}", self.prefix));
        let args = json!({
            "subject": format!("{}: an address is banned", self.jail.name),
            "message": format!("{jail}: {ip} was banned after {failures} failures.\n\n{{MESSAGE}}"),
        });
        acts.notices.push(Step::action("action_email", args));
    }

    fn with_duration(&self, args: &[(&'static str, Value)]) -> Value {
        let ip = [("IP", json!(format!("{}_ip", self.prefix)))];
        let all = ip.iter().chain(args).chain(self.duration);
        Value::Object(all.map(|(key, value)| ((*key).into(), value.clone())).collect())
    }
}

/// Whether the commands change a packet filter, and nothing else is asked of them.
fn is_firewall(ban: &str, unban: &str) -> bool {
    let has = |commands: &str| {
        let words = commands.split(|c: char| c.is_whitespace() || ";|&(){}\"'`".contains(c));
        words.filter_map(|word| word.rsplit('/').next()).any(|word| FIREWALLS.contains(&word))
    };
    has(ban) && has(unban)
}

fn is_mail(action: &Action, ban: &str) -> bool {
    !action.get("dest").is_empty() && (ban.contains("sendmail") || ban.contains("mail "))
}

/// The recipe for a service on the web that needs a secret.
fn recipe(ban: &str) -> Option<&'static str> {
    [
        ("api.abuseipdb.com", "AbuseIPDB, in the page about web services"),
        ("blocklist.de", "blocklist.de, in the page about fail2ban's actions"),
        ("api.cloudflare.com", "Cloudflare, in the page about bans by programs"),
    ]
    .into_iter()
    .find_map(|(host, recipe)| ban.contains(host).then_some(recipe))
}

/// Each program must have the address.
fn shell(command: &str) -> Value {
    if command.contains("{ip}") {
        json!(["/bin/sh", "-c", command])
    } else if command.trim().is_empty() {
        json!(["/bin/true", "{ip}"])
    } else {
        json!(["/bin/sh", "-c", command, "sh", "{ip}"])
    }
}

fn listed(tags: &[String]) -> String {
    tags.iter().map(|tag| format!("<{tag}>")).collect::<Vec<_>>().join(", ")
}
