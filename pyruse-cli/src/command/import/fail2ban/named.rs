//! `name[option=value, …]`: a filter or an action, with options.

/// A name with its options, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) options: Vec<(String, String)>,
}

/// Parses one. Values may be in quotes; options may be in several brackets.
pub(super) fn parse(text: &str) -> Named {
    let text = text.trim();
    let Some((name, mut rest)) = text.split_once('[') else {
        return Named { name: text.to_owned(), options: Vec::new() };
    };
    let mut named = Named { name: name.trim().to_owned(), options: Vec::new() };
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || ",][".contains(c));
        let Some((key, value)) = rest.split_once('=') else { return named };
        let value = value.trim_start();
        let (value, behind) = if let Some(quote @ ('"' | '\'')) = value.chars().next() {
            value[1..].split_once(quote).unwrap_or((&value[1..], ""))
        } else {
            let end = value.find([',', ']']).unwrap_or(value.len());
            (value[..end].trim_end(), &value[end..])
        };
        named.options.push((key.trim().to_ascii_lowercase(), value.to_owned()));
        rest = behind;
    }
}

/// Splits the actions of a jail: each begins on a line of its own, and goes on while a bracket or a quote is open.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut depth = 0usize;
    let mut quote = None;
    for c in text.chars() {
        if let Some(open) = quote {
            quote = Some(open).filter(|open| *open != c);
        } else {
            match c {
                '"' | '\'' if depth > 0 => quote = Some(c),
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                '\n' if depth == 0 => {
                    all.push(String::new());
                    continue;
                }
                _ => {}
            }
        }
        all.last_mut().into_iter().for_each(|last| last.push(c));
    }
    // `name\n[options]` is one.
    let mut joined: Vec<String> = Vec::new();
    for part in all.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()) {
        match joined.last_mut() {
            Some(last) if part.starts_with('[') => last.push_str(&part),
            _ => joined.push(part),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::{parse, split};

    #[test]
    fn options_may_be_in_quotes_and_in_several_brackets() {
        let named = parse("a[x=1, Y=\"b,c]\", z='d' ][w=e]");
        let options: Vec<(&str, &str)> =
            named.options.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(named.name, "a");
        assert_eq!(options, [("x", "1"), ("y", "b,c]"), ("z", "d"), ("w", "e")]);
        assert_eq!(parse(" a ").name, "a");
        assert_eq!(split("a[x=\"1\n2\"]\n\nb\n[y=3]\nc"), ["a[x=\"1\n2\"]", "b[y=3]", "c"]);
    }
}
