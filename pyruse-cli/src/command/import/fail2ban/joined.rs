//! An expression about two lines.
//!
//! If the second follows at once (`\n`), the source of the log joins them: a line that is such a second one belongs to the
//! entry of the line before it.
//!
//! Others may be in between (`<SKIPLINES>`).
//! It becomes two expressions. What the second repeats of the first, `(?P=conn)`, is what the lines have in common: the
//! first line is remembered under it, and the second counts if one is remembered. fail2ban searches within a number of
//! lines (`maxlines`); here, the memory lasts for some time.

use serde_json::json;

use super::chain::{Chain, Step};
use super::expression::{Expression, Manner};
use super::jail::Jail;

const SKIPPED: &str = "<SKIPLINES>";

/// The end of a line in an expression.
const LINE_END: &str = r"\n";

/// What is remembered of a first line that was used.
const NOTHING: &str = "-";

/// Returns an expression for lines that follow another one at once in an expression of the jail.
pub(super) fn following(jail: &Jail) -> Option<String> {
    if jail.maxlines != 2 || jail.prefregex.is_some() {
        return None;
    }
    let mut all = Vec::new();
    for (n, source) in jail.failregex.iter().enumerate().filter(|(_, source)| !Joined::is_one(source)) {
        let Some((_, second)) = source.split_once(LINE_END).filter(|(_, rest)| !rest.contains(LINE_END))
        else {
            continue;
        };
        // A name of its own for each group.
        let manner = Manner { prefix: &format!("line{n}"), names: jail.use_dns != "no", is_line: false };
        all.push(Expression::convert(second, manner).ok()?.text);
    }
    let joined = all.join("|");
    (!all.is_empty()).then(|| if all.len() == 1 { joined } else { format!("(?:{joined})") })
}

/// The two expressions.
#[derive(Debug)]
pub(super) struct Joined {
    first: Expression,
    second: Expression,
    /// The groups that both have.
    common: Vec<String>,
}

impl Joined {
    /// Whether the expression is about two lines.
    pub(super) fn is_one(source: &str) -> bool {
        source.contains(SKIPPED)
    }

    pub(super) fn of(source: &str, manner: Manner<'_>) -> Result<Joined, String> {
        let several = || {
            "it is about several lines, which have nothing in common by which they can be joined".to_owned()
        };
        let (first, second) = source.split_once(SKIPPED).ok_or_else(several)?;
        if second.contains(SKIPPED) || source.contains(r"\n") && !source.contains(r"[^\n]") {
            return Err(several());
        }
        let mut common = Vec::new();
        let mut rest = second;
        let mut again = String::from("^");
        while let Some((before, behind)) = rest.split_once("(?P=") {
            let (name, behind) = behind.split_once(')').ok_or_else(several)?;
            let group = group_of(first, name).ok_or_else(several)?;
            again += before;
            if common.iter().any(|known| known == name) {
                again = again + "(?P=" + name + ")";
            } else {
                again += group;
                common.push(name.to_owned());
            }
            rest = behind;
        }
        again += rest;
        if common.is_empty() {
            return Err(several());
        }
        Ok(Joined {
            first: Expression::convert(first, manner)?,
            second: Expression::convert(&again, manner)?,
            common,
        })
    }

    /// The chains: an entry that is neither leads to `otherwise`, a second line with its first to `address`.
    pub(super) fn chains(&self, names: &Names<'_>, text: &str, otherwise: &str) -> Vec<Chain> {
        let Names { label, prefix, number, keep } = *names;
        let name = |chain: &str| Joined::label(label, number) + chain;
        let field = |name: &str| format!("{prefix}_{name}");
        let (key, known) = (field(&format!("lines{number}")), field(&format!("first{number}")));
        let common: Vec<String> = self.common.iter().map(|group| format!("{{{}}}", field(group))).collect();
        let set_key = || Step::action("action_set", json!({"field": key, "value": common.join(" ")}));
        let memory = format!("{label}: lines {number}");
        let remember = || {
            let what = json!({"memory": memory, "for": key, "fields": [known], "keepSeconds": keep});
            Step::action("action_remember", what)
        };
        let search = |expression: &Expression| {
            Step::filter("filter_pcre", json!({"field": text, "re": expression.text}))
        };
        let known_value = if self.first.has("ip") {
            json!({"field": known, "first": [field("ip")]})
        } else {
            json!({"field": known, "value": "yes"})
        };
        let chain = |label: String, steps: Vec<Step>| Chain { label, steps };
        let mut used =
            vec![Step::action("action_set", json!({"field": known, "value": NOTHING})), remember()];
        if self.first.has("ip") {
            used.insert(0, Step::action("action_set", json!({"field": field("ip"), "first": [known]})));
        }
        if let Some(last) = used.pop() {
            used.push(last.then(&format!("{label}: address")));
        }
        vec![
            chain(
                name(""),
                vec![
                    search(&self.first)
                        .comment("the first line of two")
                        .then(&name(" first"))
                        .otherwise(&name(" second?")),
                ],
            ),
            chain(
                name(" first"),
                vec![set_key(), Step::action("action_set", known_value), remember(), Step::go_on()],
            ),
            chain(
                name(" second?"),
                vec![
                    search(&self.second)
                        .comment("the second line")
                        .then(&name(" second"))
                        .otherwise(otherwise),
                ],
            ),
            chain(
                name(" second"),
                vec![
                    set_key(),
                    Step::action("action_recall", json!({"memory": memory, "for": key, "fields": [known]})),
                    Step::filter("filter_in", json!({"field": known, "values": [null, NOTHING]}))
                        .otherwise(&name(" both")),
                ],
            ),
            chain(name(" both"), used),
        ]
    }

    /// The label of the first chain.
    pub(super) fn label(label: &str, number: usize) -> String {
        format!("{label}: lines {number}")
    }
}

/// The names of the chains, fields and memories.
#[derive(Clone, Copy)]
pub(super) struct Names<'n> {
    pub(super) label: &'n str,
    pub(super) prefix: &'n str,
    pub(super) number: usize,
    /// How long the first line is remembered, in seconds.
    pub(super) keep: u64,
}

/// The group of that name in an expression, with its parentheses.
fn group_of<'e>(expression: &'e str, name: &str) -> Option<&'e str> {
    let start = expression.find(&format!("(?P<{name}>"))?;
    let mut depth = 0;
    let mut is_class = false;
    let mut chars = expression[start..].char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '[' if !is_class => {
                is_class = true;
                // A bracket that comes first is a part of the class.
                let rest = &expression[start + at + 1..];
                let first = rest.strip_prefix('^').map_or(0, |_| 1);
                let skipped = first + usize::from(rest[first..].starts_with(']'));
                for _ in 0..skipped {
                    chars.next();
                }
            }
            ']' => is_class = false,
            '(' if !is_class => depth += 1,
            ')' if !is_class => {
                depth -= 1;
                if depth == 0 {
                    return Some(&expression[start..=start + at]);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Joined, following, group_of};
    use crate::command::import::fail2ban::expression::Manner;
    use crate::command::import::fail2ban::jail::Jail;

    #[test]
    fn a_group_ends_at_its_own_parenthesis() {
        assert_eq!(group_of(r"a(?P<x>[])(]\)(b(c))?)d)", "x"), Some(r"(?P<x>[])(]\)(b(c))?)"));
        assert_eq!(group_of(r"(?P<x>[^)]", "x"), None);
    }

    #[test]
    fn lines_that_follow_at_once_are_those_of_all_expressions() {
        let of = |maxlines, expressions: &[&str]| {
            let failregex = expressions.iter().map(|&text| text.into()).collect();
            following(&Jail { failregex, maxlines, ..Jail::new("j") })
        };
        assert_eq!(of(2, &[r"^a <IP4>\nb$"]).as_deref(), Some("b$"));
        assert_eq!(
            of(2, &[r"^a\nb(?P<x>c)", "^d", r"e\n(?P<x>f)"]).as_deref(),
            Some("(?:b(?P<line0_x>c)|(?P<line2_x>f))")
        );
        for (maxlines, expression) in
            [(1, r"a\nb"), (2, "ab"), (2, r"a\nb\nc"), (2, r"a<SKIPLINES>\nb"), (2, r"(?P<x>a)\n(?P=x)")]
        {
            assert_eq!(of(maxlines, &[expression]), None, "{expression}");
        }
    }

    #[test]
    fn the_second_line_repeats_what_both_have_in_common() {
        let manner = Manner { prefix: "j", names: true, is_line: false };
        let joined =
            Joined::of(r"^\[(?P<c>\d+)\] from <IP4><SKIPLINES>\[(?P=c)\] failed (?P=c)$", manner).unwrap();
        assert_eq!(joined.second.text, r"^\[(?P<j_c>\d+)\] failed (?P=j_c)$");
        assert_eq!(joined.common, ["c"]);
        assert!(Joined::of("^a <HOST><SKIPLINES>b$", manner).is_err());
        assert!(Joined::of(r"^(?P<c>a)<SKIPLINES>(?P=c)<SKIPLINES>(?P=c)$", manner).is_err());
    }
}
