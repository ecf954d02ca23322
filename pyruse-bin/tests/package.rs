//! What is installed: `make install`, the units, the package. What becomes of it on a machine is `make package-test`.

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::run;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// `make TARGET` with the program under test and these variables.
fn make(target: &str, variables: &[String]) {
    let mut command = Command::new("make");
    // Were this test run by make, its make would take up that one's settings.
    command.env_remove("MAKEFLAGS").env_remove("MAKELEVEL").current_dir(top());
    command.arg("--silent").arg(target).arg(format!("PYRUSE={}", env!("CARGO_BIN_EXE_pyruse")));
    run(command.args(variables));
}

/// As a package does it.
fn stage() -> tempfile::TempDir {
    let stage = tempfile::tempdir().unwrap();
    make("install", &staged(&stage));
    stage
}

fn staged(stage: &tempfile::TempDir) -> [String; 2] {
    [format!("DESTDIR={}", stage.path().display()), "PREFIX=/usr".into()]
}

/// All files below a directory, by their paths in it.
fn files(directory: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                waiting.push(entry.path());
            } else {
                found.insert(entry.path().strip_prefix(directory).unwrap().to_owned());
            }
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn every_file_is_in_its_place_with_its_mode() {
    let stage = stage();
    let mut shown = String::new();
    for file in files(stage.path()) {
        // Manual pages, documents, examples and rules are many, and have a test of their own.
        let many = ["usr/share/doc", "usr/share/man", "usr/share/pyruse/rules"];
        if !many.iter().any(|directory| file.starts_with(directory)) {
            writeln!(shown, "{:04o} /{}", mode(&stage.path().join(&file)), file.display()).unwrap();
        }
    }
    insta::assert_snapshot!("files", shown);
}

#[test]
fn pages_documents_and_examples_are_all_there_and_readable() {
    let stage = stage();
    let here = stage.path().join("usr/share");
    let mut expected = BTreeSet::new();
    for mut page in files(&top().join("packaging/man")) {
        assert!(page.set_extension(""), "{} ends in .in", page.display());
        let section = page.extension().unwrap().to_str().unwrap();
        expected.insert(Path::new("man").join(format!("man{section}")).join(&page));
    }
    assert!(expected.contains(Path::new("man/man1/pyruse.1")), "{expected:?}");
    assert!(expected.contains(Path::new("man/man5/pyruse.json.5")), "{expected:?}");

    let git = |folder: &str| {
        let listed = run(Command::new("git").arg("-C").arg(top().join(folder)).args([
            "-c",
            "safe.directory=*",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]));
        listed.split_terminator('\0').map(str::to_owned).collect::<Vec<_>>()
    };
    let places = [
        ("docs", "doc/pyruse/docs"),
        ("examples", "doc/pyruse/examples"),
        ("packaging/systemd/examples", "doc/pyruse/examples/systemd"),
    ];
    for (from, to) in places {
        let listed = git(from);
        assert!(!listed.is_empty(), "{from}");
        let listed = listed.iter().filter(|file| from != "examples" || !file.starts_with("rules/"));
        expected.extend(listed.map(|file| Path::new(to).join(file)));
    }
    // The library is there once; what its rules were made from is not installed.
    expected.insert("doc/pyruse/examples/rules".into());
    let is_source = |file: &String| {
        file.contains("/recorded/")
            || file.ends_with("/record")
            || Path::new(file).extension().is_some_and(|ending| ending == "py")
    };
    let rules = git("examples/rules").into_iter().filter(|file| !is_source(file));
    expected.extend(rules.map(|file| Path::new("pyruse/rules").join(file)));
    for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        expected.insert(Path::new("doc/pyruse").join(file));
    }
    let found: BTreeSet<PathBuf> = files(&here)
        .into_iter()
        .filter(|file| ["doc", "man", "pyruse/rules"].iter().any(|directory| file.starts_with(directory)))
        .collect();
    assert_eq!(found, expected);
    for file in found {
        assert!([0o644, 0o755].contains(&mode(&here.join(&file))), "{}", file.display());
    }
}

#[test]
fn installing_again_changes_nothing_and_an_admins_configuration_stays() {
    let stage = stage();
    let configuration = stage.path().join("etc/pyruse/pyruse.json");
    let before = files(stage.path());
    fs::write(&configuration, "// mine\n").unwrap();
    make("install", &staged(&stage));
    assert_eq!(files(stage.path()), before);
    assert_eq!(fs::read_to_string(&configuration).unwrap(), "// mine\n");
    make("uninstall", &staged(&stage));
    assert_eq!(files(stage.path()), BTreeSet::from([PathBuf::from("etc/pyruse/pyruse.json")]));
    make("uninstall", &staged(&stage));
}

#[test]
fn the_first_configuration_names_the_examples_where_they_are_installed() {
    let place = tempfile::tempdir().unwrap();
    for (prefix, documents) in
        [("/usr", "/usr/share/doc/pyruse"), ("/usr/local", "/usr/local/share/doc/pyruse")]
    {
        let stage = place.path().join(prefix.trim_start_matches('/').replace('/', "-"));
        make("install", &[format!("DESTDIR={}", stage.display()), format!("PREFIX={prefix}")]);
        let text = fs::read_to_string(stage.join("etc/pyruse/pyruse.json")).unwrap();
        let named: Vec<_> = text.split_whitespace().filter(|word| word.contains("doc/pyruse")).collect();
        let expected = [format!("{documents}/examples;"), format!("{documents}/examples/systemd.")];
        assert_eq!(named, expected);
    }
}

#[test]
fn a_running_or_enabled_service_is_not_uninstalled() {
    let place = tempfile::tempdir().unwrap();
    let prefix = place.path().display();
    let variables = [format!("PREFIX={prefix}"), format!("SYSCONFDIR={prefix}/etc")];
    make("install", &variables);
    let before = files(place.path());
    let programs = tempfile::tempdir().unwrap();
    let uninstall = |systemctl: &str| {
        let program = programs.path().join("systemctl");
        fs::write(&program, format!("#!/bin/sh\n{systemctl}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", programs.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("make");
        command.env_remove("MAKEFLAGS").env_remove("MAKELEVEL").env("PATH", path).current_dir(top());
        command.args(["--silent", "uninstall"]).args(&variables).output().unwrap()
    };
    for asked in ["is-active", "is-enabled"] {
        let output = uninstall(&format!("test $2 = {asked}"));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.starts_with("First: systemctl stop pyruse pyruse-nft-sets; systemctl disable pyruse\n"),
            "{said}"
        );
        assert!(!output.status.success());
        assert_eq!(files(place.path()), before);
    }
    assert!(uninstall("exit 1").status.success());
    assert_eq!(files(place.path()), BTreeSet::from([PathBuf::from("etc/pyruse/pyruse.json")]));
}

const UNITS: [&str; 3] = ["pyruse.service", "pyruse-boot@action_nftBan.service", "pyruse-nft-sets.service"];

/// Installs the files to the paths that the units name.
fn in_place() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let prefix = place.path().display();
    make("install", &[format!("PREFIX={prefix}"), format!("SYSCONFDIR={prefix}/etc")]);
    let units = place.path().join("lib/systemd/system");
    // A template cannot be checked, only what is made of it.
    fs::copy(units.join("pyruse-boot@.service"), units.join("pyruse-boot@action_nftBan.service")).unwrap();
    (place, units)
}

#[test]
fn systemd_analyze_finds_no_error_in_the_units() {
    let (_place, units) = in_place();
    for unit in UNITS {
        let mut verify = Command::new("systemd-analyze");
        // Its manual pages are not in the path of this `man`.
        let output = verify.args(["verify", "--man=no"]).arg(units.join(unit)).output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        // Other units of this machine are read, too, and are none of our business.
        let ours: Vec<&str> = complaints.lines().filter(|line| line.contains("pyruse")).collect();
        assert!(ours.is_empty(), "{complaints}");
        assert!(output.status.success(), "{unit}: {complaints}");
    }
}

#[test]
fn the_units_are_exposed_by_no_more_than_one_and_a_half_and_the_one_of_root_by_little_more() {
    let (_place, units) = in_place();
    for unit in UNITS {
        // It reads a file of root's, and so runs as root.
        let threshold = if unit == "pyruse-nft-sets.service" { 16 } else { 15 };
        let mut security = Command::new("systemd-analyze");
        run(security
            .args(["security", "--offline=true", "--no-pager"])
            .arg(format!("--threshold={threshold}"))
            .arg(units.join(unit)));
    }
}

#[test]
fn the_default_configuration_has_no_findings_and_bans_nobody() {
    let stage = stage();
    let file = stage.path().join("etc/pyruse/pyruse.json");
    let printed = run(Command::new(env!("CARGO_BIN_EXE_pyruse")).arg("check").arg(&file));
    assert!(printed.ends_with("; 0 errors, 0 warnings\n"), "{printed}");
    assert!(!fs::read_to_string(&file).unwrap().contains("Ban\""));
}

/// As the unit chooses it: the admin's file goes before the package's, and an empty one loads nothing.
#[test]
fn the_admins_file_of_sets_replaces_the_packages() {
    let (place, units) = in_place();
    let unit = fs::read_to_string(units.join("pyruse-nft-sets.service")).unwrap();
    // As systemd reads it: a line may be continued, and `$$` is `$`.
    let unit = unit.replace("\\\n", " ").replace("$$", "$");
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let firewall = common::Firewall::with_sets(&[]);
    let load = || {
        // Its words are as for a shell.
        let status = firewall.command("sh").arg("-c").arg(command).status().unwrap();
        assert!(status.success(), "{command}");
        firewall.nft(&["list", "tables"])
    };
    firewall.nft(&["flush", "ruleset"]);
    assert_eq!(load(), "table inet pyruse\n");
    firewall.nft(&["flush", "ruleset"]);
    let own = place.path().join("etc/pyruse/bans.nft");
    fs::write(&own, "table inet own {}\n").unwrap();
    assert_eq!(load(), "table inet own\n");
    firewall.nft(&["flush", "ruleset"]);
    fs::write(&own, "").unwrap();
    assert_eq!(load(), "");
}

/// Rules of a table may have been made by another version, with another hook.
#[test]
fn the_file_of_sets_can_be_loaded_over_that_of_another_version() {
    let firewall = common::Firewall::with_sets(&[]);
    let older = "add table inet pyruse; add chain inet pyruse bans { type filter hook prerouting priority raw; }; \
                 add set inet pyruse ssh_ban4 { type ipv4_addr; flags timeout; }; \
                 add element inet pyruse ssh_ban4 { 192.0.2.1 timeout 600s }";
    firewall.nft(&[older]);
    firewall.nft(&["-f", &top().join("packaging/bans.nft").display().to_string()]);
    assert_eq!(firewall.addresses("inet pyruse ssh_ban4"), ["192.0.2.1"]);
    let chain = firewall.nft(&["list", "chain", "inet", "pyruse", "bans"]);
    assert!(chain.contains("hook prerouting priority raw - 10;"), "{chain}");
}

/// All bans of the examples go into sets of `bans.nft`, which can be loaded again without losing them; or into sets whose
/// definition, to be added to it, is in the first lines of the example.
#[test]
fn the_sets_of_the_examples_are_all_there_and_keep_their_bans_when_loaded_again() {
    let firewall = common::Firewall::with_sets(&[]);
    let ruleset = top().join("packaging/bans.nft").display().to_string();
    firewall.nft(&["-f", &ruleset]);
    let mut sets = BTreeSet::new();
    let folders =
        ["examples/conf", "examples/rules"].map(|directory| fs::read_dir(top().join(directory)).unwrap());
    let files = folders.into_iter().flatten().map(Result::unwrap).flat_map(|folder| {
        ["pyruse.json", "rules.json"]
            .map(|name| fs::read_to_string(folder.path().join(name)).unwrap_or_default())
    });
    for text in files {
        for line in text.lines().filter_map(|line| line.strip_prefix("//     set ")) {
            firewall.nft(&[&format!("add set inet pyruse {line}")]);
        }
        sets.extend(text.split('"').filter(|word| word.starts_with("inet pyruse ")).map(str::to_owned));
    }
    assert!(sets.contains("inet pyruse ssh_ban4"), "{sets:?}");
    for set in sets {
        let address = if set.ends_with('6') { "2001:db8::1" } else { "192.0.2.1" };
        firewall.nft(&[&format!("add element {set} {{ {address} timeout 600s }}")]);
        firewall.nft(&["-f", &ruleset]);
        assert_eq!(firewall.addresses(&set), [address], "{set}");
    }
    let listing = firewall.nft(&["list", "chain", "inet", "pyruse", "bans"]);
    assert_eq!(listing.matches("drop").count(), 8, "rules are not doubled: {listing}");
}

#[test]
fn a_debian_package_is_built_and_declares_its_dependencies() {
    let (stage, output) = (stage(), tempfile::tempdir().unwrap());
    let mut make_deb = Command::new(top().join("packaging/make-deb"));
    run(make_deb
        .arg(stage.path())
        .arg(output.path())
        .env("PYRUSE_VERSION", "1.2.3-1")
        .env("PYRUSE_DEB_COMPRESSION", "none"));
    let architecture = run(Command::new("dpkg").arg("--print-architecture"));
    let deb = output.path().join(format!("pyruse_1.2.3-1_{}.deb", architecture.trim()));

    let control = run(Command::new("dpkg-deb").arg("--field").arg(&deb));
    // How large it is, which C library it was built with, and where, differs.
    let stable = |line: &&str| {
        !["Architecture:", "Installed-Size:", "Depends:"].iter().any(|field| line.starts_with(field))
    };
    insta::assert_snapshot!("control", control.lines().filter(stable).collect::<Vec<_>>().join("\n"));
    let depends = control.lines().find_map(|line| line.strip_prefix("Depends: ")).unwrap();
    for needed in ["libc6 (>= 2.", "libgcc-s1", "libsystemd0 (>= 2", "systemd (>= 245)"] {
        assert!(depends.split(", ").any(|found| found.starts_with(needed)), "{needed}: {depends}");
    }

    let info = tempfile::tempdir().unwrap();
    run(Command::new("dpkg-deb").arg("--raw-extract").arg(&deb).arg(info.path()));
    assert_eq!(
        fs::read_to_string(info.path().join("DEBIAN/conffiles")).unwrap(),
        "/etc/pyruse/pyruse.json\n"
    );
    for script in ["postinst", "prerm", "postrm"] {
        assert_eq!(mode(&info.path().join("DEBIAN").join(script)), 0o755, "{script}");
    }
    run(Command::new("md5sum").args(["--check", "--quiet", "DEBIAN/md5sums"]).current_dir(info.path()));
    // Everything belongs to root, whichever user has built it.
    let listing = run(Command::new("dpkg-deb").arg("--contents").arg(&deb));
    assert!(listing.lines().all(|line| line.split_whitespace().nth(1) == Some("root/root")), "{listing}");
}

#[test]
fn the_scripts_are_sound() {
    let scripts = [
        "packaging/debian/postinst",
        "packaging/debian/postrm",
        "packaging/debian/prerm",
        "packaging/install-man",
        "packaging/install-tree",
        "packaging/make-deb",
        "packaging/make-rpm",
        "packaging/make-tarballs",
        "packaging/test/machine",
        "packaging/test/run",
        "packaging/test/lib",
        "packaging/test/lint",
        "packaging/test/newcomer",
        "packaging/test/lifecycle",
        "packaging/test/firewalls",
        "packaging/test/mail-servers",
        "packaging/test/mail",
        ".ci/install",
        ".ci/run",
        "examples/demo/run.sh",
    ];
    run(Command::new("shellcheck").arg("--external-sources").args(scripts).current_dir(top()));
}
