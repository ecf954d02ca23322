//! The complete help, short and long, of every command: for a new command, only its snapshot has to be read.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

/// What a command says of itself.
fn help(path: &[&str], option: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pyruse"));
    let output = command.args(path).arg(option).env("COLUMNS", "100").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{path:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that a help lists.
fn subcommands(help: &str) -> Vec<String> {
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    let list = list.split("\n\n").next().unwrap();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect()
}

/// All commands, the program itself first, each with the words that call it.
fn commands() -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut at = 0;
    while at < all.len() {
        let path: Vec<&str> = all[at].iter().map(String::as_str).collect();
        let found = subcommands(&help(&path, "--help"));
        let longer = found.into_iter().map(|name| [all[at].clone(), vec![name]].concat()).collect::<Vec<_>>();
        all.extend(longer);
        at += 1;
    }
    all
}

fn name(path: &[String]) -> String {
    [&["pyruse".to_owned()], path].concat().join("-")
}

#[test]
fn every_command_helps_in_short_and_at_length() {
    let commands = commands();
    assert!(commands.len() > 15, "{commands:?}");
    for path in &commands {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let printed = format!("{}\n{:=<100}\n\n{}", help(&words, "-h"), "", help(&words, "--help"));
        insta::assert_snapshot!(name(path), printed);
    }
}

#[test]
fn no_line_of_help_is_too_long_and_each_says_something() {
    let mut wrong = String::new();
    for path in commands() {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        for option in ["-h", "--help"] {
            for line in help(&words, option).lines() {
                let is_example = line.starts_with("  ") && line.contains("pyruse");
                if line.chars().count() > 100 && !is_example {
                    let _ = writeln!(wrong, "{}: {line}", path.join(" "));
                }
                // An argument without a description is on its own line, and nothing indented follows in the short form.
                if option == "-h" && line.starts_with("      --") && !line.trim().contains("  ") {
                    let _ = writeln!(wrong, "{}: nothing is said of {}", path.join(" "), line.trim());
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_long_help_of_every_command_says_more_than_the_short_one() {
    let paragraphs = |text: &str| text.split("\n\n").count();
    for path in commands().into_iter().filter(|path| path.len() == 1) {
        let words = [path[0].as_str()];
        let (short, long) = (help(&words, "-h"), help(&words, "--help"));
        assert!(paragraphs(&long) > paragraphs(&short), "{path:?}");
    }
}

#[test]
fn no_snapshot_of_a_removed_command_is_left() {
    let expected: BTreeSet<String> =
        commands().iter().map(|path| format!("help__{}.snap", name(path))).collect();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots");
    let found =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<String> = found.filter(|name| name.starts_with("help__")).collect();
    assert_eq!(found, expected);
}
