//! `docs/third-party.md` lists the crates whose code is in the program, as cargo resolves them.
//!
//! `UPDATE_DOCS=1 cargo test -p pyruse-bin --test third_party` writes the page.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// The page must not depend on the machine that builds it.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The text before the table.
const HEAD: &str = "\
# Third-party code

The program `pyruse` is one file. It contains the compiled code of the crates below. Their sources are on
[crates.io](https://crates.io), where each crate carries its own copyright notices and the text of its licence.

`libsqlite3-sys` brings the source of SQLite, which is in the public domain. The C library and libsystemd are not in the
program: it loads those of the system.

## LGPL

`systemd` and `libsystemd-sys` are free software under the GNU Lesser General Public License, version 2.1 or later. Their
authors add an exception: a program that contains their compiled code may be distributed without any restriction that
comes from them. Pyruse uses both crates unchanged. You may change them and build the program again: its source is all
that this takes.

## Crates

| crate | version | licence |
|---|---|---|
";

/// Name, version and licence of every crate that is linked into the program, without those of this workspace.
fn linked() -> BTreeSet<[String; 3]> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--locked", "--package", "pyruse-bin", "--edges", "normal,no-proc-macro"])
        .args(["--target", TARGET, "--prefix", "none", "--no-dedupe", "--format", "{p}|{l}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    let parse = |line: &str| {
        let (package, licence) = line.split_once('|').unwrap();
        let (name, version) = package.split_once(" v").unwrap();
        // A crate of this workspace is followed by its directory.
        let is_ours = version.contains(' ');
        (!is_ours).then(|| [name.to_owned(), version.to_owned(), licence.replace('/', " OR ")])
    };
    listed.lines().filter_map(parse).collect()
}

#[test]
fn the_page_of_third_party_code_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/third-party.md");
    let mut page = HEAD.to_owned();
    for [name, version, licence] in linked() {
        writeln!(page, "| [{name}](https://crates.io/crates/{name}) | {version} | {licence} |").unwrap();
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == page,
        "docs/third-party.md is not what `cargo tree` says: run this test with UPDATE_DOCS=1"
    );
}

#[test]
fn the_packages_name_the_crates_under_the_lgpl() {
    let lgpl: Vec<String> =
        linked().into_iter().filter(|[.., licence]| licence.contains("GPL")).map(|[name, ..]| name).collect();
    assert_eq!(lgpl, ["libsystemd-sys", "systemd"]);
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
    for notice in ["debian/copyright", "rpm/pyruse.spec"] {
        let text = std::fs::read_to_string(packaging.join(notice)).unwrap();
        for name in &lgpl {
            assert!(text.contains(&format!("`{name}`")), "{notice} does not name {name}");
        }
        assert!(text.contains("third-party.md"), "{notice}");
    }
}
