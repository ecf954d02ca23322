"""A client of FTP, for the scripts `record` of FTP servers."""

from recording import From

# An address that has done nothing, and that attackers write into their user names.
VICTIM = "192.0.2.77"


class Ftp(From):
    def __init__(self, address, port=21):
        super().__init__(address, port)
        self.answer()

    def answer(self):
        while True:
            line = self.line()
            if line[3:4] != "-" or not line[:3].isdigit():
                return line

    def say(self, line):
        """Sends a command; returns the answer, or nothing if the connection has ended."""
        try:
            self.send(line.encode() + b"\r\n" if isinstance(line, str) else line + b"\r\n")
        except OSError:
            return ""
        return self.answer()


def guess(address, user="alice", password="wrong", port=21, times=1, end="QUIT"):
    """One connection without a login."""
    client = Ftp(address, port)
    for _ in range(times):
        client.say(f"USER {user}")
        assert not client.say(f"PASS {password}").startswith("2"), "this was refused always"
    if end == "QUIT":
        client.say("QUIT")
    client.reset() if end == "reset" else client.close()


def log_in(address, user="alice", password="right", port=21, mistakes=0, then=("PWD",)):
    """One connection with a login."""
    with Ftp(address, port) as client:
        for _ in range(mistakes):
            client.say(f"USER {user}")
            client.say("PASS wrong")
        client.say(f"USER {user}")
        answer = client.say(f"PASS {password}")
        assert answer.startswith("230"), answer
        for line in then:
            client.say(line)
        client.say("QUIT")


def says(address, *lines, port=21, reset=False):
    """A connection that does not log in."""
    client = Ftp(address, port)
    for line in lines:
        client.say(line)
    client.reset() if reset else client.close()


# Names that look like the servers' own lines.
FORGERIES = {
    "a place": f"x rhost={VICTIM}",
    "a line": f"x rhost={VICTIM}  user=alice",
    "an end": f"alice] FAIL LOGIN: Client \"{VICTIM}\"",
    "another end": f"x: Login failed from {VICTIM}",
    "a session": f"x ({VICTIM}[{VICTIM}])",
    "an escape": f"x\t({VICTIM}[{VICTIM}]) - USER root (Login failed): Incorrect password",
    "a long name": "x" * 20 + f" rhost={VICTIM}",
    "a line of bytes": f"x\x0brhost={VICTIM}",
    "an address": VICTIM,
}
