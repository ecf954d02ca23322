#!/usr/bin/env python3
"""Differential campaign: random expressions and texts through Python's re and through the module.

    cargo build -p pyruse-python --example search_lines
    pyruse-python/tests/expressions/fuzz_against_python.py [--seed N] [--cases N] [--mode grammar|noise|plain|hard|loops] [--show N]

Needs Python 3.11, because that is the version whose meaning counts. Exit status 1 if anything
differs silently. Refusals of expressions that Python takes are counted, not errors.
"""
import argparse, collections, json, os, random, re, signal, subprocess, sys, warnings

warnings.simplefilter("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
LETTERS = "abc"
# Seconds for one search by Python.
PATIENCE = 0.1
ODD = ["é", "É", "ß", "ẞ", "ſ", "K", "İ", "ı", "σ", "ς", "Σ", "²", "\u0301", "‿", "Ⓐ", "٣", "\x1c",
       "\x85", "\u2028", "𐐀", "𐐨", "Ǆ", "ǅ", "k", "s", "i", "S", "I", "µ", "μ"]


class Generator:
    def __init__(self, rng, plain):
        self.rng, self.plain = rng, plain
        self.groups, self.names = 0, []

    def pick(self, *choices):
        return self.rng.choice(choices)

    def literal(self):
        r = self.rng.random()
        if r < 0.75:
            return self.rng.choice(LETTERS)
        if r < 0.80:
            return self.rng.choice(["A", "B", "_", " ", "1", "-", "\n", "é", "#"])
        if r < 0.85 and not self.plain:
            return self.rng.choice(ODD)
        return self.pick(r"\n", r"\x61", r"\u0062", r"\U00000063", r"\141", r"\0", r"\07", r"\t", r"\.",
                         r"\<", r"\-", r"\ ", r"\]", "]", "}", "{", "{,", "{a}", r"\{", r"\\", r"\é",
                         r"\x4b", r"\377", "~", "&&")

    def member(self):
        r = self.rng.random()
        if r < 0.5:
            return self.rng.choice(LETTERS + "AB_ 1\n[&|~é.$^")
        if r < 0.6:
            return self.pick("a-c", "a-b", "A-Z", "0-9", "+--", r"\x61-\x63", "b-é", "a-z", "!-~",
                             "ı-ſ", "ſ-K", r"\u0100-\U00010450", "𐐀-𐐨", "α-ω")
        if r < 0.75:
            return self.pick(r"\d", r"\D", r"\s", r"\S", r"\w", r"\W")
        if r < 0.9 and not self.plain:
            return self.rng.choice(ODD)
        return self.pick(r"\b", r"\n", r"\]", r"\-", r"\\", "&&", "--", "||", "~~", "[:alpha:]", r"\101",
                         r"\0", "[", " ", "#")

    def set(self):
        start = self.pick("[", "[", "[^")
        if self.rng.random() < 0.1:
            start += self.pick("]", "-", "]-a")
        body = "".join(self.member() for _ in range(self.rng.randint(1, 3)))
        return start + body + self.pick("", "", "", "-") + "]"

    def atom(self, depth):
        r = self.rng.random()
        if depth <= 0 or r < 0.45:
            return self.literal()
        if r < 0.52:
            return self.set()
        if r < 0.56:
            return "."
        if r < 0.60:
            return self.pick(r"\d", r"\D", r"\s", r"\S", r"\w", r"\W")
        if r < 0.68:
            return self.pick("^", "$", r"\A", r"\Z", r"\b", r"\B", "$", r"\b")
        if r < 0.76:
            self.groups += 1
            return "(" + self.alternatives(depth - 1) + ")"
        if r < 0.79:
            self.groups += 1
            name = self.pick("n", "m", "né", "_1") + str(self.groups)
            self.names.append(name)
            return f"(?P<{name}>" + self.alternatives(depth - 1) + ")"
        if r < 0.84:
            return "(?:" + self.alternatives(depth - 1) + ")"
        if r < 0.86:
            return self.pick("(?#c)", "(?:)", "()", "(?i:k)", "(?!)")
        if r < 0.89:
            flags = self.pick("i", "s", "m", "x", "a", "ai", "u", "-i", "i-s", "-m", "s-i", "im", "ms", "-x")
            return f"(?{flags}:" + self.alternatives(depth - 1) + ")"
        if self.plain:
            return self.literal()
        if r < 0.93:
            return self.pick("(?=", "(?!", "(?<=", "(?<!") + self.alternatives(depth - 1) + ")"
        if r < 0.95:
            return "(?>" + self.alternatives(depth - 1) + ")"
        if r < 0.98 and self.groups:
            if self.names and self.rng.random() < 0.4:
                return f"(?P={self.rng.choice(self.names)})"
            return "\\" + str(self.rng.randint(1, self.groups))
        if self.groups:
            name = str(self.rng.randint(1, self.groups + (self.rng.random() < 0.1)))
            if self.names and self.rng.random() < 0.3:
                name = self.rng.choice(self.names)
            return f"(?({name})" + self.sequence(depth - 1) + self.pick("", "|" + self.sequence(depth - 1)) + ")"
        return self.literal()

    def quantified(self, depth):
        atom = self.atom(depth)
        r = self.rng.random()
        if r < 0.62:
            return atom
        quantifier = self.pick("*", "+", "?", "*", "+", "?", "{2}", "{1,2}", "{,2}", "{1,}", "{0,1}", "{,}", "{0}", "{2,3}", "{0,3}", "{2,}")
        suffix = self.rng.random()
        if suffix < 0.25:
            quantifier += "?"
        elif suffix < 0.32 and not self.plain:
            quantifier += "+"
        return atom + quantifier

    def sequence(self, depth):
        return "".join(self.quantified(depth) for _ in range(self.rng.choice([0, 1, 1, 1, 2, 2, 3])))

    def alternatives(self, depth):
        return "|".join(self.sequence(depth) for _ in range(self.rng.choice([1, 1, 1, 1, 2, 2, 3])))

    def expression(self):
        start = ""
        if self.rng.random() < 0.25:
            start = self.pick("(?i)", "(?s)", "(?m)", "(?x)", "(?a)", "(?ai)", "(?im)", "(?u)", "(?i)(?m)", "(?(?", "(?L)")
            if self.rng.random() < 0.8 and start in ("(?(?", "(?L)"):
                start = "(?m)"
        return start + self.alternatives(self.rng.choice([2, 3, 3, 4]))


class Hard(Generator):
    """Few letters, many groups, references, look-around and loops: where engines get it wrong."""

    def __init__(self, rng, plain):
        super().__init__(rng, plain)
        self.closed = []

    def literal(self):
        return self.rng.choice("aab")

    def atom(self, depth):
        r = self.rng.random()
        if depth <= 0 or r < 0.3:
            return self.pick("a", "a+", "b", "a*", "b?", "a+", ".", ".", "$", r"\b", "^", "(?:)")
        if r < 0.55:
            self.groups += 1
            number = self.groups
            inside = "(" + self.alternatives(depth - 1) + ")"
            self.closed.append(number)
            return inside
        if r < 0.68:
            return "(?:" + self.alternatives(depth - 1) + ")"
        if r < 0.76:
            return self.pick("(?=", "(?!", "(?<=", "(?<!") + self.alternatives(depth - 1) + ")"
        if r < 0.80:
            return "(?>" + self.alternatives(depth - 1) + ")"
        if not self.closed:
            return "a"
        group = str(self.rng.choice(self.closed))
        if r < 0.90:
            return "(?:\\" + group + ")"
        return f"(?({group})" + self.sequence(depth - 1) + "|" + self.sequence(depth - 1) + ")"

    def expression(self):
        return self.pick("", "", "", "(?i)", "(?m)") + self.alternatives(self.rng.choice([2, 3, 4]))


class Loops(Generator):
    """Loops without groups whose rounds may be empty, and look-behind of one character: what is written in another form."""

    def literal(self):
        return self.rng.choice("aab")

    def atom(self, depth):
        r = self.rng.random()
        if depth <= 0 or r < 0.4:
            return self.pick("a", "a", "b", "a*", "b*", "a*?", "b?", "a??", ".", "[ab]", "")
        if r < 0.46:
            return self.pick("^", "$", r"\b", "(?=a)", "(?!b)", "(?:)")
        if r < 0.62:
            return self.pick("(?<=a)", "(?<=b)", "(?<=[ab])", r"(?<=\w)", "(?<=.)", "(?<=a|b)", "(?<=[^a])", "(?<=(?i:A))")
        if r < 0.64:
            self.groups += 1
            return "(" + self.alternatives(depth - 1) + ")"
        if r < 0.66:
            return "(?>" + self.alternatives(depth - 1) + ")"
        if r < 0.68:
            return self.pick("(?=", "(?!") + self.alternatives(depth - 1) + ")"
        return "(?:" + self.alternatives(depth - 1) + ")"

    def quantified(self, depth):
        return re.sub(r"([*+?}])([*+?{])", r"\1(?:)\2", super().quantified(depth))

    def expression(self):
        return self.pick("", "^") + "(?:" + self.alternatives(3) + ")" + self.pick("*", "+", "*", "{2,}") + \
            self.pick("", "", "b", "$", "a$", "(?<=a)b")


PIECES = list("abc01()[]{}*+?|^$.\\-,:=!<>#P&~ \nLimsxau'") + [
    "(?", "(?P<", "(?P=", "(?(", "(?<=", "(?<!", "(?:", "(?>", "(?#", r"\1", r"\2", r"\x", r"\u00", r"\N{", "[^", "a-",
    "{2,", "{1}", "{3,1}", r"\b", r"\Z", r"\q", r"\8", r"\400", r"\09", "é", "(?i", "(?-i:", ")", ")", "]", "(a)", r"\U0011",
    "(?P<n>", "(?P=n)", "(?(n)", "(?(1)", r"\ud800", "{99999999999}", "(?P>", "(?=", "*+", "+?", "??"]


def noise(rng):
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 9)))


def text(rng, expression):
    odd = any(ord(c) > 127 for c in expression) or rng.random() < 0.15
    alphabet = "aaabbbccc AB_1-\n.é" + ("".join(ODD) if odd else "")
    word = "".join(rng.choice(alphabet) for _ in range(rng.choice([0, 1, 2, 3, 4, 5, 6, 7, 12])))
    return word + rng.choice(["", "", "", "\n", "b"])


def run_away(*_):
    raise TimeoutError("Python runs away")


signal.signal(signal.SIGALRM, run_away)


def python_answer(expression, text, cache):
    if expression not in cache:
        cache.clear()
        try:
            cache[expression] = re.compile(expression)
        except re.error as error:
            cache[expression] = {"error": error.msg, "position": error.pos}
        except Exception as error:
            cache[expression] = {"error": str(error), "position": None}
    compiled = cache[expression]
    if isinstance(compiled, dict):
        return compiled
    try:
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        try:
            match = compiled.search(text)
        finally:
            # The alarm may still come while it is turned off.
            signal.setitimer(signal.ITIMER_REAL, 0)
    except (SystemError, TimeoutError) as error:  # a bug of Python's own, or it runs away
        return {"spans": [str(error)]}
    names = sorted([number, name] for name, number in compiled.groupindex.items())
    if match is None:
        return {"spans": None, "names": names}
    offsets = [0]
    for char in text:
        offsets.append(offsets[-1] + len(char.encode()))
    spans = [None if a < 0 else [offsets[a], offsets[b]] for a, b in match.regs]
    return {"spans": spans, "names": names}


# Python points into the middle of these when their ends are escapes; the module points to the start.
LOOSE = ("bad character range",)
# Refused on purpose, with other words than Python's.
OURS = ("half characters", "character names are not")


def verdict(python, rust):
    if "error" in python:
        if "error" not in rust:
            return "ACCEPTED"
        if rust["error"] != python["error"] and not rust["error"].startswith(LOOSE + OURS):
            return "message"
        if python["position"] not in (None, rust["position"]) and not rust["error"].startswith(LOOSE + OURS):
            return "position"
        return "same error"
    if "error" in rust:
        return "refused: " + re.sub(r"\s+", " ", rust["error"])[-80:]
    if "gave_up" in rust:
        return "gave up: " + rust["gave_up"]
    if "names" not in python:
        return "python broke"
    if not rust["agrees"]:
        return "ISMATCH"
    if rust["names"] != python["names"]:
        return "NAMES"
    if rust["spans"] != python["spans"]:
        if (rust["spans"] is None) != (python["spans"] is None):
            return "FOUND"
        if rust["spans"][0] != python["spans"][0]:
            return "SPAN"
        return "GROUPS"
    return "same match" if rust["spans"] else "same no match"


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--cases", type=int, default=20000)
    options.add_argument("--mode", default="grammar")
    options.add_argument("--show", type=int, default=15)
    options.add_argument("--binary", default=os.path.join(HERE, "../../../target/debug/examples/search_lines"))
    options = options.parse_args()
    rng = random.Random(options.seed)
    rows = []
    while len(rows) < options.cases:
        if options.mode == "noise":
            expression = noise(rng)
        else:
            generator = {"hard": Hard, "loops": Loops}.get(options.mode, Generator)
            expression = generator(rng, options.mode == "plain").expression()
            if rng.random() < 0.3 and not expression.startswith("(?"):
                # Found just the same, but not by the linear engine.
                expression = "(?=)" + expression
        for _ in range(1 if options.mode == "noise" else 4):
            subject = text(rng, expression)
            if options.mode in ("hard", "loops") and rng.random() < 0.8:
                subject = "".join(rng.choice("aaab") for _ in range(rng.randint(0, 7))) + rng.choice(["", "", "\n"])
            rows.append((expression, subject))
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    answers = subprocess.run([options.binary], input=lines, capture_output=True, text=True)
    if answers.returncode:
        sys.exit(f"the module died: {answers.stderr[-2000:]}")
    counts, shown, cache, backtracking = collections.Counter(), collections.Counter(), {}, collections.Counter()
    for (expression, subject), line in zip(rows, answers.stdout.rstrip("\n").split("\n"), strict=True):
        rust = json.loads(line)
        python = python_answer(expression, subject, cache)
        result = verdict(python, rust)
        counts[result] += 1
        if rust.get("backtracking") is not None:
            backtracking["backtracking" if rust["backtracking"] else "linear"] += 1
        if result not in ("same match", "same no match", "same error"):
            shown[result] += 1
            if shown[result] <= (options.show if result.isupper() or result in ("message", "position") else 2):
                print(f"{result}: {expression!r} on {subject!r}\n    python {python}\n    rust   {rust}")
    print(f"mode {options.mode}, seed {options.seed}, {len(rows)} cases; {dict(backtracking)}")
    for result, count in counts.most_common():
        print(f"  {count:8} {result}")
    sys.exit(any(result.isupper() for result in counts))


if __name__ == "__main__":
    main()
