"""Records what a real program writes to the journal while it is attacked.

A script `record` beside the rules of a program uses this: it installs the program's Debian package into a directory, starts
it in its own namespaces (mounts, processes, network, host name), attacks it from many addresses, and writes two files for each
release of Debian:

- `recorded/SUITE.jsonl`: the entries, as `journalctl -o json` prints them, with the fields that a rule may use; or, if the
  program writes to a file and not to the journal, `recorded/SUITE.FORMAT.log`: that file, with its format for Pyruse;
- `recorded/SUITE.cases.json`: who did what. Each case has its own address; `expect` says what the rules must do: `ban`,
  and not before the try that began at `last` (microseconds); `no ban`; or `either`, if the program logs nothing about it,
  or the same as about something else. Where nobody is banned, a case has the number of a `user` instead of an address, and
  `expect` is `mail` or `no mail`: whether the rules send a mail that names that user (by `user number N`). For a section of
  the report, a case has the `rows` that it makes, and there must be no others.

They replace the recording that was there only if it says something else: see `recorded.py`.

Nothing outside the namespaces changes, except the cache of packages and recordings (`PYRUSE_RECORDING_CACHE`, else `target/recording`).
systemd does not run there, so journald cannot know the unit: the script names the one on Debian, which is added.

Needs root, Debian's `debootstrap`, and the network for the first run.
"""

import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import recorded

SERVER4, SERVER6 = "192.0.2.10", "2001:db8:1::10"
# Link-local addresses, which programs write with a zone: `fe80::21%lo`.
LINK, SERVER_LINK, ATTACKERS_LINK = "lo", "fe80::10", ("fe80::21", "fe80::22", "fe80::23")
# The addresses of attackers, and of honest clients too: a test is only meaningful if no address is exempt.
ATTACKERS4, ATTACKERS6 = "203.0.113.{}", "2001:db8:bad::{:x}"
FIELDS = "__REALTIME_TIMESTAMP PRIORITY SYSLOG_IDENTIFIER _UID _PID _COMM MESSAGE".split()
# How many tries the rules need for a ban: five, except for those of web servers.
TRIES = 5


def run(*argv, **options):
    """Runs a command that must succeed; returns its output."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def microseconds():
    return time.time_ns() // 1000


class Recording:
    """A Debian system with one program in it, and the journal that it writes to."""

    def __init__(self, suite, root):
        self.suite, self.root = suite, root
        self.cases, self.tasks = [], []
        self.pool = ThreadPoolExecutor(64)
        self.numbers = itertools.count(1)

    # ─── The machine ───

    def write(self, path, text, mode=0o644):
        """Writes a file of the machine."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def run(self, *argv):
        """Runs a command within the machine."""
        return run("chroot", self.root, *argv)

    def start(self, *argv, **options):
        """Starts a program within the machine. It is stopped at the end of the recording."""
        return subprocess.Popen(["chroot", self.root, *argv], **options)

    def journal_stream(self, identifier, priority=6):
        """A stream to the journal, as systemd connects it with a service's standard output."""
        stream = socket.socket(socket.AF_UNIX)
        stream.connect("/run/systemd/journal/stdout")
        stream.sendall(f"{identifier}\n\n{priority}\n1\n0\n0\n0\n".encode())
        return stream

    def wait_for_file(self, path):
        """Waits until a program has created a file or a socket."""
        end = time.monotonic() + 30
        while not (self.root / path.lstrip("/")).exists():
            if time.monotonic() > end:
                sys.exit(f"{path} is not made\n{self.raw()}")
            time.sleep(0.05)

    def wait_for_port(self, port, address=SERVER4):
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection((address, port), 5).close()
                return
            except OSError:
                if time.monotonic() > end:
                    sys.exit(f"nobody listens at {address} port {port}\n{self.raw()}")
                time.sleep(0.05)

    # ─── The cases ───

    def address(self, six=False):
        number = next(self.numbers)
        return ATTACKERS6.format(number) if six else ATTACKERS4.format(number)

    def attack(self, name, attempt, tries=TRIES, expect="ban", six=False, address=None, **arguments):
        """`attempt(address, …)` is one try; `tries` of them, from one address, must be enough for a ban, and one less must
        not be."""
        case = {"case": name, "address": address or self.address(six), "expect": expect, "tries": tries}
        self.cases.append(case)

        def act():
            for _ in range(tries):
                case["last"] = microseconds()
                attempt(case["address"], **arguments)

        self.tasks.append((name, self.pool.submit(act)))

    def honest(self, name, attempt, tries=TRIES, **arguments):
        """As often as an attack, but without anything to ban for."""
        self.attack(name, attempt, tries, expect="no ban", **arguments)

    def reports(self, name, act, *rows):
        """What has these rows in the report, each once. A row begins with its level, `INFO` or `WARN`, or it is `MAIL` and the
        subject of a mail; in it, `*` is any text."""
        act()
        self.cases.append({"case": name, "rows": rows})

    def finish(self):
        """Waits until all cases have ended."""
        for name, task in self.tasks:
            try:
                task.result(300)
            except Exception as error:
                raise SystemExit(f"{self.raw()}\n{self.suite}: {name}: {error!r}") from error
        self.tasks.clear()

    # ─── The journal ───

    def raw(self):
        run("journalctl", "--sync")
        return run("journalctl", "-D", "/run/log/journal", "-o", "short", "--no-hostname", "-q")

    def entries(self, unit_of):
        run("journalctl", "--sync")
        lines = run("journalctl", "-D", "/run/log/journal", "-o", "json", "--all", "-q").splitlines()
        for entry in map(json.loads, lines):
            unit = unit_of(entry.get("SYSLOG_IDENTIFIER", ""))
            if unit:
                yield {name: entry[name] for name in FIELDS if name in entry} | {"_SYSTEMD_UNIT": unit}


class From:
    """A connection from an address, line by line."""

    def __init__(self, address, port, timeout=60):
        six = ":" in address
        self.socket = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
        self.socket.settimeout(timeout)
        server = SERVER6 if six else SERVER4
        zone = ()
        if address in ATTACKERS_LINK:
            server, zone = SERVER_LINK, (0, socket.if_nametoindex(LINK))
        self.socket.bind((address, 0, *zone))
        self.socket.connect((server, port, *zone))
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def line(self):
        """Reads the next line; empty at the end of the connection."""
        try:
            return self.file.readline().decode(errors="replace").rstrip("\r\n")
        except ConnectionError:
            return ""

    def until_closed(self):
        while self.line():
            pass

    def start_tls(self):
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")

    def reset(self):
        """Closes the connection with a RST, as attackers do who avoid the log."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()


# ─── Preparation ───


def cache():
    top = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("PYRUSE_RECORDING_CACHE", top / "target/recording"))


def layer(suite, name, packages):
    """Returns a Debian tree with these packages: built once, then taken from the cache while the packages are the same."""
    base, upper = cache() / suite, cache() / f"{suite}-{name}"
    done = upper / "done"
    if not (base / "etc/debian_version").exists():
        base.parent.mkdir(parents=True, exist_ok=True)
        print(f"{suite}: a bare system", file=sys.stderr)
        run("debootstrap", "--variant=minbase", suite, base, "http://deb.debian.org/debian")
        run("chroot", base, "apt-get", "clean")
    if not done.exists() or done.read_text() != " ".join(packages):
        print(f"{suite}: {' '.join(packages)}", file=sys.stderr)
        shutil.rmtree(upper, ignore_errors=True)
        script = """
            set -e
            mkdir -p "$2/upper" "$2/work" "$2/root"
            mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
            mount -t proc proc "$2/root/proc"
            printf '#!/bin/sh\\nexit 101\\n' >"$2/root/usr/sbin/policy-rc.d"; chmod 755 "$2/root/usr/sbin/policy-rc.d"
            cp /etc/resolv.conf "$2/root/etc/resolv.conf"
            root=$2/root; shift 2
            export DEBIAN_FRONTEND=noninteractive LC_ALL=C
            chroot "$root" apt-get update -qq
            chroot "$root" apt-get install -y -qq --no-install-recommends "$@"
            # The cache has some fifty of these.
            chroot "$root" apt-get clean
            rm -rf "$root"/var/lib/apt/lists/*
        """
        run("unshare", "--mount", "sh", "-c", script, "sh", base, upper, *packages)
        done.write_text(" ".join(packages))
    return base, upper


def inside(base, upper):
    """Within the new namespaces: mounts the machine, configures the network, starts journald. Returns the machine's root."""
    run("mount", "-t", "proc", "proc", "/proc")
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    socket.sethostname("mail")
    scratch, root = Path("/run/scratch"), Path("/run/root")
    for directory in (scratch / "upper", scratch / "work", root, Path("/run/systemd/journald.conf.d")):
        directory.mkdir(parents=True)
    lower = f"lowerdir={upper}/upper:{base},upperdir={scratch}/upper,workdir={scratch}/work"
    run("mount", "-t", "overlay", "overlay", "-o", lower, root)
    for source, place in (("/proc", "proc"), ("/run", "run")):
        run("mount", "--bind", source, root / place)
    run("mount", "-t", "tmpfs", "tmpfs", root / "dev")
    for device in ("null", "zero", "random", "urandom", "tty"):
        number = os.stat(f"/dev/{device}").st_rdev
        os.mknod(root / "dev" / device, 0o020666, number)
        (root / "dev" / device).chmod(0o666)
    (root / "dev/shm").mkdir()
    (root / "dev/log").symlink_to("/run/systemd/journal/dev-log")
    for name in ("stdin", "stdout", "stderr"):
        (root / "dev" / name).symlink_to(f"/proc/self/fd/{('stdin', 'stdout', 'stderr').index(name)}")
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{SERVER4}/32", "dev", "lo")
    run("ip", "address", "add", f"{SERVER6}/128", "dev", "lo", "nodad")
    for network in (ATTACKERS4.format(0) + "/24", ATTACKERS6.format(0) + "/64"):
        run("ip", "route", "add", "local", network, "dev", "lo")
    for address in (SERVER_LINK, *ATTACKERS_LINK):
        run("ip", "address", "add", f"{address}/64", "dev", LINK, "nodad")
    Path("/proc/sys/net/ipv6/ip_nonlocal_bind").write_text("1")
    Path("/proc/sys/net/unix/max_dgram_qlen").write_text("512")
    Path("/run/systemd/journald.conf.d/recording.conf").write_text(
        "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nForwardToSyslog=no\n"
        "ForwardToWall=no\nForwardToConsole=no\nForwardToKMsg=no\n"
    )
    # Some programs do not wait until journald reads: what they write then is lost.
    subprocess.Popen(["nice", "-n", "-19", "/lib/systemd/systemd-journald"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while not os.path.exists("/run/systemd/journal/stdout"):
        if time.monotonic() > end:
            sys.exit("journald does not start")
        time.sleep(0.02)
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n{SERVER4} mail.example.org mail\n")
    (root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    return root


def record(script, packages, campaign, unit_of=None, log=None, suites=("bookworm", "trixie")):
    """The main function of a script `record`: `record [SUITE…]`. `packages` is a list, or a function of the suite; `campaign` gets
    the `Recording`, configures, starts and attacks; `unit_of` returns the unit by SYSLOG_IDENTIFIER, and None for entries
    that are left out; or `log` is the format of a file, and where it is. `suites` are the releases of Debian that are recorded
    if none is named."""
    here = Path(script).resolve().parent
    arguments = sys.argv[1:]
    if arguments[:1] == ["--inside"]:
        _, suite, base, upper = arguments
        recording = Recording(suite, inside(base, upper))
        campaign(recording)
        recording.finish()
        if os.environ.get("PYRUSE_RECORDING_SHOW"):
            print(recording.raw())
        if log:
            form, pattern = log
            name = f"{suite}.{form}.log"
            lines = [line for file in recording.root.glob(pattern.lstrip("/")) for line in file.read_bytes().splitlines(keepends=True)]
        else:
            name = f"{suite}.jsonl"
            lines = [json.dumps(entry, ensure_ascii=False).encode() + b"\n" for entry in recording.entries(unit_of)]
        cases = [json.dumps(case, ensure_ascii=False) for case in recording.cases]
        cases_text = "[\n    " + ",\n    ".join(cases) + "\n]\n"
        texts = {name: b"".join(lines), f"{suite}.cases.json": cases_text.encode()}
        recorded.store(here / "recorded", cache() / "recorded" / here.name, texts)
        print(f"{here.name}, {suite}: {len(cases)} cases, {len(lines)} entries", file=sys.stderr)
        return
    for suite in arguments or suites:
        base, upper = layer(suite, here.name, packages(suite) if callable(packages) else packages)
        command = ["unshare", "--mount", "--net", "--uts", "--pid", "--fork", "--kill-child", sys.executable, "-B"]
        command += [script, "--inside", suite, str(base), str(upper)]
        if subprocess.run(command, check=False).returncode:
            sys.exit(f"{here.name}, {suite}: not recorded")
