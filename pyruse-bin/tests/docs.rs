//! Everything in the pages and the examples works: configurations pass `check`, entries have the effects that are listed
//! below them, rulesets load, links have a target.
//!
//! The fence of a block says what it is:
//!
//! | fence | the block is |
//! |---|---|
//! | `json` | a whole configuration |
//! | `json wrong` | one that `check` refuses |
//! | `text output` | what `check` prints for the configuration above |
//! | `json entries`, `json effects` | entries, a line each, and what the configuration above does with them; keys that an effect does not show are not compared |
//! | `text explained` | what `explain` prints for the one entry above |
//! | `jsonc chains`, `jsonc steps`, `jsonc settings` | a part of a configuration: of `actions`, of a chain, top-level keys |
//! | … `finds P003` | … in which `check` finds just these |
//! | `mermaid` | the graph of the configuration above |
//! | `nft` | a ruleset, to be loaded as often as one likes |
//! | `sh` | commands, of which those for ipset are run |

mod common;
#[path = "docs/contributing.rs"]
mod contributing;
#[path = "docs/page.rs"]
mod page;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Firewall, run};
use page::{Block, Page};
use serde_json::Value;

/// Generated pages, whose blocks are tested where they come from.
const GENERATED: &[&str] = &["docs/reference/", "docs/lints.md", "docs/interface.md", "docs/third-party.md"];

/// Findings about what a part lacks because it is elsewhere in a whole configuration: the step that saves a field, the
/// test who wrote the entry, the allow-list, the sources.
const BEFORE_A_PART: &[&str] = &["P005", "P007", "P009", "P022"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The files below these with that ending.
fn files(places: &[&str], ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = places.iter().map(|place| root().join(place)).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            open.extend(entries.filter(|path| !path.ends_with("target") && !path.ends_with("recorded")));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn pages() -> Vec<Page> {
    files(&["README.md", "docs", "examples"], "md").iter().map(|path| Page::read(path)).collect()
}

/// Pages whose blocks are written by hand.
fn written() -> Vec<Page> {
    let generated = |page: &Page| GENERATED.iter().any(|name| page.path.starts_with(root().join(name)));
    pages().into_iter().filter(|page| !generated(page)).collect()
}

/// What `check` says of a configuration.
struct Verdict {
    errors: u64,
    findings: BTreeSet<String>,
    printed: String,
}

/// A directory for configurations, with the files that they name.
struct Workspace(tempfile::TempDir);

impl Workspace {
    fn new() -> Workspace {
        let workspace = Workspace(tempfile::tempdir().unwrap());
        fs::write(workspace.path("smtp-password"), "secret\n").unwrap();
        run(Command::new("chmod").arg("400").arg(workspace.path("smtp-password")));
        workspace
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes it as `new.json`, with the files that it names here.
    fn write(&self, config: &str) {
        let here = self.path("").display().to_string();
        for rest in config.split("\"secretFile\": \"/etc/pyruse/").skip(1) {
            let file = self.path(rest.split('"').next().unwrap());
            if !file.exists() {
                fs::write(&file, "secret\n").unwrap();
                run(Command::new("chmod").arg("400").arg(file));
            }
        }
        for rest in config.split(&format!("\"{SHOWN}")).skip(1) {
            let program = self.path(rest.split('"').next().unwrap());
            fs::write(&program, "#!/bin/sh\n").unwrap();
            run(Command::new("chmod").arg("755").arg(program));
        }
        let config = config.replace("/etc/pyruse/", &here).replace(SHOWN, &here);
        fs::write(self.path("new.json"), config).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pyruse"));
        command.args(args).current_dir(self.0.path());
        command.env_remove("JOURNAL_STREAM").env_remove("PYRUSE_EXTRA").env("TZ", "UTC");
        command
    }

    fn check(&self, config: &str) -> Verdict {
        self.write(config);
        let output = self.command(&["check", "new.json"]).output().unwrap();
        let printed = String::from_utf8([output.stderr, output.stdout].concat()).unwrap();
        let output = self.command(&["check", "--json", "new.json"]).output().unwrap();
        let verdict: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {printed}"));
        let findings = verdict["findings"].as_array().unwrap();
        // A warning without a code counts by its name.
        let code = |finding: &Value| finding["code"].as_str().unwrap_or("warning").to_owned();
        let findings = findings.iter().filter(|finding| finding["level"] != "error").map(code).collect();
        Verdict { errors: verdict["errors"].as_u64().unwrap(), findings, printed }
    }

    /// Has it no error, and just these findings?
    fn complain(&self, config: &str, finds: &str) -> Option<String> {
        self.complain_of(config, finds, &[])
    }

    /// The same, with findings that do not count.
    fn complain_of(&self, config: &str, finds: &str, but: &[&str]) -> Option<String> {
        let mut verdict = self.check(config);
        verdict.findings.retain(|code| !but.contains(&code.as_str()));
        let wanted: BTreeSet<String> = finds.split_whitespace().map(str::to_owned).collect();
        (verdict.errors > 0 || verdict.findings != wanted).then(|| {
            format!(
                "{} errors, found {:?}, wanted {wanted:?}\n{}",
                verdict.errors, verdict.findings, verdict.printed
            )
        })
    }
}

/// Where the programs are that the pages show.
const SHOWN: &str = "/usr/local/sbin/";

/// A part as a whole.
fn whole(part: &str, text: &str) -> String {
    match part {
        "chains" => format!("{{\"actions\": {{\n{text}\n}}}}"),
        "steps" => format!("{{\"actions\": {{\"part\": [\n{text}\n]}}}}"),
        "settings" => format!("{{\"actions\": {{\"part\": [{{\"action\": \"action_noop\"}}]}},\n{text}\n}}"),
        other => panic!("a part of what: `{other}`?"),
    }
}

#[test]
fn every_configuration_of_the_pages_passes_the_check() {
    let workspace = Workspace::new();
    let mut wrong = Vec::new();
    for page in written() {
        for block in &page.blocks {
            let (kind, finds) = block.info.split_once("finds ").unwrap_or((&block.info, ""));
            let complaint = match (block.language.as_str(), kind.trim()) {
                ("json", "") => workspace.complain(&block.text, finds),
                ("json", "wrong") => {
                    (workspace.check(&block.text).errors == 0).then(|| "it is right".to_owned())
                }
                ("json", "entries" | "effects") => None,
                ("jsonc", part) => workspace.complain_of(&whole(part, &block.text), finds, BEFORE_A_PART),
                ("json", other) => Some(format!("what is `{other}`?")),
                _ => None,
            };
            wrong.extend(complaint.map(|complaint| format!("{}: {complaint}", page.place(block))));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_example_passes_the_check() {
    let workspace = Workspace::new();
    let mut wrong = Vec::new();
    // The other examples have modules of their own: their own programs check them.
    let mut examples = files(&["examples/conf", "examples/rules", "examples/demo", "packaging"], "json");
    // What programs have written is no configuration.
    examples.retain(|path| !path.parent().is_some_and(|directory| directory.ends_with("recorded")));
    // Files that belong together are checked where they are, by the test `examples`.
    examples.retain(|path| {
        let includes = fs::read_to_string(path).unwrap().contains("\"include\": [\"");
        !path.parent().unwrap().ends_with("rules.d")
            && !path.ends_with("rules.json")
            && (!includes || path.ends_with("packaging/pyruse.json"))
    });
    assert!(examples.len() >= 3, "{examples:?}");
    for path in examples {
        let text = fs::read_to_string(&path).unwrap();
        // The demonstration's places are filled in by its script.
        let text =
            text.replace("\"@JOURNAL@\"", "{}").replace("@WORK@", &workspace.path("").display().to_string());
        wrong.extend(
            workspace.complain(&text, "").map(|complaint| format!("{}: {complaint}", path.display())),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn mistakes_are_reported_as_the_pages_show() {
    let workspace = Workspace::new();
    let mut compared = 0;
    for page in written() {
        let mut above: Option<&Block> = None;
        for block in &page.blocks {
            match (block.language.as_str(), block.info.as_str()) {
                ("json", info) if !["entries", "effects"].contains(&info) => above = Some(block),
                ("text", "output") => {
                    let printed = workspace.check(&above.expect("a configuration above").text).printed;
                    assert_eq!(block.text.trim_end(), printed.trim_end(), "{}", page.place(block));
                    compared += 1;
                }
                _ => {}
            }
        }
    }
    assert!(compared > 0);
}

#[test]
fn entries_have_the_effects_that_are_listed_below_them() {
    let workspace = Workspace::new();
    let mut compared = 0;
    for page in written() {
        let mut above: Option<&Block> = None;
        let mut entries = "";
        for block in page.blocks.iter().filter(|block| block.language == "json") {
            match block.info.as_str() {
                "entries" => entries = &block.text,
                "effects" => {
                    workspace.write(&above.expect("a configuration above").text);
                    fs::write(workspace.path("entries"), entries).unwrap();
                    let args = ["--config", "new.json", "replay", "--json", "--input", "entries"];
                    let printed = run(&mut workspace.command(&args));
                    let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap();
                    let wanted: Vec<Value> = block.text.lines().map(parse).collect();
                    let mut found: Vec<Value> = printed.lines().map(parse).collect();
                    for (found, wanted) in found.iter_mut().zip(&wanted) {
                        found.as_object_mut().unwrap().retain(|key, _| wanted.get(key).is_some());
                    }
                    assert_eq!(found, wanted, "{}", page.place(block));
                    compared += 1;
                }
                _ => above = Some(block),
            }
        }
    }
    assert!(compared >= 4, "{compared}");
}

#[test]
fn entries_are_explained_as_the_pages_say() {
    let workspace = Workspace::new();
    let mut compared = 0;
    for page in written() {
        let (mut config, mut entry) = ("", "");
        for block in &page.blocks {
            match (block.language.as_str(), block.info.as_str()) {
                ("json", "") => config = &block.text,
                ("json", "entries") => entry = &block.text,
                ("text", "explained") => {
                    workspace.write(config);
                    fs::write(workspace.path("entry"), entry).unwrap();
                    let mut command = workspace.command(&["--config", "new.json", "explain"]);
                    let printed = run(command.stdin(fs::File::open(workspace.path("entry")).unwrap()));
                    assert_eq!(block.text.trim_end(), printed.trim_end(), "{}", page.place(block));
                    compared += 1;
                }
                _ => {}
            }
        }
    }
    assert!(compared > 0);
}

#[test]
fn pictures_are_those_of_the_configurations_above_them() {
    let workspace = Workspace::new();
    let mut compared = 0;
    for page in written() {
        let mut config = "";
        for block in &page.blocks {
            match (block.language.as_str(), block.info.as_str()) {
                ("json", "") => config = &block.text,
                ("mermaid", _) => {
                    workspace.write(config);
                    let drawn = run(&mut workspace.command(&["--config", "new.json", "graph"]));
                    assert_eq!(block.text.trim_end(), drawn.trim_end(), "{}", page.place(block));
                    compared += 1;
                }
                _ => {}
            }
        }
    }
    assert!(compared > 0);
}

#[test]
fn rulesets_can_be_loaded_again_and_the_bans_stay() {
    let workspace = Workspace::new();
    let mut rulesets: Vec<(String, String)> = files(&["examples", "packaging"], "nft")
        .iter()
        .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()))
        .collect();
    for page in written() {
        let blocks = page.blocks.iter().filter(|block| block.language == "nft");
        rulesets.extend(blocks.map(|block| (page.place(block), block.text.clone())));
    }
    assert!(rulesets.len() >= 2);
    for (place, ruleset) in rulesets {
        let firewall = Firewall::with_sets(&[]);
        let file = workspace.path("bans.nft");
        fs::write(&file, &ruleset).unwrap();
        let file = file.to_str().unwrap();
        firewall.nft(&["-c", "-f", file]);
        firewall.nft(&["-f", file]);
        firewall.nft(&["add element inet pyruse ssh_ban4 {192.0.2.1 timeout 1h}"]);
        firewall.nft(&["add element inet pyruse ssh_ban6 {2001:db8::1 timeout 1h}"]);
        let rules = || firewall.nft(&["list", "chain", "inet", "pyruse", "bans"]);
        let before = rules();
        firewall.nft(&["-f", file]);
        assert_eq!(rules(), before, "{place}");
        assert_eq!(firewall.addresses("inet pyruse ssh_ban4"), ["192.0.2.1"], "{place}");
        assert_eq!(firewall.addresses("inet pyruse ssh_ban6"), ["2001:db8::1"], "{place}");
    }
}

/// Every set that a configuration of the pages uses, and every one that the pages create.
#[test]
fn sets_of_ipset_are_made_as_the_pages_say() {
    let firewall = Firewall::with_sets(&[]);
    let mut made = 0;
    for page in written() {
        for block in page.blocks.iter().filter(|block| block.language == "sh") {
            for line in block.text.lines().filter_map(|line| line.strip_prefix("ipset create -exist ")) {
                let words: Vec<&str> = line.split_whitespace().collect();
                // The same name with other options is further down.
                let _ = firewall.command("ipset").args(["destroy", words[0]]).output();
                firewall.ipset(&[&["create"], &words[..]].concat());
                let address = if words.contains(&"inet6") { "2001:db8:1:2:3::4" } else { "192.0.2.1" };
                firewall.ipset(&["add", words[0], address, "timeout", "60"]);
                if words.contains(&"netmask") {
                    firewall.ipset(&["test", words[0], "2001:db8:1:2:ffff::"]);
                }
                made += 1;
            }
        }
    }
    assert!(made >= 3, "{made}");
}

/// The arguments of a call of `pyruse` in a shell line, without the configuration; `None` if there is no call.
fn call(line: &str) -> Option<Vec<&str>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    // A program's name is behind a prompt or a pipe, or at the beginning; elsewhere it is a service or a table.
    let begins = |at: usize| at == 0 || words[at - 1].ends_with(['$', '#', '>', '|', '&', ';']);
    let at = (0..words.len()).find(|at| ["pyruse", "pyruse2"].contains(&words[*at]) && begins(*at))?;
    let words = words[at + 1..].iter().copied();
    let end = |word: &&str| !["|", "&&", ">", ";", "#"].iter().any(|end| word.starts_with(end));
    let mut call = Vec::new();
    let mut words = words.take_while(end);
    while let Some(word) = words.next() {
        if word == "--config" {
            words.next();
        } else {
            call.push(word.trim_matches(['(', ')', ';', ',', '[', ']']));
        }
    }
    Some(call)
}

#[test]
fn commands_and_options_in_the_pages_exist() {
    let workspace = Workspace::new();
    let mut wrong = Vec::new();
    let mut called = BTreeSet::new();
    for page in written() {
        let shells = page.blocks.iter().filter(|block| block.language == "console");
        let mut lines: Vec<(usize, String)> = Vec::new();
        for block in shells {
            let typed = |line: &&str| ["$ ", "# ", "> "].iter().any(|prompt| line.contains(prompt));
            lines.extend(block.text.lines().filter(typed).map(|line| (block.line, line.to_owned())));
        }
        lines.extend(page.codes.iter().filter(|(_, code)| code.starts_with("pyruse ")).cloned());
        for (line, text) in lines {
            let Some(words) = call(&text) else { continue };
            let is_family = |word: &&str| ["bans", "counters", "import", "outbox", "report"].contains(word);
            let depth = if words.first().is_some_and(is_family) { 2 } else { 1 };
            let command: Vec<&str> =
                words.iter().take(depth).copied().take_while(|word| !word.starts_with('-')).collect();
            if command.first().is_none_or(|word| *word == "help" || *word == "COMMAND") {
                continue;
            }
            let help = workspace.command(&[&command[..], &["--help"]].concat()).output().unwrap();
            let help_text = String::from_utf8(help.stdout).unwrap();
            let options = words.iter().filter(|word| word.starts_with("--"));
            let missing: Vec<&&str> = options
                .filter(|word| !help_text.contains(word.split('=').next().unwrap_or_default()))
                .collect();
            if !help.status.success() || !missing.is_empty() {
                wrong.push(format!("{}:{line}: {text} {missing:?}", page.path.display()));
            }
            called.insert(command.join(" "));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(called.len() > 15, "{called:?}");
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    let mut broken = Vec::new();
    for page in &pages {
        for (line, target) in &page.links {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = match path {
                "" => page.path.clone(),
                path => page.path.parent().unwrap().join(path),
            };
            let place = format!("{}:{line}: {target}", page.path.display());
            let Ok(path) = path.canonicalize() else {
                broken.push(format!("{place}: there is no such file"));
                continue;
            };
            let there = pages.iter().find(|page| page.path.canonicalize().unwrap() == path);
            let known = there.is_some_and(|page| page.anchors.iter().any(|known| known == anchor));
            if !anchor.is_empty() && !known {
                broken.push(format!("{place}: there is no such heading"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
