//! What is packaged beside the program, shown to those who read it: mandoc, man, bash, zsh, fish.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::run;

/// Lets the program under test generate that.
fn generate(what: &str, directory: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pyruse"));
    run(command.args(["generate", what]).arg(directory).env("SOURCE_DATE_EPOCH", "1795000000"));
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
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
fn every_command_has_a_manual_page_and_mandoc_has_nothing_to_say_against_any() {
    let directory = tempfile::tempdir().unwrap();
    generate("man", directory.path());
    let mut expected: Vec<String> = commands().iter().map(|name| format!("pyruse-{name}.1")).collect();
    assert!(expected.len() >= 6, "{expected:?}");
    expected.extend(["pyruse.1".to_owned(), "pyruse.json.5".to_owned()]);
    expected.sort();
    assert_eq!(names(directory.path()), expected);
    for page in &expected {
        let page = directory.path().join(page);
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
    let directory = tempfile::tempdir().unwrap();
    generate("man", directory.path());
    let page = run(Command::new("mandoc")
        .args(["-Tascii", "-Owidth=500"])
        .arg(directory.path().join("pyruse.json.5")));
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
            plain.split_once(&format!("\n   {name}\n")).unwrap_or_else(|| panic!("{name} is not there"));
        let whole = run(Command::new(env!("CARGO_BIN_EXE_pyruse")).args(["modules", name, "--json"]));
        let whole: serde_json::Value = serde_json::from_str(&whole).unwrap();
        for argument in whole["arguments"].as_array().unwrap() {
            let argument = argument["name"].as_str().unwrap();
            assert!(rest.contains(&format!("       {argument} (")), "{name}: {argument}");
        }
    }
}

#[test]
fn the_reference_pages_are_fresh() {
    let directory = tempfile::tempdir().unwrap();
    generate("reference", directory.path());
    let kept = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference"));
    let pages = names(directory.path());
    assert_eq!(pages, ["commands.md", "configuration.md", "effects.md", "modules.md"]);
    for page in pages {
        let (made, kept) =
            (fs::read_to_string(directory.path().join(&page)), fs::read_to_string(kept.join(&page)));
        // Not compared by an assertion: nobody wants to see two whole pages.
        let is_fresh = kept.is_ok_and(|kept| kept == made.unwrap());
        assert!(
            is_fresh,
            "docs/reference/{page} is not what the program says any more: run `make reference`"
        );
    }
}

#[test]
fn bash_completes_commands_and_options() {
    let directory = tempfile::tempdir().unwrap();
    generate("completions", directory.path());
    assert_eq!(names(directory.path()), ["_pyruse", "pyruse.bash", "pyruse.fish"]);
    let script = "source ./pyruse.bash || exit 1
        complete -p pyruse >/dev/null || exit 1
        COMP_WORDS=(pyruse rep) COMP_CWORD=1; _pyruse pyruse rep pyruse; echo ${COMPREPLY[@]}
        COMP_WORDS=(pyruse replay --f) COMP_CWORD=2; _pyruse pyruse --f replay; echo ${COMPREPLY[@]}
        COMP_WORDS=(pyruse report s) COMP_CWORD=2; _pyruse pyruse s report; echo ${COMPREPLY[@]}
        COMP_WORDS=(pyruse gene) COMP_CWORD=1; _pyruse pyruse gene pyruse; echo ${COMPREPLY[@]}";
    let completed = run(Command::new("bash").args(["--norc", "-c", script]).current_dir(directory.path()));
    assert_eq!(completed, "replay report\n--file --feedback\nshow send\n\n");
}

#[test]
fn fish_completes_commands_and_options() {
    let directory = tempfile::tempdir().unwrap();
    generate("completions", directory.path());
    let script = "source pyruse.fish; complete -C 'pyruse rep'; complete -C 'pyruse replay --f'; complete -C 'pyruse gene'";
    let completed = run(Command::new("fish")
        .args(["--no-config", "-c", script])
        .current_dir(directory.path())
        .env("HOME", directory.path()));
    let words: Vec<&str> = completed.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(words, ["replay", "report", "--feedback", "--file"]);
}

#[test]
fn zsh_loads_its_completion_and_offers_the_commands() {
    let directory = tempfile::tempdir().unwrap();
    generate("completions", directory.path());
    // What the completion would show is caught where it hands it over.
    let script = "autoload -U compinit; fpath=($PWD $fpath); compinit -u -d $PWD/dump
        [[ $_comps[pyruse] == _pyruse ]] || exit 1
        _describe() { print -rl -- ${(P)4} }
        autoload +X _pyruse || exit 1
        _pyruse_commands 2>/dev/null || { source ./_pyruse 2>/dev/null; _pyruse_commands }";
    let completed = run(Command::new("zsh")
        .args(["-f", "-c", script])
        .current_dir(directory.path())
        .env("HOME", directory.path()));
    let words: Vec<&str> =
        completed.lines().filter_map(|line| line.split(':').next()).filter(|word| *word != "help").collect();
    let mut expected = commands();
    expected.sort();
    let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    words.sort();
    assert_eq!(words, expected);
}
