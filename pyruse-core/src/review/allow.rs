//! Handles comments that allow findings: `// allow P007: the reason`, on a line of the step or right above it.
//!
//! Only real comments count. One that allows nothing is reported, because it would hide tomorrow's mistake; one without
//! a reason is reported too, because the next person needs the reason.

use super::allows;
use super::check::lints;
use crate::config::{
    Config, ConfigText, Diagnostic, Diagnostics, Examples, Lines, SourceSpan, comments, nearest,
};

/// A comment that allows findings.
struct Allow {
    span: SourceSpan,
    codes: Vec<String>,
    has_reason: bool,
    /// The line that it applies to, from 0.
    line: usize,
    used: Vec<bool>,
}

/// Removes the findings that are allowed. `complete` means that all checks have run, so an allowance that was not
/// needed is useless.
pub(super) fn apply(source: &ConfigText, config: &Config, diagnostics: &mut Diagnostics, complete: bool) {
    let mut allowed = read(source);
    if allowed.is_empty() {
        return;
    }
    let lines = source.lines();
    // The position of each step, for findings within it.
    let steps: std::collections::HashMap<(&str, usize), &SourceSpan> = config
        .chains
        .iter()
        .flat_map(|chain| {
            let steps = chain.steps.iter().enumerate();
            steps.map(|(n, step)| ((chain.label.text.as_str(), n), &step.node.span))
        })
        .collect();
    let mut by_line: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
    for (n, allow) in allowed.iter().enumerate() {
        by_line.entry(allow.line).or_default().push(n);
    }
    diagnostics.retain(|found: &Diagnostic| {
        let Some(lint) = found.lint else { return true };
        let step = found.place.as_ref().and_then(|place| steps.get(&(place.chain.as_str(), place.step?)));
        let (first, last) = match step {
            Some(span) => (lines.number(span.start), lines.number(span.end.saturating_sub(1))),
            None => (lines.number(found.span.start), lines.number(found.span.start)),
        };
        let mut keep = true;
        for n in by_line.range(first..=last).flat_map(|(_, numbers)| numbers) {
            let Allow { codes, used, .. } = &mut allowed[*n];
            for (code, used) in codes.iter().zip(used) {
                if code == lint.code {
                    *used = true;
                    keep = false;
                }
            }
        }
        keep
    });
    if complete {
        for allow in &allowed {
            report(allow, diagnostics);
        }
    }
}

fn report(allow: &Allow, diagnostics: &mut Diagnostics) {
    let mut report = |message: String, help: String| {
        diagnostics.lint(&allows::LINT, allow.span.clone(), None, message).help(help);
    };
    for (code, used) in allow.codes.iter().zip(&allow.used) {
        let known = lints().map(|lint| lint.code);
        if !known.clone().any(|known| known == code) {
            let help = match nearest(code, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`pyruse check --explain` lists the codes".to_owned(),
            };
            report(format!("there is no finding with the code `{code}`"), help);
        } else if !used && !asks_the_machine(code) {
            let help = "remove it; or move it to a line of the step, or directly above";
            report(format!("this comment is not needed: `{code}` is not found here"), help.to_owned());
        }
    }
    if !allow.has_reason {
        let help = format!("write `allow {}: …` with the reason", allow.codes.join(", "));
        report("the reason is missing from this comment".to_owned(), help);
    }
}

/// Returns `true` if only a check of the machine can have findings with this code. Then a check of the text alone
/// cannot say that the allowance is useless.
fn asks_the_machine(code: &str) -> bool {
    lints().any(|lint| lint.code == code && matches!(lint.examples, Examples::OfMachine))
}

fn read(source: &ConfigText) -> Vec<Allow> {
    // Nearly no configuration has such a comment: then the text is not parsed again.
    if !source.text().contains("allow") && !source.text().contains("Allow") {
        return Vec::new();
    }
    let lines = source.lines();
    source.ranges().flat_map(|file| read_file(source, file, &lines)).collect()
}

fn read_file(source: &ConfigText, file: SourceSpan, lines: &Lines<'_>) -> Vec<Allow> {
    let text = source.text().get(file.clone()).unwrap_or_default();
    let mut comments = comments(text);
    for (span, _) in &mut comments {
        *span = span.start + file.start..span.end + file.start;
    }
    let last_line = lines.number(file.end);
    let mut allowed = Vec::new();
    for (n, (span, text)) in comments.iter().enumerate() {
        let Some((codes, has_reason)) = parse(text) else { continue };
        let used = vec![false; codes.len()];
        // On a line with nothing but comments, it applies to the next line that has more.
        let mut line = lines.number(span.start);
        let alone = |line: usize| {
            let bytes = lines.span(line);
            let mut at = bytes.start;
            for (comment, _) in
                comments[n.saturating_sub(1)..].iter().take_while(|(c, _)| c.start < bytes.end)
            {
                if comment.end <= at {
                    continue;
                }
                if !is_blank(source, at..comment.start.max(at)) {
                    return false;
                }
                at = comment.end.min(bytes.end);
            }
            is_blank(source, at..bytes.end) && at > bytes.start
        };
        let last = lines.number(span.end.saturating_sub(1).max(span.start));
        if alone(line) && alone(last) {
            line = last + 1;
            while line <= last_line && alone(line) {
                line += 1;
            }
        }
        allowed.push(Allow { span: span.clone(), codes, has_reason, line, used });
    }
    allowed
}

fn is_blank(source: &ConfigText, span: SourceSpan) -> bool {
    source.text().get(span).is_none_or(|text| text.trim().is_empty())
}

/// Parses `allow P001, P002: the reason`; returns the codes, and whether there is a reason. `None` for any other
/// comment.
fn parse(comment: &str) -> Option<(Vec<String>, bool)> {
    let text = comment.trim().trim_start_matches('*').trim_start();
    let rest = text.strip_prefix("allow").or_else(|| text.strip_prefix("Allow"))?;
    let (list, reason) = match rest.split_once(':') {
        Some((list, reason)) => (list, !reason.trim().is_empty()),
        None => (rest, false),
    };
    if !list.starts_with([' ', '\t']) {
        return None;
    }
    let words = list.split([',', ' ', '\t']).filter(|word| !word.is_empty());
    let is_code = |word: &&str| {
        let mut letters = word.chars();
        letters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && word.len() > 2
            && letters.all(|c| c.is_ascii_digit())
    };
    let codes: Vec<String> = words.clone().take_while(is_code).map(str::to_ascii_uppercase).collect();
    // Text after the codes without a colon is prose, or a reason whose colon was forgotten.
    let all = codes.len() == words.count();
    (!codes.is_empty()).then_some((codes, reason && all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(comment: &str) -> Option<(Vec<String>, bool)> {
        parse(comment)
    }

    #[test]
    fn an_allowance_has_codes_and_a_reason() {
        let some = |codes: &[&str], reason| Some((codes.iter().map(|c| (*c).to_owned()).collect(), reason));
        assert_eq!(codes(" allow P007: only root can log in"), some(&["P007"], true));
        assert_eq!(codes(" Allow p007, P009 : both"), some(&["P007", "P009"], true));
        assert_eq!(codes("* allow P007 P009: both "), some(&["P007", "P009"], true));
        assert_eq!(codes(" allow P007"), some(&["P007"], false));
        assert_eq!(codes(" allow P007:  "), some(&["P007"], false));
        assert_eq!(codes(" allow P007 because"), some(&["P007"], false));
        assert_eq!(codes(" allow P999: x"), some(&["P999"], true));
        for prose in
            [" allow everybody in", " allowed P007: x", " P007", " allow", "", " do not allow P007: x"]
        {
            assert_eq!(codes(prose), None, "{prose}");
        }
    }

    fn lines(text: &str) -> Vec<usize> {
        read(&ConfigText::new("", text)).iter().map(|allow| allow.line).collect()
    }

    #[test]
    fn an_allowance_applies_to_its_line_or_the_next_that_is_not_a_comment() {
        assert_eq!(lines("[\n1, // allow P001: x\n2]"), [1]);
        assert_eq!(lines("[\n// allow P001: x\n2]"), [2]);
        assert_eq!(lines("[\n// allow P001: x\n// more\n/* and\n more */\n2]"), [5]);
        assert_eq!(lines("[\n/* allow P001: x */ 2]"), [1]);
        assert_eq!(lines("[\n/* allow P001: x\n of two lines */ 2]"), [1]);
        assert_eq!(lines("[ /* allow P001: x */ /* and */\n2]"), [0]);
        assert_eq!(lines("[1]\n// allow P001: at the end"), [2]);
        assert_eq!(lines("[\"// allow P001: x\"]"), [0_usize; 0]);
    }
}
