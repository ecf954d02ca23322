#!/usr/bin/env python3
"""Writes pyruse-python/tests/templates/cases.json: templates, values, and what Python 3.11 makes of them.

Usage: python3 pyruse-python/tests/templates/gen_templates.py > pyruse-python/tests/templates/cases.json

A refusal at load comes with its byte offset, which is ours and so is written down here; Python is
only asked to confirm that we refuse nothing that it renders, but for what the section on
deviations lists. A name may contain dots here, which Python takes for attributes: such templates are in format.rs.
"""
import json

from oracle import expected

PARIS, NEW_YORK, KOLKATA, UTC = "Europe/Paris", "America/New_York", "Asia/Kolkata", "UTC"
WINTER = 1794996401450000   # 2026-11-18 11:06:41.450000 in Paris
SUMMER = 1783000000000000   # 2026-07-02, no fraction
cases = []


def case(template, value=None, zone=UTC, more=None):
    """One case; the value is that of the field V."""
    kinds = {str: "text", int: "integer"}
    values = {n: {kinds[type(v)]: v} for n, v in (more or {}).items()}
    if isinstance(value, dict):
        values["V"] = value
    elif value is not None:
        values["V"] = {kinds[type(value)]: value}
    answer = expected(template, values, zone)
    assert "load" not in answer, template
    cases.append({"template": template, "zone": zone, "values": values, **answer})


def refused(template, offset, deviation=False):
    if not deviation:
        assert "load" in expected(template, {}, UTC), template
    cases.append({"template": template, "zone": UTC, "values": {}, "load": offset})


def each(value, specs, zone=UTC):
    for spec in specs:
        case("{V:" + spec + "}", value, zone)


# Structure.
case("")
case("plain text, äöü 日本")
case("{{}} {{{{ }}}}")
case("{{{V}}}", "x")
case("{V}{V}", "x")
case("a{V}b{W}c{V}d", "1", more={"W": 2})
case("{V}", "it is {not} a template")
case("{V}", -42)
case("{a b}{ü}{a]b}{-1}{1a}{ V}", "x", more={"a b": 1, "ü": "two", "a]b": 3, "-1": 4, "1a": 5, " V": 6})
case("{V:}{V!s:}{V!s}", "x")
case("{V:{{}}}", "x")
case("{V:{{}}<5}", "x")
case("{V:%{{%H}}}", {"time": WINTER})
case("{V:\n<5}|{V:ä^6}|{V:日>7}", "x")
case("{V:٥}|{V:.٢}|{V:𝟙٢}", "abc")
case("[{n:^9d}]", more={"n": 12})

# Missing fields.
for form in ["{X}", "{X!s}", "{X!r}", "{X!a}", "{X!s:>10}", "{X!r:.2}", "{X:>10}", "{X:d}", "{X:%H}", "{X:}", "a{V}{X:5}"]:
    case(form, "x")

# Text.
each("abc", ["5", "<5", ">5", "^5", "^6", "*^9", "05", "<05", ">05", "s", "10s", ".2", ".0", "5.1", ">5.2s",
             "000005", "<<5", ">>5", "=<5", "2", ".9", "00", "0"])
each("äöü日😀", [">8", ".3", "^9.4"])
each("", ["3", "x^3", ".0", ""])
each("abc", ["=5", "0=5", "+", "-", " ", "z", "#", ",", "_", "d", "x", "c", "f", "%", "q", ".", ".s", "5s ", ">>>",
             "s5", "5,", ",d", "+d", "ss", "<", "^.1", "ä", "n"])

# Integers.
for n in (0, 1234, -1234, 1234567890, -2**63, 2**63 - 1):
    each(n, ["", "d", "+", "-", " ", "8", "<8", "^9", "*=+12,", "08", ",", "_", "010,", "08,", "09,", "x", "#x", "X", "#X",
             "b", "#b", "o", "#o", "_b", "#012_x", "n", "c", "e", "f", "g", "%", "G", ".3e", ".0f", ",.2f", "012,.2f"])
each(1234, ["+#X", "#d", "0<12,", "0=12,", "0>12,", "<012,", "012n", "_o", "_X", "#.0f", "#.0e", ".0e", "#g", "#.0g", ".2g",
            ".0g", ".10g", "#.10g", "E", "+.1E", "012,e", "012,.3e", "010_%", "z.2f", "ze", "z%", "F", "#%", ".0%", "#.0%",
            "c", "5c", "^5c", "05c", "<05c", "=5c", "x=5c", "+010,", " 010_", "=+8", "7.1f", "_.3e", "_g", ",g", "^+15,.1f"])
each(1234, ["zd", "z", "z#x", ".3d", ".3", ".3x", ".3n", ".3c", ",x", ",b", ",o", ",X", ",n", "_n", ",c", "_c", ",s", ",_", "_,",
            ",,", "__", "+c", "-c", " c", "#c", "s", "q", "i", "D", "0x5", "d5", "5 ", "5.", "5.d", "ü", "%H:%M", "<<<", "=="])
for n in (25, 35, 45, 95, 250, 350, 999, 9995, 99995, 999999, 9999995, 123456, 1000000, 2**53 + 1, 2500000000000000001):
    each(n, [".0e", ".1e", "g", "#g", ".3g", ".1g"])
each(-1, ["c"])
each(0x10ffff, ["c", "3c"])
each(0x110000, ["c"])
each(0xd800, ["c"])
each(7, ["100", ".100f", "0200,d"])

# repr and ascii.
for s in ["abc", "it's", 'say "x"', """it's "x" """, "a\\b", "\t\n\r\0\x1f\x7f", "äß€日😀", "\x80\xa0\xad", "\u200b\u2028\ufeff",
          "\u0378\u0301", "\U000e0001\U0010ffff", "\u3000", "", "'", "\"'\\"]:
    for form in ["{V!r}", "{V!a}", "{V!r:*^12}"]:
        case(form, s)
for form in ["{V!r}", "{V!s:>8}", "{V!a:.2}", "{V!s:d}", "{V!s:,}"]:
    case(form, -1234)
case("{V!r:=9}", "x")

# Times.
W, S = {"time": WINTER}, {"time": SUMMER}
for zone in (PARIS, NEW_YORK, KOLKATA, UTC):
    case("{V}|{V!s}|{V!r}|{V!a}", W, zone)
    case("{V}", S, zone)
    case("{V:%Y-%m-%d %H:%M:%S.%f %z %Z}", W, zone)
    case("{V:%c|%x|%X|%p|%I|%s}", S, zone)
case("{V!s:.10}|{V!r:>40}", W, PARIS)
case("{V!s:%H}", W, PARIS)
each(W, ["%a %A %b %B %h", "%j %U %W %V %G %g %u %w", "%y %C %D %e %F %T %R %r", "%k|%l|%I|%P|%n|%t|%%", "plain", "", ">10",
         "2026-11-18", "%", "a%", "%5", "%-", "%q %i %J %! %ä", "%-d %_d %05d %-H %_m %e %-e %0e %^a %^B %#p %#Z %#a %^c",
         "%12d|%-12d|%_12d|%12a|%012A|%12c|%30c|%030F|%5n|%9%|%9q", "%Ec %EY %Ey %Od %OH %Ed %OY %EE", "%-z %_z %5z %Ez",
         "%5%z", "%-%f", "%%f%f%%%f", "äöü日%H😀", "a\0%H", "%10000d", "%2047d", "%1500A", "%1023d"], PARIS)
for day in (1767135600, 1767222000, 1798671600, 1798758000, 951782400, 0, -1):
    case("{V:%F %a %j %U %W %V %G %g}|{V}", {"time": day * 10**6}, PARIS)
case("{V}|{V:%z}", {"time": -2524521600000000}, PARIS)
case("{V:%Y|%C|%G|%F|%c|%5Y|%_5Y}|{V}", {"time": -62100000000000000})
case("{V}", {"time": 253402200000000000 - 10**11})
case("{V}|{V:%Z %z}", {"time": 1761440400000000}, PARIS)  # 03:00 becomes 02:00 again
case("{V}|{V:%Z %z}", {"time": 1761444000000000}, PARIS)

# Refused at load.
for template, offset in [
        ("}", 0), ("ab}c", 2), ("ä}c", 2), ("{{}", 2), ("{V}}", 3), ("{", 0), ("ab{", 2), ("ab{V", 2), ("{V:5", 0), ("{V!", 0),
        ("{V!r", 0), ("{V!r:", 0), ("{}", 0), ("x{:5}", 1), ("{!r}", 0), ("{0}", 1), ("a{12:x}", 2), ("{٣}", 1), ("{1٣}", 1),
        ("{a[0]}", 2), ("{[0]}", 1), ("{a{b}", 0), ("{V!x}", 3), ("{V!R}", 3),
        ("{V!}", 3), ("{V!:5}", 3), ("{V!ä}", 3), ("{V!rr}", 4), ("{V!r }", 4), ("{a:{b}}", 3), ("{a:>{b}}", 4), ("{a:{}}", 3),
        ("{a:{{{b}}}}", 5), ("{a:{{}x}", 0), ("{a:{b", 0), ("{a:{{}", 0), ("{a:{{}x}y}", 5), ("{a} and {b:{c}}", 11)]:
    refused(template, offset)
# Deviations: Python would go on and make the text.
for template, offset in [("{V:10001}", 3), ("{V:.10001f}", 3), ("{V!s:99999999999999999999}", 5), ("a{V:%10001d}", 4),
                         ("{V:%H%-20000Y}", 3), ("{V:20261118}", 3)]:
    refused(template, offset, deviation=True)

print("[")
print(",\n".join(json.dumps(c, ensure_ascii=True) for c in cases))
print("]")
