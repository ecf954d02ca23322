//! No modules of a crate depend on each other in a circle: you can read first what a file builds on.
//!
//! A module is a file. A file hangs on another one when its code (tests aside) names what is defined there; through
//! whose re-export it comes does not matter. Where files hang on each other in a circle, none can be understood, or
//! tested, before the others, so the test prints the circle with the names that close it: one of them should move.
//!
//! What has no name in the code is not seen: methods that are called on a value, and names that macros make up.

mod arrows;
mod cases;
mod circles;
mod interface;
mod source;
mod syntax;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use self::arrows::arrows;
use self::circles::circles;
use self::source::{Files, Source};

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The circles of one crate, each as a text that says how to break it. `root` is `lib.rs` or `main.rs`.
fn printed(files: &Files, root: &str) -> Vec<String> {
    let source = Source::read(files, root);
    let arrows = arrows(&source);
    circles(source.paths.len(), &arrows).iter().map(|circle| circle.report(&source.paths, &arrows)).collect()
}

#[test]
fn no_modules_depend_on_each_other_in_a_circle() {
    let workspace = Path::new(WORKSPACE);
    let manifest = fs::read_to_string(workspace.join("Cargo.toml")).expect("the workspace has a Cargo.toml");
    let mut report = String::new();
    let mut read = 0;
    for member in members(&manifest) {
        let src = workspace.join(member).join("src");
        if member.starts_with("examples/") || !src.is_dir() {
            continue;
        }
        let mut files = Files::new();
        gather(&src, "", &mut files);
        for root in ["lib.rs", "main.rs"] {
            if files.contains_key(root) {
                read += 1;
                for circle in printed(&files, root) {
                    writeln!(report, "{member}: {circle}").expect("a text takes all");
                }
            }
        }
    }
    assert!(read >= 4, "where are the crates? {read} were read below {}", workspace.display());
    assert!(report.is_empty(), "modules stand in a circle; a name that moves opens it:\n\n{report}");
}

/// The members of the workspace, as its Cargo.toml has them.
fn members(manifest: &str) -> Vec<&str> {
    let list = manifest.split_once("\nmembers = [").and_then(|(_, rest)| rest.split_once(']'));
    let (list, _) = list.expect("Cargo.toml has a list of members");
    // Every second part is between quotes.
    list.split('"').skip(1).step_by(2).collect()
}

/// Reads the Rust files of a directory and those below it; `below` is its path in src/, with a slash.
fn gather(directory: &Path, below: &str, files: &mut Files) {
    for entry in fs::read_dir(directory).expect("src/ can be listed") {
        let path = entry.expect("src/ can be listed").path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.is_dir() {
            gather(&path, &format!("{below}{name}/"), files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.insert(format!("{below}{name}"), fs::read_to_string(&path).expect("a source is a text"));
        }
    }
}
