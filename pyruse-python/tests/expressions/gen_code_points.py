#!/usr/bin/env python3.11
"""Writes pyruse-python/tests/expressions/code_points.json: what Python 3.11 thinks of every code point.

Classes are given as ranges; `cases` lists, for each character with case, all that (?i) finds for it.
Code points not assigned in Python's Unicode version are listed, because newer tables may differ there.
"""
import json, os, re, sys, unicodedata

ALL = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def ranges(wanted):
    found = []
    for char in ALL:
        if wanted(char):
            if found and found[-1][1] == ord(char) - 1:
                found[-1][1] = ord(char)
            else:
                found.append([ord(char), ord(char)])
    return found


def main():
    if sys.version_info[:2] != (3, 11):
        sys.exit("Python 3.11 is needed: its meaning is the one that counts")
    cased = [char for char in ALL if char.lower() != char or char.upper() != char]
    text = "".join(cased)
    data = {
        "unicode": unicodedata.unidata_version,
        "unassigned": ranges(lambda char: unicodedata.category(char) == "Cn"),
        **{name: ranges(re.compile(rf"\{name}").match) for name in "wds"},
        "cases": ["".join([char] + re.findall("(?i)" + char, text)) for char in cased],
        # What follows the character in a text for which (?i)(.)\1 is found.
        "reference_cases": ["".join([char] + [other for other in re.findall("(?i)" + char, text)
                                              if re.match(r"(?i)(.)\1", char + other)]) for char in cased],
        "set_cases": ["".join([char] + re.findall(f"(?i)[{char}\\0]", text)) for char in cased],
    }
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "code_points.json")
    with open(target, "w", encoding="utf-8") as out:
        out.write("{\n" + ",\n".join(f'"{key}": {json.dumps(value, separators=(",", ":"))}' for key, value in data.items()) + "\n}\n")


if __name__ == "__main__":
    main()
