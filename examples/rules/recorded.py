"""Puts a recording where the tests look for it.

Each recording is written to `recorded/NAME` in the cache, where `make rules-campaign` tests it. It replaces the one in the
tree only if it says something else: times, ports, process numbers and identifiers differ each time, and so does which of two
events comes first, on which a few lines depend.
"""

import json
import re
import shutil

# What is different each time: sessions in angle brackets; IPv6 addresses; numbers, and words that contain some, as identifiers
# do; hexadecimal identifiers; days and months.
RANDOM = re.compile(
    r"<[\w+/=]{10,}>|[0-9a-f:]*::[0-9a-f]*|[\w+/.]*\d[\w+/.]*(?:-\w*\d\w*)*|\b[0-9A-Fa-f]{6,}\b"
    r"|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b"
)
# Up to one kind of entry in this many may be there in only one of two recordings that say the same.
TOLERANCE = 20


def kinds(text, name):
    """The kinds of entries that there are in a file of this name."""
    lines = text.splitlines()
    if name.endswith(".jsonl"):
        entries = map(json.loads, lines)
        lines = (f"{entry.get('SYSLOG_IDENTIFIER')}: {entry.get('MESSAGE')}" for entry in entries)
    elif name.endswith(".json.log"):
        # Go writes the members of a map in any order.
        lines = (json.dumps(json.loads(line), sort_keys=True) for line in lines)
    return {RANDOM.sub("*", line) for line in lines}


def who_did_what(text):
    return [{name: value for name, value in case.items() if name != "last"} for case in json.loads(text)]


def says_the_same(old, new):
    """Whether two recordings have the same cases, and the same kinds of entries. Each is the path of one of its files."""
    if not old.exists():
        return False
    before, after = old.read_text(errors="replace"), new.read_text(errors="replace")
    if new.name.endswith(".cases.json"):
        return who_did_what(before) == who_did_what(after)
    before, after = kinds(before, new.name), kinds(after, new.name)
    return len(before ^ after) * TOLERANCE <= len(before | after)


def store(tree, fresh, texts):
    """Writes the files of a recording, by their names, to the directory `fresh`, and to that in the tree if need be."""
    for directory in (tree, fresh):
        directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (fresh / name).write_bytes(text)
    if not all(says_the_same(tree / name, fresh / name) for name in texts):
        for name in texts:
            shutil.copyfile(fresh / name, tree / name)
