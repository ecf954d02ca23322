//! The control socket under attack: other users are refused, and whatever is written to it, the daemon continues.

mod common;
mod operator;

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{Firewall, Journald, Running, Site, failed_login, run, ssh_rules, wait_for};
use operator::{bans, plain, said, stop, without_pid};
use serde_json::json;

const NOBODY: u32 = 65534;

fn socket(site: &Site) -> PathBuf {
    let lock = std::fs::read_to_string(site.path("state/lock")).unwrap();
    lock.lines().nth(1).expect("the path of the socket").into()
}

fn connect(site: &Site) -> UnixStream {
    let stream = UnixStream::connect(socket(site)).unwrap();
    stream.set_read_timeout(Some(common::LONG)).unwrap();
    stream
}

fn started(firewall: &Firewall) -> (Journald, Site, Running) {
    let (journald, site) = (Journald::start(), Site::new());
    site.configure(&journald, &ssh_rules(3600));
    let daemon = site.start(Some(firewall));
    (journald, site, daemon)
}

#[test]
fn garbage_half_lines_and_silence_do_not_disturb_the_daemon() {
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    let (_journald, site, daemon) = started(&firewall);
    let huge =
        [br#"{"operate":{"addBan":{"ip":"192.0.2.66","set":""#.as_slice(), &vec![b'x'; 200_000]].concat();
    let deep = [vec![b'['; 60_000].as_slice(), b"\n"].concat();
    let mut printed = Vec::new();
    for (what, request) in [
        ("an empty line", &b"\n"[..]),
        ("text", b"GET / HTTP/1.1\r\n\r\n"),
        ("bytes", b"\x00\xff\xfe\x80\n"),
        ("half a request", br#"{"operate":{"addBan":{"ip":"192.0.2.66""#),
        ("an unknown request", b"{\"explode\":{}}\n"),
        ("an unknown operation", b"{\"operate\":\"flush\"}\n"),
        ("no address", b"{\"operate\":{\"addBan\":{\"ip\":\"192.0.2.66; x\",\"set\":null,\"seconds\":0}}}\n"),
        ("a key too many", b"{\"operate\":{\"removeBan\":{\"ip\":\"192.0.2.1\",\"set\":null,\"all\":true}}}\n"),
        ("a hostile set", b"{\"operate\":{\"addBan\":{\"ip\":\"192.0.2.66\",\"set\":\"a {}; flush ruleset\",\"seconds\":0}}}\n"),
        ("far too much", &huge),
        ("very deep", &deep),
        ("two requests", b"{\"operate\":\"listBans\"}\n{\"operate\":\"listBans\"}\n"),
    ] {
        let mut stream = connect(&site);
        let _ = stream.write_all(request);
        if !request.contains(&b'\n') && request.len() < 1000 {
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        let answer = answer.trim_end().replace(env!("CARGO_PKG_VERSION"), "VERSION");
        printed.push(format!("{what}: {answer}"));
    }
    insta::assert_snapshot!(printed.join("\n"));

    // Silent ones make others wait, but not for longer than a command has patience.
    let silent: Vec<UnixStream> = (0..2).map(|_| connect(&site)).collect();
    let output = site.pyruse(Some(&firewall), &["bans", "add", "192.0.2.1"]);
    assert!(output.status.success(), "{}", said(&output));
    drop(silent);
    assert_eq!(bans(&site, &firewall).len(), 1);
    stop(daemon, &site);
    assert!(!site.log().contains("panic"), "{}", site.log());
}

#[test]
fn an_endless_answer_is_not_read_for_ever() {
    let site = Site::new();
    site.configure_for("none", &ssh_rules(3600), &json!({}));
    std::fs::create_dir(site.path("state")).unwrap();
    let path = site.path("state/control");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let lock = std::fs::File::create(site.path("state/lock")).unwrap();
    (&lock).write_all(format!("{}\n{}", std::process::id(), path.display()).as_bytes()).unwrap();
    lock.lock().unwrap();
    // As much as the command reads, as fast as possible; or very little, for ever.
    for piece in [&[b' '; 1 << 13][..], b" "] {
        let listener = listener.try_clone().unwrap();
        let daemon = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut sent = 0_u64;
            while client.write_all(piece).is_ok() {
                sent += piece.len() as u64;
                if piece.len() == 1 {
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
            sent
        });
        let output = site.pyruse(None, &["bans", "list"]);
        let printed = said(&output);
        assert!(
            printed.contains("its answer is longer than 256 MiB")
                || printed.contains("does not answer within"),
            "{printed}"
        );
        assert!(daemon.join().unwrap() < 300 << 20, "it stops listening");
    }
}

#[test]
fn a_flood_of_connections_does_not_keep_the_loop_from_reading() {
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    let (journald, site, daemon) = started(&firewall);
    let path = socket(&site);
    // The flood lasts until everything is done, so the loop must do it during the flood.
    let over = Arc::new(AtomicBool::new(false));
    let flood: Vec<_> = (0..4)
        .map(|n| {
            let (path, over) = (path.clone(), Arc::clone(&over));
            std::thread::spawn(move || {
                let mut count = 0_u32;
                while !over.load(Ordering::Relaxed) {
                    let Ok(mut stream) = UnixStream::connect(&path) else { continue };
                    let _ = match n {
                        0 => stream.write_all(b"garbage\n"),
                        // Hangs up before the answer.
                        1 => stream.write_all(b"{\"operate\":\"listBans\"}\n"),
                        2 => stream.write_all(b"{"),
                        _ => Ok(()),
                    };
                    count += 1;
                }
                count
            })
        })
        .collect();
    for n in 0..30 {
        for _ in 0..3 {
            failed_login(&journald, &format!("192.0.2.{n}"));
        }
        let is_banned = || firewall.addresses("ip Inet4 ssh_ban").contains(&format!("192.0.2.{n}"));
        wait_for("the ban", || is_banned().then_some(()));
    }
    over.store(true, Ordering::Relaxed);
    let count: u32 = flood.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert!(count > 100, "{count}");
    wait_for("an answer", || site.pyruse(Some(&firewall), &["status"]).status.success().then_some(()));
    stop(daemon, &site);
}

#[test]
fn another_user_is_refused_whatever_the_mode_of_the_socket_is() {
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    let (_journald, site, daemon) = started(&firewall);
    let path = socket(&site);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let ask = |uid: u32| {
        // The daemon may close a refused connection before the request is complete.
        let script = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\ntry:\n  \
                      s.sendall(b'{\"operate\":{\"addBan\":{\"ip\":\"192.0.2.1\",\"set\":null,\"seconds\":0}}}\\n')\n\
                      except OSError: pass\nprint(s.makefile().readline(), end='')";
        let mut python = Command::new("python3");
        let output = python.args(["-c", script]).arg(&path).uid(uid).gid(uid).output().unwrap();
        (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    // The mode alone keeps him out …
    open(site.directory.path(), 0o755);
    open(&site.path("state"), 0o755);
    assert!(ask(NOBODY).1.contains("PermissionError"), "{:?}", ask(NOBODY));
    // … and without it the error names who may.
    open(&path, 0o666);
    assert_eq!(
        ask(NOBODY).0,
        "{\"rejected\":\"you are user 65534; only root and the daemon's own user may ask it\"}\n"
    );
    assert!(bans(&site, &firewall).is_empty());
    wait_for("the log", || site.log().contains("user 65534 was refused at the control socket").then_some(()));
    assert!(ask(0).0.contains("done"));
    assert_eq!(bans(&site, &firewall).len(), 1);

    // The commands say it, too.
    open(&site.path("state"), 0o700);
    open(&path, 0o600);
    let mut printed = Vec::new();
    for args in [
        &["bans", "list"][..],
        &["bans", "add", "192.0.2.2"],
        &["status"],
        &["report", "show"],
        &["report", "send"],
    ] {
        // The program itself may be in a directory that this user cannot access.
        let program = site.path("pyruse");
        std::fs::copy(env!("CARGO_BIN_EXE_pyruse"), &program).unwrap();
        let mut command = Command::new(&program);
        command.arg("--config").arg(site.path("pyruse.json")).args(args).env("TZ", "UTC");
        let output = command.uid(NOBODY).gid(NOBODY).output().unwrap();
        printed.push(format!("$ pyruse {}\n{}", args.join(" "), plain(&site, &said(&output))));
    }
    stop(daemon, &site);
    insta::assert_snapshot!(printed.join("\n"));
}

#[test]
fn a_daemon_that_does_not_answer_is_reported_and_lists_show_the_stored_state() {
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    let (_journald, site, daemon) = started(&firewall);
    assert!(site.pyruse(Some(&firewall), &["bans", "add", "192.0.2.1"]).status.success());
    daemon.signal("-STOP");
    let pid = daemon.child.id();
    let ask = |args: &[&str]| without_pid(&plain(&site, &said(&site.pyruse(Some(&firewall), args))), pid);
    let printed = [ask(&["bans", "list"]), ask(&["bans", "add", "192.0.2.2"])].join("\n");
    daemon.signal("-CONT");
    insta::assert_snapshot!(printed);
    // What was asked may still be done: it was.
    wait_for("it", || (bans(&site, &firewall).len() == 2).then_some(()));
    stop(daemon, &site);
}

#[test]
fn a_stale_socket_is_replaced_and_that_of_another_daemon_is_not() {
    let (journald, site) = (Journald::start(), Site::new());
    site.configure(&journald, &ssh_rules(3600));
    let daemon = site.start(None);
    assert_eq!(socket(&site), site.path("state/control"));
    daemon.kill();
    assert!(site.path("state/control").exists(), "left behind");
    let daemon = site.start(None);
    assert!(site.pyruse(None, &["status"]).status.success());
    stop(daemon, &site);
    assert!(!site.path("state/control").exists());
    assert_eq!(std::fs::read_to_string(site.path("state/lock")).unwrap(), "");

    // systemd's directory, which two share.
    let runtime = site.path("run");
    std::fs::create_dir(&runtime).unwrap();
    let start_in_runtime = |site: &Site| {
        let mut command = site.command(None, &["run"]);
        command.env("RUNTIME_DIRECTORY", &runtime).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        wait_for("the socket", || {
            let lock = std::fs::read_to_string(site.path("state/lock")).ok()?;
            lock.lines().nth(1).map(PathBuf::from)
        });
        child
    };
    let other = Site::new();
    other.configure(&journald, &ssh_rules(3600));
    let mut children = [start_in_runtime(&site), start_in_runtime(&other)];
    assert_eq!(socket(&site), runtime.join("control"));
    assert_eq!(socket(&other), other.path("state/control"));
    for site in [&site, &other] {
        let status = operator::json(site, None, &["status", "--json"]);
        assert_eq!(status["config"], site.path("pyruse.json").display().to_string());
    }
    for child in &mut children {
        run(Command::new("kill").args(["-TERM", &child.id().to_string()]));
        assert!(child.wait().unwrap().success());
    }

    // A storage deeper than a socket's name is long.
    let deep = site.path(&["d".repeat(60), "e".repeat(60), "state".into()].join("/"));
    site.configure_with(&journald, &ssh_rules(3600), &json!({"storage": deep}));
    let daemon = site.start(None);
    let output = site.pyruse(None, &["status"]);
    assert!(output.status.success(), "{}", said(&output));
    stop(daemon, &site);
}

#[test]
fn a_second_daemon_on_one_state_is_refused_and_the_first_keeps_its_socket() {
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    let (_journald, site, daemon) = started(&firewall);
    let mut second = site.launch(Some(&firewall), &["run"]);
    assert_eq!(second.wait().code(), Some(1));
    let last = site.log().lines().last().unwrap().to_owned();
    assert_eq!(
        without_pid(&plain(&site, &last), daemon.child.id()),
        "pyruse: another Pyruse is running with the state in SITE/state (process PID)"
    );
    assert!(site.pyruse(Some(&firewall), &["status"]).status.success());
    stop(daemon, &site);
}

#[test]
fn an_idle_daemon_with_a_socket_wakes_for_nothing() {
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    let (_journald, site, daemon) = started(&firewall);
    let switches = || -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.child.id())).unwrap();
        let of = |task: std::path::PathBuf| -> u64 {
            let status = std::fs::read_to_string(task.join("status")).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:\t"));
            line.unwrap().parse().unwrap()
        };
        tasks.map(|task| of(task.unwrap().path())).sum()
    };
    assert!(site.pyruse(Some(&firewall), &["status"]).status.success());
    // It looks for entries itself for two seconds after the last, and after the journal's place every five.
    let mut quiet = 0;
    let mut before = switches();
    wait_for("quiet", || {
        std::thread::sleep(Duration::from_secs(1));
        let now = switches();
        quiet = if now - before <= 2 { quiet + 1 } else { 0 };
        before = now;
        (quiet >= 4).then_some(())
    });
    stop(daemon, &site);
}

#[test]
fn while_the_disk_is_full_an_answer_says_that_the_change_is_not_stored() {
    let (journald, site) = (Journald::start(), Site::new());
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    let state = site.path("state");
    std::fs::create_dir(&state).unwrap();
    run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m,mode=0700", "pyruse-test"]).arg(&state));
    site.configure(&journald, &ssh_rules(3630));
    let daemon = site.start(Some(&firewall));
    let mut ballast = std::fs::File::create(state.join("ballast")).unwrap();
    while ballast.write(&[0; 4096]).is_ok() {}
    while ballast.write(&[0; 1]).is_ok() {}
    // Until the space in the write-ahead log is used up. These lines ban nobody, however many there are.
    wait_for("the first failure", || {
        journald.line("filler", 6, "x");
        site.log().contains("the state cannot be written").then_some(())
    });
    let pid = daemon.child.id();
    let ask = |args: &[&str]| without_pid(&plain(&site, &said(&site.pyruse(Some(&firewall), args))), pid);
    let printed = [ask(&["bans", "add", "192.0.2.1"]), ask(&["bans", "list"])].join("\n");
    let status = operator::json(&site, Some(&firewall), &["status", "--json"]);
    assert!(status["unwritten"].as_str().is_some_and(|why| why.contains("the disk is full")), "{status}");
    assert_eq!(site.pyruse(Some(&firewall), &["status"]).status.code(), Some(1));
    assert!(firewall.addresses("ip Inet4 ssh_ban").is_empty(), "what is not on the disk is not handed out");
    std::fs::remove_file(state.join("ballast")).unwrap();
    drop(ballast);
    wait_for("the ban", || (firewall.addresses("ip Inet4 ssh_ban") == ["192.0.2.1"]).then_some(()));
    wait_for("status", || site.pyruse(Some(&firewall), &["status"]).status.success().then_some(()));
    stop(daemon, &site);
    run(Command::new("umount").arg(&state));
    insta::assert_snapshot!(printed);
}
