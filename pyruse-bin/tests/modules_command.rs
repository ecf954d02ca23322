//! `pyruse modules`: the list, and the description of one module.

use std::process::{Command, Output};

fn modules(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pyruse")).arg("modules").args(args).output().unwrap()
}

fn shown(args: &[&str]) -> String {
    let output = modules(args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn all_modules_are_listed_in_a_line_each() {
    insta::assert_snapshot!(shown(&[]));
}

#[test]
fn the_list_is_data_with_json() {
    insta::assert_snapshot!(shown(&["--json"]));
}

#[test]
fn with_a_name_everything_about_a_module_is_printed() {
    for name in ["filter_pcre", "action_email", "action_noop"] {
        insta::assert_snapshot!(name, shown(&[name]));
    }
}

#[test]
fn everything_about_a_module_is_printed_as_json() {
    let json: serde_json::Value = serde_json::from_str(&shown(&["filter_in", "--json"])).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap());
}

#[test]
fn an_unknown_name_is_an_error_with_a_similar_one() {
    for (name, printed) in [
        (
            "filter_equal",
            "there is no filter, action or source `filter_equal`; did you mean `filter_equals`? (`pyruse modules` lists all of them)",
        ),
        (
            "nftban",
            "there is no filter, action or source `nftban`; did you mean `action_nftBan`? (`pyruse modules` lists all of them)",
        ),
        (
            "\u{1b}[2J",
            "there is no filter, action or source `\\u{1b}[2J` (`pyruse modules` lists all of them)",
        ),
    ] {
        let output = modules(&[name]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("pyruse: {printed}\n"));
    }
}
