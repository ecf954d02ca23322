#!/usr/bin/env python3.11
"""Writes pyruse-python/tests/expressions/expressions.json: hand-chosen expressions and texts, and what Python 3.11 says.

Run it with Python 3.11 and commit the output, so that the tests need no Python.
"""
import json, os, re, sys, warnings

warnings.simplefilter("ignore")

# (expression, texts...)
CASES = [
    # Literals and punctuation
    (r"a", "a", "b", "ba"), (r"", "", "x"), (r"a.c", "abc", "a\nc"), (r"\.", "a.", "a"),
    (r"\<tag\>", "<tag>", "tag"), (r"\-\/\:\@\%\,\;\=\&\~\#\ \"\'\`\!", "-/:@%,;=&~# \"'`!"),
    (r"\é", "é"), (r"é", "é", "e"), (r"日本", "x日本y"), ("a\nb", "a\nb"),
    # Braces that are no quantifiers
    (r"a{b", "a{b", "a"), (r"{foo}", "{foo}"), (r"x{,3}", "xxxx", ""), (r"x{,}", "xxx", "x{,}"),
    (r"x{}", "x{}", "x"), (r"x{ 1}", "x{ 1}"), (r"x{1", "x{1"), (r"x{1,", "x{1,"), (r"x{1,2", "x{1,2"),
    (r"{", "{"), (r"}", "}"), (r"{1", "{1"), (r"a{1}{", "a{"), (r"]", "]"), (r"a{-1}", "a{-1}"),
    # Sets
    (r"[[]", "[", "a"), (r"[]a]", "]", "a", "b"), (r"[^]]", "]", "x]"), (r"[a[b]", "[", "b"),
    (r"[a&&b]", "&", "a", "b"), (r"[a--b]", "a", "b", "-"), (r"[+--]", "-", ",", "+", "."),
    (r"[a||b]", "|"), (r"[a~~b]", "~"), (r"[[:alpha:]]", "a]", ":]", "z]", "a"), (r"[[a-z]--[aeiou]]", "b", "--[]"),
    (r"[a-]", "-", "a"), (r"[-a]", "-"), (r"[a\-z]", "-", "m"), (r"[\]]", "]"), (r"[\b]", "\b", "b"),
    (r"[\w-]", "-", "é", "."), (r"[\d\s]", " ", "7", "x"), (r"[^\W_]", "_", "a", "-"), (r"[\D\d]", "x"),
    (r"[^\s\S]", "x"), (r"[.$^*+?(){}|]", "|", "a"), (r"[\101-\103]", "B", "D"), (r"[\0]", "\0"), (r"[#]", "#"),
    (r"[\x41\u0042\U00000043]", "C", "D"), (r"[^a]", "a\n"), (r"[a-cA-C]", "B"), (r"[\\]", "\\"), (r"[^^]", "^", "a^"),
    # Escapes
    (r"\0", "\0"), (r"\01", "\1"), (r"\07", "\7"), (r"\08", "\x008"), (r"\101", "A"), (r"\1011", "A1"), (r"\377", "ÿ"),
    (r"\x41", "A"), (r"\u00e9", "é"), (r"\U0001F600", "😀"), (r"\a\f\n\r\t\v", "\a\f\n\r\t\v"), (r"\\", "\\"),
    (r"(a)\1", "aa", "ab"), (r"(a)\11", "aa1"), (r"(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\10", "abcdefghijj"),
    (r"(a)\18", "aa8"), (r"(a)\141", "aa"), (r"(a)\0", "a\0"),
    # Anchors
    (r"a$", "a", "a\n", "a\n\n", "a\nb"), (r"a\Z", "a", "a\n"), (r"(?m)a$", "a\nb", "a\n"), (r"^b", "a\nb", "b"),
    (r"(?m)^b", "a\nb"), (r"\Ab", "a\nb", "b"), (r"(?m)\Ab", "a\nb"), (r"(.*)$", "abc", "abc\n", "abc\ndef\n", "abc\ndef", "\n"),
    (r"(?s)(.*)$", "abc\n", "a\nb\n"), (r"(?s)(.*?)$", "abc\n", "a\nb\n"), (r"$", "", "\n", "a\n", "a\n\n"), (r"(?m)$", "\n", "a\nb"),
    (r"(?m)^", "a\n"), (r"a$\n", "a\n", "a\nb\n"), (r"(?:a$)|b", "a\n", "cb"), (r"((?:(?:).|(?<=^)|aa{2,3}?){2,}){2}", "a"), (r"(?:|a){2,}?b", "aab"), (r"a?\b|a?a", "aaa"), (r".+b|.+c*?", " a.b-"), (r".(?:a(|(.+)+b)\2)", ".aBabcbca"), (r"(?:a*?b|a*?)c|a?\b|a?a", "aaa"), (r"(?<=a|(?!)b)c", "ac"), (r"((.)+?)*", "ab\n"), (r"(\s*)$", "a \n"), (r"^$", "", "\n", "a"),
    (r"$^", "", "\n"), (r"\bfoo\b", "a foo b", "afoo", "foo", "foo²", "fooé", "foo\u0301", "foo‿"), (r"\B", "", "a", "ab", "é"),
    (r"\Bb", "ab", "éb", "²b", "Ⓐb"), (r"\b", "", "é", "‿", "²", "\u0301"), (r"(?a)\bé", "é", "aé"), (r"(?a:\b)é", "aé", "é"),
    (r"\b\w+\b$", "one two\n", "eins zwei"), (r"(?a)\B.", "é", "a"), (r"\b(\w+)\b", "été", "e\u0301te", "½a"),
    # Classes
    (r"\w+", "aé_1²٣", "\u0301", "‿", "ⅷ", "Ⓐ"), (r"\d+", "12٣", "²"), (r"\s+", "\x1c\x1d\x1e\x1f", "\x85", "\u2028", "\xa0", "\u200b", "\ufeff"),
    (r"(?a)\w+", "é", "a"), (r"(?a)\d", "٣"), (r"(?a)\s", "\x1c", "\xa0", "\v"), (r"\W", "é", "‿", "a-"), (r"\S", "\x1f", "a"), (r"\D", "٣", "²"),
    (r"(?a)\W", "é"), (r"[\w]", "²"), (r"[^\w]", "\u0301"), (r"[\s]", "\x1c"), (r"(?a)[\W]", "é"), (r"(?u)\w", "é"),
    # Ignoring case
    (r"(?i)k", "K", "K", "k"), (r"(?i)s", "ſ", "S"), (r"(?i)ſ", "s", "S"), (r"(?i)ß", "ẞ", "ss", "SS"), (r"(?i)ẞ", "ß"), (r"(?i)i", "İ", "ı", "I"),
    (r"(?i)İ", "i", "I", "ı", "İ"), (r"(?i)ı", "I", "i"), (r"(?i)σ", "Σ", "ς"), (r"(?i)ς", "Σ", "σ"), (r"(?i)µ", "μ", "Μ"), (r"(?i)é", "É"),
    (r"(?i)[a-z]", "K", "ſ", "İ", "Z"), (r"(?i)[^k]", "K", "K", "x"), (r"(?i)[σ]", "ς"), (r"(?ai)k", "K", "K"), (r"(?ai)é", "É", "é"),
    (r"(?ai)[a-z]", "K", "Q"), (r"(?i)ǆ", "Ǆ", "ǅ"), (r"(?i)𐐀", "𐐨", "𐐀"), (r"(?i)[𐐀-𐐁]", "𐐨"), (r"(?i)[𐐀x]", "𐐀", "𐐨", "X"), (r"(?i)[𐐨x]", "𐐀"),
    (r"(?i:a)b", "Ab", "aB"), (r"(?i)(?-i:a)b", "aB", "AB"), (r"(?i)[^\W]", "K"), (r"(?i)straße", "STRAẞE"), (r"(?i)\x4b", "k"), (r"(?i)[\101]", "a"),
    (r"(?i)(a)\1", "aA", "ab"), (r"(?i)ﬅ", "ﬆ"),
    # Flags
    (r"(?s).", "\n"), (r"(?s:.)a.", "\na\n", "\nab"), (r"(?-s:.)", "\n"), (r"(?m:^)a", "b\na"), (r"(?x) a b # comment", "ab", "a b"),
    ("(?x)a # comment ) ( [\n b", "ab"), (r"(?x)[a b]", " ", "b"), (r"(?x)a\ b", "a b"), (r"(?x)a *", "aaa"), (r"(?x: a b ) c", "ab c", "abc"),
    (r"(?x)(?-x: a)b", " ab", "ab"), (r"(?x)a|b c", "bc"), (r"(?x)a {2}", "aa"), (r"(?im)^A$", "b\na\nc"), (r"(?i)(?m)^A", "b\na"), (r"(?#c)(?i)A", "a"),
    (r"a(?#comment)b", "ab"), (r"a(?#c)*", "aaa"), (r"(?u)a", "a"), (r"(?x)[#]a", "#a"), (r"(?x)\#", "#"), (r"(?ims-x:a)", "A"), (r"(?a:\w)\w", "aé", "éa"),
    (r"(?a)(?u:\w)", "é"), (r"(?i)", "x"), (r"(?i)(?-i:K)", "k", "K"),
    # Groups
    (r"(a)(b)?", "a", "ab"), (r"(?P<n>a)(?P=n)", "aa", "ab"), (r"(?P<né>a)", "a"), (r"(?P<_1>a)(b)(?P<z>c)", "abc"), (r"(?:a)(b)", "ab"), (r"()", "a"), (r"(?:)", "a"),
    (r"(a|b)*", "abab", "c"), (r"(?:(a)|b)*", "ab", "ba", "b"), (r"(?:(a)|(b))+", "ab", "ba"), (r"(a*)*", "aa", "b"), (r"(a*)+", "aa", "b"), (r"(a|b*)*", "b", "ab"),
    (r"(|a)+", "aaa"), (r"(|a)*", "aaa"), (r"(a|)+", "aaa"), (r"(?:|a)*b", "aab"), (r"(a*?)*?b", "aab"), (r"(a?)*?b", "aab"), (r"(a*){2}", "aa"), (r"(a*){2,}", "aa"),
    (r"(a*){0,3}", "aa", ""), (r"((a)|(b)*)*", "abb"), (r"(a){0}b", "ab"), (r"(a){0}\1", "a"), (r"(?:a|ab)(?:c|bcd)(d*)", "abcd"), (r"(a+|b+|ab)*c", "aabbabc"),
    (r"(\b)*a", "a"), (r"(?:^)*a", "ba"), (r"(?:$)+", "a\n"), (r"(^a|b)*", "abb"), (r"()*", ""), (r"()+b", "b"), (r"(\s*|x)+y", "  x y"), (r"((?:a|b)+?)*c", "abac"),
    # Quantifiers
    (r"a*?", "aa"), (r"a+?", "aa"), (r"a??b", "ab"), (r"a{2}", "aaa", "a"), (r"a{2,}", "aaa"), (r"a{1,2}?", "aa"), (r"a{0}", "a"), (r"(?:ab){2,3}", "abababab"), (r"a{,2}b", "aaab"),
    (r"a++a", "aaa"), (r"a*+b", "aab"), (r"a?+a", "a", "aa"), (r"a{1,2}+a", "aa", "aaa"), (r"(?:ab|a|b){2}+", "ab", "aab"), (r"(?>a+)a", "aa"), (r"(?>a|ab)c", "abc", "ac"),
    (r"(a|ab)++c", "abc", "aac"), (r"(?>(a)|b)+", "ab"), (r"x*+", ""), (r"(?:a*)*+b", "aab"), (r"(?:\d+:)*+\d", "1:2:3"),
    # Look-around
    (r"a(?=b)", "ab", "ac"), (r"a(?!b)", "ab", "ac", "a"), (r"(?<=a)b", "ab", "cb"), (r"(?<!a)b", "ab", "cb", "b"), (r"(?=(a+))a", "aaa"), (r"(?=(a))*a", "a"),
    (r"(?!)", "a"), (r"(?=)", "a"), (r"a|(?!)", "a"), (r"(?<=(a))b\1", "aba"), (r"(?<=a|b)c", "bc"), (r"(?<=ab|cd)e", "cde"), (r"(?<!^)a", "aa"), (r"(?<=\b)a", "a"),
    (r"(?<=é)a", "éa"), (r"(?<=.)a", "éa", "a"), (r"(?<=\n)$", "a\n"), (r"(a)(?<=\1)b", "ab"), (r"(?!(a))b", "b"), (r"(?:(?!b).)*", "aab"), (r"(?<![a-z])\d+$", "x1 22\n"),
    (r"(?=.*\d)(?=.*[a-z])\w+$", "ab1", "abc"), (r"(?<=a{2})b", "aab"), (r"(?<=(?:ab)?)", "a"), (r"^(?!.*foo).*$", "bar", "a foo", "bar\n"), (r"(?<!(a))b", "cb"),
    # Conditions
    (r"(a)?(?(1)b|c)", "ab", "c", "b"), (r"(<)?a(?(1)>)", "<a>", "a", "<a"), (r"(?P<q>')?a(?(q)')$", "'a'", "a", "'a"), (r"(?(1)a|b)(c)?", "b", "a"), (r"(a)?(?(1))", "b"),
    (r"(a)?(?(1)|b)", "b", "a", "c"), (r"(?:(a)|b)(?(1)c|d)", "ac", "bd", "bc"), (r"(?(2)a|b)(x)?(y)?", "by"), (r"(a)|b(?(1)c)", "b"),
    (r"(?:(a)|a)(?(1)c|d)", "ad", "ac"), (r"()?(?(1)c|d)", "d", "c"), (r"(?:()|)(?(1)c|d)", "d"), (r"(?=(a)|a)(?(1)x|a)", "a"), (r"(?=a|(a)b)\1", "ab"),
    (r"(?=(a|ab))\1c", "abc"), (r"(?:(a)b|a(b))(?(2)c|d)", "abc", "abd"), (r"(?<=(a)|b)(?(1)c|d)", "ac", "bd", "ad"),
    (r"a+b?a+(?=b)", "ab", "abab", "aab"), (r"(?:\w+\.?\w+)(?!x)", "a", "ab"), (r"(?:a+(?:ba*)?)+(?=c)", "abbc", "abac"), (r"a+(?:(a){,2})*a{1,}", "a", "aa"), (r"a+(?:b?a+)(?=$)", "a"),
    # Back-references
    (r"(\w+) \1", "the the", "the cat"), (r"(a)|b\1", "b", "a"), (r"(?:(a)|b)\1", "b", "aa"), (r"(a*)b\1", "aabaa", "aaba"), (r"(['\"])(.*?)\1", "x='a\"b'"), (r"(é)\1", "éé"), (r"(a)?\1", "", "aa"),
    (r"(?i)(é)\1", "éE"), (r"(.)(.)\2\1", "abba"), (r"(?:(.)\1)+", "aabb"),
    # Like fail2ban and logs
    (r"Failed password for (?:invalid user )?(?P<user>.*?) from (?P<ip>[0-9a-fA-F.:]+) port \d+(?: ssh2)?$", "Failed password for invalid user bob from 10.0.0.1 port 22 ssh2", "Failed password for x from ::1 port 22\n"),
    (r"^\s*(?:\S+\s+)?sshd(?:\[\d+\])?: (.*)$", "host sshd[12]: hello", "sshd: x\n"), (r"rhost=(?P<h>\S+)(?:\s+user=(?P<u>\S*))?\s*$", "rhost=1.2.3.4  user=root", "rhost=a \n"),
    (r"(?i)authentication failure;.*\brhost=([^ ]+)", "Authentication FAILURE; x rhost=h"), (r"^(?P<a>\d{1,3}(?:\.\d{1,3}){3}) - - \[[^]]+\] \"(?P<m>[A-Z]+) ", "1.2.3.4 - - [x/y] \"GET / "),
    (r"^<[^.]+\.[^>]+>$", "<a.b>"), (r"client @0x[0-9a-f]+ ([^#]+)#", "client @0xab 1.2.3.4#5"), (r"\[(\d+)]: ", "x[12]: "),
    # Refused by Python
    (r"*", ""), (r"a**", ""), (r"a+*", ""), (r"a*?+", ""), (r"a{2}{3}", ""), (r"a{2}*", ""), (r"^*", ""), (r"\b+", ""), (r"(?i)*", ""), (r"|*", ""), (r"(*a)", ""), (r"(?:*a)", ""), (r"{1}", ""),
    (r"a{3,2}", ""), (r"a{4294967295}", ""), (r"a{99999999999999999999}", ""), (r"[", ""), (r"[a", ""), (r"[]", ""), (r"[^]", ""), (r"[a-", ""), (r"x[\]", ""), (r"[b-a]", ""), (r"[\w-a]", ""), (r"[a-\d]", ""), (r"é[z-a]", ""),
    (r"\q", ""), (r"\y", ""), (r"é\y", ""), (r"[\q]", ""), (r"[\A]", ""), (r"[\Z]", ""), (r"[\B]", ""), (r"\z", ""), (r"\p{L}", ""), (r"\h", ""), (r"\R", ""), (r"\G", ""), (r"\Q", ""), ("\\", ""), ("a\\", ""), ("(\\", ""),
    (r"\x4", ""), (r"\xg1", ""), (r"\u12", ""), (r"\U0001", ""), (r"\U00110000", ""), (r"\N", ""), (r"\N{", ""), (r"\N{}", ""), (r"\400", ""), (r"[\400]", ""), (r"[\8]", ""), (r"[\18]", ""),
    (r"\1", ""), (r"(a)\2", ""), (r"(a\1)", ""), (r"é(a\1)", ""), (r"\8", ""), (r"\99", ""), (r"(?P=n)", ""), (r"(?P<n>a(?P=n))", ""), (r"(?P<n>a)(?P<n>b)", ""), (r"(?P<1>a)", ""), (r"(?P<>a)", ""), (r"(?P<n", ""),
    (r"(?P<a b>c)", ""), (r"(?P<a-b>c)", ""), (r"(?P=", ""), (r"(?P=a b)", ""), (r"(?P", ""), (r"(?P>n)", ""), (r"(?Px)", ""), (r"(?<n>a)", ""), (r"(?<", ""), (r"(?'n'a)", ""), (r"(?R)", ""), (r"(?&n)", ""), (r"(?|a)", ""), (r"(?", ""),
    (r"(", ""), (r")", ""), (r"a)b", ""), (r"(a", ""), (r"((a)", ""), (r"(?:a", ""), (r"(?=a", ""), (r"(?#a", ""), (r"(?>a", ""), (r"é(a", ""), (r"a|(b", ""), (r"(?(1)a", ""),
    (r"a(?i)b", ""), (r"(?i:a)(?i)", ""), (r"(a(?i))", ""), (r"a|(?i)b", ""), (r" (?x)", ""), (r"(?L)a", ""), (r"(?L:a)", ""), (r"(?au)a", ""), (r"(?a)(?u)a", ""), (r"(?-a:b)", ""), (r"(?-i)a", ""), (r"(?i-i:a)", ""), (r"(?i-:a)", ""),
    (r"(?i", ""), (r"(?iz)", ""), (r"(?i2)", ""), (r"(?-", ""), (r"(?-i", ""), (r"(?-z:a)", ""), (r"(?z)", ""), (r"(?)", ""), (r"(?-:a)", ""), (r"(?i-s", ""), (r"(?i-s)", ""),
    (r"(?<=a*)b", ""), (r"(?<=a|bc)d", ""), (r"(?<!a+)", ""), (r"(?<=(a|bc))", ""), (r"(a+)(?<=\1)", ""), (r"(?<=(a)\1)", ""), (r"(?<=(a)(?(1)b|c))", ""),
    (r"(?(1)a|b)", ""), (r"(?(0)a)", ""), (r"(?(n)a)", ""), (r"(?(a b)c)", ""), (r"(a)(?(1)b|c|d)", ""), (r"(?()a)", ""), (r"(?(-1)a)", ""), (r"(a)(?(1)b", ""), (r"(?(1", ""), (r"(a)(?(99999999999)b)", ""),
    # Python takes these; the module may refuse them, but must not misunderstand them.
    (r"\N{DIGIT ONE}", "1"), (r"\ud800", "x"), (r"(|a){0,3}", "aaa"), (r"((?(1)a|b))+", "ba"), (r"(?:a(b)|a)++", "abaa"), (r"(?=(?(1)a|b))(c)?", "b"), (r"(?ai)[^a\u0100-\U00010450]", "µ"), (r"(?:(a|b*){2,}c?)+", "ab"), (r"(?:(?=(a\b|aa)(?!b))a)+", "aaaa"), (r"(?:(?=(a)))*a", "a"), (r"(?a:\W)", "é"), (r"(?( 1 )a|b)(c)", "bc"),
]


def answer(expression, text):
    try:
        compiled = re.compile(expression)
    except re.error as error:
        return {"error": error.msg, "position": error.pos}
    except (ValueError, OverflowError, RuntimeError, AssertionError) as error:
        return {"error": str(error), "position": None}
    names = sorted([number, name] for name, number in compiled.groupindex.items())
    try:
        match = compiled.search(text)
    except SystemError:  # a bug of Python's own
        return {"names": names, "spans": "broken"}
    if match is None:
        return {"names": names, "spans": None}
    at = lambda index: len(text[:index].encode())
    return {"names": names, "spans": [None if a < 0 else [at(a), at(b)] for a, b in match.regs]}


def main():
    if sys.version_info[:2] != (3, 11):
        sys.exit("Python 3.11 is needed: its meaning is the one that counts")
    rows = [[expression, text, answer(expression, text)] for expression, *texts in CASES for text in texts]
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "expressions.json")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "w", encoding="utf-8") as out:
        out.write("[\n" + ",\n".join(json.dumps(row, ensure_ascii=True) for row in rows) + "\n]\n")
    print(f"{len(rows)} rows, {len(CASES)} expressions")


if __name__ == "__main__":
    main()
