//! Expressions and texts made to hurt: no panic, no overflow, no waiting.

use std::time::{Duration, Instant};

use pyruse_core::pattern::{Groups, Pattern};

/// A small generator of our own, so that a failure is the same on every machine.
struct Dice(u64);

impl Dice {
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
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut groups = Groups::default();
    for _ in 0..10_000 {
        let length = dice.roll(24);
        let expression: String = (0..length)
            .map(|_| match dice.roll(10) {
                0 => char::from(u8::try_from(dice.roll(256)).unwrap()),
                1 => char::from_u32(u32::try_from(dice.roll(0x0011_0000)).unwrap()).unwrap_or('\u{FFFD}'),
                _ => syntax[dice.roll(syntax.len())],
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
        let begin = Instant::now();
        let _ = Pattern::new(&nested);
        assert!(begin.elapsed() < Duration::from_secs(3), "{open}{close}: {:?}", begin.elapsed());
    }
    let nested = format!("{}a{}", "(".repeat(200), ")".repeat(200));
    assert_eq!(Pattern::new(&nested).unwrap().group_count(), 200);
    assert!(Pattern::new(&"[".repeat(100_000)).is_err());
}

#[test]
fn huge_repetitions_are_refused_quickly() {
    let begin = Instant::now();
    for expression in [
        "a{1000}{1000}{1000}",
        "(?:(?:a{1000}){1000}){1000}",
        "(?:){4000000000}",
        "(?:a{0,4294967294}){4294967294}",
        r"(?:\w{200}){200}",
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
        let begin = Instant::now();
        let answer = pattern.is_match(&text);
        assert!(begin.elapsed() < Duration::from_secs(3), "{expression}: {:?}", begin.elapsed());
        // Given up, or found out in time that there is nothing; but never "found".
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
        let begin = Instant::now();
        assert_eq!(pattern.is_match(&format!("{}!", "a".repeat(5_000))), Ok(false), "{expression}");
        assert_eq!(pattern.is_match(&format!("{}!\n", "a".repeat(5_000))), Ok(false), "{expression}");
        assert!(begin.elapsed() < Duration::from_secs(3), "{expression}: {:?}", begin.elapsed());
    }
}
