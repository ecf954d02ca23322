//! A state that is lost or damaged: the daemon logs that and what to do, works without it, and does not change it.

mod common;
mod operator;

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use common::{Firewall, Journald, Running, Site, failed_login, run, ssh_rules, wait_for};
use operator::{bans, json, said, stop};

/// Does something to a state.
type Harm<'a> = &'a dyn Fn(&Site);

/// Makes something at a path.
type Make<'a> = &'a dyn Fn(&Path);

fn attack(journald: &Journald, address: &str) {
    (0..3).for_each(|_| failed_login(journald, address));
}

fn wait_banned(firewall: &Firewall, address: &str) {
    wait_for(address, || firewall.addresses("ip Inet4 ssh_ban").contains(&address.to_owned()).then_some(()));
}

/// All files of the storage that hold the state, with what they hold.
fn files(site: &Site) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(site.path("state"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap_or_default()))
        .filter(|(name, _)| name.starts_with("state.sqlite") && !name.ends_with("-shm"))
        .collect();
    files.sort();
    files
}

/// A daemon that has banned an address, and was killed.
fn killed(journald: &Journald, firewall: &Firewall) -> Site {
    let site = Site::new();
    site.configure(journald, &ssh_rules(3600));
    let daemon = site.start(Some(firewall));
    let storage = site.path("state").display().to_string();
    let first = format!("there was no state in {storage}: this is the first start, and reading begins");
    assert!(site.log().contains(&first), "{}", site.log());
    attack(journald, "192.0.2.1");
    wait_banned(firewall, "192.0.2.1");
    // Only counted: the commit does not wait for the disk.
    failed_login(journald, "192.0.2.99");
    wait_for("the counter", || {
        let counters = json(&site, None, &["counters", "list", "--json"]);
        (counters["counters"].as_array().unwrap().len() == 2).then_some(())
    });
    daemon.kill();
    site
}

/// Starts on what is lost, and works; gives what the log says.
fn works_without(journald: &Journald, firewall: &Firewall, site: &Site, attacker: &str) -> (Running, String) {
    let before = site.log().len();
    let daemon = site.start(Some(firewall));
    attack(journald, attacker);
    wait_banned(firewall, attacker);
    let log = site.log()[before..].to_owned();
    assert!(log.contains("Until then Pyruse runs without it: it reads what is written from now on"), "{log}");
    assert!(!log.contains("this is the first start"), "{log}");
    (daemon, log)
}

/// The command that a message advises.
fn advised(log: &str) -> &str {
    let (_, command) = log.split_once("on purpose: ").unwrap_or_else(|| panic!("no advice: {log}"));
    command.split_once(", then start again").unwrap().0
}

#[test]
fn a_daemon_without_its_state_says_so_protects_and_changes_nothing() {
    let (journald, firewall) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]));
    let remove = |site: &Site, name: &str| fs::remove_file(site.path("state").join(name)).unwrap();
    let flip = |site: &Site, name: &str, at: usize| {
        let path = site.path("state").join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 0x20;
        fs::write(&path, bytes).unwrap();
    };
    let cases: [(&str, &str, Harm<'_>); 5] = [
        ("the file is gone", "the file is missing, but ", &|site| remove(site, "state.sqlite")),
        ("the journal is gone", "is missing or damaged", &|site| remove(site, "state.sqlite-wal")),
        ("a bit of the journal", "the file is damaged (its write-ahead log ", &|site| {
            flip(site, "state.sqlite-wal", 32 + 24 + 100);
        }),
        ("a bit of the journal's header", "is missing or damaged", &|site| {
            flip(site, "state.sqlite-wal", 17);
        }),
        ("the file's content", "the file is damaged (", &|site| {
            fs::write(site.path("state/state.sqlite"), "once").unwrap();
            remove(site, "state.sqlite-wal");
        }),
    ];
    for (n, (what, words, damage)) in cases.into_iter().enumerate() {
        println!("--- {what}");
        let site = killed(&journald, &firewall);
        damage(&site);
        let before = files(&site);
        let attacker = format!("192.0.2.{}", 10 + n);
        let (daemon, log) = works_without(&journald, &firewall, &site, &attacker);
        assert!(log.contains(words), "{what}: {log}");

        let status = site.pyruse(Some(&firewall), &["status"]);
        assert_eq!(status.status.code(), Some(1), "{}", said(&status));
        assert!(said(&status).contains("TROUBLE       it runs without its state"), "{}", said(&status));
        assert!(json(&site, None, &["status", "--json"])["withoutState"].as_str().unwrap().contains(words));
        let by_hand = site.pyruse(Some(&firewall), &["bans", "add", "192.0.2.77"]);
        assert_eq!(by_hand.status.code(), Some(1), "{}", said(&by_hand));
        assert!(said(&by_hand).contains("would be lost if the daemon stopped now"), "{}", said(&by_hand));
        wait_banned(&firewall, "192.0.2.77");
        // A reload works in the same way.
        daemon.signal("-HUP");
        daemon.wait_ready();
        assert_eq!(bans(&site, &firewall).len(), 2);
        stop(daemon, &site);
        assert!(files(&site) == before, "{what}: something was changed");
        // Without a daemon, a command does not take it for a state without bans.
        for args in [&["bans", "list"][..], &["bans", "add", "192.0.2.78"], &["boot", "action_nftBan"]] {
            let refused = site.pyruse(Some(&firewall), args);
            assert_eq!(refused.status.code(), Some(1), "{args:?}: {}", said(&refused));
            let advice = "start with empty state on purpose: ";
            assert!(said(&refused).contains(advice), "{args:?}: {}", said(&refused));
        }
        assert!(files(&site) == before, "{what}: a command changed something");

        run(Command::new("sh").args(["-c", advised(&log)]));
        let from = site.log().len();
        let daemon = site.start(Some(&firewall));
        assert!(site.log()[from..].contains("this is the first start"), "{}", site.log());
        assert!(bans(&site, &firewall).is_empty());
        stop(daemon, &site);
        for (name, content) in before {
            assert!(fs::read(site.path("state/lost").join(&name)).unwrap() == content, "{name}");
        }
    }
}

#[test]
fn a_state_behind_a_link_is_found_again_when_its_place_is_mounted_again() {
    let (journald, firewall) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]));
    let site = killed(&journald, &firewall);
    let (disk, mounted) = (site.path("disk"), site.path("mounted"));
    let mount = |on: bool| {
        if on {
            run(Command::new("mount").arg("--bind").arg(&disk).arg(&mounted));
        } else {
            run(Command::new("umount").arg("-l").arg(&mounted));
        }
    };
    fs::create_dir(&disk).unwrap();
    fs::create_dir(&mounted).unwrap();
    mount(true);
    let file = site.path("state/state.sqlite");
    stop(site.start(Some(&firewall)), &site);
    fs::rename(&file, disk.join("state.sqlite")).unwrap();
    symlink(mounted.join("state.sqlite"), &file).unwrap();
    let daemon = site.start(Some(&firewall));
    assert_eq!(bans(&site, &firewall).len(), 1);
    attack(&journald, "192.0.2.2");
    wait_banned(&firewall, "192.0.2.2");
    daemon.kill();
    mount(false);

    let (daemon, log) = works_without(&journald, &firewall, &site, "192.0.2.3");
    let target = mounted.join("state.sqlite");
    let words =
        format!("it is a link to {}, which does not exist: is that file system mounted?", target.display());
    assert!(log.contains(&words), "{log}");
    stop(daemon, &site);
    assert_eq!(fs::read_link(&file).unwrap(), target, "the link is left");
    assert_eq!(fs::read_dir(&mounted).unwrap().count(), 0, "nothing is made in its place");

    mount(true);
    let daemon = site.start(Some(&firewall));
    // Entries that were written since then are read again.
    let all = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
    wait_for("all bans", || (bans(&site, &firewall).len() == all.len()).then_some(()));
    stop(daemon, &site);
    mount(false);

    // The same of the directory: without it there is no lock, and nothing can be done.
    fs::rename(site.path("state"), site.path("moved")).unwrap();
    symlink(mounted.join("elsewhere"), site.path("state")).unwrap();
    let refused = site.pyruse(None, &["run"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("which does not exist: is that file system mounted?"),
        "{}",
        said(&refused)
    );
    assert!(site.path("state").is_symlink());
}

#[test]
fn files_of_the_first_pyruse_are_not_imported_without_a_state() {
    let (journald, firewall) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]));
    let site = killed(&journald, &firewall);
    let (file, former) = (site.path("state/state.sqlite"), site.path("state/action_nftBan.py.json"));
    fs::rename(&file, site.path("kept")).unwrap();
    fs::write(&former, r#"[{"IP": "198.51.100.7", "nfSet": "ip Inet4 ssh_ban", "timestamp": 0}]"#).unwrap();
    let (daemon, _) = works_without(&journald, &firewall, &site, "192.0.2.2");
    stop(daemon, &site);
    assert!(former.exists(), "it would be renamed, and what it held forgotten");
    fs::rename(site.path("kept"), &file).unwrap();
    let daemon = site.start(Some(&firewall));
    wait_for("all bans", || (bans(&site, &firewall).len() == 3).then_some(()));
    stop(daemon, &site);
    assert!(!former.exists());
}

fn make_fifo(path: &Path) {
    run(Command::new("mkfifo").arg(path));
}

#[test]
fn a_path_that_is_not_a_file_is_reported_at_once() {
    let journald = Journald::start();
    let site = Site::new();
    site.configure(&journald, &ssh_rules(3600));
    stop(site.start(None), &site);
    let kinds: [(&str, Make<'_>); 5] = [
        ("is a FIFO, not a regular file; move it away", &make_fifo),
        ("is a directory, not a regular file; move it away", &|path| fs::create_dir(path).unwrap()),
        ("is a device, not a regular file; move it away", &|path| symlink("/dev/zero", path).unwrap()),
        ("is a socket, not a regular file; move it away", &|path| {
            drop(std::os::unix::net::UnixListener::bind(path).unwrap());
        }),
        ("is a link to /no/such", &|path| symlink("/no/such/file", path).unwrap()),
    ];
    for (words, make) in kinds {
        for name in ["lock", "state.sqlite", "state.sqlite-wal", "state.sqlite-shm", "state.sqlite-mark"] {
            if name == "state.sqlite" && words.contains("a link") {
                continue;
            }
            let (path, kept) = (site.path("state").join(name), site.path("kept"));
            let had = fs::rename(&path, &kept).is_ok();
            make(&path);
            for args in [&["run"][..], &["bans", "list"], &["bans", "add", "192.0.2.1"], &["status"]] {
                let output = site.pyruse(None, args);
                assert_eq!(output.status.code(), Some(1), "{name} {args:?}: {}", said(&output));
                assert!(said(&output).contains(words), "{name} {args:?}: {}", said(&output));
            }
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
            if had {
                fs::rename(&kept, &path).unwrap();
            }
        }
    }
    stop(site.start(None), &site);
}

#[test]
fn a_sighup_while_the_configuration_is_still_being_read_is_a_reload() {
    let journald = Journald::start();
    let site = Site::new();
    site.configure(&journald, &ssh_rules(3600));
    let config = site.path("pyruse.json");
    let content = fs::read(&config).unwrap();
    fs::remove_file(&config).unwrap();
    run(Command::new("mkfifo").arg("-m600").arg(&config));
    let daemon = site.launch(None, &["run"]);
    // It opens the file when we do.
    let mut writer = fs::File::options().write(true).open(&config).unwrap();
    daemon.signal("-HUP");
    writer.write_all(&content).unwrap();
    fs::remove_file(&config).unwrap();
    fs::write(&config, &content).unwrap();
    drop(writer);
    daemon.wait_ready();
    wait_for("the reload", || site.log().contains("reloaded ").then_some(()));
    stop(daemon, &site);
}
