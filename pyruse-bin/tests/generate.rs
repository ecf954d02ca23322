//! The packaged files beside the program, tested with the programs that read them: mandoc, man, bash, zsh, fish.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::run;
use pyruse_bin as _;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Manual pages as they are installed, below man1 and man5; they lead to the pages of this repository.
fn manual_pages() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut install = Command::new(top().join("packaging/install-man"));
    run(install.arg(top()).arg(directory.path()).env("SOURCE_DATE_EPOCH", "1795000000"));
    directory
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn manuals(directory: &Path) -> Vec<PathBuf> {
    let section = |name: &str| directory.join(name).read_dir().unwrap().map(|entry| entry.unwrap().path());
    section("man1").chain(section("man5")).collect()
}

/// The commands that the help lists.
fn commands() -> Vec<String> {
    let help = run(Command::new(env!("CARGO_BIN_EXE_pyruse")).arg("--help"));
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn every_command_has_a_manual_page_without_warnings_of_mandoc() {
    let directory = manual_pages();
    let mut expected: Vec<String> = commands().iter().map(|name| format!("pyruse-{name}.1")).collect();
    assert!(expected.len() >= 6, "{expected:?}");
    expected.push("pyruse.1".to_owned());
    expected.sort();
    assert_eq!(names(&directory.path().join("man1")), expected);
    assert_eq!(names(&directory.path().join("man5")), ["pyruse.json.5"]);
    for page in manuals(directory.path()) {
        let output = Command::new("mandoc").args(["-Tlint", "-Wwarning"]).arg(&page).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let shown = run(Command::new("mandoc").args(["-Tutf8"]).arg(&page));
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"] {
            // Bold, on a terminal: each letter twice, with a step back between them.
            let bold: String = section
                .chars()
                .map(|c| if c == ' ' { c.to_string() } else { format!("{c}\u{8}{c}") })
                .collect();
            assert!(shown.contains(&bold), "{} lacks {section}", page.display());
        }
    }
}

#[test]
fn the_manual_page_of_the_configuration_names_every_module_and_argument() {
    let directory = manual_pages();
    let page = run(Command::new("mandoc")
        .args(["-Tascii", "-Owidth=500"])
        .arg(directory.path().join("man5/pyruse.json.5")));
    let mut plain = String::new();
    for c in page.chars() {
        if c == '\u{8}' {
            plain.pop();
        } else {
            plain.push(c);
        }
    }
    let modules = run(Command::new(env!("CARGO_BIN_EXE_pyruse")).args(["modules", "--json"]));
    assert!(modules.lines().count() >= 15);
    for module in modules.lines() {
        let module: serde_json::Value = serde_json::from_str(module).unwrap();
        let name = module["name"].as_str().unwrap();
        let (_, rest) =
            plain.split_once(&format!("\n   {name}\n")).unwrap_or_else(|| panic!("{name} does not exist"));
        let whole = run(Command::new(env!("CARGO_BIN_EXE_pyruse")).args(["modules", name, "--json"]));
        let whole: serde_json::Value = serde_json::from_str(&whole).unwrap();
        for argument in whole["arguments"].as_array().unwrap() {
            let argument = argument["name"].as_str().unwrap();
            assert!(rest.contains(&format!("       {argument} (")), "{name}: {argument}");
        }
    }
}

#[test]
fn the_generated_pages_are_fresh() {
    let pages = pyruse_cli::generate::pages().unwrap();
    for (path, content) in &pages {
        // Not compared with `assert_eq!`, which would print two whole pages.
        let is_fresh = fs::read_to_string(top().join(path)).is_ok_and(|kept| kept == *content);
        assert!(is_fresh, "{path} is not what the program says any more: run `make reference`");
    }
    for directory in ["docs/reference", "packaging/man"] {
        for name in names(&top().join(directory)) {
            let path = format!("{directory}/{name}");
            assert!(
                pages.iter().any(|(page, _)| *page == path),
                "{path} is not generated any more: delete it"
            );
        }
    }
}

/// A directory with the completion scripts, a configuration, and the program under the name that the scripts call.
fn completions() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for script in ["_pyruse", "pyruse.bash", "pyruse.fish"] {
        fs::copy(top().join("packaging/completions").join(script), directory.path().join(script)).unwrap();
    }
    fs::create_dir(directory.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pyruse"), directory.path().join("bin/pyruse")).unwrap();
    fs::create_dir(directory.path().join("rules")).unwrap();
    fs::write(
        directory.path().join("rules/a.json"),
        r#"{"actions": {"a": [
            {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^from (?P<ip>\\S+)$"}},
            {"action": "action_counterRaise", "args": {"counter": "$(touch owned)", "for": "ip", "keepSeconds": 9}},
            {"action": "action_nftBan", "args": {"IP": "ip", "nftSetIPv4": "ip filter ban", "nftSetIPv6": "ip6 filter ban"}}
        ]}, "storage": "state"}"#,
    )
    .unwrap();
    directory
}

/// What is to be completed, and what every shell has to offer for it.
const COMPLETED: &[(&str, &[&str])] = &[
    ("pyruse rep", &["replay", "report"]),
    ("pyruse replay --f", &["--feedback", "--field", "--file", "--first-line", "--format"]),
    ("pyruse report s", &["send", "show"]),
    ("pyruse comp", &[]),
    ("pyruse modules filter_p", &["filter_pcre", "filter_pcreAny"]),
    ("pyruse boot action_nf", &["action_nftBan"]),
    (
        "pyruse check --explain P01",
        &["P010", "P011", "P012", "P013", "P014", "P015", "P016", "P017", "P018", "P019"],
    ),
    ("pyruse graph --format s", &["svg"]),
    ("pyruse replay --input rul", &["rules/"]),
    ("pyruse --config rules/a.json bans add 192.0.2.1 --set i", &["ip filter ban", "ip6 filter ban"]),
];

fn shell(directory: &Path, program: &str, args: &[&str]) -> String {
    let path = format!("{}:{}", directory.join("bin").display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(program);
    run(command.args(args).current_dir(directory).env("PATH", path).env("HOME", directory))
}

#[test]
fn bash_completes_commands_options_and_values() {
    let directory = completions();
    let complete = |line: &str| {
        let script = format!(
            "source ./pyruse.bash && complete -p pyruse >/dev/null || exit 1
             COMP_LINE={line:?} COMP_POINT={}; _pyruse pyruse; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            line.len()
        );
        let mut words: Vec<String> =
            shell(directory.path(), "bash", &["--norc", "-c", &script]).lines().map(str::to_owned).collect();
        words.sort();
        words.retain(|word| !word.is_empty());
        words
    };
    for (line, expected) in COMPLETED {
        let mut expected: Vec<String> = expected.iter().map(|word| word.replace(' ', "\\ ")).collect();
        expected.sort();
        assert_eq!(complete(line), expected, "{line}");
    }
    // Within quotes, blanks are as they are.
    assert_eq!(complete("pyruse --config rules/a.json bans add ::1 --set 'ip6"), ["ip6 filter ban"]);
    // What bash would run is quoted.
    let counter = complete("pyruse --config rules/a.json counters list ");
    assert!(counter.contains(&r"\$\(touch\ owned\)".to_owned()), "{counter:?}");
}

#[test]
fn fish_completes_commands_options_and_values() {
    let directory = completions();
    for (line, expected) in COMPLETED {
        let script = format!("source pyruse.fish; complete -C '{line}'");
        let completed = shell(directory.path(), "fish", &["--no-config", "-c", &script]);
        let mut words: Vec<&str> = completed.lines().map(|line| line.split('\t').next().unwrap()).collect();
        words.sort_unstable();
        assert_eq!(words, *expected, "{line}");
    }
}

#[test]
fn zsh_completes_commands_options_and_values() {
    let directory = completions();
    for (line, expected) in COMPLETED {
        let (before, last) = line.rsplit_once(' ').unwrap();
        // The function is loaded as zsh does it; what it hands over is caught.
        let script = format!(
            "autoload -U compinit; fpath=($PWD $fpath); compinit -u -d $PWD/dump
             [[ $_comps[pyruse] == _pyruse ]] || exit 1
             compadd() {{ print -rl -- ${{(P)@[-1]}} }}
             words=({before} {last}) CURRENT=$#words PREFIX={last}; _pyruse"
        );
        let completed = shell(directory.path(), "zsh", &["-f", "-c", &script]);
        let mut words: Vec<&str> = completed.lines().filter(|word| !word.is_empty()).collect();
        words.sort_unstable();
        assert_eq!(words, *expected, "{line}");
    }
}

#[test]
fn manual_pages_refer_to_existing_pages() {
    let directory = manual_pages();
    for source in manuals(directory.path()) {
        let name = source.display();
        let page = run(Command::new("mandoc").args(["-Tascii", "-Owidth=500"]).arg(&source));
        // Bold and underlined: a step back, and the letter once more.
        let shown = page.chars().fold(String::new(), |mut shown, c| {
            if c == '\u{8}' {
                let _ = shown.pop();
            } else {
                shown.push(c);
            }
            shown
        });
        let prefix = top().join("docs").display().to_string();
        let led_to: Vec<&str> = shown
            .match_indices(&prefix)
            .map(|(at, _)| shown[at..].split(char::is_whitespace).next().unwrap())
            .collect();
        assert!(!led_to.is_empty(), "{name} leads nowhere");
        for page in led_to {
            assert!(Path::new(page).is_file(), "{name} leads to {page}");
        }
    }
}
