//! The examples that users copy or include: those of `examples/conf` and the rules of `examples/rules`; and the code that
//! the pages for developers show. (The examples that developers copy have tests of their own: `custom_filter.rs`, and
//! those within them.)
//!
//! Every folder of both is one: `pyruse.json`, what goes in (`entries.jsonl`) and what comes out (`effects.jsonl`, as
//! `replay --json` prints it). So another example needs no code here. `server/rules.d` has links to the library; the
//! entries of those rules go through the rules of the whole server, too. After a change that is meant, `PYRUSE_BLESS=1`
//! writes the effects again; then read them.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use pyruse_actions as _;
use pyruse_core::config::{ConfigText, Diagnostics, ModuleKind};
use pyruse_core::effect::Effect;
use pyruse_core::engine::Engine;
use pyruse_core::entry::{Entry, Fields, MemoryRecord};
use pyruse_core::plugin::Registry;
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;
use pyruse_core::workflow::{Observer, Site, SiteId};
use pyruse_filters as _;
use pyruse_sources as _;
use serde_json::Value;

/// The folders in a directory of `examples`.
fn folders(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(directory);
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// All folders of `examples/conf` and `examples/rules`.
fn examples() -> Vec<PathBuf> {
    let found = [folders("conf"), folders("rules")].concat();
    assert!(found.len() >= 18, "{found:?}");
    found
}

fn read(example: &Path, file: &str) -> String {
    let path = example.join(file);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The entries of an example: its own, and those of the rules of the library to which its `rules.d` has links.
fn entries(example: &Path) -> String {
    let mut entries = read(example, "entries.jsonl");
    let rules = fs::read_dir(example.join("rules.d")).into_iter().flatten().map(|rule| rule.unwrap().path());
    let mut links: Vec<PathBuf> = rules.filter(|rule| rule.is_symlink()).collect();
    links.sort();
    for link in links {
        entries += &read(link.canonicalize().unwrap().parent().unwrap(), "entries.jsonl");
    }
    entries
}

fn pyruse(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pyruse")).args(args).env("TZ", "UTC").output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {complaints}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_shipped_rules_have_no_finding() {
    for example in examples() {
        let config = example.join("pyruse.json");
        let report: Value =
            serde_json::from_str(&pyruse(&["check", "--json", config.to_str().unwrap()])).unwrap();
        assert_eq!(report["findings"], serde_json::json!([]), "{}: {report:#}", example.display());
    }
}

/// With files in place of those that only an administrator of the fleet has.
#[cfg(feature = "nats")]
#[test]
fn the_configurations_of_a_fleet_have_no_finding() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    for (file, content) in [("nats-ca.pem", "a certificate\n"), ("fleet.nk", "a seed\n")] {
        let path = directory.path().join(file);
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    for path in of_fleet() {
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("/etc/pyruse/", &format!("{}/", directory.path().display()));
        let config = directory.path().join("pyruse.json");
        fs::write(&config, text).unwrap();
        let report: Value =
            serde_json::from_str(&pyruse(&["check", "--json", config.to_str().unwrap()])).unwrap();
        assert_eq!(report["findings"], serde_json::json!([]), "{}: {report:#}", path.display());
    }
}

/// As `pyruse rules enable` does it, in the first configuration: one after the other, and all at once.
#[test]
fn the_rules_of_the_library_work_in_the_first_configuration() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let library = top.join("examples/rules").display().to_string();
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("pyruse.json");
    fs::copy(top.join("packaging/pyruse.json"), &config).unwrap();
    let config = config.to_str().unwrap();
    let findings = || {
        let report: Value = serde_json::from_str(&pyruse(&["check", "--json", config])).unwrap();
        report["findings"].clone()
    };
    let rules = folders("rules");
    let change = |verb: &str, names: &[&str]| {
        pyruse(&[&["--config", config, "rules", verb, "--library", &library], names].concat())
    };
    let names: Vec<&str> = rules.iter().map(|rule| rule.file_name().unwrap().to_str().unwrap()).collect();
    for name in &names {
        change("enable", &[name]);
        assert_eq!(findings(), serde_json::json!([]), "{name}");
        change("disable", &[name]);
    }
    change("enable", &names);
    assert_eq!(findings(), serde_json::json!([]));
}

/// With their own lines coming back, as in a journal.
fn replayed(example: &Path) -> String {
    let (config, directory) = (example.join("pyruse.json"), tempfile::tempdir().unwrap());
    let input = directory.path().join("entries.jsonl");
    fs::write(&input, entries(example)).unwrap();
    let (config, input) = (config.to_str().unwrap(), input.to_str().unwrap());
    pyruse(&["--config", config, "replay", "--json", "--feedback", "--input", input])
}

#[test]
fn the_shipped_rules_have_the_recorded_effects() {
    for example in examples() {
        let found = replayed(&example);
        if std::env::var_os("PYRUSE_BLESS").is_some() {
            fs::write(example.join("effects.jsonl"), &found).unwrap();
        }
        assert!(found == read(&example, "effects.jsonl"), "{}: the effects are\n{found}", example.display());
    }
}

/// The addresses in the sample entries that must not be banned: "our" own (192.168.0.0/16 or 2001:db8:1::/48), and those
/// that an attacker tries to get banned (192.0.2.0/24).
#[test]
fn the_shipped_rules_ban_nobody_who_has_done_nothing() {
    let ours = ["192.0.2.0/24", "192.168.0.0/16", "2001:db8:1::/48"].map(|net| Network::parse(net).unwrap());
    let innocent = |net: &str| {
        let net = Network::parse(net).unwrap_or_else(|| panic!("{net}"));
        ours.iter().any(|ours| ours.overlaps(&net))
    };
    for example in examples() {
        for line in replayed(&example).lines() {
            let effect: Value = serde_json::from_str(line).unwrap();
            assert_ne!(effect["effect"], "error", "{}: {line}", example.display());
            if effect["effect"] == "ban" {
                assert!(!innocent(effect["ip"].as_str().unwrap()), "{}: {line}", example.display());
            }
        }
        let rules = fs::read_to_string(example.join("rules.json")).unwrap_or_default();
        let (config, entries) = (read(&example, "pyruse.json") + &rules, read(&example, "entries.jsonl"));
        assert!(entries.contains("benign"), "{}: no entry that only looks like it", example.display());
        assert!(entries.contains("hostile"), "{}: no forged entry", example.display());
        assert!(
            !config.contains("Ban\"") || entries.contains("192.0.2.77"),
            "{}: no victim",
            example.display()
        );
    }
}

/// The configurations of a fleet.
fn of_fleet() -> [PathBuf; 2] {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fleet");
    ["host.json", "aggregator.json"].map(|file| directory.join(file))
}

/// All configurations that are shipped.
fn shipped() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = vec![root.join("packaging/pyruse.json"), root.join("examples/conf/full.json")];
    found.extend(of_fleet());
    for directory in ["examples", "examples/conf"] {
        let entries = fs::read_dir(root.join(directory)).unwrap();
        found.extend(
            entries.map(|entry| entry.unwrap().path().join("pyruse.json")).filter(|path| path.exists()),
        );
    }
    assert!(found.len() >= 8, "{found:?}");
    found
}

/// The text in the brackets behind each `"NAME": [`.
fn lists<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let opening = format!("\"{name}\": [");
    text.split(&opening).skip(1).map(|rest| rest.split(']').next().unwrap()).collect()
}

#[test]
fn their_first_lines_say_what_to_edit_and_mails_go_to_somebody() {
    for path in shipped() {
        let (text, place) = (fs::read_to_string(&path).unwrap(), path.display());
        let head: Vec<&str> = text.lines().take_while(|line| line.starts_with("//")).collect();
        let head = head.join("\n");
        let is_default = path.ends_with("packaging/pyruse.json");
        let says_it = is_default || head.contains("// Before you use it: ");
        assert!(
            says_it,
            "{place}: the comment at the top needs a line `// Before you use it: …`: what must be edited"
        );
        let mails = text.contains("\"action_email\"") || text.contains("\"action_dailyReport\"");
        if mails {
            assert!(lists(&text, "to").iter().any(|list| !list.trim().is_empty()), "{place}: no `email.to`");
            assert!(head.contains("`email.to`"), "{place}: the first lines do not speak of `email.to`");
        }
        assert!(!text.contains("filter_inNetworks") || head.contains("`nets`"), "{place}: whose networks?");
        // Their sets are not named as in the ruleset that is shipped.
        let has_own_sets = path.ends_with("conf/full.json") || path.ends_with("demo/pyruse.json");
        for set in text.split("\"nftSetIPv4\": \"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let name = set.rsplit(' ').next().unwrap();
            assert!(
                has_own_sets || head.contains(&format!("`{name}`")),
                "{place}: who makes the set `{set}`?"
            );
        }
    }
}

/// Rules of the library are used as they are, many at once.
#[test]
fn the_variables_of_rules_begin_with_their_name_and_their_first_lines_say_what_they_need() {
    for folder in folders("rules") {
        let (name, text) = (folder.file_name().unwrap().to_str().unwrap(), read(&folder, "rules.json"));
        let rules = pyruse_core::config::parse(&text).unwrap().to_json();
        for (variable, _) in rules["vars"].as_object().into_iter().flatten() {
            assert!(variable.starts_with(&format!("{name}.")), "{name}: the variable `{variable}`");
        }
        let head: Vec<&str> = text.lines().take_while(|line| line.starts_with("//")).collect();
        let head = head.join("\n");
        let bans = text.contains("\"action_nftBan\"");
        assert!(
            !bans || head.contains("`friends`") && text.contains("\"list\": \"friends\""),
            "{name}: who is exempt?"
        );
        for set in text.split("\"inet pyruse ").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(head.contains(&format!("`{set}`")), "{name}: who makes the set `{set}`?");
        }
        assert!(head.contains(char::is_numeric), "{name}: which versions were seen?");
    }
}

/// A user who tries an example as it is must get the addresses banned that the pages use.
#[test]
fn addresses_in_the_allow_lists_are_not_those_of_the_attacks_in_the_pages() {
    let attackers = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8:bad::/48"];
    let attackers = attackers.map(|net| Network::parse(net).unwrap());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut texts = shipped();
    texts.extend(folders("rules").into_iter().map(|folder| folder.join("pyruse.json")));
    for page in ["README.md", "docs/getting-started.md", "docs/from-fail2ban.md"] {
        texts.push(root.join(page));
    }
    for entry in fs::read_dir(root.join("docs/guide")).unwrap() {
        texts.push(entry.unwrap().path());
    }
    let mut seen = 0;
    for path in texts {
        for list in lists(&fs::read_to_string(&path).unwrap(), "nets") {
            // A text without these is the name of a list, whose own `nets` are here, too.
            let is_network = |net: &&str| net.contains(['.', ':']) && !net.contains("://");
            for net in list.split('"').skip(1).step_by(2).filter(is_network) {
                let parsed = Network::parse(net).unwrap_or_else(|| panic!("{}: {net}", path.display()));
                // All of IPv4 is no allow-list.
                let is_attacker =
                    parsed.length > 0 && attackers.iter().any(|attacker| attacker.overlaps(&parsed));
                assert!(!is_attacker, "{}: `{net}` is exempt", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "{seen}");
}

/// A network, as far as this test needs one.
struct Network {
    bits: u128,
    length: u32,
    is_v4: bool,
}

impl Network {
    fn parse(text: &str) -> Option<Network> {
        let (address, length) = text.split_once('/').map_or((text, None), |(a, length)| (a, Some(length)));
        let (bits, is_v4) = match address.parse().ok()? {
            IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, true),
            IpAddr::V6(address) => (address.to_bits(), false),
        };
        let whole = if is_v4 { 32 } else { 128 };
        let length = length.map_or(Some(whole), |length| length.parse().ok())?;
        Some(Network { bits, length, is_v4 })
    }

    fn overlaps(&self, other: &Network) -> bool {
        let common = self.length.min(other.length);
        let differ = (self.bits ^ other.bits).leading_zeros();
        self.is_v4 == other.is_v4 && differ >= common
    }
}

/// How often a step passed, and how often not.
#[derive(Default)]
struct Coverage {
    ways: BTreeMap<(String, usize), [u32; 2]>,
    lines: Vec<(Timestamp, String)>,
}

impl Observer for Coverage {
    const EFFECTS: bool = true;

    fn step(&mut self, _: SiteId, site: &Site, _: &mut Entry<'_>, passed: bool) {
        self.ways.entry((site.chain.clone(), site.step)).or_default()[usize::from(passed)] += 1;
    }

    fn effect(&mut self, _: &Site, entry: &mut Entry<'_>, effect: &Effect) {
        if let Effect::Log { message, .. } = effect {
            self.lines.push((entry.time(), message.clone()));
        }
    }
}

fn record(line: &str) -> MemoryRecord {
    let mut record = MemoryRecord::default();
    for (name, value) in serde_json::from_str::<Value>(line).unwrap().as_object().unwrap() {
        record.push(name.as_str(), value.as_str().unwrap());
    }
    record
}

#[test]
fn their_entries_take_both_exits_of_every_filter_and_reach_every_action() {
    let registry = Registry::linked().unwrap();
    for example in examples() {
        let config = example.join("pyruse.json");
        let mut source = ConfigText::new(config.display().to_string(), read(&example, "pyruse.json"));
        source.read_included(|path| fs::read_to_string(path).map_err(|e| e.to_string()));
        let (mut state, mut diagnostics) = (State::in_memory(), Diagnostics::default());
        let engine =
            Engine::load(&source, &registry, Fields::default(), &mut state, &mut diagnostics).unwrap();
        let mut engine = engine.unwrap_or_else(|| panic!("{}", source.draw(&diagnostics, false)));
        let mut seen = Coverage::default();
        for line in entries(&example).lines() {
            engine.workflow.run(&mut record(line), &mut state, &mut seen);
            for (time, message) in std::mem::take(&mut seen.lines) {
                let ours = MemoryRecord::at(time).with("SYSLOG_IDENTIFIER", "pyruse");
                let mut ours = ours.with("_SYSTEMD_UNIT", "pyruse.service").with("MESSAGE", message);
                engine.workflow.run(&mut ours, &mut state, &mut seen);
            }
        }
        for chain in &engine.config.chains {
            for (n, step) in chain.steps.iter().enumerate() {
                let ways = seen.ways.remove(&(chain.label.text.clone(), n)).unwrap_or_default();
                let place = format!("{}: chain `{}`, step {n}", example.display(), chain.label.text);
                assert!(ways[1] > 0, "{place}: no entry passes");
                let is_filter = step.module.as_ref().is_some_and(|(kind, _)| *kind == ModuleKind::Filter);
                assert!(!is_filter || ways[0] > 0, "{place}: all entries pass");
            }
        }
    }
}

/// A fence that says ``from FILE`` shows a part of that file, line by line; only the indentation of all of it may differ.
#[test]
fn the_code_in_the_pages_is_in_the_examples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for page in ["docs/plugin-authors.md", "docs/embedders.md"] {
        let text = fs::read_to_string(root.join(page)).unwrap();
        let mut lines = text.lines().enumerate();
        let mut shown = 0;
        while let Some((number, fence)) = lines.next() {
            let Some(info) = fence.trim_start().strip_prefix("```") else { continue };
            let block: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect();
            let place = format!("{page}:{}", number + 1);
            let Some((_, file)) = info.split_once(" from ") else {
                assert_eq!(info, "console", "{place}: code that is no part of an example");
                continue;
            };
            let file = fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{place}: {file}: {e}"));
            let file: Vec<&str> = file.lines().collect();
            let block = dedented(&block);
            let is_there = file.windows(block.len()).any(|part| dedented(part) == block);
            assert!(
                is_there,
                "{place}: this does not stand in the example (any more):\n{}",
                block.join("\n")
            );
            shown += 1;
        }
        assert!(shown >= 5, "{page}: {shown}");
    }
}

/// The lines without the indentation that all of them have.
fn dedented<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let indents =
        lines.iter().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len());
    let common = indents.min().unwrap_or(0);
    lines.iter().map(|line| line.get(common..).unwrap_or_default()).collect()
}
