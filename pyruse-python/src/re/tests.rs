//! What is true of the module as a whole. The tables of the integration tests have Python's results for hundreds of
//! expressions.

use super::pattern::{Groups, Pattern};

fn pattern(expression: &str) -> Pattern {
    Pattern::new(expression).unwrap()
}

fn spans(expression: &str, text: &str) -> Vec<Option<std::ops::Range<usize>>> {
    let mut groups = Groups::default();
    pattern(expression).search(text, &mut groups).unwrap();
    (0..groups.len()).map(|group| groups.get(group)).collect()
}

#[test]
fn a_pattern_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + std::fmt::Debug>(_: &T) {}
    shared(&pattern("(a)"));
}

#[test]
fn regular_expressions_run_linear_even_with_boundaries_and_line_ends() {
    for expression in
        [r"\bfoo\b", "foo$", "(?m)^foo$", r"(?i)fo+\s*$", r"[[:alpha:]]", "(?:a*b?)*", "(?:^|a)x"]
    {
        assert!(!pattern(expression).is_backtracking(), "{expression}");
    }
}

#[test]
fn back_references_and_look_around_backtrack() {
    for expression in [r"(a)\1", "(?=a)", "(?<!a)b", "(?>a)", "a++", "(a)?(?(1)b)"] {
        assert!(pattern(expression).is_backtracking(), "{expression}");
    }
}

#[test]
fn a_final_newline_never_gets_into_a_group() {
    let whole = |end| vec![Some(0..end), Some(0..end)];
    assert_eq!(spans("(.*)$", "abc"), whole(3));
    assert_eq!(spans("(.*)$", "abc\n"), whole(3));
    assert_eq!(spans("(?s)(.*?)$", "a\nbc\n"), whole(4));
    assert_eq!(spans(r"(\S+)\s*$", "abc \n"), vec![Some(0..5), Some(0..3)]);
}

#[test]
fn the_same_buffers_serve_many_patterns() {
    let mut groups = Groups::default();
    assert_eq!(pattern("(a)(b)?").search("xa", &mut groups), Ok(true));
    assert_eq!((groups.len(), groups.get(1), groups.get(2), groups.get(9)), (3, Some(1..2), None, None));
    assert_eq!(pattern(r"(.)\1").search("xaa", &mut groups), Ok(true));
    assert_eq!((groups.len(), groups.get(0), groups.get(1)), (2, Some(1..3), Some(1..2)));
    assert_eq!(pattern("a").search("b", &mut groups), Ok(false));
    assert!(groups.is_empty());
}

#[test]
fn names_come_in_order_of_number() {
    let pattern = pattern("(?P<z>a)(b)(?P<a>c)");
    assert_eq!(pattern.group_names().collect::<Vec<_>>(), [(1, "z"), (3, "a")]);
    assert_eq!(pattern.group_count(), 3);
    assert_eq!(pattern.source(), "(?P<z>a)(b)(?P<a>c)");
}

#[test]
fn an_error_says_what_and_where_in_bytes() {
    let error = Pattern::new("é[z-a]").unwrap_err();
    assert_eq!(error.to_string(), "bad character range z-a at offset 3");
    let error = Pattern::new("日(").unwrap_err();
    assert_eq!((error.offset, &*error.message), (3, "missing ), unterminated subpattern"));
}

#[test]
fn a_case_insensitive_back_reference_compares_by_the_simple_lower_case() {
    // The Kelvin sign is lowered to k, so the two are equal; but to a back-reference ſ is not s, and ς is not σ.
    let twice = pattern(r"(?i)(\w)\1");
    for (text, found) in [
        ("kK", true),
        ("日日", true),
        ("éÉ", true),
        ("Σσ", true),
        ("k\u{212A}", true),
        ("\u{212A}k", true),
        ("s\u{17F}", false),
        ("Σς", false),
    ] {
        assert_eq!(twice.is_match(text), Ok(found), "{text}");
    }
}

#[test]
fn an_exhausted_search_is_neither_a_match_nor_a_mismatch() {
    let hopeless = pattern(r"(?:(a|aa)+)+c\1");
    let error = hopeless.is_match(&format!("aacb{}b", "a".repeat(64))).unwrap_err();
    assert_eq!(error.to_string(), "step limit reached: the expression can match this text in too many ways");
}

#[test]
fn a_text_that_is_too_short_is_not_searched() {
    for (expression, shortest) in
        [("^.{60}(?s:.{5000})", 5060), ("a?b+", 1), ("(?:ab|c)d", 2), ("(?=abc)", 0), (r"(a|)\1", 0)]
    {
        let pattern = pattern(expression);
        assert!(pattern.is_out_of_question("") == (shortest > 0), "{expression}");
        assert!(shortest == 0 || pattern.is_out_of_question(&"d".repeat(shortest - 1)), "{expression}");
    }
    assert!(pattern("^.{60}(?s:.{5000})").is_match(&"x".repeat(5060)).unwrap());
}

#[test]
fn an_expression_begins_with_text_if_all_its_alternatives_do() {
    for yes in [r"^/usr", r"\A(/usr|/bin)", r"^/usr|^/bin", r"(?:^/a)b", r"^(?:/usr)?/bin", r"^(?=.)/"] {
        assert!(pattern(yes).begins_with_text(), "{yes}");
    }
    for no in [r"sshd$", r"^.*sshd", r"^/usr|sshd", r"(?m)^/usr", r"^", r"", r"^[^x]+x"] {
        assert!(!pattern(no).begins_with_text(), "{no}");
    }
}
