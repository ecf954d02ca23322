//! `.ci/install` on machines of every kind: what it installs, or which commands it prints.
//!
//! The machines are directories of programs: the script runs with nothing else in its PATH. Package managers are stand-ins
//! that record their arguments, and "install" a cargo of the version that their archive has.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What the script needs itself.
const TOOLS: &[&str] = &["sh", "env", "sed", "cut", "grep", "dirname", "cat", "chmod", "cp"];

struct Machine(tempfile::TempDir);

/// What came of a run.
struct Run {
    code: i32,
    /// The calls of the package managers, one per line.
    done: String,
    said: String,
}

impl Machine {
    /// Without compiler, headers, Rust and package manager; root is at work.
    fn bare() -> Machine {
        let machine = Machine(tempfile::tempdir().unwrap());
        for directory in ["bin", "archive", "home"] {
            fs::create_dir(machine.path(directory)).unwrap();
        }
        for tool in TOOLS {
            let found = ["/usr/bin", "/bin"].map(|place| Path::new(place).join(tool));
            symlink(found.iter().find(|path| path.exists()).unwrap(), machine.path("bin").join(tool))
                .unwrap();
        }
        machine.user(0)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn program(self, name: &str, body: &str) -> Machine {
        let path = self.path("bin").join(name);
        let body = body.replace("@HERE@", &self.0.path().display().to_string());
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn user(self, number: u32) -> Machine {
        self.program("id", &format!("echo {number}"))
    }

    fn sudo(self) -> Machine {
        self.program("sudo", "echo sudo \"$@\" >>@HERE@/done\nexec \"$@\"")
    }

    /// A package manager that installs a cargo, or a rustup, of the version that its archive has.
    fn manager(self, name: &str) -> Machine {
        let install = format!(
            "echo {name} \"$@\" >>@HERE@/done
            for package; do
                [ ! -e @HERE@/archive/$package ] || case $package in
                cargo | cargo-web)
                    printf '#!/bin/sh\necho cargo %s\n' \"$(cat @HERE@/archive/$package)\" >@HERE@/bin/cargo
                    cp @HERE@/bin/cargo @HERE@/bin/rustc
                    chmod 755 @HERE@/bin/cargo @HERE@/bin/rustc ;;
                rustup) cp @HERE@/rustup @HERE@/bin/rustup ;;
                esac
            done"
        );
        self.program(name, &install)
    }

    /// apt, whose archive has these packages.
    fn apt(self, archive: &[(&str, &str)]) -> Machine {
        let machine = self.manager("apt-get").offers(archive);
        machine.program(
            "apt-cache",
            "shift\n[ ! -e @HERE@/archive/$1 ] || printf '%s:\\n  Candidate: %s\\n' \"$1\" \"$(cat @HERE@/archive/$1)\"",
        )
    }

    fn offers(self, archive: &[(&str, &str)]) -> Machine {
        for (package, version) in archive {
            fs::write(self.path("archive").join(package), version).unwrap();
        }
        self
    }

    /// A rustup that installs a toolchain of this version.
    fn rustup(self, version: &str) -> Machine {
        let body = format!(
            "echo rustup \"$@\" >>@HERE@/done
            printf '#!/bin/sh\\necho cargo {version}\\n' >@HERE@/bin/cargo
            cp @HERE@/bin/cargo @HERE@/bin/rustc
            chmod 755 @HERE@/bin/cargo @HERE@/bin/rustc"
        );
        self.program("rustup", &body)
    }

    fn install(&self, part: &str) -> Run {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut command = Command::new(top.join(".ci/install"));
        command.arg(part).env_clear().env("PATH", self.path("bin")).env("HOME", self.path("home"));
        let Output { status, stderr, .. } = command.output().unwrap();
        Run {
            code: status.code().unwrap(),
            done: fs::read_to_string(self.path("done")).unwrap_or_default(),
            said: String::from_utf8(stderr).unwrap(),
        }
    }
}

const RUSTUP: &str = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- --profile minimal";

#[test]
fn cargo_of_the_archive_is_used_if_it_is_new_enough() {
    let run = Machine::bare().apt(&[("cargo", "1.91.0+dfsg1-1"), ("rustup", "1.27")]).install("build");
    assert_eq!(run.code, 0, "{}", run.said);
    assert!(run.done.contains(" cargo rustc -qq\n"), "{}", run.done);
    assert!(!run.done.contains("rustup"), "{}", run.done);
}

#[test]
fn cargo_web_of_debian_12_is_taken_with_the_security_archive_only() {
    let run =
        Machine::bare().apt(&[("cargo", "0.66.0"), ("cargo-web", "1.96.0+dfsg1-1~deb12u2")]).install("build");
    assert_eq!(run.code, 0, "{}", run.said);
    assert!(run.done.contains(" cargo-web rustc-web -qq\n"), "{}", run.done);

    let run =
        Machine::bare().apt(&[("cargo", "0.66.0"), ("cargo-web", "1.85.0+dfsg3-1~deb12u3")]).install("build");
    assert_eq!(run.code, 1);
    assert!(!run.done.contains("cargo"), "{}", run.done);
    assert!(run.said.contains(RUSTUP), "{}", run.said);
    assert!(run.said.contains("debian-security bookworm-security main"), "{}", run.said);
}

#[test]
fn the_archives_rustup_goes_before_cargo_web() {
    let archive = [("cargo", "1.75.0"), ("cargo-web", "1.96.0"), ("rustup", "1.26")];
    let machine = Machine::bare().apt(&archive).rustup("1.95.0");
    // It is in the package yet.
    fs::rename(machine.path("bin/rustup"), machine.path("rustup")).unwrap();
    let run = machine.install("build");
    assert_eq!(run.code, 0, "{}\n{}", run.said, run.done);
    assert!(run.done.contains("rustup toolchain install stable --profile minimal\n"), "{}", run.done);
    assert!(!run.done.contains("cargo-web"), "{}", run.done);
}

#[test]
fn a_rustup_that_is_there_is_used() {
    let run = Machine::bare().apt(&[("cargo-web", "1.96.0")]).rustup("1.95.0").install("build");
    assert_eq!(run.code, 0, "{}", run.said);
    assert!(run.done.contains("rustup toolchain install stable --profile minimal\n"), "{}", run.done);
    assert!(!run.done.contains("cargo-web"), "{}", run.done);

    let run = Machine::bare().apt(&[]).rustup("1.70.0").install("build");
    assert_eq!(run.code, 1);
    assert!(run.said.contains("rustup override set stable"), "{}", run.said);
}

#[test]
fn rust_that_rustup_installed_in_the_home_is_found() {
    let machine = Machine::bare().apt(&[]);
    let place = machine.path("home/.cargo/bin");
    fs::create_dir_all(&place).unwrap();
    let machine = machine.rustup("1.95.0").program("cargo", "echo cargo 1.95.0").program("rustc", "");
    for program in ["cargo", "rustc"] {
        fs::rename(machine.path("bin").join(program), place.join(program)).unwrap();
    }
    let run = machine.install("build");
    assert_eq!(run.code, 0, "{}", run.said);
    assert!(!run.done.contains("rustup"), "{}", run.done);
}

#[test]
fn fedora_packages_have_other_names() {
    let run = Machine::bare().manager("dnf").offers(&[("cargo", "1.91.0")]).install("build");
    assert_eq!(run.code, 0, "{}", run.said);
    let installed: Vec<&str> = run.done.lines().collect();
    assert_eq!(installed.len(), 2, "{installed:?}");
    for package in ["gcc", "pkgconf-pkg-config", "systemd-devel", "make"] {
        assert!(installed[0].split(' ').any(|word| word == package), "{package}: {installed:?}");
    }
    assert!(installed[1].ends_with(" rust cargo"), "{installed:?}");
    assert!(!run.done.contains("libsystemd-dev"), "{installed:?}");
    // A release whose Rust is too old.
    let run = Machine::bare().manager("dnf").offers(&[("cargo", "1.80.0")]).install("build");
    assert_eq!(run.code, 1);
    assert!(run.said.contains(RUSTUP), "{}", run.said);
}

#[test]
fn without_a_package_manager_it_says_what_to_install() {
    let run = Machine::bare().install("build");
    assert_eq!(run.code, 1);
    assert!(run.said.contains("\n    gcc "), "{}", run.said);
    assert!(run.said.contains(" libsystemd-dev "), "{}", run.said);
    // Only Rust is missing there.
    let machine = Machine::bare();
    let machine =
        ["cc", "pkg-config", "make"].iter().fold(machine, |machine, name| machine.program(name, ""));
    let run = machine.install("build");
    assert_eq!(run.code, 1);
    assert!(run.said.contains(RUSTUP), "{}", run.said);
}

#[test]
fn a_user_who_cannot_become_root_gets_the_commands() {
    let run = Machine::bare().apt(&[]).user(1000).install("build");
    assert_eq!(run.code, 1);
    assert_eq!(run.done, "", "nothing is tried");
    assert!(
        run.said.contains("\n    apt-get update\n    apt-get install -y --no-install-recommends gcc "),
        "{}",
        run.said
    );

    let run = Machine::bare().apt(&[("cargo", "1.91.0")]).user(1000).sudo().install("build");
    assert_eq!(run.code, 0, "{}", run.said);
    assert!(run.done.contains("sudo apt-get update -qq\n"), "{}", run.done);
    assert!(run.done.contains("sudo env DEBIAN_FRONTEND=noninteractive apt-get install "), "{}", run.done);
}

#[test]
fn if_everything_is_installed_nothing_is_done_or_printed() {
    let machine = Machine::bare().apt(&[]).program("cargo", "echo cargo 1.95.0").program("rustc", "");
    let machine =
        ["cc", "pkg-config", "make"].iter().fold(machine, |machine, name| machine.program(name, ""));
    let run = machine.install("build");
    assert_eq!((run.code, run.done.as_str(), run.said.as_str()), (0, "", ""));
}

#[test]
fn an_error_of_the_package_manager_is_not_ignored() {
    let run = Machine::bare().program("apt-get", "exit 100").program("apt-cache", "").install("build");
    assert_eq!(run.code, 1);
    assert!(run.said.contains("The installation failed"), "{}", run.said);
}

#[test]
fn an_unknown_part_is_wrong_usage() {
    let run = Machine::bare().apt(&[]).install("everything");
    assert_eq!(run.code, 2);
    assert!(run.said.contains("unknown part everything"), "{}", run.said);
}
