#!/usr/bin/env python3
"""Writes pyruse-core/tests/encodings/cases.json: what Python 3.11 makes of the bytes 128 to 255 in each 8-bit encoding.

Usage: python3 pyruse-core/tests/encodings/gen_encodings.py > pyruse-core/tests/encodings/cases.json
"""
import codecs
import encodings.aliases
import json

labels = set(encodings.aliases.aliases) | set(encodings.aliases.aliases.values())
labels |= {label.replace("_", "-") for label in labels}
names, tables = {}, {}
for label in sorted(labels):
    try:
        info = codecs.lookup(label)
    except LookupError:
        continue
    if not info._is_text_encoding or bytes(range(128)).decode(label, "replace") != bytes(range(128)).decode("ascii"):
        continue
    row = []
    for byte in range(128, 256):
        try:
            text = bytes([byte]).decode(label)
        except UnicodeDecodeError:
            text = None
        row.append(ord(text) if text and len(text) == 1 else None)
    if any(row):
        names[label] = info.name
        tables[info.name] = row
print(json.dumps({"names": names, "tables": tables}, separators=(",", ":"), sort_keys=True))
