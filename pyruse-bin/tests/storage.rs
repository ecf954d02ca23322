//! What the program depends on (its configuration, its state, the disk), and what it logs when one of them fails.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use common::{Journald, Running, Site, run, wait_for};
use serde_json::json;

const NOBODY: u32 = 65534;

/// `tick KEY` is counted; `tell KEY` is counted too, and the count is mailed.
fn configure(site: &Site, journald: &Journald) {
    let capture = |word: &str| json!({"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": format!("^{word} (\\S+)$"), "save": ["key"]}});
    let raise =
        json!({"action": "action_counterRaise", "args": {"counter": "ticks", "for": "key", "save": "count"}});
    let mail = json!({"action": "action_email", "args": {"subject": "count", "message": "{key} {count}"}});
    site.configure(
        journald,
        &json!({"tick": [capture("tick"), raise], "tell": [capture("tell"), raise, mail]}),
    );
}

fn tick(journald: &Journald, keys: impl IntoIterator<Item = String>) {
    for key in keys {
        journald.line("test", 6, &format!("tick {key}"));
    }
}

/// Asks how often a key was counted, this time included.
fn count(site: &Site, journald: &Journald, key: &str) -> u64 {
    let known = distinct_mails(site);
    journald.line("test", 6, &format!("tell {key}"));
    let logged = wait_for("the count", || {
        distinct_mails(site)
            .into_iter()
            .find(|(identity, _)| !known.contains_key(identity))
            .map(|(_, body)| body)
    });
    logged.strip_prefix(&format!("{key} ")).expect("the count of this key").parse().unwrap()
}

/// Identity and body. One whose delivery could not be recorded comes twice, and is still the same.
fn distinct_mails(site: &Site) -> BTreeMap<String, String> {
    let parse = |mail: String| {
        let (head, body) = mail.split_once("\n\n").expect("a body");
        let identity = head.lines().find(|line| line.starts_with("Message-ID: ")).expect("a Message-ID");
        // Quoted-printable breaks long lines.
        (identity.to_owned(), body.trim().replace("=\n", ""))
    };
    site.mails().into_iter().map(parse).collect()
}

fn keys(from: usize, to: usize) -> impl Iterator<Item = String> {
    (from..to).map(|n| format!("{n:0>100}"))
}

/// Starts on a state that cannot be used; what it says.
fn works_without(site: &Site) -> String {
    let _ = fs::remove_file(site.path("log"));
    stop(site.start(None), site);
    site.log()
}

/// Starts what must not start; its exit code and what it said.
fn refused(site: &Site, args: &[&str]) -> (i32, String) {
    let _ = fs::remove_file(site.path("log"));
    let mut running = site.launch(None, args);
    let status = running.wait();
    (status.code().expect("an exit code"), site.log())
}

fn stop(pyruse: Running, site: &Site) {
    assert!(pyruse.terminate().success(), "{}", site.log());
}

fn state_file(site: &Site) -> PathBuf {
    site.path("state/state.sqlite")
}

/// A state of some pages: 500 keys, once each.
fn site_with_state(journald: &Journald) -> Site {
    let site = Site::new();
    configure(&site, journald);
    let pyruse = site.start(None);
    tick(journald, keys(0, 500));
    assert_eq!(count(&site, journald, "first"), 1);
    stop(pyruse, &site);
    site
}

/// Something mounted at a directory of a site; declare it behind the site, so that it goes first.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(directory: PathBuf, size: &str) -> Mounted {
        fs::create_dir_all(&directory).unwrap();
        let options = format!("size={size},mode=0700");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "pyruse-test"]).arg(&directory));
        Mounted(directory)
    }

    fn remount(&self, option: &str) {
        run(Command::new("mount").args(["-o", &format!("remount,{option}")]).arg(&self.0));
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut ballast = fs::File::create(self.0.join("ballast")).unwrap();
        for block in [vec![0; 65536], vec![0; 4096], vec![0; 1]] {
            loop {
                match ballast.write(&block) {
                    Ok(written) if written > 0 => {}
                    Ok(_) => break,
                    Err(e) if e.kind() == ErrorKind::StorageFull => break,
                    Err(e) => panic!("filling the disk: {e}"),
                }
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

fn overwrite(file: &Path, at: u64, bytes: &[u8]) {
    fs::File::options().write(true).open(file).unwrap().write_all_at(bytes, at).unwrap();
}

#[test]
fn a_damaged_state_is_reported_and_not_changed() {
    let journald = Journald::start();
    let site = site_with_state(&journald);
    let file = state_file(&site);
    let good = fs::read(&file).unwrap();
    let middle = u64::try_from(good.len() / 2 / 4096 * 4096).unwrap();
    let garbage: Vec<u8> =
        (0..4096u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect();
    // A key that is not text, in a file that SQLite finds sound.
    let value = good.windows(100).rposition(|window| window == keys(17, 18).next().unwrap().as_bytes());
    let cases: [(&str, &dyn Fn()); 5] = [
        ("the header", &|| overwrite(&file, 0, b"This was a database once")),
        ("a page in the middle", &|| overwrite(&file, middle, &garbage)),
        ("the second half", &|| {
            fs::File::options().write(true).open(&file).unwrap().set_len(middle).unwrap();
        }),
        ("everything", &|| fs::write(&file, "").unwrap()),
        ("one key", &|| overwrite(&file, u64::try_from(value.expect("a key")).unwrap(), b"\xff")),
    ];
    for (what, damage) in cases {
        damage();
        let damaged = fs::read(&file).unwrap();
        assert_ne!(damaged, good, "{what}");
        let message = works_without(&site);
        println!("--- {what}\n{message}");
        assert!(message.contains(&format!("{}: the file is damaged (", file.display())), "{what}: {message}");
        assert!(message.contains("it was not changed. Put a backup in its place"), "{what}: {message}");
        if what == "one key" {
            // SQLite has nothing against this file, and may tidy it; the part that reads the key has.
            assert!(message.contains("(part `counter/ticks`: "), "{message}");
        } else {
            assert!(fs::read(&file).unwrap() == damaged, "{what}: the damaged file was changed");
        }
        let damaged = fs::read(&file).unwrap();
        let (code, message) = refused(&site, &["boot", "action_nftBan"]);
        assert_eq!(code, 1, "{what}: {message}");
        assert!(fs::read(&file).unwrap() == damaged, "{what}: the damaged file was changed by `boot`");

        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(site.path(&format!("state/state.sqlite{end}")));
        }
        fs::write(&file, &good).unwrap();
    }
    let pyruse = site.start(None);
    assert_eq!(count(&site, &journald, &keys(17, 18).next().unwrap()), 2, "the backup is good");
    stop(pyruse, &site);
}

#[test]
fn a_damaged_state_is_not_changed_even_with_a_journal_from_a_crash() {
    let journald = Journald::start();
    let site = site_with_state(&journald);
    let file = state_file(&site);
    let pyruse = site.start(None);
    assert_eq!(count(&site, &journald, "second"), 1);
    pyruse.kill();
    assert!(site.path("state/state.sqlite-wal").exists());

    let pages = fs::metadata(&file).unwrap().len() / 4096;
    // Some of these pages are in the journal too; most are not.
    for page in pages / 4..pages / 4 * 3 {
        overwrite(&file, page * 4096, &[0xAA; 4096]);
    }
    let damaged = fs::read(&file).unwrap();
    let message = works_without(&site);
    assert!(message.contains("the file is damaged"), "{message}");
    assert!(fs::read(&file).unwrap() == damaged, "the damaged file was changed");
    assert!(site.path("state/state.sqlite-wal").exists());
}

#[test]
fn the_state_of_a_newer_version_is_refused_and_kept() {
    let journald = Journald::start();
    let site = site_with_state(&journald);
    let file = state_file(&site);
    // The format's number, in SQLite's header.
    overwrite(&file, 60, &99u32.to_be_bytes());
    let newer = fs::read(&file).unwrap();
    let (code, message) = refused(&site, &["run"]);
    assert_eq!(code, 1, "{message}");
    assert_eq!(
        message.lines().last().unwrap(),
        format!(
            "pyruse: {} was written by a newer version (its format is 99, this program supports up to 2); \
             use that version, or start with empty state in another `storage` directory",
            file.display()
        )
    );
    assert!(fs::read(&file).unwrap() == newer);
}

#[test]
fn a_storage_that_cannot_be_written_is_refused_with_a_clear_message() {
    let (journald, site) = (Journald::start(), Site::new());
    let mounted = Mounted::tmpfs(site.path("state"), "1m");
    configure(&site, &journald);
    for what in ["without a state", "with one"] {
        mounted.remount("ro");
        let (code, message) = refused(&site, &["run"]);
        assert_eq!(code, 1, "{what}: {message}");
        assert_eq!(
            message.lines().last().unwrap(),
            format!(
                "pyruse: the storage directory {} cannot be written: Read-only file system (os error 30)",
                site.path("state").display()
            ),
            "{what}"
        );
        mounted.remount("rw");
        stop(site.start(None), &site);
    }

    // A file is in place of the storage directory.
    drop(mounted);
    fs::remove_dir_all(site.path("state")).unwrap();
    fs::write(site.path("state"), "").unwrap();
    let (code, message) = refused(&site, &["run"]);
    assert_eq!(code, 1, "{message}");
    assert_eq!(
        message.lines().last().unwrap(),
        format!(
            "pyruse: the storage directory {} cannot be written: Not a directory (os error 20)",
            site.path("state").display()
        )
    );
}

#[test]
fn a_start_on_a_full_disk_is_refused_and_works_when_there_is_space() {
    let (journald, site) = (Journald::start(), Site::new());
    let mounted = Mounted::tmpfs(site.path("state"), "1m");
    configure(&site, &journald);
    mounted.fill();
    let refused_as_full = |what: &str| {
        let (code, message) = refused(&site, &["run"]);
        assert_eq!(code, 1, "{what}: {message}");
        let last = message.lines().last().unwrap();
        assert!(last.starts_with(&format!("pyruse: {}", state_file(&site).display())), "{what}: {message}");
        assert!(last.contains("the disk is full"), "{what}: {message}");
    };
    refused_as_full("a first start");
    refused_as_full("a second start");
    mounted.make_room();
    let pyruse = site.start(None);
    assert_eq!(count(&site, &journald, "key"), 1);
    stop(pyruse, &site);

    mounted.fill();
    let before = fs::read(state_file(&site)).unwrap();
    refused_as_full("a later start");
    assert!(fs::read(state_file(&site)).unwrap() == before);
    mounted.make_room();
    let pyruse = site.start(None);
    assert_eq!(count(&site, &journald, "key"), 2);
    stop(pyruse, &site);
}

#[test]
fn a_disk_that_becomes_full_stops_reading_and_loses_nothing() {
    let (journald, site) = (Journald::start(), Site::new());
    let mounted = Mounted::tmpfs(site.path("state"), "2m");
    configure(&site, &journald);
    let mut pyruse = site.start(None);
    let ticks = |n: usize| tick(&journald, std::iter::repeat_n("key".to_owned(), n));
    let logged = |text: &str| site.log().lines().filter(|line| line.contains(text)).count();
    ticks(20);
    assert_eq!(count(&site, &journald, "key"), 21);

    mounted.fill();
    ticks(20);
    wait_for("the message", || {
        (logged("the state cannot be written; reading waits until it can: ") == 1).then_some(())
    });
    ticks(20);
    let full_since = Instant::now();
    wait_for("some tries", || (full_since.elapsed() > Duration::from_millis(2500)).then_some(()));
    assert!(pyruse.child.try_wait().unwrap().is_none(), "it is alive");
    assert_eq!(logged("the state cannot be written"), 1, "once, not at every try: {}", site.log());
    assert!(site.log().contains("the disk is full; free some space"), "{}", site.log());

    mounted.make_room();
    wait_for("it to go on", || (logged("the state can be written again") == 1).then_some(()));
    assert_eq!(count(&site, &journald, "key"), 62);

    mounted.fill();
    ticks(10);
    wait_for("the message", || (logged("the state cannot be written") == 2).then_some(()));
    ticks(10);
    pyruse.signal("-TERM");
    // It does not wait for room: there is none until the test makes some.
    let status = pyruse.wait();
    assert_eq!(status.code(), Some(1), "{}", site.log());
    assert_eq!(
        site.log().lines().last().unwrap(),
        format!(
            "pyruse: what was read last is not stored; the next start reads it again: {}: \
             the disk is full; free some space, and reading resumes where it stopped",
            state_file(&site).display()
        )
    );

    mounted.make_room();
    let pyruse = site.start(None);
    assert_eq!(count(&site, &journald, "key"), 83);
    stop(pyruse, &site);
    assert_eq!(distinct_mails(&site).len(), 3);
}

#[test]
fn space_that_is_freed_before_the_end_is_used_at_the_end() {
    let (journald, site) = (Journald::start(), Site::new());
    let mounted = Mounted::tmpfs(site.path("state"), "2m");
    configure(&site, &journald);
    let pyruse = site.start(None);
    mounted.fill();
    tick(&journald, ["key".to_owned()]);
    wait_for("the message", || site.log().contains("the state cannot be written").then_some(()));
    // The daemon is stopped, so that it cannot try between the two.
    pyruse.signal("-STOP");
    mounted.make_room();
    pyruse.signal("-TERM");
    pyruse.signal("-CONT");
    stop(pyruse, &site);
    let pyruse = site.start(None);
    assert_eq!(count(&site, &journald, "key"), 2);
    stop(pyruse, &site);
}

/// The command at the end of a message.
fn advised(message: &str) -> &str {
    message.trim_end().rsplit_once("fix it with: ").unwrap_or_else(|| panic!("no advice: {message}")).1
}

#[test]
fn a_file_that_others_could_change_is_refused_with_the_command_that_fixes_it() {
    let (journald, site) = (Journald::start(), Site::new());
    configure(&site, &journald);
    stop(site.start(None), &site);
    let mode =
        |path: PathBuf, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let (config, state, top) = (site.path("pyruse.json"), site.path("state"), site.path(""));
    let cases: [(&str, i32, &str, &dyn Fn()); 9] = [
        ("a configuration writable for all", 78, "chmod go-w", &|| mode(config.clone(), 0o666)),
        ("a configuration writable for its group", 78, "chmod go-w", &|| mode(config.clone(), 0o664)),
        ("a configuration of another user", 78, "chown root", &|| {
            chown(&config, Some(NOBODY), None).unwrap();
        }),
        ("a configuration where all may write", 78, "chmod o-w", &|| mode(top.clone(), 0o777)),
        ("a storage writable for all", 1, "chmod go-w", &|| mode(state.clone(), 0o777)),
        ("a storage writable for its group", 1, "chmod go-w", &|| mode(state.clone(), 0o770)),
        ("a storage of another user with files of ours", 1, "chown -hR 65534:0", &|| {
            chown(&state, Some(NOBODY), None).unwrap();
        }),
        ("a state writable for all", 1, "chmod go-w", &|| mode(state_file(&site), 0o666)),
        ("a state of a third user", 1, "chown -hR 65534:0", &|| {
            chown(state_file(&site), Some(4711), None).unwrap();
        }),
    ];
    for (what, expected, command, spoil) in cases {
        spoil();
        let (code, message) = refused(&site, &["run"]);
        println!("--- {what}\n{message}");
        assert_eq!(code, expected, "{what}: {message}");
        let advice = advised(&message);
        assert!(advice.starts_with(command), "{what}: {message}");
        run(Command::new("sh").args(["-c", advice]));
        stop(site.start(None), &site);
    }
    // Both at once: each start names the next thing to do.
    mode(config.clone(), 0o666);
    chown(&config, Some(NOBODY), None).unwrap();
    for _ in 0..2 {
        let (_, message) = refused(&site, &["run"]);
        run(Command::new("sh").args(["-c", advised(&message)]));
    }
    stop(site.start(None), &site);
}

#[test]
fn the_advice_for_a_path_with_quotes_and_spaces_is_right_too() {
    let site = Site::new();
    let file = site.path("it's \"mine\" $HOME.json");
    fs::write(
        &file,
        r#"{"actions": {"all": [{"action": "action_noop"}]}, "journal": {"directory": "/no/such"}}"#,
    )
    .unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let attempt = || Command::new(env!("CARGO_BIN_EXE_pyruse")).arg("--config").arg(&file).output().unwrap();
    let message = said(&attempt());
    run(Command::new("sh").args(["-c", advised(&message)]));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
}

/// The program, as it is with this /etc, in that directory.
fn with_etc(etc: &Path, directory: &Path, extra: Option<&Path>, args: &[&str]) -> Output {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc && exec \"$@\""]).arg(etc);
    command.arg(env!("CARGO_BIN_EXE_pyruse")).args(args).current_dir(directory).env_remove("PYRUSE_EXTRA");
    if let Some(extra) = extra {
        command.env("PYRUSE_EXTRA", extra);
    }
    command.env_remove("JOURNAL_STREAM").output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[test]
fn the_configuration_is_searched_in_two_places_and_nowhere_else() {
    let site = Site::new();
    let (etc, extra, here) = (site.path("etc"), site.path("extra"), site.path("here"));
    for directory in [&etc.join("pyruse"), &extra, &here] {
        fs::create_dir_all(directory).unwrap();
    }
    let good = r#"{"actions": {"all": [{"action": "action_noop"}]}}"#;
    fs::write(here.join("pyruse.json"), good).unwrap();

    // The current directory is not searched.
    let nowhere = with_etc(&etc, &here, None, &["run"]);
    assert_eq!(nowhere.status.code(), Some(78));
    assert_eq!(
        said(&nowhere),
        "pyruse: there is no configuration: looked for /etc/pyruse/pyruse.json; name one with --config\n"
    );
    let empty = with_etc(&etc, &here, Some(Path::new("")), &["run"]);
    assert_eq!((empty.status.code(), said(&empty)), (Some(78), said(&nowhere)));
    let both = with_etc(&etc, &here, Some(&extra), &["run"]);
    assert_eq!(both.status.code(), Some(78));
    assert_eq!(
        said(&both),
        format!(
            "pyruse: there is no configuration: looked for {}, /etc/pyruse/pyruse.json; name one with --config\n",
            extra.join("pyruse.json").display()
        )
    );
    for command in [&["boot", "action_nftBan"][..], &["check"], &["replay"]] {
        let output = with_etc(&etc, &here, None, command);
        assert_eq!((output.status.code(), said(&output)), (Some(78), said(&nowhere)), "{command:?}");
    }
    let named = with_etc(&etc, &here, None, &["run", "--config", "/no/such.json"]);
    assert_eq!(
        (named.status.code(), said(&named).as_str()),
        (Some(78), "pyruse: /no/such.json: No such file or directory (os error 2)\n")
    );

    // The first that is there is used.
    let used = |extra: Option<&Path>| {
        let output = with_etc(&etc, &here, extra, &["check"]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        String::from_utf8_lossy(&output.stdout).split(": ").next().unwrap().to_owned()
    };
    fs::write(etc.join("pyruse/pyruse.json"), good).unwrap();
    assert_eq!(used(None), "/etc/pyruse/pyruse.json");
    assert_eq!(used(Some(&extra)), "/etc/pyruse/pyruse.json");
    let file = extra.join("pyruse.json");
    fs::write(&file, good).unwrap();
    assert_eq!(used(Some(&extra)), file.display().to_string());

    // A broken file is always an error, and never skipped.
    let broken: [(&str, &dyn Fn()); 4] = [
        ("not JSON", &|| fs::write(&file, "{").unwrap()),
        ("not UTF-8", &|| fs::write(&file, b"{\n\"\xff\"").unwrap()),
        ("a directory", &|| fs::create_dir(&file).unwrap()),
        ("a link to nowhere", &|| symlink("/no/such.json", &file).unwrap()),
    ];
    for (what, make) in broken {
        let _ = fs::remove_file(&file).or_else(|_| fs::remove_dir(&file));
        make();
        let output = with_etc(&etc, &here, Some(&extra), &["run"]);
        println!("--- {what}\n{}", said(&output));
        assert_eq!(output.status.code(), Some(78), "{what}: {}", said(&output));
        assert!(said(&output).contains(&file.display().to_string()), "{what}: {}", said(&output));
    }
}

#[test]
fn errors_of_a_failed_start_are_marked_so_that_the_next_start_ignores_them() {
    let (journald, site) = (Journald::start(), Site::new());
    fs::create_dir_all("/run/systemd/journal").unwrap();
    // In the shell's place and namespace, the program finds this journald, and its standard error leads there, or to
    // something else of which the variable knows nothing.
    let script = "mount --bind /run/systemd/journal.$NAMESPACE /run/systemd/journal && \
                  export JOURNAL_STREAM=${STREAM:-$(stat -L -c %d:%i /dev/stderr)} && exec \"$@\"";
    let launch = |stream: &str| {
        let log = fs::File::create(site.path("log")).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_pyruse"), "--config"]);
        command.arg(site.path("pyruse.json")).env("NAMESPACE", &journald.namespace).env("STREAM", stream);
        command.stderr(log).status().unwrap()
    };
    let everything =
        json!({"all": [{"action": "action_email", "args": {"message": "{PRIORITY} {MESSAGE}"}}]});
    site.configure(&journald, &everything);
    stop(site.start(None), &site);

    let good = fs::read(state_file(&site)).unwrap();
    // The format's number, in SQLite's header.
    overwrite(&state_file(&site), 60, &99u32.to_be_bytes());
    assert_eq!(launch("").code(), Some(1));
    assert_eq!(site.log(), "");
    site.configure(&journald, &json!({"all": []}));
    assert_eq!(launch("").code(), Some(78));
    assert_eq!(site.log(), "");
    assert_eq!(launch("1:1").code(), Some(78));
    assert!(site.log().contains("1 error; it cannot be used"), "{}", site.log());

    journald.sync();
    let logged = journald.journalctl(&["-o", "json", "PYRUSE_DIAGNOSTIC=1"]);
    let logged: Vec<serde_json::Value> =
        logged.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(logged.len(), 3, "one entry each: {logged:?}");
    for (entry, part) in
        logged.iter().zip(["was written by a newer version", "-->", "1 error; it cannot be used"])
    {
        assert_eq!(
            (entry["PRIORITY"].as_str(), entry["SYSLOG_IDENTIFIER"].as_str()),
            (Some("3"), Some("pyruse"))
        );
        assert!(entry["MESSAGE"].as_str().is_some_and(|text| text.contains(part)), "{entry}");
    }

    site.configure(&journald, &everything);
    overwrite(&state_file(&site), 60, &good[60..64]);
    let pyruse = site.start(None);
    journald.line("test", 6, "hello");
    wait_for("the mail", || (!site.mails().is_empty()).then_some(()));
    stop(pyruse, &site);
    let bodies: Vec<String> = distinct_mails(&site).into_values().collect();
    assert_eq!(bodies, ["6 hello"]);
}

#[test]
fn a_command_waits_for_a_lock_that_outlives_its_owner_for_a_moment() {
    let (journald, site) = (Journald::start(), Site::new());
    configure(&site, &journald);
    fs::create_dir(site.path("state")).unwrap();
    let mut dead = Command::new("true").spawn().unwrap();
    dead.wait().unwrap();
    fs::write(site.path("state/lock"), dead.id().to_string()).unwrap();
    let lock = fs::File::open(site.path("state/lock")).unwrap();
    lock.lock().unwrap();
    let pyruse = site.launch(None, &["run"]);
    // As a program does that was started by a daemon that is killed in that moment.
    std::thread::sleep(Duration::from_millis(300));
    drop(lock);
    pyruse.wait_ready();
    assert!(pyruse.terminate().success());
}
