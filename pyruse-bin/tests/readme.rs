//! What the README shows is what the program, the rules and the package do: its numbers come from here.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::run;
use serde_json::{Value, json};

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn readme() -> String {
    fs::read_to_string(top().join("README.md")).unwrap()
}

/// Without what differs from run to run: the directory, the machine's name, times, and how long a ban still has.
fn without_the_run(text: &str) -> String {
    let mut shown = String::new();
    // Several orders may go to nft in one call or in several.
    for line in text.replace("; add element", "\n    add element").lines() {
        let mut words: Vec<String> = Vec::new();
        for word in line.split(' ') {
            let path = word.find("/pyruse-demo.").map(|at| (at, at + "/pyruse-demo.xxxxxx".len()));
            let word = match (word.split_once('@'), path) {
                (_, Some((_, end))) => format!("DIRECTORY{}", &word[end..]),
                (Some((name, _)), _) => format!("{name}@MACHINE"),
                _ => word.to_owned(),
            };
            let is_time = word.len() == 6 && word.as_bytes()[2] == b':' && word.ends_with(':');
            let is_left = words.last().is_some_and(|before| before == "timeout");
            words.push(if is_time {
                "TIME:".to_owned()
            } else if is_left {
                word.replace(|c: char| c.is_ascii_digit(), "")
            } else {
                word
            });
        }
        shown.push_str(words.join(" ").trim_end());
        shown.push('\n');
    }
    shown
}

/// Returns `true` if these are the lines; a line of dots means any number of lines.
fn has_lines(wanted: &str, found: &str) -> Result<(), String> {
    let mut found = found.lines();
    let mut skipping = false;
    for line in wanted.lines() {
        if line.trim() == "…" {
            skipping = true;
            continue;
        }
        let next = if skipping { found.find(|found| *found == line) } else { found.next() };
        if next != Some(line) {
            return Err(format!(
                "the README has `{line}`, the program says `{}`",
                next.unwrap_or("nothing more")
            ));
        }
        skipping = false;
    }
    found.find(|line| !line.is_empty()).map_or(Ok(()), |line| Err(format!("the README lacks `{line}`")))
}

/// The two streams of a terminal in one: what a person sees.
#[test]
fn the_demonstration_shows_what_the_readme_shows() {
    let readme = readme();
    let shown = readme.split_once("```text demo\n").expect("the demonstration's output").1;
    let shown = shown.split_once("\n```\n").unwrap().0;
    let mut demo = Command::new("sh");
    demo.arg("-c").arg("exec \"$0\" \"$1\" 2>&1").arg(top().join("examples/demo/run.sh"));
    demo.arg(env!("CARGO_BIN_EXE_pyruse")).env("SAMPLE", "1").env("TZ", "UTC").env_remove("JOURNAL_STREAM");
    let found = run(&mut demo);
    if let Err(difference) = has_lines(&without_the_run(shown), &without_the_run(&found)) {
        panic!("{difference}\n{found}");
    }
}

#[test]
fn the_oldest_rust_is_the_one_that_the_readme_names() {
    let manifest = fs::read_to_string(top().join("Cargo.toml")).unwrap();
    let oldest =
        manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(readme().contains(&format!("and Rust {oldest},")), "{oldest}");
}

/// Entries of the command that the README has one type, at these seconds, as the journal has them.
fn tries(seconds: &[u64]) -> String {
    let readme = readme();
    let typed = readme.lines().find(|line| line.contains("logger -t sshd")).expect("a command to try it");
    let message = typed.split('"').nth(1).unwrap();
    assert!(typed.contains(" in 1 2 3 4 5;") && message.contains("$n"), "{typed}");
    let entry = |(n, second): (usize, &u64)| {
        json!({
            "__REALTIME_TIMESTAMP": (1_700_000_000_000_000 + second * 1_000_000).to_string(),
            "SYSLOG_IDENTIFIER": "sshd", "_UID": "0", "PRIORITY": "5", "_PID": (100 + n).to_string(),
            "MESSAGE": message.replace("$n", &(n + 1).to_string()),
        })
        .to_string()
    };
    seconds.iter().enumerate().map(entry).collect::<Vec<_>>().join("\n")
}

/// The bans that the rules for ssh make of them: address and seconds.
fn bans(entries: &str) -> Vec<(String, u64)> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("entries");
    fs::write(&file, entries).unwrap();
    let mut replay = Command::new(env!("CARGO_BIN_EXE_pyruse"));
    replay
        .arg("--config")
        .arg(top().join("examples/rules/sshd/pyruse.json"))
        .args(["replay", "--json", "--input"]);
    let printed = run(replay.arg(&file));
    let effects = printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    effects
        .filter(|effect| effect["effect"] == "ban")
        .map(|ban| (ban["ip"].as_str().unwrap().to_owned(), ban["seconds"].as_u64().unwrap()))
        .collect()
}

#[test]
fn the_rules_for_ssh_ban_as_the_readme_says() {
    assert!(
        readme()
            .contains("an address that fails to log in five times within ten minutes is banned for a day")
    );
    assert_eq!(bans(&tries(&[0, 1, 2, 3])), []);
    assert_eq!(bans(&tries(&[0, 1, 2, 3, 599])), [("203.0.113.7".to_owned(), 86400)]);
    assert_eq!(bans(&tries(&[0, 1, 2, 3, 601])), []);
}

#[test]
fn the_files_of_make_dist_have_the_names_in_the_readme_and_install() {
    let output = tempfile::tempdir().unwrap();
    let mut make = Command::new("make");
    make.env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .env("PYRUSE_DEB_COMPRESSION", "none")
        .current_dir(top());
    make.args(["--silent", "dist-files"]).arg(format!("DIST={}", output.path().display()));
    run(make.arg(format!("PYRUSE={}", env!("CARGO_BIN_EXE_pyruse"))));
    run(Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(output.path()));

    let mut paths: Vec<PathBuf> =
        fs::read_dir(output.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let names: Vec<&str> = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    let [_, program, sources, deb] = names[..] else { panic!("{names:?}") };
    // On other processors than that of the README's example, the names differ.
    if cfg!(target_arch = "x86_64") {
        assert!(readme().contains(&format!("./target/dist/{deb}")), "{deb}");
        assert!(readme().contains(&format!("tar -xf {program}")), "{program}");
    }
    assert!(sources.ends_with(".tar.gz"), "{sources}");

    let listed = run(Command::new("tar").arg("-tf").arg(output.path().join(sources)));
    for file in
        ["Cargo.lock", "Makefile", ".ci/install", "pyruse-core/Cargo.toml", "packaging/rpm/pyruse.spec"]
    {
        assert!(listed.lines().any(|line| line.split_once('/').unwrap().1 == file), "{file}: {listed}");
    }
    // Without a toolchain, without git: from what the tarball holds.
    run(Command::new("tar").arg("-xf").arg(output.path().join(program)).current_dir(output.path()));
    let unpacked = output.path().join(program.split_once("-linux").unwrap().0);
    let mut make = Command::new("make");
    make.env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .env("GIT_DIR", "/nonexistent")
        .current_dir(&unpacked);
    run(make.args(["--silent", "install"]).arg(format!("DESTDIR={}", output.path().join("root").display())));
    let root = output.path().join("root/usr/local");
    for file in [
        "bin/pyruse",
        "share/pyruse/bans.nft",
        "share/doc/pyruse/docs/operating.md",
        "share/man/man1/pyruse.1",
    ] {
        assert!(root.join(file).exists(), "{file}");
    }
    let version = run(Command::new(root.join("bin/pyruse")).arg("--version"));
    assert!(sources.contains(version.trim().trim_start_matches("pyruse ")), "{version}");
}
