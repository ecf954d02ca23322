//! Advice for authors who are used to other dialects of expressions.

use super::error::PatternError;

/// Returns what to write instead, where an error comes from the syntax of another dialect.
///
/// ```
/// use pyruse_python::re::{Pattern, advice};
///
/// let error = Pattern::new("(?<ip>.*)").unwrap_err();
/// assert_eq!(advice("(?<ip>.*)", &error).as_deref(), Some("write `(?P<ip>…)`"));
/// ```
pub fn advice(expression: &str, error: &PatternError) -> Option<String> {
    let at = expression.get(error.offset..)?;
    if let Some(name) = at.strip_prefix("?<").or_else(|| at.strip_prefix("?'")) {
        let name: String = name.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
        return Some(if name.is_empty() {
            "write a named group as `(?P<name>…)`".into()
        } else {
            format!("write `(?P<{name}>…)`")
        });
    }
    let advice = match error.message.as_str() {
        "global flags not at the start of the expression" => {
            "put it at the very beginning, or write `(?i:…)` around the part to which it applies"
        }
        "look-behind requires fixed-width pattern" => {
            "all matches of a look-behind must have the same length; write one for each length: `(?:(?<=a)|(?<=bc))`"
        }
        _ => match at.get(..2)? {
            r"\p" | r"\P" => {
                r"list the characters, or use `\w` and `\d`, which know all of Unicode; `[^\W\d_]` is a letter"
            }
            r"\h" => r"write `[ \t]`",
            r"\R" => r"write `(?:\r\n|\n|\r)`",
            r"\z" => r"write `\Z`",
            r"\e" => r"write `\x1b`",
            r"\G" | r"\K" | r"\Q" | r"\E" | r"\X" | r"\C" => "Python's expressions do not have this",
            _ if ["?R", "?&", "?|", "?P>", "?+"].iter().any(|other| at.starts_with(other)) => {
                "Python's expressions do not have this"
            }
            _ => return None,
        },
    };
    Some(advice.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::re::Pattern;

    #[test]
    fn syntax_of_other_dialects_is_refused_with_what_to_write_instead() {
        for (expression, expected) in [
            (r"from (?<ip>\S+)", "write `(?P<ip>…)`"),
            (r"(?'user'.*)", "write `(?P<user>…)`"),
            (r"(?<>a)", "`(?P<name>…)`"),
            (r"\p{L}+", r"`\w`"),
            (r"x\z", r"`\Z`"),
            (r"a\h+b", r"`[ \t]`"),
            (r"ab(?i)c", "`(?i:…)`"),
            (r"(?<=a|bc)d", "(?<=a)|(?<=bc)"),
            (r"(?R)", "do not have this"),
            (r"(?P>name)", "do not have this"),
        ] {
            let error = Pattern::new(expression).unwrap_err();
            let advice = advice(expression, &error).unwrap_or_default();
            assert!(advice.contains(expected), "{expression}: {error}: {advice}");
        }
        for expression in ["(", "[a", "a**"] {
            let error = Pattern::new(expression).unwrap_err();
            assert_eq!(advice(expression, &error), None, "{expression}");
        }
    }
}
