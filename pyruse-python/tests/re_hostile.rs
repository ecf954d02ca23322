//! Expressions and texts made to hurt: no panic, no overflow, no waiting.

mod work;

use std::time::Duration;

use pyruse_python::re::{Groups, Pattern};
use work::Work;

/// A small generator of our own, so that a failure is the same on every machine.
struct Random(u64);

impl Random {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

#[test]
fn random_strings_never_panic() {
    let syntax: Vec<char> = r"()[]{}*+?|^$.\-,:=!<>#P&~0123456789abcdnuxUNswDSWBAZimsLa ".chars().collect();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut groups = Groups::default();
    for _ in 0..10_000 {
        let length = random.roll(24);
        let expression: String = (0..length)
            .map(|_| match random.roll(10) {
                0 => char::from(u8::try_from(random.roll(256)).unwrap()),
                1 => char::from_u32(u32::try_from(random.roll(0x0011_0000)).unwrap()).unwrap_or('\u{FFFD}'),
                _ => syntax[random.roll(syntax.len())],
            })
            .collect();
        match Pattern::new(&expression) {
            Ok(pattern) => {
                for text in ["", "a", "ab\n", "a\nb\n", "é\u{301}a", &expression] {
                    let _ = pattern.search(text, &mut groups);
                }
            }
            Err(error) => assert!(expression.is_char_boundary(error.offset), "{expression:?}: {error}"),
        }
    }
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow_the_stack() {
    for open in ["(", "(?:", "(?=", "(?>", "(?i:", "(?P<a>", "(?<=", "(a)(?(1)"] {
        let expression = open.repeat(100_000);
        assert!(Pattern::new(&expression).is_err(), "{open}");
        let closed = format!("{}{}", open.repeat(50_000), ")".repeat(50_000));
        assert!(Pattern::new(&closed).is_err(), "{open}");
    }
    for (open, close) in
        [("(?:|", ")+"), ("(?:|a", ")+"), ("(?:a*", ")*"), ("(?:|(?:", ")){2,}"), ("(", "|)*")]
    {
        let nested = format!("{}a{}", open.repeat(90), close.repeat(90));
        let begin = Work::now();
        let _ = Pattern::new(&nested);
        assert!(begin.elapsed() < Duration::from_secs(3), "{open}{close}: {:?}", begin.elapsed());
    }
    let nested = format!("{}a{}", "(".repeat(200), ")".repeat(200));
    assert_eq!(Pattern::new(&nested).unwrap().group_count(), 200);
    assert!(Pattern::new(&"[".repeat(100_000)).is_err());
}

#[test]
fn huge_repetitions_are_refused_quickly() {
    let begin = Work::now();
    for expression in [
        "a{1000}{1000}{1000}",
        "(?:(?:a{1000}){1000}){1000}",
        "(?:){4000000000}",
        "(?:a{0,4294967294}){4294967294}",
        r"(?=(?:\w{1000}){1000})",
        r"(?:(?=a)\w{99}){999}",
    ] {
        let error = Pattern::new(expression);
        if expression != "(?:){4000000000}" {
            assert!(error.is_err(), "{expression}");
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn runaway_backtracking_gives_up_soon() {
    for (expression, text) in [
        (r"(?=(a+)+$)x", format!("{}b", "a".repeat(60))),
        (r"(?=(a+)+\Z)", format!("{}b", "a".repeat(60))),
        (r"(a*)*b\1", "a".repeat(60)),
        (r"(?:(a|aa)+)\1{30}$", format!("{}b", "a".repeat(200))),
        (r"^(\w+\s?)*(?<!x)$", format!("{}!", "word ".repeat(40))),
        (r"(?:a?){30}(?=a{30}b)", "a".repeat(30)),
        (r"(x+x+)+y(?!z)", "x".repeat(200)),
    ] {
        let pattern = Pattern::new(expression).unwrap();
        let begin = Work::now();
        let answer = pattern.is_match(&text);
        assert!(begin.elapsed() < Duration::from_secs(3), "{expression}: {:?}", begin.elapsed());
        // Given up, or no match in time; but never a match.
        assert_ne!(answer, Ok(true), "{expression}");
    }
    let hopeless = Pattern::new(r"(?=(a+)+\Z)(?=(a+)+\Z)\1").unwrap();
    let text = format!("{}b", "a".repeat(60));
    assert!(hopeless.search(&text, &mut Groups::default()).is_err() || hopeless.is_match(&text) == Ok(false));
}

#[test]
fn linear_expressions_stay_linear_on_hostile_texts() {
    for expression in [r"(a+)+$", r"(?:a|aa)+$", r"^(\w+\s?)*$", r"(.*)(.*)(.*)(.*)x"] {
        let pattern = Pattern::new(expression).unwrap();
        assert!(!pattern.is_backtracking(), "{expression}");
        let begin = Work::now();
        assert_eq!(pattern.is_match(&format!("{}!", "a".repeat(5_000))), Ok(false), "{expression}");
        assert_eq!(pattern.is_match(&format!("{}!\n", "a".repeat(5_000))), Ok(false), "{expression}");
        assert!(begin.elapsed() < Duration::from_secs(3), "{expression}: {:?}", begin.elapsed());
    }
}

#[test]
fn looking_ahead_for_many_letters_beyond_ascii_gives_up_soon() {
    let begin = Work::now();
    for expression in [r"(?!.*\w{30}!)\w+#", r"(?:(?=.*\w{20}!)\w)*#", r"(?:(?=.*\w{60}!)\w)*#"] {
        let pattern = Pattern::new(expression).unwrap();
        for bytes in [1000, 4000] {
            let text = format!("{}é!!", "a".repeat(bytes));
            let answer = pattern.is_match(&text);
            assert!(!matches!(answer, Ok(true)), "{expression}");
        }
    }
    // What comes next is another one at nearly every place.
    let mut random = Random(88_172_645_463_325_252);
    let text: String =
        (0..4000).map(|_| if random.roll(2) == 0 { 'a' } else { 'b' }).chain("é!!".chars()).collect();
    assert_eq!(Pattern::new(r"(?!.*a.{200}!)\w+#").unwrap().is_match(&text), Ok(false));
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
}

#[test]
fn anchored_looking_ahead_works_on_the_longest_texts() {
    let pattern = Pattern::new(r"^(?!.*foo).*bar$").unwrap();
    assert_eq!(pattern.is_match(&format!("{}bar", "a ".repeat(4_000))), Ok(true));
    assert_eq!(pattern.is_match(&format!("{}foobar", "a ".repeat(4_000))), Ok(false));
}

/// What people write, and rules of other programs: with what only the machine runs, and with what hurts.
const ORDINARY: &[&str] = &[
    r#"(?:[^"\\]|\\.)*+""#,
    r"(?:\w+[-.]?)++@",
    r#"(?i)(?!.*(?:bingbot|googlebot)).*"(?:GET|POST) .*(?:\.\./){2,}"#,
    r"(?!.*a.{200}!)\w+#",
    r"(?<=:):",
    r"^Failed \S+ for (?P<user>.*) from (?P<ip>(?:[0-9a-fA-F]{1,4}::?|::){1,7}(?:[0-9a-fA-F]{1,4}|(?<=:):)|[\d.]+)(?: port \d+)?$",
    r"(?:[0-9a-fA-F]{1,4}::?|::){1,7}(?:[0-9a-fA-F]{1,4}|(?<=:):) port",
    r#"^(?P<ip>\S+) \S+ \S+ \[[^\]]*\] "(?:GET|POST) (?!/static/|/img/)[^"]*(?:\.\./){2,}[^"]*" (?:4\d\d|5\d\d)"#,
    r"(?i)^(?=.*union)(?=.*select).*from",
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])",
    r"(?<!\S)root(?!\S).*(?<!ok)$",
    r"^(?>\S+\s+)+failed",
    r#""([^"\\]*+(?:\\.[^"\\]*+)*+)"\s+x"#,
    r#"^(.*?)\s*(?:\((?P<q>["'])(.*?)(?P=q)\))?\s+failed$"#,
    r#"(["'])(?:(?!\1).)*\1\s*fail"#,
    r"(?m)^(?!#).*\bpassword\b.*$",
    r"(?=.*[A-Z])(?=.*\d).{8,}x$",
    r"(?i)(?:sql|xss|lfi)[^\n]*(?<!test)\battack\b",
    r#"(?:\s*\w+\s*=\s*"[^"]*"\s*,?)*+\s*failed"#,
    r"\buser=(\S+)\b.*\brhost=(\S+)$",
    r"(?:.*)(?:.*)(?:.*)(?:.*)x\b",
    r"(?:\d+\.){3}\d+$",
];

#[test]
fn ordinary_expressions_are_searched_for_to_the_end_on_any_line() {
    for expression in ORDINARY {
        let pattern = Pattern::new(expression).unwrap();
        for bytes in [8 << 10, 64 << 10] {
            for unit in ["a", "ab ", "a\"", "\\\"", "::", "1.", "GET /../ \"GET ", "x y a.b-", "é"] {
                for end in ["", "!!#", "\u{301}", "\na\n"] {
                    let text = unit.repeat(bytes / unit.len()) + end;
                    let answer = pattern.is_match(&text);
                    assert!(answer.is_ok(), "{expression} on {bytes} bytes of {unit:?} and {end:?}");
                }
            }
        }
    }
}

#[test]
fn a_long_line_cannot_evade_a_rule() {
    let mut groups = Groups::default();
    for (expression, hit, group) in [
        (r"\bFailed password for (\S+) from", "Failed password for root from", "root"),
        (r"from (\S+)$", "from 192.0.2.1", "192.0.2.1"),
        (r"(?i)\bunion\b.*\b(select)\b", "UNION ALL SELECT 1", "SELECT"),
        (r"(\d+)\B\w$", "12x", "12"),
        (r"(?<!\w)(root)(?!\w)", "root", "root"),
        (r"(?=.*/etc/passwd)GET (\S+)", "GET /a/etc/passwd", "/a/etc/passwd"),
    ] {
        let pattern = Pattern::new(expression).unwrap();
        for bytes in [9 << 10, 60 << 10] {
            for padding in ["a ", "é ", "e\u{301} ", "\u{301}", "x\n", "a\u{200d}b "] {
                let before = padding.repeat(bytes / padding.len()) + " ";
                for (text, start) in [
                    (format!("{before}{hit}"), before.len()),
                    (format!("{before}{hit}\n"), before.len()),
                    (hit.to_owned(), 0),
                ] {
                    assert_eq!(
                        pattern.search(&text, &mut groups),
                        Ok(true),
                        "{expression} behind {padding:?}"
                    );
                    let found = &text[groups.get(1).unwrap()];
                    assert_eq!(found, group, "{expression} behind {padding:?}");
                    assert!(groups.get(0).unwrap().start >= start, "{expression} behind {padding:?}");
                    assert_eq!(pattern.is_match(&text), Ok(true));
                }
            }
        }
    }
}

#[test]
fn lazy_loops_in_loops_with_look_around_are_searched_to_the_end() {
    for expression in [
        r"(?:(?:a*?b?)*(?!c).*?)*Q(?!!)",
        r"^R(?:(?:a*?b?)*(?!c).*?)*Q(?!!)",
        r"^R(?:b*(?!c).*?)*?Q(?!!)",
        r"^R(?:(?:(?:a*?b?)*(?!c).*?)*(?!d)\w*?)*Q(?!!)",
    ] {
        let pattern = Pattern::new(expression).unwrap();
        for bytes in [2 << 10, 9 << 10] {
            for unit in ["a", "ab ", "ab", "aé"] {
                // Its look-around alone decides: the screen finds nothing amiss.
                for (end, found) in [("Q!", false), ("cQ!", false), ("Q", true)] {
                    let text = format!("R{}{end}", unit.repeat(bytes / unit.len()));
                    assert_eq!(
                        pattern.is_match(&text),
                        Ok(found),
                        "{expression} on {bytes} bytes of {unit:?}, {end:?}"
                    );
                }
            }
        }
    }
}

/// A number from the environment, for the long campaign (`make expression-campaign`).
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |number| number.parse().unwrap())
}

#[test]
fn no_search_takes_long() {
    let limit = Duration::from_millis(setting("PYRUSE_MILLISECONDS", 5_000));
    let pieces = [
        "a",
        "b",
        ".",
        r"\w",
        r"\d",
        r"\s",
        r"\S",
        r"[^a]",
        r"[^\x22]",
        "a*",
        r"\w+",
        ".*",
        ".*?",
        r"\s*",
        r".{0,20}",
        r"\w{1,60}",
        "(?:",
        "(?:",
        "(",
        "(?=",
        "(?!",
        "(?>",
        "(?<=a)",
        r"(?<!\w)",
        ")",
        ")",
        ")",
        ")*",
        ")+",
        ")++",
        ")?",
        "){2,9}",
        "|",
        "^",
        "$",
        r"\b",
        "é",
        r"\1",
        "x",
        "#",
        "!",
    ];
    let units = ["a", "ab", "ab ", "a\"", "\\\"", "é", "aé ", "1.", "x y-", "\n"];
    let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ setting("PYRUSE_SEED", 0));
    let mut groups = Groups::default();
    let (mut searched, mut given_up, mut slowest) = (0, 0, (Duration::ZERO, String::new()));
    let cases = setting("PYRUSE_CASES", 40);
    while searched < cases {
        let expression: String =
            (0..2 + random.roll(12)).map(|_| pieces[random.roll(pieces.len())]).collect();
        let Ok(pattern) = Pattern::new(&expression) else { continue };
        searched += 1;
        for bytes in [8 << 10, 64 << 10] {
            let unit = units[random.roll(units.len())];
            let end = ["", "!", "#", "x", "é!#", "\na\n"][random.roll(6)];
            let text = match random.roll(3) {
                0 => (0..bytes)
                    .map(|_| if random.roll(2) == 0 { 'a' } else { 'b' })
                    .chain(end.chars())
                    .collect(),
                _ => unit.repeat(bytes / unit.len()) + end,
            };
            let mut search = || {
                let begin = Work::now();
                let answer = pattern.search(&text, &mut groups);
                (begin.elapsed(), answer)
            };
            let (mut took, answer) = search();
            for _ in 0..3 {
                // Others on the machine make single searches slower.
                if took > limit / 2 {
                    took = took.min(search().0);
                }
            }
            given_up += usize::from(answer.is_err());
            if took > slowest.0 {
                slowest = (took, format!("{expression:?} on {bytes} bytes of {unit:?}, {end:?}: {answer:?}"));
            }
        }
    }
    eprintln!("{searched} expressions, given up {given_up}; slowest {:?}: {}", slowest.0, slowest.1);
    assert!(slowest.0 <= limit, "{:?}: {}", slowest.0, slowest.1);
}
