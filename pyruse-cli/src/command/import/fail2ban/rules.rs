//! A jail becomes rules: the text of an entry, `prefregex`, `ignoreregex`, `failregex`, sessions, the list of those who
//! are never banned, the count, and the actions.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::actions::Converter;
use super::chain::{Chain, Step};
use super::expression::{ADDRESSES, Expression, Manner};
use super::firewall::{Rule, Services};
use super::ignored::Lists;
use super::jail::Jail;
use super::joined::{self, Joined, Names};
use super::origin::{self, Origin, Source};
use super::session::{Marks, Session};

/// The longest session, in seconds, and the shortest.
const SESSION: std::ops::RangeInclusive<u64> = 600..=86_400;

/// The longest time for which the failures of a banned address are not counted, in seconds. It does not end when somebody
/// lifts the ban, so it is not long.
const LONGEST_GRACE: u64 = 3600;

/// How many durations a list has at most.
const STAGES: usize = 21;

/// The longest ban of a list without `bantime.maxtime`, in seconds: ten years.
const LONGEST_BAN: u64 = 10 * 365 * 86_400;

/// What all jails have in common.
pub(super) struct Common<'c> {
    pub(super) services: &'c Services,
    /// The file that fail2ban logs to.
    pub(super) log: Option<&'c str>,
    /// How long bans are remembered, in seconds.
    pub(super) remember: Option<u64>,
    /// Whether a jail reads the bans of the others.
    pub(super) logs_bans: bool,
    /// Whether a jail reads another journal than that of the machine.
    pub(super) are_several_journals: bool,
}

/// The rules of a jail.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) jail: String,
    pub(super) chains: Vec<Chain>,
    pub(super) source: Option<Source>,
    /// The list of those who are never banned.
    pub(super) list: Option<String>,
    pub(super) rule: Option<Rule>,
    pub(super) programs: Vec<(String, Value)>,
    pub(super) recipients: Vec<String>,
    pub(super) reads_journal: bool,
    /// What is different, in words.
    pub(super) notes: Vec<String>,
    /// What could not come over, in words.
    pub(super) lacks: Vec<String>,
}

/// Converts a jail. An error says why there are no rules for it.
pub(super) fn convert(
    jail: &Jail,
    prefix: &str,
    common: &Common<'_>,
    lists: &mut Lists,
) -> Result<Rules, String> {
    let mut notes = jail.unread.clone();
    let mut lacks = Vec::new();
    let origin = Origin::of(jail, common.log, common.are_several_journals, &mut notes)?;
    let found = Expressions::of(jail, prefix, matches!(origin, Origin::Files(_)), &mut notes, &mut lacks)?;
    let list = lists.name(jail, &mut notes);
    if let Some(command) = &jail.ignorecommand {
        lacks.push(format!("`ignorecommand` is not run: put its addresses into a list (`{command}`)"));
    }
    let duration = duration(jail, common, &mut notes);
    let converter = Converter { jail, prefix, services: common.services, duration: &duration };
    let mut acts = converter.convert();
    notes.append(&mut acts.notes);
    lacks.append(&mut acts.lacks);
    if acts.bans.is_empty() {
        lacks.push("none of its actions bans: what would be banned is logged".into());
    }

    // The chains of a jail have its name with a colon; that of another jail may look like one of them.
    let label = if jail.name.contains(':') { prefix } else { jail.name.as_str() };
    let name = |chain: &str| format!("{label}: {chain}");
    let field = |name: &str| format!("{prefix}_{name}");
    let line = origin::line_field(prefix);
    let mut chains = origin.chains(label, &line, &name("line"), jail);
    chains.extend(found.chains(label, prefix, &line));
    if found.has_sessions {
        let session = Session { label, prefix, marks: found.marks, keep: found.keep };
        chains.extend(session.chains(&name("address")));
    }
    let mut address = vec![Step::may_be_address(&field("ip"))];
    match &list {
        Some(list) => {
            address.push(
                Step::filter("filter_inList", json!({"field": field("ip"), "list": list}))
                    .otherwise(&name("count")),
            );
        }
        None => address[0] = Step::may_be_address(&field("ip")).then(&name("count")),
    }
    chains.push(Chain { label: name("address"), steps: address });

    let counter = json!({"counter": label, "for": field("ip"), "keepSeconds": jail.findtime.max(1),
        "save": field("failures")});
    let tries = jail.maxretry.max(1);
    let mut count = vec![
        Step::action("action_counterRaise", counter),
        Step::filter("filter_greaterOrEquals", json!({"field": field("failures"), "value": tries})),
        Step::action(
            "action_counterReset",
            json!({"counter": label, "for": field("ip"), "graceSeconds": grace(jail)}),
        ),
    ];
    let has_bans = !acts.bans.is_empty();
    count.append(&mut acts.bans);
    let reads_bans = matches!(origin, Origin::Bans);
    if !has_bans || common.logs_bans && !reads_bans {
        let message = origin::ban_line(label, &field("ip"));
        count.push(Step::action("action_log", json!({"level": "NOTICE", "message": message})));
    }
    count.append(&mut acts.notices);
    count.push(Step::go_on());
    chains.push(Chain { label: name("count"), steps: count });

    let reads_journal = matches!(origin, Origin::Journal(_, None) | Origin::Bans);
    let source = match origin {
        Origin::Files(source) | Origin::Journal(_, Some(source)) => Some(source),
        Origin::Journal(_, None) | Origin::Bans => None,
    };
    let (rule, programs, recipients) = (acts.rule, acts.programs, acts.recipients);
    Ok(Rules {
        jail: jail.name.clone(),
        chains,
        source,
        list,
        rule,
        programs,
        recipients,
        reads_journal,
        notes,
        lacks,
    })
}

/// The expressions of a jail.
struct Expressions {
    prefregex: Option<Expression>,
    ignoreregex: Vec<Expression>,
    failregex: Vec<Expression>,
    /// Those about two lines.
    joined: Vec<Joined>,
    /// How long sessions and first lines are remembered, in seconds.
    keep: u64,
    marks: Marks,
    has_sessions: bool,
}

impl Expressions {
    /// `of_file` says whether the text is a line of a log file.
    fn of(
        jail: &Jail,
        prefix: &str,
        of_file: bool,
        notes: &mut Vec<String>,
        lacks: &mut Vec<String>,
    ) -> Result<Expressions, String> {
        let names = jail.use_dns != "no";
        let line = Manner { prefix, names, is_line: of_file };
        let prefregex = match jail.prefregex.as_ref().map(|text| Expression::convert(text, line)) {
            Some(Err(why)) => return Err(format!("`prefregex` cannot be used: {why}")),
            Some(Ok(expression)) => Some(expression),
            None => None,
        };
        let has_content = prefregex.as_ref().is_some_and(|prefregex| prefregex.has("content"));
        let convert =
            |text: &String| Expression::convert(text, Manner { is_line: of_file && !has_content, ..line });
        // A line that must be ignored would be counted.
        let ignoreregex = jail.ignoreregex.iter().map(convert).collect::<Result<Vec<_>, _>>();
        let ignoreregex = ignoreregex.map_err(|why| format!("`ignoreregex` cannot be used: {why}"))?;
        let mut failregex = Vec::new();
        let mut joined = Vec::new();
        let mut whys = Vec::new();
        for (n, text) in jail.failregex.iter().enumerate() {
            if Joined::is_one(text) {
                let line = Manner { is_line: of_file && !has_content, ..line };
                match Joined::of(text, line) {
                    Ok(two) => joined.push(two),
                    Err(why) => whys.push(format!("`failregex` {} cannot be used: {why}", n + 1)),
                }
                continue;
            }
            match convert(text) {
                Ok(expression) => failregex.push(expression),
                Err(why) => whys.push(format!("`failregex` {} cannot be used: {why}", n + 1)),
            }
        }
        if failregex.is_empty() && joined.is_empty() {
            return Err(if whys.is_empty() { "it has no `failregex`".into() } else { whys.join("; ") });
        }
        lacks.append(&mut whys);
        let all = || prefregex.iter().chain(&failregex);
        let has = |group: &str| all().any(|expression| expression.has(group));
        let before = prefregex.as_ref().is_some_and(Expression::has_address);
        let has_addressless = !before && failregex.iter().any(|e| !e.has_address() && !e.has("gained"));
        let user = has("user") || has("alt_user");
        let marks = Marks { nofail: has("nofail"), forget: has("forget"), gained: has("gained"), user };
        let has_sessions = has("session") && (marks.nofail || has_addressless);
        if has_addressless && !has_sessions {
            notes.push("some of its expressions have no address: their lines ban nobody".into());
        }
        if all().any(|e| e.takes_networks) {
            notes.push("a network in a line is not banned, only an address".into());
        }
        if !joined.is_empty() {
            notes.push(format!(
                "two lines are joined by what they have in common, for some time, and not within {} lines (`maxlines`)",
                jail.maxlines
            ));
        } else if jail.maxlines > 1 && !(of_file && joined::following(jail).is_some()) {
            notes.push(format!("`maxlines` is {}: each line is searched alone", jail.maxlines));
        }
        let keep = jail.findtime.clamp(*SESSION.start(), *SESSION.end());
        Ok(Expressions { prefregex, ignoreregex, failregex, joined, keep, marks, has_sessions })
    }

    /// A chain with these steps that leads to another one.
    fn entered(label: &str, mut steps: Vec<Step>, next: &str) -> Chain {
        let last = steps.pop().unwrap_or_else(|| Step::action("action_noop", json!({})));
        steps.push(last.then(next));
        Chain { label: label.to_owned(), steps }
    }

    /// From the line to the address.
    fn chains(&self, label: &str, prefix: &str, line: &str) -> Vec<Chain> {
        let name = |chain: &str| format!("{label}: {chain}");
        let field = |name: &str| format!("{prefix}_{name}");
        let texts = |all: &[Expression]| json!(all.iter().map(|e| e.text.as_str()).collect::<Vec<_>>());
        let mut text = line.to_owned();
        let mut steps = Vec::new();
        let mut chains = Vec::new();
        if let Some(prefregex) = &self.prefregex {
            steps.push(
                Step::filter("filter_pcre", json!({"field": line, "re": prefregex.text}))
                    .comment("prefregex"),
            );
            if prefregex.has("content") {
                text = field("content");
            }
        }
        let mut current = name("line");
        if !self.ignoreregex.is_empty() {
            let ignored =
                Step::filter("filter_pcreAny", json!({"field": text, "re": texts(&self.ignoreregex)}));
            steps.push(ignored.comment("ignoreregex").then(&name("ignored")).otherwise(&name("failure?")));
            chains.push(Chain { label: current, steps: std::mem::take(&mut steps) });
            chains.push(Chain { label: name("ignored"), steps: vec![Step::go_on()] });
            current = name("failure?");
        }
        for (n, joined) in self.joined.iter().enumerate() {
            let number = n + 1;
            let is_last = number == self.joined.len();
            let behind = match (is_last, self.failregex.is_empty()) {
                (false, _) => Joined::label(label, number + 1),
                (true, false) => name("failure?"),
                (true, true) => name("other"),
            };
            if n == 0 {
                chains.push(Self::entered(&current, std::mem::take(&mut steps), &Joined::label(label, 1)));
                current.clone_from(&behind);
            }
            let names = Names { label, prefix, number, keep: self.keep };
            chains.extend(joined.chains(&names, &text, &behind));
            current = behind;
        }
        if self.failregex.is_empty() {
            chains.push(Chain { label: current, steps: vec![Step::go_on()] });
            return chains;
        }
        let failures = Step::filter("filter_pcreAny", json!({"field": text, "re": texts(&self.failregex)}));
        steps.push(failures.comment("failregex"));
        let groups: BTreeSet<&str> = self
            .prefregex
            .iter()
            .chain(&self.failregex)
            .flat_map(|e| &e.groups)
            .map(String::as_str)
            .collect();
        let merged: [(&str, &[&str]); 2] = [("ip", &ADDRESSES), ("user", &["user", "alt_user"])];
        for (to, from) in merged {
            let from: Vec<String> =
                from.iter().filter(|group| groups.contains(*group)).map(|g| field(g)).collect();
            if !from.is_empty() && from != [field(to)] {
                steps.push(Step::action("action_set", json!({"field": field(to), "first": from})));
            }
        }
        let next = if self.has_sessions { Session::entrance(label) } else { name("address") };
        // Without a session, a line that is no failure says nothing.
        let last = steps.pop();
        let is_missing =
            |group: &str| Step::filter("filter_in", json!({"field": field(group), "values": [null]}));
        steps.extend(last);
        if !self.has_sessions {
            for group in ["nofail", "gained"].into_iter().filter(|group| groups.contains(group)) {
                steps.push(is_missing(group));
            }
        }
        if let Some(last) = steps.pop() {
            steps.push(last.then(&next));
        }
        chains.push(Chain { label: current, steps });
        chains
    }
}

/// Returns for how long the failures of a banned address are not counted, in seconds. fail2ban neither bans nor logs nor
/// mails again while an address is banned.
fn grace(jail: &Jail) -> u64 {
    jail.bantime.unwrap_or(LONGEST_GRACE).clamp(1, LONGEST_GRACE)
}

/// Returns the arguments of a ban that say how long it is.
fn duration(jail: &Jail, common: &Common<'_>, notes: &mut Vec<String>) -> Vec<(&'static str, Value)> {
    let Some(first) = jail.bantime else {
        return Vec::new();
    };
    let increment = &jail.increment;
    if !increment.enabled {
        return vec![("banSeconds", json!(first.max(1)))];
    }
    let most = increment.maxtime.unwrap_or(LONGEST_BAN);
    let factor = increment.factor.as_deref().map_or(Ok(1), str::parse::<u64>);
    let factor = factor.unwrap_or_else(|_| {
        notes.push("`bantime.factor` is no whole number: it was left out".into());
        1
    });
    if increment.formula.is_some() && increment.multipliers.is_empty() {
        notes
            .push("`bantime.formula` was not taken over: each ban is twice as long as the one before".into());
    }
    if increment.rndtime.is_some() {
        notes.push("`bantime.rndtime` was not taken over: bans have no random part".into());
    }
    if increment.overalljails {
        notes.push("`bantime.overalljails` was not taken over: the bans of each jail are counted".into());
    }
    let mut stages: Vec<u64> = Vec::new();
    let multipliers: Vec<u64> = match increment.multipliers.as_slice() {
        [] => (0..STAGES).map(|n| 1 << n).collect(),
        multipliers => multipliers.iter().copied().take(STAGES).collect(),
    };
    for (n, multiplier) in multipliers.into_iter().enumerate() {
        // The first ban is never longer.
        let longer = if n == 0 { multiplier } else { multiplier.saturating_mul(factor) };
        let stage = first.saturating_mul(longer).clamp(1, most.max(1));
        if stages.last() == Some(&stage) && stage == most {
            break;
        }
        stages.push(stage);
    }
    let mut arguments = vec![("banSeconds", json!(stages))];
    if let Some(remember) = common.remember.filter(|seconds| *seconds > 0) {
        arguments.push(("rememberSeconds", json!(remember)));
    }
    arguments
}
