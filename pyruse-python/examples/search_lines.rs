//! Reads lines of JSON `[expression, text]`, writes lines of JSON with the outcome: the Rust half of
//! `tests/expressions/fuzz_against_python.py`.

use std::io::{BufRead, BufWriter, Write};

use pyruse_python::re::{Groups, Pattern};
use serde_json::{Value, json};

fn main() -> std::io::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut groups = Groups::default();
    let mut last: Option<(String, Result<Pattern, pyruse_python::re::PatternError>)> = None;
    for line in std::io::stdin().lock().lines() {
        let case: Value = serde_json::from_str(&line?)?;
        let expression = case[0].as_str().unwrap_or_default();
        let text = case[1].as_str().unwrap_or_default();
        if last.as_ref().is_none_or(|(known, _)| known != expression) {
            last = Some((expression.to_owned(), Pattern::new(expression)));
        }
        let Some((_, compiled)) = &last else { continue };
        let outcome = match compiled {
            Err(error) => {
                let position = expression.get(..error.offset).map(|before| before.chars().count());
                json!({"error": error.message, "position": position})
            }
            Ok(pattern) => match pattern.search(text, &mut groups) {
                Err(error) => json!({"gave_up": error.to_string()}),
                Ok(found) => {
                    let agrees = pattern.is_match(text) == Ok(found);
                    let spans = found.then(|| {
                        let spans = (0..=pattern.group_count())
                            .map(|group| groups.get(group).map(|span| (span.start, span.end)));
                        spans.collect::<Vec<_>>()
                    });
                    let names: Vec<_> = pattern.group_names().collect();
                    json!({
                        "spans": spans, "names": names, "agrees": agrees,
                        "backtracking": pattern.is_backtracking(),
                    })
                }
            },
        };
        writeln!(out, "{outcome}")?;
    }
    out.flush()
}
