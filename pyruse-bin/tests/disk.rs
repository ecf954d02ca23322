//! A disk that takes what is written, but cannot keep it: every sync of the state's journal fails for a while.

mod common;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{
    BanBackend, Firewall, Journald, Running, Site, both_ways, failed_login, run, ssh_rules, wait_for,
};

/// Loaded before the C library. While the file `fails` is there, nothing of a `-wal` gets to the disk.
const BAD_DISK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int sync_with(const char *name, int fd) {
    char link[64], path[4096];
    const char *fails = getenv("DISK_FAILS");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    if (fails && length > 4 && !memcmp(path + length - 4, "-wal", 4) && !access(fails, F_OK)) {
        errno = EIO;
        return -1;
    }
    return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}

int fsync(int fd) { return sync_with("fsync", fd); }
int fdatasync(int fd) { return sync_with("fdatasync", fd); }
"#;

fn start(site: &Site, firewall: &Firewall) -> Running {
    let mut command = site.command(Some(firewall), &["run"]);
    command.env("LD_PRELOAD", site.path("bad_disk.so")).env("DISK_FAILS", site.path("fails"));
    let running = site.launch_command(command);
    running.wait_ready();
    running
}

fn while_the_disk_fails_bans_are_in_force_nothing_else_goes_out_and_nothing_is_lost(way: BanBackend) {
    let (journald, firewall, site) =
        (Journald::start(), Firewall::with_sets(&["ssh_ban"]), Site::new().by(way));
    site.configure(&journald, &ssh_rules(600));
    fs::write(site.path("bad_disk.c"), BAD_DISK).unwrap();
    run(Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([site.path("bad_disk.so"), site.path("bad_disk.c")])
        .arg("-ldl"));
    let attack = |address: &str| (0..3).for_each(|_| failed_login(&journald, address));
    let banned = |address: &str| {
        wait_for(address, || {
            firewall.addresses("ip Inet4 ssh_ban").contains(&address.to_owned()).then_some(())
        });
    };
    let mailed = |count: usize| {
        let mails = wait_for("mails", || Some(site.mails()).filter(|mails| mails.len() >= count));
        assert_eq!(mails.len(), count, "{mails:?}");
    };
    let logged = |text: &str| site.log().matches(text).count();

    let mut pyruse = start(&site, &firewall);
    attack("198.51.100.1");
    banned("198.51.100.1");
    mailed(1);

    for (failure, last) in [(1, "198.51.100.4"), (2, "198.51.100.7")] {
        let mails = site.mails().len();
        let ours = |n: usize| format!("198.51.100.{}", failure * 3 - 1 + n);
        fs::write(site.path("fails"), "").unwrap();
        attack(&ours(0));
        banned(&ours(0));
        wait_for("the message", || {
            (logged("the state cannot be written; reading waits") == failure).then_some(())
        });
        assert!(site.log().contains("writing to the disk failed: Input/output error"), "{}", site.log());
        attack(&ours(1));
        let since = Instant::now();
        wait_for("some tries", || (since.elapsed() > Duration::from_millis(2500)).then_some(()));
        assert!(pyruse.child.try_wait().unwrap().is_none(), "it is alive");
        assert_eq!(logged("the state cannot be written"), failure, "{}", site.log());
        assert_eq!(site.mails().len(), mails, "a mail waits for the disk");
        assert!(!firewall.addresses("ip Inet4 ssh_ban").contains(&ours(1)), "nothing more is read");

        if failure == 1 {
            fs::remove_file(site.path("fails")).unwrap();
            wait_for("it to go on", || (logged("the state can be written again") == 1).then_some(()));
        } else {
            pyruse.kill();
            fs::remove_file(site.path("fails")).unwrap();
            pyruse = start(&site, &firewall);
        }
        attack(last);
        banned(&ours(1));
        banned(last);
        mailed(mails + 3);
    }
    assert!(pyruse.terminate().success(), "{}", site.log());
    let mails = site.mails();
    for n in 1..=7 {
        let text = format!("banned 198.51.100.{n} after 3");
        assert_eq!(mails.iter().filter(|mail| mail.contains(&text)).count(), 1, "{text}: {mails:?}");
    }
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban").len(), 7);
}

both_ways! {
    while_the_disk_fails_bans_are_in_force_nothing_else_goes_out_and_nothing_is_lost,
}
