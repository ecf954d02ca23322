//! Far more clients than are served at once.

use std::fs;
use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, connect, socket};
use serde_json::json;

use crate::common::{Firewall, Journald, LONG, Running, Site, failed_login, run, wait_for};
use crate::{GET, ask, attack, configure};

const CLIENTS: usize = 10_000;

fn process(pyruse: &Running, part: &str) -> PathBuf {
    PathBuf::from("/proc").join(pyruse.child.id().to_string()).join(part)
}

/// The number of threads that talk to clients.
fn threads(pyruse: &Running) -> usize {
    let names = fs::read_dir(process(pyruse, "task")).unwrap().map(|task| task.unwrap().path().join("comm"));
    names.filter(|name| fs::read_to_string(name).is_ok_and(|name| name == "metrics\n")).count()
}

/// The number of open sockets.
fn sockets(pyruse: &Running) -> usize {
    let files = fs::read_dir(process(pyruse, "fd")).unwrap().map(|file| fs::read_link(file.unwrap().path()));
    files.filter(|file| file.as_ref().is_ok_and(|file| file.to_string_lossy().starts_with("socket:"))).count()
}

/// Begins to connect, and does not wait for it.
fn begin(address: SocketAddr) -> OwnedFd {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let client = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
    let SocketAddr::V4(address) = address else { unreachable!() };
    match connect(client.as_raw_fd(), &SockaddrIn::from(address)) {
        Ok(()) | Err(Errno::EINPROGRESS) => client,
        Err(e) => panic!("{e}"),
    }
}

/// Does this in the network namespace.
fn within<T: Send>(firewall: &Firewall, what: impl FnOnce() -> T + Send) -> T {
    let namespace = File::open(format!("/run/netns/{}", firewall.name)).unwrap();
    let inside = || {
        setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
        what()
    };
    std::thread::scope(|scope| scope.spawn(inside).join().unwrap())
}

#[test]
fn ten_thousand_connections_use_four_threads_and_hold_up_no_ban() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]), Site::new());
    run(firewall.command("ip").args(["link", "set", "lo", "up"]));
    let address: SocketAddr = "127.0.0.1:9469".parse().unwrap();
    configure(&site, &journald, &json!({"listen": address}));
    let pyruse = site.start(Some(&firewall));
    let scrape = || {
        let client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(LONG)).unwrap();
        let answer = ask(client, GET);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("# EOF\n"), "{answer}");
    };
    // The state, the outbox and the journal are open now.
    attack(&journald, &firewall);
    within(&firewall, scrape);
    let before =
        wait_for("the client to be gone", || Some(sockets(&pyruse)).filter(|_| threads(&pyruse) == 4));

    // Clients that say nothing. Only this process needs so many descriptors: the daemon keeps its own limit.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let silent: Vec<OwnedFd> = within(&firewall, || (0..CLIENTS).map(|_| begin(address)).collect());
    wait_for("four clients", || (sockets(&pyruse) == before + 4).then_some(()));
    (0..3).for_each(|_| failed_login(&journald, "198.51.100.2"));
    wait_for("the second ban", || (firewall.addresses("ip Inet4 ssh_ban").len() == 2).then_some(()));
    assert!(site.pyruse(Some(&firewall), &["status"]).status.success());
    assert_eq!(threads(&pyruse), 4);
    assert!(sockets(&pyruse) <= before + 4, "{before}, then {}", sockets(&pyruse));

    // They are gone, and as many come that are served.
    drop(silent);
    within(&firewall, || (0..CLIENTS).for_each(|_| scrape()));
    wait_for("all clients to be gone", || (sockets(&pyruse) <= before).then_some(()));
    assert_eq!(threads(&pyruse), 4);
    assert!(!site.log().contains("the socket of the metrics"), "{}", site.log());
    assert!(pyruse.terminate().success());
}
