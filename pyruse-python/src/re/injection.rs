//! Checks whether the author of a part of a text can choose what a group of an expression takes.
//!
//! A log line contains a program's words and what strangers send: a name, a path, a greeting. A stranger who sends the
//! name `x from 192.0.2.1 port 1` puts a second address into the line, and the expression decides which of the two a
//! group takes. The position of a group is certain in two cases:
//!
//! - *from the left*: the expression begins at the start of the text (`^`), and no repetition before the group can take
//!   all the characters of the words between it and the group. For example, `\S+` before ` from ` cannot take a space:
//!   the author of the expression says that no space can be there, so nobody can write ` from ` there. `.*` does not
//!   say that;
//! - *from the right*: the expression ends at the end of the text (`$`), and no repetition after the group can take all
//!   the characters of the words directly before the group. Then it cannot take the true value with its words, and only
//!   the last such position in the text fits.
//!
//! Without a certain side, a search that takes the *first* position that fits can only be misled by text before the
//! true value. Some programs are known to write the value before anything that strangers send ([`Target::own_words`]).
//! If their words are around the group, its position is certain too.
//!
//! A repetition is harmless if it cannot take any character of such values. Everything else counts as uncertain. The
//! check does not apply to texts that contain nothing from strangers.

use super::analysis::{flat, takes_nothing, visit};
use super::ast::{Anchor, Greed, Node};
use super::charset::{CharSet, Class};
use super::ranges::contains;

/// The reason why the position of a group is uncertain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injection {
    /// The expression may begin anywhere in the text, and does not end at the end of the text.
    Unanchored,
    /// The part before the group whose quantifier is at this byte can take the words that follow it, and the expression
    /// does not end at the end of the text.
    RunsOn(usize),
    /// The expression ends at the end of the text, but the part after the group whose quantifier is at this byte can
    /// take another value with its words.
    RunsBack(usize),
}

/// The values that the group should take.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The ASCII characters of such values.
    pub alphabet: &'a str,
    /// Words that a program writes before such a value, and the character that follows the value. Nothing from
    /// strangers comes before them in a text.
    pub own_words: &'a [(&'a str, char)],
}

/// Returns why the position of the group is uncertain, or `None` if it is certain.
pub(super) fn injection(root: &Node, group: usize, target: &Target<'_>) -> Option<Injection> {
    let mut around = Around { left: Vec::new(), body: None, right: Vec::new(), repeated: None };
    around.find(root, group);
    if around.body.is_none() {
        // A group inside of look-around can take text from anywhere.
        return holds(root, group).then_some(Injection::Unanchored);
    }
    let anchored = around.left.iter().find(|node| !takes_nothing(node));
    let anchored = matches!(anchored, Some(Node::Anchor(Anchor::TextStart)));
    let ended = around.right.iter().rev().find(|node| !takes_nothing(node));
    let ended = matches!(ended, Some(Node::Anchor(Anchor::TextEnd | Anchor::LastLineEnd)));
    let (left, right) = (flat(&around.left), flat(&around.right));
    let all = Runs { alphabet: bits(target.alphabet), greedy_only: false };
    let from_left = around.repeated.or_else(|| all.find(&left, &[]));
    if anchored && from_left.is_none() {
        return None;
    }
    // No greedy part extends to a later position, so the group takes the first one that fits.
    let greedy = Runs { greedy_only: true, ..all };
    let takes_the_first = around.repeated.is_none() && greedy.find(&left, &[]).is_none();
    if takes_the_first && target.own_words.iter().any(|words| are_around(*words, &left, &right, all)) {
        return None;
    }
    if !ended {
        return Some(from_left.filter(|_| anchored).map_or(Injection::Unanchored, Injection::RunsOn));
    }
    let varies = |node: &&&Node| matches!(node, Node::Repeat { min, max, .. } if *max != Some(*min) && *max != Some(1));
    let words: Vec<&Node> = left.iter().rev().take_while(|node| !varies(node)).copied().collect();
    let right: Vec<&Node> = right.into_iter().rev().collect();
    all.find(&right, &words).or(around.repeated).map(Injection::RunsBack)
}

/// Whether these words are before the group, with nothing in between that can run on, and the character after it.
fn are_around((words, then): (&str, char), left: &[&Node], right: &[&Node], runs: Runs) -> bool {
    let is = |node: &Node, c: char| matches!(node, Node::Char(set) if is_mainly(set, c));
    let words: Vec<char> = words.chars().collect();
    let places = left.windows(words.len()).enumerate();
    let mut behind = places
        .filter(|(_, parts)| parts.iter().zip(&words).all(|(part, c)| is(part, *c)))
        .map(|(at, _)| &left[at + words.len()..]);
    behind.any(|between| runs.find(between, &[]).is_none()) && right.iter().any(|part| is(part, then))
}

/// Returns a bit for each of these characters.
fn bits(ascii: &str) -> u128 {
    ascii.bytes().filter(u8::is_ascii).fold(0, |bits, byte| bits | 1 << byte)
}

/// Whether the set holds this character, and few others than the same letter in the other case.
fn is_mainly(set: &CharSet, c: char) -> bool {
    let few = set.ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum::<u64>() <= 4;
    !set.negated && set.classes.is_empty() && few && contains(&set.ranges, u32::from(c))
}

/// The parts around a group.
struct Around<'n> {
    left: Vec<&'n Node>,
    body: Option<&'n Node>,
    right: Vec<&'n Node>,
    /// The quantifier of a repetition around the group.
    repeated: Option<usize>,
}

impl<'n> Around<'n> {
    fn find(&mut self, node: &'n Node, group: usize) {
        match node {
            Node::Group(number, body) if *number == group => self.body = Some(body),
            Node::Group(_, body) | Node::Atomic(body) => self.find(body, group),
            Node::Repeat { max, offset, body, .. } if holds(body, group) => {
                if *max != Some(1) {
                    self.repeated = Some(*offset);
                }
                self.find(body, group);
            }
            Node::Sequence(parts) => {
                if let Some(at) = parts.iter().position(|part| holds(part, group)) {
                    self.left.extend(&parts[..at]);
                    self.find(&parts[at], group);
                    self.right.extend(&parts[at + 1..]);
                }
            }
            Node::Alternatives(choices) => {
                if let Some(choice) = choices.iter().find(|choice| holds(choice, group)) {
                    self.find(choice, group);
                }
            }
            Node::Condition { yes, no, .. } => {
                self.find(if holds(yes, group) { yes } else { no }, group);
            }
            _ => {}
        }
    }
}

fn holds(node: &Node, group: usize) -> bool {
    let mut found = false;
    visit(node, &mut |node| found |= matches!(node, Node::Group(number, _) if *number == group));
    found
}

/// A set of characters as far as it matters here: every ASCII character, and all others as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Chars {
    ascii: u128,
    others: bool,
}

impl Chars {
    const ALL: Chars = Chars { ascii: u128::MAX, others: true };

    fn of(set: &CharSet) -> Chars {
        let mut chars = Chars { ascii: 0, others: set.ranges.iter().any(|(_, last)| *last > 127) };
        for code in 0..128_u32 {
            let in_class = |(class, inverse): &(Class, bool)| {
                let c = char::from_u32(code).unwrap_or_default();
                let within = match class {
                    Class::Digit => c.is_ascii_digit(),
                    Class::Space => c.is_ascii_whitespace(),
                    Class::Word => c.is_ascii_alphanumeric() || c == '_',
                };
                within != *inverse
            };
            if contains(&set.ranges, code) || set.classes.iter().any(in_class) {
                chars.ascii |= 1 << code;
            }
        }
        chars.others |= !set.classes.is_empty();
        if set.negated {
            // The negated set may still hold some of the others.
            chars = Chars { ascii: !chars.ascii, others: true };
        }
        chars
    }

    fn or(self, other: Chars) -> Chars {
        Chars { ascii: self.ascii | other.ascii, others: self.others || other.others }
    }

    fn meets(self, other: Chars) -> bool {
        self.ascii & other.ascii != 0 || (self.others && other.others)
    }
}

/// Returns all characters that a part may take.
fn all(node: &Node) -> Chars {
    let mut chars = Chars::default();
    visit(node, &mut |node| match node {
        Node::Char(set) => chars = chars.or(Chars::of(set)),
        Node::BackReference(..) => chars = Chars::ALL,
        _ => {}
    });
    chars
}

/// The maximum number of parts in which a word is looked for.
const FARTHEST: usize = 256;

/// Finds repetitions that can run over the words next to them.
#[derive(Clone, Copy)]
struct Runs {
    /// Repetitions that take none of these characters are harmless.
    alphabet: u128,
    /// Only repetitions that try to take as much as possible count.
    greedy_only: bool,
}

impl Runs {
    /// Returns the quantifier of a part among these that can take all the characters of the words that follow it;
    /// `words` follow the last part.
    fn find(self, parts: &[&Node], words: &[&Node]) -> Option<usize> {
        (0..parts.len()).rev().find_map(|at| {
            let then: Vec<&Node> = parts[at + 1..].iter().chain(words).take(FARTHEST).copied().collect();
            self.find_in(parts[at], &then)
        })
    }

    fn find_in(self, node: &Node, then: &[&Node]) -> Option<usize> {
        match node {
            Node::Repeat { min, max, greed, offset, body } => {
                let may_vary = max.is_none_or(|max| max != *min && max > 1);
                let matters = !self.greedy_only || *greed != Greed::Lazy;
                let taken = all(body);
                let is_missing =
                    |part: &&Node| matches!(part, Node::Char(set) if !Chars::of(set).meets(taken));
                if may_vary && matters && taken.ascii & self.alphabet != 0 && !then.iter().any(is_missing) {
                    return Some(*offset);
                }
                // A repetition of one character has no inner parts that could run on.
                if matches!(**body, Node::Char(_)) { None } else { self.find(&flat(&[body]), then) }
            }
            Node::Alternatives(choices) => {
                choices.iter().find_map(|choice| self.find(&flat(&[choice]), then))
            }
            Node::Condition { yes, no, .. } => {
                [yes, no].into_iter().find_map(|choice| self.find(&flat(&[&**choice]), then))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::re::Pattern;

    const ADDRESS: Target<'_> =
        Target { alphabet: "0123456789abcdefABCDEF.:", own_words: &[("[client ", ']'), ("client ", '#')] };

    /// Returns what is uncertain about the group `ip`.
    fn ip(expression: &str) -> Option<Injection> {
        let pattern = Pattern::new(expression).unwrap();
        let (group, _) = pattern.group_names().find(|(_, name)| *name == "ip").unwrap();
        pattern.injection(group, &ADDRESS)
    }

    #[test]
    fn a_group_with_a_fixed_place_matches_the_right_text() {
        for good in [
            r"^Failed password for .* from (?P<ip>\S+) port \d+ ssh2$",
            r"^Failed password for (?P<user>\S+) from (?P<ip>\S+) port \d+ ssh2",
            r"^Invalid user (?P<user>.*) from (?P<ip>\S+) port \d+$",
            r"from (?P<ip>\S+) port \d+$",
            r"from (?:IP: )?(?P<ip>[0-9a-fA-F.:]*[0-9a-fA-F])(?:: ?| port: )(?P<port>\d+)$",
            r"^BAN (?P<ip>\S+) for (?P<what>\w+)(?: after (?P<n>\d+) failures)?$",
            r"^(?P<ip>\S+) - - ",
            r"\A(?P<ip>[^ ]+) ",
            r"^(\S+):(\d+) \[(?P<ip>[^]:]+)",
            r#"^[\d/]+ [\d:]+ \[error\] \d+#\d+: \*\d+ open\(\) "[^"]*" failed \([^)]*\), client: (?P<ip>[^,]+),"#,
            r"^imap-login: .{3} user=<[^>]*>, rip=(?P<ip>[^,\s]+), ",
            r"^(?:a|bc) (?P<ip>\S+)",
            r"^x(?= .*y) (?P<ip>\S+)",
            r"rhost=(?P<ip>\S+)\Z",
            r"^.*from (?P<ip>.+)$",
            r"from:\s*(?P<ip>\S+)$",
            r"^from:\s*(?P<ip>\S+)",
            r#"^[^"]*user "[^:]*" was not found in "[^"]*", client: (?P<ip>[^,]+), server: "#,
            r"user=<.*>, rip=(?P<ip>[0-9a-f.:]+), lip=[0-9a-f.:]+(?:, [^<>=]*)?(?:, session=<[^<>]*>)?$",
            r"^\S+@x (?P<ip>\S+)",
            r"\[client (?P<ip>[0-9A-Fa-f.:]+):\d+\]",
            r"\[client (?P<ip>\S+?)(?::\d+)?\] AH\d+: user .* not found",
            r"\[client (?P<ip>\S+):\d+\] user .* not found$",
            r"^\[.*?\] \[.*?\] \[client (?P<ip>[^]]+):\d+\]",
            r"^(?:\[[^]]*\] )+?\[client (?P<ip>[^]]+):\d+\]",
            r"(?i)\[CLIENT (?P<ip>[^]]+):\d+\]",
            r"client (?:@0x[0-9a-f]+ )?(?P<ip>[0-9A-Fa-f.:]+)#\d+",
            r"client @\S+ (?P<ip>[^#]+)#\d+ \(.*\): query",
            r"^\S+ \S+ \[error\] \d+#\d+: \*\d+ [^,]+, client: (?P<ip>[^,]+), server: ",
            r"^pam_unix\(\w+:auth\): .{0}authentication failure; logname=\S* ruser=\S* rhost=(?P<ip>\S+) ",
            r" rhost=(?P<ip>\S+)(?:\s+user=\S*)?\s*$",
        ] {
            assert_eq!(ip(good), None, "{good}");
        }
    }

    #[test]
    fn a_group_whose_place_depends_on_the_text_can_be_misled() {
        use Injection::{RunsBack, RunsOn, Unanchored};
        for (bad, why) in [
            (r"Failed .* from (?P<ip>\S+)", Unanchored),
            (r"from (?P<ip>\S+) port \d+ ssh2", Unanchored),
            (r"(?P<ip>\S+)", Unanchored),
            (r"(?:^|x)from (?P<ip>\S+) ", Unanchored),
            (r"(?m)^from (?P<ip>\S+) ", Unanchored),
            (r"^Failed password for .* from (?P<ip>\S+) port \d+ ssh2", RunsOn(22)),
            (r"^Failed password for .*? from (?P<ip>\S+) port", RunsOn(22)),
            (r"^user=<[^>]*>.* rip=(?P<ip>[^,\s]+)", RunsOn(14)),
            (r"^(?:user \S+ |.+)from (?P<ip>\S+)", RunsOn(15)),
            (r"^\S+@(?P<ip>\S+)", RunsOn(3)),
            (r"^x(?: from (?P<ip>\S+))+", RunsOn(23)),
            (r"client: (?P<ip>[^,]+), server: .*$", RunsBack(32)),
            (r"client: (?P<ip>[^,]+), server: ", Unanchored),
            (r"rhost=(?P<ip>\S+) ", Unanchored),
            // The last position that fits is taken: what strangers send comes after the program's own words.
            (r"^.*\[client (?P<ip>\S+):\d+\]", RunsOn(2)),
            (r"^(?:\[[^]]*\] )*\[client (?P<ip>\S+):\d+\]", RunsOn(15)),
            (r".*\[client (?P<ip>\S+):\d+\]", Unanchored),
            (r"\[client .*(?P<ip>\d+\.\S+):\d+\]", Unanchored),
            (r"(?:\[client (?P<ip>\S+):\d+\] )+", Unanchored),
            (r"client (?P<ip>\S+) ", Unanchored),
            (r".client (?P<ip>\S+):\d+\]", Unanchored),
            (r"from (?P<ip>\S+)(?: .*)?$", RunsBack(21)),
            (r"^Failed for [^0-9]*(?P<ip>\d+\.\S+)", RunsOn(18)),
            (r"^Failed (?=.* from (?P<ip>\S+))", Unanchored),
            (r#"^(['"])(?P<u>.*)\1 from (?P<ip>\S+)"#, RunsOn(14)),
        ] {
            assert_eq!(ip(bad), Some(why), "{bad}");
        }
    }
}
