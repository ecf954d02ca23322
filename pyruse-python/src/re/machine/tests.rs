//! What is true of the machine for every expression and every text. The tables of the integration tests and the
//! campaign against Python show that it has Python's meaning.

use super::*;
use crate::re::analysis::facts;
use crate::re::emit::emit;
use crate::re::form::Form;
use crate::re::linear::Linear;
use crate::re::tree::Tree;

/// A small random generator of our own, so that a failure is the same on every machine.
struct Random(u64);

impl Random {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.roll(of.len())]
    }

    /// Returns an expression with few letters, and many repetitions and much look-around.
    fn expression(&mut self, depth: usize, regular: bool) -> String {
        let choices = 1 + usize::from(self.roll(3) == 0);
        let mut written = Vec::new();
        for _ in 0..choices {
            let mut sequence = String::new();
            for _ in 0..=self.roll(3) {
                let atom = match self.roll(if depth == 0 { 4 } else { 9 }) {
                    0..=2 => self.pick(&["a", "b", ".", r"\w", "[^a]", "ab", "é"]).to_owned(),
                    3 => self.pick(&["^", "$", r"\b", ""]).to_owned(),
                    4 => format!("({})", self.expression(depth - 1, regular)),
                    5 | 6 => format!("(?:{})", self.expression(depth - 1, regular)),
                    _ if regular => self.pick(&["a", "b"]).to_owned(),
                    7 => format!("(?>{})", self.expression(depth - 1, regular)),
                    _ => {
                        let open = self.pick(&["(?=", "(?!", "(?=", "(?!"]);
                        format!("{open}{})", self.expression(depth - 1, regular))
                    }
                };
                let repeats = !matches!(atom.as_str(), "^" | "$" | r"\b" | "" | "ab") && self.roll(2) == 0;
                sequence += &atom;
                if repeats {
                    sequence += self.pick(&["*", "+", "?", "{2}", "{0,3}", "{1,5}", "{1,}"]);
                    sequence += match self.roll(5) {
                        0 => "?",
                        1 if !regular => "+",
                        _ => "",
                    };
                }
            }
            written.push(sequence);
        }
        written.join("|")
    }

    fn text(&mut self, longest: usize) -> String {
        let of: &[&str] =
            if self.roll(3) == 0 { &["a", "b", "é", " ", "\n"] } else { &["a", "a", "b", " "] };
        (0..self.roll(longest)).map(|_| self.pick(of)).collect()
    }
}

/// Returns whether it is found, where the groups are, and after how many steps.
fn search(
    program: &Program,
    text: &str,
    forgetful: Option<u32>,
) -> (Result<bool, MatchError>, Vec<u32>, u32) {
    fn with<T: scratch::Text>(
        mut run: Run<'_, T>,
        forgetful: Option<u32>,
    ) -> (Result<bool, MatchError>, u32) {
        run.forgetful = forgetful.unwrap_or(run.forgetful);
        (run.search(0, true), run.steps)
    }
    let mut scratch = Scratch::default();
    let (found, steps) = if text.is_ascii() {
        with(Run::new(program, text.as_bytes(), &mut scratch, STEPS), forgetful)
    } else {
        let chars: Vec<char> = text.chars().collect();
        with(Run::new(program, chars.as_slice(), &mut scratch, STEPS), forgetful)
    };
    (found, if found == Ok(true) { scratch.slots } else { Vec::new() }, steps)
}

fn program(expression: &str) -> Program {
    let Tree { root, widths, .. } = Tree::new(expression).unwrap();
    Program::new(&root, &widths)
}

fn searched_length(expression: &str) -> usize {
    let Tree { root, widths, .. } = Tree::new(expression).unwrap();
    Machine::new(&root, &widths).searched_length()
}

#[test]
fn the_memo_changes_only_the_time_and_not_the_result() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut searched = 0;
    for _ in 0..3000 {
        let expression = random.expression(3, false);
        let Ok(Tree { root, widths, .. }) = Tree::new(&expression) else { continue };
        let program = Program::new(&root, &widths);
        for _ in 0..4 {
            let text = random.text(14);
            let (found, slots, _) = search(&program, &text, Some(u32::MAX));
            if found.is_ok() {
                // It is used from the first step on, or later, when loops that remember nothing are open.
                for forgetful in [0, 20, 60] {
                    let (again, same, _) = search(&program, &text, Some(forgetful));
                    assert_eq!((&found, &slots), (&again, &same), "{expression:?} on {text:?}, {forgetful}");
                }
                searched += 1;
            }
        }
    }
    assert!(searched > 8000, "{searched}");
}

#[test]
fn regular_expressions_match_where_the_linear_engine_matches() {
    let mut random = Random(88_172_645_463_325_252);
    let mut found = 0;
    for _ in 0..400 {
        let expression = random.expression(3, true);
        let Ok(Tree { root, widths, .. }) = Tree::new(&expression) else { continue };
        if facts(&root).backtracking {
            continue;
        }
        let form = Form { newline_at_end: false, ascii: false, loose: false };
        let linear = Linear::new(&emit(&root, form), 0).unwrap();
        let machine = Machine::new(&root, &widths);
        for _ in 0..4 {
            let text = random.text(20);
            if text.is_empty() || text.ends_with('\n') {
                continue;
            }
            let (mut ours, mut theirs) = (Slots::new(), Slots::new());
            linear.search(&text, &mut theirs);
            assert_eq!(
                machine.search(&text, 0, STEPS, &mut ours),
                Ok(!theirs.is_empty()),
                "{expression:?} on {text:?}"
            );
            assert_eq!(ours, theirs, "{expression:?} on {text:?}");
            found += usize::from(!ours.is_empty());
        }
    }
    assert!(found > 500, "{found}");
}

#[test]
fn no_search_makes_more_steps_than_it_may() {
    let mut random = Random(0xD1B5_4A32_D192_ED03);
    let cases: usize = std::env::var("PYRUSE_CASES").map_or(60, |cases| cases.parse().unwrap());
    for _ in 0..cases {
        let expression = random.expression(3, false);
        let Ok(Tree { root, widths, .. }) = Tree::new(&expression) else { continue };
        let program = Program::new(&root, &widths);
        for longest in [8 << 10, 64 << 10] {
            let unit = loop {
                let unit = random.text(6);
                if !unit.is_empty() {
                    break unit;
                }
            };
            let text = unit.repeat(longest / unit.len()) + &random.text(4);
            let (found, _, steps) = search(&program, &text, None);
            // The characters that one instruction skips are counted afterwards.
            let most = STEPS + u32::try_from(text.len()).unwrap();
            assert!(steps <= most, "{expression:?} on {unit:?}…: {steps} steps, {found:?}");
        }
    }
}

#[test]
fn the_steps_grow_with_the_text_and_no_faster() {
    for (expression, unit, end) in [
        // Possessive and atomic: one run through the text, not one from each position.
        (r#"(?:[^"\\]|\\.)*+""#, "a", ""),
        (r#"(?:[^"\\]|\\.)*+""#, r"\a", ""),
        (r"(?:\w+[-.]?)++@", "ab.", ""),
        (r"(?>(?:a|b|ab)*)c", "ab", ""),
        (r"(?>(?:(?=.*x)a)*)Q", "a", "x"),
        (r"(?>(a)*)b(?:c)", "a", ""),
        // Look-ahead that finds much, or nothing, from each position.
        (r#"(?i)(?!.*(?:bingbot|googlebot)).*"(?:GET|POST) .*(?:\.\./){2,}"#, r#"GET /../ "GET "#, ""),
        (r"(?!.*a.{20}!)\w+#", "ab", "!!#"),
        (r"(?=.*x)(?=.*y)z", "a", "xy"),
        (r"(?:(?=.*?x)|(?=.*?y)|(?=.*?z)|(?=.*?w)|a)+Q", "a", "x"),
        (r"(?:(?=.*?x)a)+Q", "a", "x"),
        (r"(?=(?:a|b)*?c)d", "ab", "c"),
        (r"(?<=(?:a|b)b)(?=.*c)d", "ab", "c"),
        // Nested loops, and loops in sequence.
        (r"(?=(a+)+$)x", "a", "b"),
        (r"^(\w+\s?)*(?<!x)$", "word ", "!"),
        (r"(?!b)(.*)(.*)(.*)(.*)x", "a", ""),
        (r"(?!b)(?:\w{3,20}\s){5}!", "aé", ""),
        // Look-around within two loops, and loops within rounds that may be empty.
        (r"^R(?:\s(?!e)\S+=\S*)* e", " a=b", ""),
        (r"^R(?:\s(?!e)\S+=\S*)* e", "a==", ""),
        (r"^R(?:\s(?!e)\S+=\S*)* e", "é=", ""),
        (r"^(?:.*.*?e*(?<=\w))*!", "a= ", ""),
        (r"(?:(?:e*(?<!\w)(?:= +)*[^=])*e?\s*?)+ e", "a", ""),
        (r"(?:(?:(?=\w)|x)\w+[^=]*(?<!e))*Q", "a", "e"),
        // Outside of the reach of a reference to a group, the memory works as usual.
        (r"^(a)\1(?=.*x)(?:.*y)*z", "a", "xy"),
        (r"(\w+)\s+\1Q", "a", ""),
    ] {
        let program = program(expression);
        let steps = |bytes: usize| {
            let text = unit.repeat(bytes / unit.len()) + end;
            let (found, _, steps) = search(&program, &text, None);
            assert_eq!(found, Ok(false), "{expression}, {bytes} bytes");
            steps
        };
        let (short, long) = (steps(1 << 10), steps(4 << 10));
        assert!(long <= 5 * short.max(1000), "{expression}: {short} steps, then {long}");
    }
}

#[test]
fn a_repetition_of_characters_with_an_upper_limit_takes_few_steps() {
    for expression in [
        ".{0,20}(?<=x)",
        ".{0,1000}(?<=x)",
        ".{0,1000}(?<=x)Q",
        ".{0,1000}?(?<=x)",
        r"\w{1,60}\b",
        r"\w{1,60}(?=Q)",
        ".{1,200}.{1,200}(?<=x)Q",
        r"(?:\w{1,60}(?<=a))*Q",
        "(?:.{0,60}(?<=a))*Q",
        "(?:a{1,50}b{0,50}(?<=x)){1,9}Q",
        r"(?=.{8,64}$)(?=.*\d)\w+Q",
        r"(?=.{0,99}(?<=c))(?!.{3,99}?(?<=c))Q",
        r"\S{1,255}@(?!x)\S{1,255}\.",
    ] {
        let program = program(expression);
        for (unit, end) in [("a", "é!#"), ("a", "!"), ("ab ", "é"), ("aab", ""), ("é", "a"), ("a@", "c")] {
            let text = unit.repeat((4 << 10) / unit.len()) + end;
            let (found, _, steps) = search(&program, &text, None);
            let steps = steps / u32::try_from(text.len()).unwrap();
            assert!(
                found.is_ok() && steps <= 220,
                "{expression} on {unit:?}, {end:?}: {steps} a byte, {found:?}"
            );
        }
    }
}

#[test]
fn a_trial_tells_which_expressions_are_not_searched_to_the_end() {
    for expression in [
        "(?:a|b|ab){1,90}Q",
        "(?:.{1,20}(?<=a)){1,20}Q",
        "(?:(?:a?b?){1,30}(?!c)){1,30}Q",
        r"(?:\w+\s?){1,60}$",
    ] {
        let program = program(expression);
        let length = searched_length(expression);
        assert!(length < 64 << 10, "{expression}: {length}");
        // And rightly so.
        let given_up = ["a", "b", "ab"].iter().any(|unit| {
            let text = unit.repeat((64 << 10) / unit.len()) + "é!";
            let mut scratch = Scratch::default();
            let chars: Vec<char> = text.chars().collect();
            let most = limit(&program, text.len(), STEPS);
            Run::new(&program, chars.as_slice(), &mut scratch, most).search(0, false).is_err()
        });
        assert!(given_up, "{expression}: {length}");
    }
    for expression in [
        r"^(?:\w+\s?){1,60}$",
        r"(?:\w+\s?)+(?<=x)Q",
        r"(?:[0-9a-fA-F]{1,4}::?|::){1,7}(?:[0-9a-fA-F]{1,4}|(?<=:):) port",
        r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])",
        ".{0,1000}(?<=x)Q",
    ] {
        let length = searched_length(expression);
        assert!(length >= 64 << 10, "{expression}: {length}");
    }
}

#[test]
fn a_long_text_may_take_more_steps_only_if_the_work_is_bounded_by_its_length() {
    for (expression, unit, steps) in
        [(r"(?=a)b", "a", [STEPS, 10_240 * STEPS_A_BYTE, MOST_STEPS]), (r"(a)\1", "a", [STEPS; 3])]
    {
        let program = program(expression);
        let limits = [512, 10 << 10, 1 << 20].map(|bytes| limit(&program, unit.repeat(bytes).len(), STEPS));
        assert_eq!(limits, steps, "{expression}");
        assert_eq!(limit(&program, 1 << 20, SOON), SOON, "{expression}");
    }
}

#[test]
fn nested_loops_with_look_around_are_searched_to_the_end_in_a_request_of_nine_kib() {
    for (expression, unit, end) in [
        (r"^R(?:\s(?!e)\S+=\S*)* e", " a=b", "!"),
        (r"^(?:.*.*?e*(?<=\w))*!", "a= ", ""),
        (r"(?:(?: ?(?<! )(?:(?=\w)a*)(\S+=+))+(?<=e)(?:(?:[^=]e+)*?(?<!a))?=*)*Q", "=aa=", ""),
        (r"(?:(?<! )(?:\S(?:(?=e)|é)*(?<=\w)\w*|(?:é{1,4}.?é*?\s*)?)? ?)+$", "aa=", "x!"),
    ] {
        let program = program(expression);
        for bytes in [2 << 10, 9 << 10] {
            let text = format!("R{}{end}", unit.repeat(bytes / unit.len()));
            let mut scratch = Scratch::default();
            let most = limit(&program, text.len(), STEPS);
            let mut run = Run::new(&program, text.as_bytes(), &mut scratch, most);
            let found = run.search(0, true);
            assert!(found.is_ok(), "{expression}, {bytes} bytes: {} steps", run.steps);
        }
    }
}

#[test]
fn three_nested_lazy_loops_are_searched_to_the_end_in_the_longest_lines() {
    for expression in [r"(?=(?:(?:(?:a*?b?)*?c?)*?d?)*?x)", r"(?!(?:(?:(?:a*?b?)*?c?)*?d?)*x)a"] {
        let program = program(expression);
        for unit in ["a", "ab", "abcd", "abc "] {
            let text = unit.repeat((64 << 10) / unit.len());
            let mut scratch = Scratch::default();
            let most = limit(&program, text.len(), STEPS);
            let mut run = Run::new(&program, text.as_bytes(), &mut scratch, most);
            let found = run.search(0, true);
            assert!(found.is_ok(), "{expression} on {unit:?}: {} steps", run.steps);
        }
    }
}

#[test]
fn lazy_loops_in_loops_do_not_try_what_a_later_round_has_tried() {
    for (expression, unit, end) in [
        (r"(?:(?:a*?b?)*(?!c).*?)*Q", "ab ", ""),
        (r"^R(?:(?:a*?b?)*(?!c).*?)*Q", "ab", "c"),
        (r"^R(?:(?:a*?b?)*(?!c).*?)*Q", "a", ""),
        (r"(?:(?!c).*?)*Q", "ab ", ""),
        (r"(?:b*(?!c).*?)*Q", "ab ", "c"),
        (r"^R(?:(?:(?:a*?b?)*(?!c).*?)*(?!d)\w*?)*Q", "a", ""),
        // Within look-ahead and an atomic group, where ends are remembered.
        (r"(?=(?:b*(?!c).*?)*Q)", "ab ", ""),
        (r"(?>(?:b*(?!c).+?)*?)x(?=Q)", "ab ", ""),
    ] {
        let program = program(expression);
        let steps = |bytes: usize| {
            let text = format!("R{}{end}", unit.repeat(bytes / unit.len()));
            let mut scratch = Scratch::default();
            let mut run = Run::new(&program, text.as_bytes(), &mut scratch, u32::MAX);
            assert_eq!(run.search(0, true), Ok(false), "{expression}, {bytes} bytes");
            run.steps
        };
        let (short, long) = (steps(1 << 10), steps(36 << 10));
        assert!(short <= 256 << 10 && long <= 45 * short, "{expression}: {short} steps, then {long}");
    }
}
