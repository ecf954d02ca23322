//! Can whoever writes into a text choose what a group of an expression takes?
//!
//! A log line is a program's words around what strangers sent: a name, a path, a greeting. Who sends
//! `x from 192.0.2.1 port 1` as his name puts a second address into the line, and the expression decides which of the
//! two a group takes. The place of a group is certain in two cases:
//!
//! - *from the left*: the expression begins at the start of the text (`^`), and no repetition before the group can take
//!   all the characters of the words between it and the group: `\S+` before ` from ` cannot take a space, so who wrote
//!   it says that no space can be there, and nobody can write ` from ` there; `.*` says no such thing;
//! - *from the right*: it ends at the end of the text (`$`), and no repetition behind the group can take all the
//!   characters of the words right before the group. Then it cannot take the true address with its words, and only the
//!   last such place in the text fits.
//!
//! Without a certain side, a search that takes the *first* place that fits can only be misled by text before the address.
//! A few programs are known to write the address before anything that strangers send ([`OWN_WORDS`]): where their words
//! stand around the group, its place is certain, too.
//!
//! A repetition that can take nothing that addresses are made of does no harm. Anything else is in doubt. This says
//! nothing of fields whose text no stranger has a part in.

use super::ast::{Anchor, Greed, Node};
use super::charset::{CharSet, Class, contains};
use super::{analysis, parse};

/// Why the place of a group is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The expression may begin anywhere in the text, and does not end with it.
    Unanchored,
    /// The part before the group whose quantifier stands at this byte can take the words that follow it, and the
    /// expression does not end with the text.
    RunsOn(usize),
    /// The expression ends with the text, but the part behind the group whose quantifier stands at this byte can take
    /// another address with its words.
    RunsBack(usize),
}

/// Words that a program writes before an address, and the character that follows the address, where nothing that
/// strangers send comes before them in a line.
const OWN_WORDS: &[(&str, char)] = &[
    // Apache httpd: `[time] [module:level] [pid 7] [client 192.0.2.1:50000] AH01617: user …`.
    ("[client ", ']'),
    // BIND: `client @0x7f0 192.0.2.1#50000 (name): query …`.
    ("client ", '#'),
];

/// Is the place of that group in doubt? An expression that cannot be parsed is in none.
pub fn doubt(expression: &str, group: usize) -> Option<Doubt> {
    let root = parse::parse(expression).ok()?.root;
    let mut around = Around { left: Vec::new(), body: None, right: Vec::new(), repeated: None };
    around.find(&root, group);
    if around.body.is_none() {
        // What only looks takes what it likes, wherever that stands.
        return holds(&root, group).then_some(Doubt::Unanchored);
    }
    let anchored = around.left.iter().find(|node| !takes_nothing(node));
    let anchored = matches!(anchored, Some(Node::Anchor(Anchor::TextStart)));
    let ended = around.right.iter().rev().find(|node| !takes_nothing(node));
    let ended = matches!(ended, Some(Node::Anchor(Anchor::TextEnd | Anchor::LastLineEnd)));
    let (left, right) = (flat(&around.left), flat(&around.right));
    let from_left = around.repeated.or_else(|| runs(&left, &[], Which::All));
    if anchored && from_left.is_none() {
        return None;
    }
    // No greedy part runs on to a later place: the first one that fits is taken.
    let takes_the_first = around.repeated.is_none() && runs(&left, &[], Which::Greedy).is_none();
    if takes_the_first && are_own_words(&left, &right) {
        return None;
    }
    if !ended {
        return Some(from_left.filter(|_| anchored).map_or(Doubt::Unanchored, Doubt::RunsOn));
    }
    let varies = |node: &&&Node| matches!(node, Node::Repeat { min, max, .. } if *max != Some(*min) && *max != Some(1));
    let words: Vec<&Node> = left.iter().rev().take_while(|node| !varies(node)).copied().collect();
    let right: Vec<&Node> = right.into_iter().rev().collect();
    runs(&right, &words, Which::All).or(around.repeated).map(Doubt::RunsBack)
}

/// Do words of [`OWN_WORDS`] stand before the group, with nothing in between that can run on, and their character behind?
fn are_own_words(left: &[&Node], right: &[&Node]) -> bool {
    let is = |node: &Node, c: char| matches!(node, Node::Char(set) if is_mainly(set, c));
    OWN_WORDS.iter().any(|(words, then)| {
        let words: Vec<char> = words.chars().collect();
        let places = left.windows(words.len()).enumerate();
        let mut behind = places
            .filter(|(_, parts)| parts.iter().zip(&words).all(|(part, c)| is(part, *c)))
            .map(|(at, _)| &left[at + words.len()..]);
        behind.any(|between| runs(between, &[], Which::All).is_none())
            && right.iter().any(|part| is(part, *then))
    })
}

/// Does it take that character, and hardly any other than the same in capitals?
fn is_mainly(set: &CharSet, c: char) -> bool {
    let few = set.ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum::<u64>() <= 4;
    !set.negated && set.classes.is_empty() && few && contains(&set.ranges, u32::from(c))
}

/// Does it begin at the start of the text, with something of its own choice, whichever alternative is taken?
pub fn begins_with_text(expression: &str) -> bool {
    fn begins(node: &Node) -> bool {
        let parts = flat(&[node]);
        let mut parts = parts.into_iter().filter(|node| !takes_nothing(node));
        match parts.next() {
            Some(Node::Anchor(Anchor::TextStart)) => {
                parts.next().is_some_and(|next| !matches!(next, Node::Repeat { max: None, .. }))
            }
            Some(Node::Alternatives(choices)) => choices.iter().all(begins),
            _ => false,
        }
    }
    parse::parse(expression).is_ok_and(|parsed| begins(&parsed.root))
}

/// What stands around a group.
struct Around<'n> {
    left: Vec<&'n Node>,
    body: Option<&'n Node>,
    right: Vec<&'n Node>,
    /// The quantifier of a repetition that it is in.
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
    analysis::visit(node, &mut |node| found |= matches!(node, Node::Group(number, _) if *number == group));
    found
}

fn takes_nothing(node: &Node) -> bool {
    matches!(node, Node::Empty | Node::Barrier | Node::Look { .. })
}

/// Characters, as far as it matters here: each of ASCII, and all others as one.
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
            // Of the others, some may always be left.
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

/// The characters of addresses.
const ADDRESS: u128 = {
    let letters = b"0123456789abcdefABCDEF.:";
    let (mut chars, mut n) = (0, 0);
    while n < letters.len() {
        chars |= 1 << letters[n];
        n += 1;
    }
    chars
};

/// All characters that a part may take.
fn all(node: &Node) -> Chars {
    let mut chars = Chars::default();
    analysis::visit(node, &mut |node| match node {
        Node::Char(set) => chars = chars.or(Chars::of(set)),
        Node::BackReference(..) => chars = Chars::ALL,
        _ => {}
    });
    chars
}

/// The parts, without groups and sequences around them.
fn flat<'n>(parts: &[&'n Node]) -> Vec<&'n Node> {
    fn flatten<'n>(node: &'n Node, flat: &mut Vec<&'n Node>) {
        match node {
            Node::Sequence(parts) => parts.iter().for_each(|part| flatten(part, flat)),
            Node::Group(_, body) | Node::Atomic(body) => flatten(body, flat),
            _ => flat.push(node),
        }
    }
    let mut flat = Vec::new();
    for part in parts {
        flatten(part, &mut flat);
    }
    flat
}

/// Parts are looked at for a word no farther than this.
const FARTHEST: usize = 256;

/// Which repetitions matter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    /// Those that try to take as much as they can.
    Greedy,
}

/// The quantifier of a part among these that can take all the characters of the words that follow it here; `words`
/// follow them all.
fn runs(parts: &[&Node], words: &[&Node], which: Which) -> Option<usize> {
    (0..parts.len()).rev().find_map(|at| {
        let then: Vec<&Node> = parts[at + 1..].iter().chain(words).take(FARTHEST).copied().collect();
        runs_in(parts[at], &then, which)
    })
}

fn runs_in(node: &Node, then: &[&Node], which: Which) -> Option<usize> {
    match node {
        Node::Repeat { min, max, greed, offset, body } => {
            let may_vary = max.is_none_or(|max| max != *min && max > 1);
            let matters = which == Which::All || *greed != Greed::Lazy;
            let taken = all(body);
            let is_missing = |part: &&Node| matches!(part, Node::Char(set) if !Chars::of(set).meets(taken));
            if may_vary && matters && taken.ascii & ADDRESS != 0 && !then.iter().any(is_missing) {
                return Some(*offset);
            }
            // What is one character, however often, has no parts that could run.
            if matches!(**body, Node::Char(_)) { None } else { runs(&flat(&[body]), then, which) }
        }
        Node::Alternatives(choices) => choices.iter().find_map(|choice| runs(&flat(&[choice]), then, which)),
        Node::Condition { yes, no, .. } => {
            [yes, no].into_iter().find_map(|choice| runs(&flat(&[&**choice]), then, which))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The doubt about the group `ip`.
    fn ip(expression: &str) -> Option<Doubt> {
        let pattern = crate::re::Pattern::new(expression).unwrap();
        let (group, _) = pattern.group_names().find(|(_, name)| *name == "ip").unwrap();
        doubt(expression, group)
    }

    #[test]
    fn a_group_whose_place_is_certain_is_in_no_doubt() {
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
    fn a_group_whose_place_the_text_decides_is_in_doubt() {
        use Doubt::{RunsBack, RunsOn, Unanchored};
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
            // The last place that fits: what strangers send comes behind the program's own words.
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

    #[test]
    fn an_expression_begins_with_text_where_all_its_choices_do() {
        for yes in [r"^/usr", r"\A(/usr|/bin)", r"^/usr|^/bin", r"(?:^/a)b", r"^(?:/usr)?/bin", r"^(?=.)/"] {
            assert!(begins_with_text(yes), "{yes}");
        }
        for no in [r"sshd$", r"^.*sshd", r"^/usr|sshd", r"(?m)^/usr", r"^", r"", r"^[^x]+x"] {
            assert!(!begins_with_text(no), "{no}");
        }
    }
}
