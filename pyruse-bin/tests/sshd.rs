//! A real sshd, a real journald, the rules that are shipped for it, and a real firewall.
//!
//! (What three versions of OpenSSH write about a hundred kinds of clients is recorded, and tested in `recorded.rs`.)

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{Firewall, Journald, Running, Site, run, wait_for};

const SERVER: &str = "203.0.113.1";

/// An sshd of our own, within mounts and a network of its own, which logs to that journald. Root may log in by a key that
/// nobody has, or with a wrong password.
struct Sshd {
    child: Child,
}

impl Sshd {
    fn start(site: &Site, journald: &Journald) -> Sshd {
        let (key, config) = (site.path("host_key"), site.path("sshd_config"));
        run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key));
        run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(site.path("key")));
        site.script("wrong", "echo wrong");
        let lines = format!(
            "ListenAddress {SERVER}\nHostKey {}\nPidFile none\nUsePAM no\nPermitRootLogin yes\nAuthorizedKeysFile none\n\
             KbdInteractiveAuthentication no\nMaxStartups 100\n",
            key.display()
        );
        fs::write(&config, lines).unwrap();
        // `/dev/log` is that journald's, here only.
        let script = r#"
            set -e
            ip link set lo up
            ip addr add "$1/24" dev lo
            mount -t tmpfs tmpfs /dev
            mknod -m 666 /dev/null c 1 3
            mknod -m 666 /dev/zero c 1 5
            mknod -m 666 /dev/random c 1 8
            mknod -m 666 /dev/urandom c 1 9
            : >/dev/log
            mount --bind "/run/systemd/journal.$2/dev-log" /dev/log
            mkdir -p /run/sshd
            exec /usr/sbin/sshd -D -f "$3"
        "#;
        let child = Command::new("unshare")
            .args(["--mount", "--net", "sh", "-c", script, "sh", SERVER, &journald.namespace])
            .arg(&config)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let sshd = Sshd { child };
        wait_for("sshd (of openssh-server) to listen", || {
            journald.journalctl(&["-q", "-t", "sshd", "-o", "cat"]).contains("Server listening").then_some(())
        });
        sshd
    }

    /// One connection from that address, which leads to no login.
    fn try_from(&self, address: &str, site: &Site, options: &[&str]) {
        let mut client = Command::new("nsenter");
        client.arg(format!("--net=/proc/{}/ns/net", self.child.id()));
        run(client.args(["ip", "addr", "replace", &format!("{address}/32"), "dev", "lo"]));
        let mut client = Command::new("nsenter");
        client.arg(format!("--net=/proc/{}/ns/net", self.child.id()));
        client.args(["ssh", "-F", "none", "-b", address, "-i"]).arg(site.path("key"));
        client.args([
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "IdentityAgent=none",
        ]);
        client.args(options).args([&format!("root@{SERVER}"), "true"]);
        client.env("SSH_ASKPASS", site.path("wrong")).env("SSH_ASKPASS_REQUIRE", "force");
        let output = client.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("Permission denied"), "{said}");
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The shipped rules, with the state, the journal and the sets of the test.
fn shipped_rules(site: &Site, journald: &Journald, firewall: &Firewall) -> Running {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let config = serde_json::json!({
        "include": root.join("examples/rules/sshd/rules.json"),
        "lists": {"friends": {"self": true}},
        "email": {"to": ["hostmaster"]},
        "storage": site.path("state"),
        "journal": {"namespace": journald.namespace},
    });
    fs::write(site.path("pyruse.json"), config.to_string()).unwrap();
    firewall.nft(&["-f", root.join("packaging/bans.nft").to_str().unwrap()]);
    site.start(Some(firewall))
}

#[test]
fn each_guess_counts_once_and_the_fifth_bans_whatever_is_guessed() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&[]), Site::new());
    let sshd = Sshd::start(&site, &journald);
    let pyruse = shipped_rules(&site, &journald, &firewall);
    let keys = ["-o", "BatchMode=yes"];
    let passwords = |count: &'static str| -> [&'static str; 6] {
        ["-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password", "-o", count]
    };
    let (two, three) = (passwords("NumberOfPasswordPrompts=2"), passwords("NumberOfPasswordPrompts=3"));

    // Four tries: each has more lines than one, and no connection counts beside its passwords.
    sshd.try_from("198.51.100.1", &site, &two);
    sshd.try_from("198.51.100.1", &site, &two);
    for _ in 0..4 {
        sshd.try_from("198.51.100.2", &site, &keys);
    }
    sshd.try_from("198.51.100.3", &site, &three);
    sshd.try_from("198.51.100.3", &site, &keys);
    // Five.
    sshd.try_from("198.51.100.4", &site, &two);
    sshd.try_from("198.51.100.4", &site, &three);
    for _ in 0..5 {
        sshd.try_from("198.51.100.5", &site, &keys);
    }
    let set = "inet pyruse ssh_ban4";
    let banned = ["198.51.100.4", "198.51.100.5"];
    wait_for("two bans", || (firewall.addresses(set).len() >= 2).then_some(()));
    assert_eq!(
        firewall.addresses(set),
        banned,
        "{}",
        journald.journalctl(&["-q", "-t", "sshd", "-o", "cat"])
    );

    // Their fifth.
    sshd.try_from("198.51.100.1", &site, &keys);
    sshd.try_from("198.51.100.2", &site, &keys);
    sshd.try_from("198.51.100.3", &site, &keys);
    wait_for("all bans", || (firewall.addresses(set).len() == 5).then_some(()));
    assert!(pyruse.terminate().success(), "{}", site.log());
}
