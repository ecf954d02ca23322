#!/usr/bin/env python3
"""Writes pyruse-python/src/format/unicode.rs: what Python 3.11 (Unicode 14) calls printable and decimal.

Usage: python3 pyruse-python/tests/templates/gen_unicode.py > pyruse-python/src/format/unicode.rs   (with Python 3.11)
"""
import sys
import unicodedata

assert sys.version_info[:2] == (3, 11), "the tables are those of Python 3.11"

ranges, start = [], None
for code in range(0x80, 0x110001):
    hidden = code < 0x110000 and not chr(code).isprintable()
    if hidden and start is None:
        start = code
    if not hidden and start is not None:
        ranges.append((start, code - 1))
        start = None
zeros = [c for c in range(0x110000) if unicodedata.decimal(chr(c), None) == 0]
for zero in zeros:  # the Rust side relies on it
    assert all(unicodedata.decimal(chr(zero + i)) == i for i in range(10))
assert sum(unicodedata.decimal(chr(c), None) is not None for c in range(0x110000)) == 10 * len(zeros)


def rows(items, per_row):
    for i in range(0, len(items), per_row):
        print("    " + " ".join(f"{item}," for item in items[i:i + per_row]))


print(f'''//! Two facts about characters, as Python 3.11 knows them (Unicode {unicodedata.unidata_version}).
//!
//! In: a character. Out: whether `repr` prints it as it is, and which decimal digit it is. The
//! tables are Python's and not those of Rust's standard library, because an alert must not change
//! when the compiler learns a newer Unicode.
//!
//! Written by `pyruse-python/tests/templates/gen_unicode.py`; do not edit.

/// Whether `repr` keeps the character: Python's `str.isprintable`.
pub(super) fn is_printable(c: char) -> bool {{
    if c.is_ascii() {{
        return (' '..='~').contains(&c);
    }}
    let code = u32::from(c);
    let at = HIDDEN.partition_point(|&(first, _)| first <= code);
    at == 0 || HIDDEN[at - 1].1 < code
}}

/// The value of a decimal digit of any script: Python's `unicodedata.decimal`.
pub(super) fn decimal_digit(c: char) -> Option<u32> {{
    if c.is_ascii() {{
        return c.to_digit(10);
    }}
    let code = u32::from(c);
    let at = ZEROS.partition_point(|&zero| zero <= code);
    let digit = code - ZEROS[at.checked_sub(1)?];
    (digit < 10).then_some(digit)
}}

/// Beyond ASCII: the ranges, both ends included, of what is not printable.
#[rustfmt::skip]
#[allow(clippy::unreadable_literal)] // code points are not read in groups
static HIDDEN: [(u32, u32); {len(ranges)}] = [''')
rows([f"(0x{a:x}, 0x{b:x})" for a, b in ranges], 5)
print(f'''];

/// The digit zero of every script; its nine others follow it.
#[rustfmt::skip]
static ZEROS: [u32; {len(zeros)}] = [''')
rows([f"0x{z:x}" for z in zeros], 11)
print("];")
