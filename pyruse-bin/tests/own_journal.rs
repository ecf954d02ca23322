//! The machine's own journal, where the configuration names none: what a daemon does when it becomes persistent. The
//! journal, its journald and the directories that it writes to are the test's own, in a namespace of mounts.

mod common;

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use common::{Running, Site, run, wait_for};
use serde_json::json;

/// A machine whose journal is in /run only. What was started there is killed when this is dropped.
struct Machine {
    holder: Child,
    journald: Option<Child>,
}

impl Machine {
    fn start() -> Machine {
        let script = "mount -t tmpfs tmpfs /var/log && mount -t tmpfs tmpfs /run/log && mount -t tmpfs tmpfs /run/systemd && \
                      mount -t tmpfs tmpfs /etc/systemd && mkdir /run/log/journal /run/systemd/journal && \
                      { ! test -e /dev/kmsg || mount --bind /dev/null /dev/kmsg; } && echo ready && exec sleep infinity";
        let mut holder = Command::new("unshare")
            .args(["--mount", "--net", "sh", "-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 6];
        holder.stdout.as_mut().unwrap().read_exact(&mut said).expect("the machine is set up");
        let mut machine = Machine { holder, journald: None };
        machine.restart_journald();
        machine
    }

    fn command(&self, program: &str) -> Command {
        let pid = self.holder.id();
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--mount=/proc/{pid}/ns/mnt"))
            .arg(format!("--net=/proc/{pid}/ns/net"))
            .arg(program);
        command
    }

    /// A path of the machine, seen from here.
    fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.holder.id()))
    }

    fn restart_journald(&mut self) {
        self.stop_journald();
        let _ = fs::remove_file(self.path("/run/systemd/journal/socket"));
        let mut command = self.command("/lib/systemd/systemd-journald");
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.journald = Some(quiet.spawn().expect("systemd-journald is needed"));
        wait_for("journald", || self.try_line("journald is there").ok());
        // `systemctl restart` of a machine that runs: its journal was flushed when it was started.
        run(self.command("journalctl").arg("--flush"));
    }

    fn stop_journald(&mut self) {
        if let Some(mut journald) = self.journald.take() {
            run(Command::new("kill").args(["-TERM", &journald.id().to_string()]));
            journald.wait().unwrap();
        }
    }

    fn try_line(&self, message: &str) -> std::io::Result<()> {
        let text = format!("SYSLOG_IDENTIFIER=mail\nPRIORITY=6\nMESSAGE={message}\n");
        let socket = self.path("/run/systemd/journal/socket");
        UnixDatagram::unbound()?.send_to(text.as_bytes(), socket).map(drop)
    }

    fn line(&self, message: &str) {
        self.try_line(message).unwrap();
    }

    fn follow(&self, site: &Site) -> Running {
        let mut command = self.command(env!("CARGO_BIN_EXE_pyruse"));
        command
            .arg("--config")
            .arg(site.path("pyruse.json"))
            .arg("run")
            .env("TZ", "UTC")
            .env_remove("JOURNAL_STREAM");
        let daemon = site.launch_command(command);
        daemon.wait_ready();
        daemon
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for child in [self.journald.as_mut(), Some(&mut self.holder)].into_iter().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn configured() -> Site {
    let site = Site::new();
    let rules = json!({"a": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^mail: "}},
        {"action": "action_email", "args": {"message": "{MESSAGE}"}},
    ]});
    site.configure_for("", &rules, &json!({"journal": {}}));
    site
}

#[test]
fn a_journal_that_becomes_persistent_is_followed_there() {
    let (mut machine, site) = (Machine::start(), configured());
    let daemon = machine.follow(&site);
    machine.line("mail: in /run");
    wait_for("the first mail", || (site.mails().len() == 1).then_some(()));
    fs::create_dir(machine.path("/var/log/journal")).unwrap();
    machine.restart_journald();
    assert!(fs::read_dir(machine.path("/var/log/journal")).unwrap().next().is_some());
    machine.line("mail: in /var");
    wait_for("the second mail", || (site.mails().len() >= 2).then_some(()));
    assert!(daemon.terminate().success());
    let mails = site.mails().concat();
    assert_eq!(mails.matches("mail: in /run").count(), 1, "{mails}");
    assert_eq!(mails.matches("mail: in /var").count(), 1, "{mails}");
}

#[test]
fn a_journal_that_comes_after_the_start_is_followed() {
    let (mut machine, site) = (Machine::start(), configured());
    machine.stop_journald();
    fs::remove_dir_all(machine.path("/run/log/journal")).unwrap();
    let daemon = machine.follow(&site);
    assert!(site.log().contains("the configured source `journal` does not exist yet"), "{}", site.log());
    machine.restart_journald();
    machine.line("mail: heard");
    wait_for("the mail", || site.mails().pop());
    assert!(daemon.terminate().success());
}
