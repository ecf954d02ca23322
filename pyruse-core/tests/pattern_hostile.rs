//! Expressions and texts made to hurt: no panic, no overflow, no waiting.

mod work;

use std::time::Duration;

use pyruse_core::entry::{Buffers, EightBit, Fields, MemoryRecord};
use pyruse_core::pattern::{Groups, Pattern};
use pyruse_core::plugin::StepError;
use pyruse_core::time::Timestamp;
use work::Work;

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
        let begin = Work::now();
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
        let begin = Work::now();
        assert_eq!(pattern.is_match(&format!("{}!", "a".repeat(5_000))), Ok(false), "{expression}");
        assert_eq!(pattern.is_match(&format!("{}!\n", "a".repeat(5_000))), Ok(false), "{expression}");
        assert!(begin.elapsed() < Duration::from_secs(3), "{expression}: {:?}", begin.elapsed());
    }
}

#[test]
fn looking_ahead_over_long_texts_gives_up_soon() {
    let expressions = [
        r"(?=.*x)(?=.*y)z",
        r"(?!.*b).*c.*d.*e.*f",
        r"(?:(?=.*x)a|(?=.*y)a|(?=.*z)a)b",
        r"(?:(?=.*?x)|(?=.*?y)|(?=.*?z)|(?=.*?w)|a)+Q",
        r"(?>(?:(?=.*x)a)*)Q",
        r"(\w+)\s+\1Q",
    ];
    let begin = Work::now();
    for expression in expressions {
        let pattern = Pattern::new(expression).unwrap();
        for unit in ["a", "ab "] {
            for bytes in [1 << 10, 8 << 10, 64 << 10] {
                let text = format!("{}x", unit.repeat((bytes - 1) / unit.len()));
                let begin = Work::now();
                let answer = pattern.is_match(&text);
                assert!(begin.elapsed() < Duration::from_secs(60), "{expression}: {:?}", begin.elapsed());
                assert!(bytes <= 8 << 10 || answer.is_err(), "{expression} on {unit}");
            }
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(180), "{:?}", begin.elapsed());
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
    let mut dice = Dice(88_172_645_463_325_252);
    let text: String =
        (0..4000).map(|_| if dice.roll(2) == 0 { 'a' } else { 'b' }).chain("é!!".chars()).collect();
    assert_eq!(Pattern::new(r"(?!.*a.{200}!)\w+#").unwrap().is_match(&text), Ok(false));
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
}

#[test]
fn anchored_looking_ahead_works_on_the_longest_texts() {
    let pattern = Pattern::new(r"^(?!.*foo).*bar$").unwrap();
    assert_eq!(pattern.is_match(&format!("{}bar", "a ".repeat(4_000))), Ok(true));
    assert_eq!(pattern.is_match(&format!("{}foobar", "a ".repeat(4_000))), Ok(false));
}

#[test]
fn what_was_exhausted_on_one_element_is_not_tried_on_the_next() {
    let mut fields = Fields::default();
    let message = fields.slot("MESSAGE");
    let mut record = MemoryRecord::at(Timestamp(0));
    for _ in 0..1000 {
        record.push("MESSAGE", "a".repeat(4000));
    }
    let mut buffers = Buffers::new(fields, EightBit::default(), jiff::tz::TimeZone::UTC);
    let mut entry = buffers.entry(&mut record);
    let pattern = Pattern::new(r"(\w+)\s+\1").unwrap();
    for exhausted in [true, false] {
        let mut calls = 0;
        let answer = entry.find_text(message, |text| {
            calls += 1;
            if !exhausted {
                return Err(StepError::new("another"));
            }
            let error = pattern.is_match(text).unwrap_err();
            assert!(error.is_exhausted());
            Err(StepError::exhausted(error.to_string()))
        });
        assert!(answer.is_err());
        assert_eq!(calls, if exhausted { 1 } else { 1000 });
    }
    assert_eq!(entry.any(message, |_| Err(StepError::exhausted(""))), Err(StepError::exhausted("")));
}
