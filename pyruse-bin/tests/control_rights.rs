//! A daemon that runs as its own user, and an administrator who is root: both can do their part, no file gets the wrong
//! owner, and nothing in the daemon's directory can make root access other files.

mod common;
mod operator;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{Firewall, Journald, Running, Site, failed_login, run, ssh_rules, wait_for};
use operator::{Session, bans, json, plain, said, stop};
use serde_json::json;

const NOBODY: u32 = 65534;

/// What a unit with a user, a group and one capability gives the daemon.
fn as_nobody(firewall: &Firewall) -> Command {
    let mut command = firewall.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--groups=systemd-journal"]);
    command.args(["--inh-caps=+net_admin", "--ambient-caps=+net_admin", "--bounding-set=-all,+net_admin"]);
    command
}

/// A site whose storage belongs to that user, and a program that he may run.
fn site_of_nobody(journald: &Journald) -> Site {
    let site = Site::new();
    fs::set_permissions(site.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(site.path("state")).unwrap();
    fs::set_permissions(site.path("state"), fs::Permissions::from_mode(0o700)).unwrap();
    chown(site.path("state"), Some(NOBODY), Some(NOBODY)).unwrap();
    fs::set_permissions(site.path("mails"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_pyruse"), site.path("pyruse")).unwrap();
    let mut rules = ssh_rules(3630);
    rules["z report"] =
        json!([{"action": "action_dailyReport", "args": {"level": "WARN", "message": "{MESSAGE}"}}]);
    site.configure(journald, &rules);
    site
}

fn start_as_nobody(site: &Site, firewall: &Firewall) -> std::process::Child {
    let log = fs::File::options().create(true).append(true).open(site.path("log")).unwrap();
    let mut command = as_nobody(firewall);
    command.arg(site.path("pyruse")).arg("--config").arg(site.path("pyruse.json")).arg("run");
    command.env_remove("JOURNAL_STREAM").env("TZ", "UTC").stdin(Stdio::null()).stderr(log);
    let child = command.spawn().unwrap();
    wait_for("the daemon", || {
        let status = json(site, Some(firewall), &["status", "--json"]);
        status["answers"].as_bool().unwrap().then_some(())
    });
    child
}

fn end(mut child: std::process::Child, signal: &str) {
    run(Command::new("kill").args([signal, &child.id().to_string()]));
    child.wait().unwrap();
}

/// Checks that everything in the storage belongs to its owner, without access for others.
fn check_owners(site: &Site) {
    let files: Vec<_> = fs::read_dir(site.path("state")).unwrap().map(|file| file.unwrap()).collect();
    assert!(!files.is_empty());
    for file in files {
        let found = file.metadata().unwrap();
        assert_eq!((found.uid(), found.gid()), (NOBODY, NOBODY), "{}", file.path().display());
        assert_eq!(found.mode() & 0o077, 0, "{}", file.path().display());
    }
}

#[test]
fn root_lists_bans_lifts_and_sends_with_a_daemon_of_another_user_and_without() {
    let (journald, firewall) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]));
    let site = site_of_nobody(&journald);
    let mut daemon = Some(start_as_nobody(&site, &firewall));
    for _ in 0..3 {
        failed_login(&journald, "192.0.2.1");
    }
    wait_for("the ban", || (firewall.addresses("ip Inet4 ssh_ban") == ["192.0.2.1"]).then_some(()));
    wait_for("the mail", || (site.mails().len() == 1).then_some(()));
    let mut session = Session::new(&site, Some(&firewall));
    for (round, (add, gone)) in
        [("192.0.2.2", "192.0.2.1"), ("192.0.2.3", "192.0.2.2"), ("192.0.2.4", "192.0.2.3")]
            .into_iter()
            .enumerate()
    {
        session.run(&["bans", "add", add, "--for", "1h 30s"]);
        session.run(&["bans", "remove", gone]);
        session.run(&["bans", "list"]);
        session.run(&["counters", "list", "ssh"]);
        session.run(&["outbox", "list"]);
        session.run(&["boot", "action_nftBan"]);
        let shown = session.run(&["report", "send"]);
        assert!(!shown.contains("permission"), "{shown}");
        assert_eq!(firewall.addresses("ip Inet4 ssh_ban"), [add]);
        check_owners(&site);
        if let Some(daemon) = daemon.take() {
            end(daemon, "-TERM");
            session.note("Without the daemon.");
        } else if round == 1 {
            end(start_as_nobody(&site, &firewall), "-KILL");
            session.note("After a power cut, without the daemon.");
        }
    }
    // The daemon finds all changes by root, and can continue.
    let daemon = start_as_nobody(&site, &firewall);
    assert_eq!(bans(&site, &firewall), [("ip Inet4 ssh_ban".to_owned(), "192.0.2.4".to_owned())]);
    for _ in 0..3 {
        failed_login(&journald, "192.0.2.5");
    }
    wait_for("the ban", || (firewall.addresses("ip Inet4 ssh_ban").len() == 2).then_some(()));
    end(daemon, "-TERM");
    check_owners(&site);
    assert!(!site.log().contains("ERROR"), "{}", site.log());
    let text: Vec<String> =
        session.text().lines().filter(|line| !line.contains("192.0.2.9  ")).map(str::to_owned).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn the_daemons_user_can_use_the_commands_and_the_error_for_others_names_who_can() {
    let (journald, firewall) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]));
    let site = site_of_nobody(&journald);
    let daemon = start_as_nobody(&site, &firewall);
    let ask = |uid: &str, args: &[&str]| {
        let mut command = firewall.command("setpriv");
        command.args([&format!("--reuid={uid}"), "--regid=4711", "--clear-groups"]).arg(site.path("pyruse"));
        let output =
            command.arg("--config").arg(site.path("pyruse.json")).args(args).env("TZ", "UTC").output();
        plain(&site, &said(&output.unwrap()))
    };
    let mut printed = Vec::new();
    for uid in ["65534", "4711"] {
        for args in [&["bans", "add", "192.0.2.1"][..], &["bans", "list"], &["bans", "remove", "192.0.2.1"]] {
            printed.push(format!("{uid}$ pyruse {}\n{}", args.join(" "), ask(uid, args)));
        }
    }
    end(daemon, "-TERM");
    printed.push(format!("4711$ pyruse bans list\n{}", ask("4711", &["bans", "list"])));
    printed.push(format!("4711$ pyruse bans add 192.0.2.1\n{}", ask("4711", &["bans", "add", "192.0.2.1"])));
    insta::assert_snapshot!(printed.join("\n"));
}

/// A directory that is root's alone.
fn private(site: &Site) -> PathBuf {
    let private = site.path("private");
    fs::create_dir(&private).unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).unwrap();
    private
}

#[test]
fn root_follows_no_links_in_the_daemons_directory() {
    let (journald, firewall) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]));
    let site = site_of_nobody(&journald);
    end(start_as_nobody(&site, &firewall), "-TERM");
    let private = private(&site);
    let precious = private.join("precious");
    fs::write(&precious, "precious").unwrap();
    let mut printed = Vec::new();
    let places = ["lock", "state.sqlite", "state.sqlite-wal", "action_nftBan.py.json"];
    for place in places {
        let path = site.path("state").join(place);
        let kept = site.path("kept");
        let was_there = path.exists();
        if was_there {
            fs::rename(&path, &kept).unwrap();
        }
        // To something that is root's, and to something that does not exist yet.
        for target in [&precious, &private.join("new")] {
            symlink(target, &path).unwrap();
            nix::unistd::fchownat(
                nix::fcntl::AT_FDCWD,
                &path,
                Some(NOBODY.into()),
                Some(NOBODY.into()),
                nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW,
            )
            .unwrap();
            for args in [&["bans", "add", "192.0.2.1"][..], &["bans", "list"], &["status"]] {
                let output = site.pyruse(Some(&firewall), args);
                if args[0] == "bans" {
                    let to = if target == &precious { "precious" } else { "new" };
                    printed.push(format!(
                        "{place} -> {to}$ pyruse {}\n{}",
                        args.join(" "),
                        plain(&site, &said(&output))
                    ));
                }
            }
            // The daemon itself, were it started as root, does not follow them either.
            let mut running: Running = site.launch(Some(&firewall), &["run"]);
            let is_up = wait_for("its start or its end", || match running.child.try_wait().unwrap() {
                Some(_) => Some(false),
                None => site.path("state/control").exists().then_some(true),
            });
            if is_up {
                running.signal("-TERM");
            }
            running.wait();
            assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
            assert_eq!(fs::read_dir(&private).unwrap().count(), 1, "nothing new at {place}");
            let _ = fs::remove_file(&path);
        }
        let _ = fs::remove_file(site.path("state/action_nftBan.py.json.imported"));
        if was_there {
            fs::rename(&kept, &path).unwrap();
        }
    }
    check_owners(&site);
    insta::assert_snapshot!(printed.join("\n"));
}

#[test]
fn a_lock_that_names_a_socket_of_root_does_not_make_root_talk_to_it() {
    let (journald, firewall) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]));
    let site = site_of_nobody(&journald);
    end(start_as_nobody(&site, &firewall), "-TERM");
    let private = private(&site);
    let listener = UnixListener::bind(private.join("socket")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let lock = site.path("state/lock");
    fs::write(&lock, format!("{}\n{}", std::process::id(), private.join("socket").display())).unwrap();
    let held = fs::File::open(&lock).unwrap();
    held.lock().unwrap();
    for args in [&["bans", "list"][..], &["bans", "add", "192.0.2.1"], &["status"]] {
        let output = site.pyruse(Some(&firewall), args);
        assert!(said(&output).contains("ermission denied"), "{}", said(&output));
    }
    assert!(listener.accept().is_err(), "nobody has connected");
}

#[test]
fn a_daemon_of_root_keeps_the_owner_of_its_directory_and_runs_programs_as_root() {
    let (journald, firewall) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]));
    let site = site_of_nobody(&journald);
    let who = site.path("who");
    site.script(
        "sendmail",
        &format!(
            "cat >/dev/null; id -u > {0}; stat -c %u {0} >> {0}; grep CapEff /proc/self/status >> {0}",
            who.display()
        ),
    );
    let daemon = site.start(Some(&firewall));
    for _ in 0..3 {
        failed_login(&journald, "192.0.2.1");
    }
    wait_for("the ban", || (firewall.addresses("ip Inet4 ssh_ban") == ["192.0.2.1"]).then_some(()));
    let printed =
        wait_for("the mail", || fs::read_to_string(&who).ok().filter(|text| text.contains("CapEff")));
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find(|line| line.starts_with("CapEff")).unwrap();
    assert_eq!(printed, format!("0\n0\n{own}\n"));
    check_owners(&site);
    assert!(site.pyruse(Some(&firewall), &["bans", "add", "192.0.2.2"]).status.success());
    stop(daemon, &site);
    check_owners(&site);
    end(start_as_nobody(&site, &firewall), "-TERM");
}
