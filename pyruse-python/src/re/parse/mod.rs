//! From the text to the tree. The grammar, the order of the checks and the words of the errors are those of Python
//! 3.11.

mod cursor;
mod escape;
mod group;
mod inline;
mod name;
mod parser;
mod sequence;
mod set;

use self::parser::Parser;
use super::ast::Node;
use super::error::PatternError;
use super::flags::Flags;
use super::width::Width;

/// A parsed expression.
#[derive(Debug)]
pub(in crate::re) struct Parsed {
    pub(in crate::re) root: Node,
    /// The widths of its groups, from group 1 on; index 0 is unused.
    pub(in crate::re) widths: Vec<Option<Width>>,
    /// By number.
    pub(in crate::re) names: Vec<(usize, String)>,
    /// The first construct in it that Python accepts and this crate refuses.
    pub(in crate::re) refusal: Option<PatternError>,
}

/// Reads a whole expression.
pub(in crate::re) fn parse(expression: &str) -> Result<Parsed, PatternError> {
    let mut parser = Parser::new(expression)?;
    let root = parser.alternatives(Flags::NONE, 0)?;
    let conflict = Flags::ASCII.with(Flags::UNICODE);
    if parser.global.and(conflict) == conflict {
        let message = "ASCII and UNICODE flags are incompatible";
        return Err(PatternError::new(0, message));
    }
    if parser.cursor.peek().is_some() {
        let offset = parser.cursor.offset();
        return Err(PatternError::new(offset, "unbalanced parenthesis"));
    }
    let groups = parser.widths.len() - 1;
    for (&group, &offset) in &parser.conditions {
        if group > groups {
            let message = format!("invalid group reference {group}");
            return Err(PatternError::new(offset, message));
        }
    }
    Ok(Parsed { root, widths: parser.widths, names: parser.names, refusal: parser.refusal })
}
