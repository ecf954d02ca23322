"""Terminals for the scripts `record`: programs that ask for a password there, as people see them."""

import fcntl
import os
import struct
import subprocess
import threading
import time


def prepare(r):
    """Mounts the machine's terminals."""
    (r.root / "dev/pts").mkdir()
    subprocess.run(["mount", "-t", "devpts", "-o", "newinstance,ptmxmode=666,mode=620", "devpts", r.root / "dev/pts"], check=True)
    (r.root / "dev/ptmx").symlink_to("pts/ptmx")


class Terminal:
    """A program of a user, on a terminal of its own."""

    lock = threading.Lock()

    def __init__(self, root, user, argv, directory="/"):
        with self.lock:
            self.master = os.open(root / "dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
            number = struct.unpack("i", fcntl.ioctl(self.master, 0x80045430, b"\0" * 4))[0]
            fcntl.ioctl(self.master, 0x40045431, struct.pack("i", 0))
            os.chown(root / f"dev/pts/{number}", user, 5)
        self.status = None
        self.child = os.fork()
        if self.child == 0:
            try:
                os.setsid()
                slave = os.open(root / f"dev/pts/{number}", os.O_RDWR)
                fcntl.ioctl(slave, 0x540E, 0)
                for place in (0, 1, 2):
                    os.dup2(slave, place)
                os.closerange(3, 100)
                os.chroot(root)
                os.chdir(directory)
                os.initgroups(f"u{user}" if user else "root", user)
                os.setgid(user)
                os.setuid(user)
                os.execvpe(argv[0], argv, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb", "LC_ALL": "C"})
            finally:
                os._exit(127)

    def until(self, words):
        """Reads until these words; false at the end of the program."""
        seen = b""
        while words not in seen:
            try:
                seen += os.read(self.master, 1)
            except OSError:
                # Nobody has the terminal open: login opens it again, after a hang-up.
                if self.has_ended():
                    return False
                time.sleep(0.01)
        return True

    def has_ended(self):
        if self.status is None:
            child, status = os.waitpid(self.child, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if child else None
        return self.status is not None

    def end(self):
        """Waits for the end of the program; returns its exit status."""
        while not self.has_ended():
            time.sleep(0.01)
        return self.status

    def answers(self, *passwords):
        """Answers each question for a password; with none left, closes the terminal. Returns the exit status."""
        is_open, passwords = True, list(passwords)
        while is_open and self.until(b"assword"):
            self.until(b": ")
            if passwords:
                os.write(self.master, f"{passwords.pop(0)}\n".encode())
            else:
                os.close(self.master)
                is_open = False
        status = self.end()
        if is_open:
            os.close(self.master)
        return status

    def say(self, *answers):
        """Answers questions, each named by its last words, and waits for the end of the program; returns its exit status."""
        for question, answer in answers:
            if not self.until(question.encode()):
                break
            os.write(self.master, answer.encode() + b"\n")
        while self.until(b"\n"):
            pass
        os.close(self.master)
        return self.end()
