#!/usr/bin/env python3.11
"""Writes pyruse-python/tests/expressions/loops.json: loops whose rounds may be empty and look-behind of one character,
each with what Python 3.11 finds in every text of up to six letters `a` and `b`.

A row is the expression, and one word for each text, in order of length, then of the alphabet: where the match begins
and ends, or `-`. Run it with Python 3.11 and commit the output, so that the tests need no Python.
"""
import itertools, json, os, random, re, signal

import fuzz_against_python as campaign

CHOSEN = [
    "^(?:(?:a*|b)*x)+$", "^(?:(?:a*|b)*b)+$", "(?:a*|b)*", "(?:|a)*", "(?:|a)+b", "(?:|a){2,}b", "(?:a*?|b)*b", "(?:a??b??)*$",
    "(?:(?:|a)*|b)*$", "(?:(?:a*|b)*|b)*b$", "(?:a*b*|ba)*$", "(?:a{0,2}?|b)*$", "(?:(?:|a)(?:|b))*ab$", "(?:a*|b){3,}a$",
    "(?:^|a)*b", "(?:$|a)*", "(?:a|^|b)*$", "(?:^a*|b)*$", r"(?:\b|a|b)*$", r"(?:a|\b|)*b", "(?:a?|(?=b)|b)*$", "(?=(?:|a)*b)a",
    "(?>(?:|a)*)b", "(?>(?:a*|b)*)$", "((?:a*|b)*)b", "(?:(?:a*|b)*?b)*a", "(?:(?:a|)(?:|b))*?a", "(?:(?:a*|b)*(?<=b))*a",
    "a(?<=a)b", "(?:a|b)+(?<=a)b", "(?:ab|b)+(?<=b)a", "(?:a(?<=[ab])|b(?<=b))+$", "a(?:(?<=[ab])b)*", "(?:a|(?<=a)b)*$",
    "(?:|a(?<=a))(?<=a)b", "(?=a(?<=a))(?<=a)", "(?:b|(?=a)(?<=b)a)+$",
]


def texts():
    for length in range(7):
        yield from map("".join, itertools.product("ab", repeat=length))


def main():
    rng = random.Random(11)
    rows, expressions = [], list(CHOSEN)
    while len(rows) < 200:
        expression = expressions.pop(0) if expressions else campaign.Loops(rng, False).expression()
        if len(expression) > 60:
            continue
        try:
            compiled = re.compile(expression)
        except re.error:
            continue
        signal.setitimer(signal.ITIMER_REAL, 2)
        try:
            found = [compiled.search(text) for text in texts()]
        except TimeoutError:
            continue
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        rows.append([expression, " ".join(f"{match.start()}{match.end()}" if match else "-" for match in found)])
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "loops.json"), "w") as file:
        file.write("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")


if __name__ == "__main__":
    main()
