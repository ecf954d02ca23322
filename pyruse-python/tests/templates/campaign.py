#!/usr/bin/env python3
"""Compares the Rust templates with Python 3.11, and tells the differences.

Usage: cargo build --release -p pyruse-python --example render_lines
       python3 pyruse-python/tests/templates/campaign.py DRIVER SEED CASES    random cases
       python3 pyruse-python/tests/templates/campaign.py DRIVER all           every combination of a spec's parts, every
                                                      directive, every character
"""
import collections
import itertools
import json
import random
import re
import subprocess
import sys

from oracle import expected

ZONES = ["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
         "Pacific/Apia", "America/St_Johns", "Africa/Casablanca"]
PROCESS_ZONE = re.compile("%[-_0^#0-9EO%]+Z")
NAMES = ["N", "S", "T", "X", "a b", "ü", "[", "1a", "-1"]
CHARS = (list("abcXYZ019 .,:;!?'\"\\{}[]%<>^=+-_#zné€ß\t\n\r\0\x7f") +
         ["\x80", "\xa0", "\xad", "\u0378", "\u200b", "\u2028", "\u3000", "日", "\ufeff",
          "\U0001f600", "\U000e0001", "\U0010ffff", "\u0301", "٣", "\U0001d7d9"])
INTEGERS = [0, 1, -1, 5, 9, 10, 25, 35, 45, 50, 95, 99, 100, 125, 255, 256, 999, 1000, 1234, 9999,
            12345, 99999, 100000, 123456, 999999, 1000000, 999999.5.__int__(), 1234567, 9999995,
            55295, 55296, 57343, 57344, 65535, 1114111, 1114112, 2**31, 2**53, 2**53 + 1,
            2**63 - 1, -2**63, 25 * 10**17]


def one_of(r, *weighted):
    return r.choices([w[0] for w in weighted], [w[1] for w in weighted])[0]()


def any_char(r):
    if r.random() < 0.8:
        return r.choice(CHARS)
    code = r.randrange(0x110000)
    return chr(code) if not 0xd800 <= code <= 0xdfff else "x"


def text(r):
    return "".join(any_char(r) for _ in range(r.choice([0, 1, 2, 3, 5, 8, 20])))


def integer(r):
    if r.random() < 0.5:
        return r.choice([-1, 1]) * r.choice(INTEGERS[:-2]) if r.random() < 0.9 else r.choice(INTEGERS)
    n = r.getrandbits(r.randrange(1, 64)) * r.choice([-1, 1])
    if r.random() < 0.3:  # ties and runs of nines
        n = int(str(abs(n))[:8] + r.choice(["5", "50", "500", "9999", "49999"]))
    return n


def moment(r, wide):
    low, high = (-62135000000, 253402000000) if wide else (10**8, 4 * 10**9)
    seconds = r.randrange(low, high)
    if r.random() < 0.2:  # first and last days of years, where weeks change
        seconds = round(seconds / 31556952) * 31556952 + r.randrange(-5, 6) * 86400
        seconds = max(low, min(high, seconds))
    return seconds * 10**6 + r.choice([0, 1, 45, 450000, 999999, r.randrange(10**6)])


def number(r, top):
    n = str(r.randrange(top))
    return r.choice(["", "", "0"]) + n if r.random() < 0.97 else n.translate({ord("3"): "٣", ord("1"): "𝟙"})


def mini_spec(r):
    part = lambda p, make: make() if r.random() < p else ""
    spec = (part(.25, lambda: any_char(r)) + part(.4, lambda: r.choice("<>^=")) +
            part(.25, lambda: r.choice("+- ")) + part(.06, lambda: "z") + part(.2, lambda: "#") +
            part(.3, lambda: "0") + part(.6, lambda: number(r, 40)) + part(.25, lambda: r.choice(",_")) +
            part(.3, lambda: "." + number(r, 25)) + part(.8, lambda: r.choice("bcdeEfFgGnosxX%")))
    return mutated(r, spec, 0.08)


def time_spec(r):
    out = ""
    for _ in range(r.randrange(1, 6)):
        out += one_of(
            r,
            (lambda: r.choice(["-", ":", " ", "/", ".", "ä", "日", "T", "12", "f", "z", "Z"]), 3),
            (lambda: "%" + r.choice("YmdHMSfzZaAbBcxXpIjUWVGuwyCDeFTRhklnt%Pgrs"), 6),
            (lambda: "%" + "".join(r.choice("_-0^#") for _ in range(r.randrange(3))) +
             r.choice(["", "", str(r.randrange(30))]) + r.choice(["", "", "E", "O"]) +
             r.choice("YmdHMSfzZaAbBcxXpIjUWVGuwyCDeFTRhklnt%PgrsiJKLNQqv+:E"), 4),
            (lambda: "%" + any_char(r), 1),
            (lambda: "%" + str(r.choice([1020, 1500, 2047, 2048, 3000])) + r.choice("dAfzc"), .05))
    return mutated(r, out, 0.05)


def mutated(r, spec, chance):
    while r.random() < chance:
        at = r.randrange(len(spec) + 1)
        spec = r.choice([spec[:at] + any_char(r) + spec[at:], spec[:at] + spec[at + 1:]])
    return spec


def field(r):
    name = r.choice(NAMES) if r.random() < .3 else r.choice("NST")
    conversion = "!" + r.choice("rsa") if r.random() < .2 else ""
    spec = one_of(r, (lambda: "", 1), (lambda: ":" + mini_spec(r), 8), (lambda: ":" + time_spec(r), 4))
    if r.random() < .8:  # braces are the other generator's business
        spec = spec.replace("{", "").replace("}", "")
    return "{" + name + conversion + spec + "}"


def structure(r):
    alphabet = ["{", "}", "{", "}", "{{", "}}", "!", ":", ".", "[", "]", "N", "S", "T", "0", "r", "s",
                " ", "<", "{N}", "{S!r}", "{X", "{S:", "٣", "ü", "5"]
    return "".join(r.choice(alphabet) for _ in range(r.randrange(1, 12)))


def case(r):
    template = one_of(
        r, (lambda: field(r), 10), (lambda: structure(r), 3),
        (lambda: "".join(r.choice([text(r).replace("{", "{{").replace("}", "}}"), field(r)])
                         for _ in range(3)), 1))
    # The zone's oldest offsets are beyond what the C library can do for %s and %EZ.
    plain = not any(c in template for c in "sZ")
    values = {"N": {"integer": integer(r)}, "S": {"text": text(r)}, "T": {"time": moment(r, plain)},
              "a b": {"text": "blank"}, "ü": {"integer": 7}, "1a": {"text": "one"}, "]": {"integer": 3}}
    # `%EZ` and such is the process's tzname, which is not always the name at that moment.
    zones = ZONES[:4] if PROCESS_ZONE.search(template) else ZONES
    return {"template": template, "zone": r.choice(zones), "values": values}


def too_large(answer):
    return "too large" in answer.get("message", "")


def systematic():
    values = {"text": "añb"}, {"integer": 0}, {"integer": -1234567}, {"integer": 99999995}
    parts = (["", "<", "^", "=", "*>", "0="], ["", "-", "+", " "], ["", "z"], ["", "#"], ["", "0"], ["", "13"],
             ["", ",", "_"], ["", ".0", ".4"], ["", *"bcdeEfFgGnosxX%q"])
    for spec in itertools.product(*parts):
        for value in values:
            yield {"template": "{V:" + "".join(spec) + "}", "zone": "UTC", "values": {"V": value}}
    letters = [chr(c) for c in range(1, 127) if chr(c) not in "{}"]
    flags = ["", "-", "_", "0", "^", "#", "^#", "-^", "_0", "+", ":"]
    for spec in itertools.product(flags, ["", "1", "3", "12"], ["", "E", "O"], letters):
        for micros in 1794996401450000, 1767222000000000, 91234567:
            template = "{V:%" + "".join(spec) + "|}"
            yield {"template": template, "zone": "Europe/Paris", "values": {"V": {"time": micros}}}
    for day in range(-3000, 40000):
        micros = (day * 86400 + day % 86399) * 10**6
        template = "{V:%F %a %j %U %W %V %G %g %u %w %e %y %C %I %p %l %k %z %Z}|{V}"
        yield {"template": template, "zone": ZONES[day % 8], "values": {"V": {"time": micros}}}
    for start in range(0, 0x110000, 16):
        if not 0xd800 <= start <= 0xdfff:
            chars = "".join(map(chr, range(start, start + 16)))
            yield {"template": "{V!r}{V!a}", "zone": "UTC", "values": {"V": {"text": chars}}}
    for code in range(0x110000):  # digits of all scripts
        if chr(code).isdecimal() or chr(code).isnumeric():
            yield {"template": "{" + chr(code) + "}", "zone": "UTC", "values": {}}
            yield {"template": "{V:" + chr(code) + "}", "zone": "UTC", "values": {"V": {"text": ""}}}


def main():
    driver, seed = sys.argv[1:3]
    if seed == "all":
        source = systematic()
    else:
        r = random.Random(int(seed))
        source = (case(r) for _ in range(int(sys.argv[3])))
    seen, differences = collections.Counter(), 0
    while cases := list(itertools.islice(source, 20000)):
        cases.sort(key=lambda c: c["zone"])  # tzset is slow
        lines = "".join(json.dumps(c) + "\n" for c in cases)
        result = subprocess.run([driver], input=lines, capture_output=True, text=True, check=True)
        answers = [json.loads(line) for line in result.stdout.split("\n") if line]
        assert len(answers) == len(cases)
        for c, answer in zip(cases, answers):
            if too_large(answer):
                seen["over the limit"] += 1
                continue
            wanted = expected(c["template"], c["values"], c["zone"])
            kind, = wanted
            seen[kind] += 1
            same = answer["text"] == wanted["text"] if kind == "text" and kind in answer else kind in answer
            if not same:
                differences += 1
                if differences <= 20:
                    print("DIFFERENCE", json.dumps(c), "\n  wanted", wanted, "\n  got   ", answer)
    print(f"seed {seed}: {dict(seen)}, {differences} differences")
    sys.exit(differences > 0)


if __name__ == "__main__":
    main()
