//! The page for contributors names what there is: files, tests, targets of the Makefile.

use std::fs;

use crate::page::Page;
use crate::root;

/// The beginnings of paths in the repository.
const TOP: &[&str] = &[".ci/", "docs/", "examples/", "packaging/", "pyruse-", "target/"];

/// All commands and names of the page, each with its line.
fn named() -> Vec<(usize, String)> {
    let page = Page::read(&root().join("docs/contributing.md"));
    let of_blocks = page.blocks.iter().filter(|block| block.language == "console").flat_map(|block| {
        block.text.lines().enumerate().map(|(n, line)| (block.line + 1 + n, line.to_owned()))
    });
    of_blocks.chain(page.codes.iter().cloned()).collect()
}

#[test]
fn every_path_exists() {
    let (mut seen, mut missing) = (0, Vec::new());
    for (line, text) in named() {
        for word in text.split_whitespace() {
            let word = word.trim_end_matches([',', ';', '.']);
            // Of a pattern, the part before it; NAME is what the reader chooses.
            let path = word.split(['*', '<']).next().unwrap();
            let path = path.split("NAME").next().unwrap();
            let path =
                if path == word { path } else { path.rsplit_once('/').map_or("", |(before, _)| before) };
            let is_path = TOP.iter().any(|top| path.starts_with(top)) && path.contains('/');
            if is_path && !path.starts_with("target/") {
                seen += 1;
                if !root().join(path).exists() {
                    missing.push(format!("{line}: {word}"));
                }
            }
        }
    }
    assert_eq!(missing, [""; 0]);
    assert!(seen > 20, "{seen}");
}

/// Has a crate a test of this name?
fn is_test(name: &str) -> bool {
    let of = |krate: &str| {
        let tests = root().join(krate).join("tests");
        tests.join(format!("{name}.rs")).exists() || tests.join(name).join("main.rs").exists()
    };
    ["pyruse-bin", "pyruse-core", "examples/custom-filter", "examples/custom-source"].into_iter().any(of)
}

#[test]
fn every_test_and_every_target_of_make_exists() {
    let makefile =
        ["Makefile", "packaging/install.mk"].map(|file| fs::read_to_string(root().join(file)).unwrap());
    let (mut seen, mut missing) = (0, Vec::new());
    for (line, text) in named() {
        let words: Vec<&str> = text.split_whitespace().collect();
        for pair in words.windows(2) {
            let exists = match pair {
                ["--test", name] => is_test(name),
                ["make", target] => makefile
                    .iter()
                    .any(|file| file.lines().any(|line| line.starts_with(&format!("{target}:")))),
                _ => continue,
            };
            seen += 1;
            if !exists {
                missing.push(format!("{line}: {}", pair.join(" ")));
            }
        }
    }
    assert_eq!(missing, [""; 0]);
    assert!(seen > 40, "{seen}");
}
