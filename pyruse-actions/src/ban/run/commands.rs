//! The programs of a set, as the settings say: each is an argv, whose arguments are templates.

use pyruse_core::ban::{Order, OrderKind};
use pyruse_core::operation::Family;
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::serde::Deserialize;
use pyruse_core::template::{Part, Template};

use crate::program;

/// What arguments can contain.
const NAMES: [&str; 4] = ["ip", "family", "seconds", "set"];

/// The programs of a set.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
pub(super) struct Commands {
    /// The program that bans, by its absolute path, and its arguments. There is no shell: each is one argument. In
    /// arguments, `{ip}` is the address, or the network such as `192.0.2.0/24`; `{family}` is `ipv4` or `ipv6`;
    /// `{seconds}` is how long the ban lasts from now, rounded up, and 0 if it never ends; and `{set}` is the name of
    /// the set. `{{` and `}}` are braces. The program must not fail if the address is banned already, unless there is
    /// `check`.
    pub(super) ban: Vec<String>,
    /// The program that lifts the ban, in the same form, without `{seconds}`. It is run when a ban ends, is removed by
    /// hand, or is one too many. It must not fail if the address is not banned, unless there is `check`.
    pub(super) unban: Vec<String>,
    /// The program that says whether the address is banned, in the same form: its exit status is 0 if it is, and 1 if
    /// not. It is run before `unban`, which is not needed if the address is not banned; and before `ban`, which is not
    /// needed if it is. (If `ban` contains `{seconds}`, it is run in any case.) It must not change anything.
    #[serde(default)]
    pub(super) check: Option<Vec<String>>,
    /// The time limit of each program, in seconds or as `1m`, 30 seconds by default: after it, the program is killed
    /// with all processes of its process group.
    #[serde(rename = "timeoutSeconds", default = "timeout_seconds")]
    pub(super) timeout: Seconds,
}

fn timeout_seconds() -> Seconds {
    Seconds(program::TIMEOUT)
}

impl Commands {
    /// Returns the programs, with the path of each.
    fn all(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        let check = self.check.as_deref().map(|argv| ("check", argv));
        [("ban", &*self.ban), ("unban", &*self.unban)].into_iter().chain(check)
    }

    /// Reports what is wrong, with the path of the member.
    pub(super) fn check(&self, report: &mut dyn FnMut(&str, String)) {
        for (name, argv) in self.all() {
            let Some((program, arguments)) = argv.split_first() else {
                report(name, "the command is empty: its first item must be a program".into());
                continue;
            };
            if let Err(why) = program::check(program) {
                report(&format!("{name}.0"), why);
            }
            for (n, argument) in arguments.iter().enumerate() {
                if let Err(why) = check_argument(argument, name == "ban") {
                    report(&format!("{name}.{}", n + 1), why);
                }
            }
            if !arguments.iter().any(|argument| uses(argument, "ip")) {
                report(name, "no argument contains `{ip}`: the program cannot know the address".into());
            }
        }
        if self.timeout == Seconds(0) {
            report("timeoutSeconds", "the time limit must not be 0 seconds".into());
        }
    }

    /// Reports the programs that are not on this machine.
    pub(super) fn missing(&self, report: &mut dyn FnMut(&str, String)) {
        for (name, argv) in self.all() {
            if let Some(what) = argv.first().and_then(|program| program::missing(program)) {
                report(&format!("{name}.0"), what);
            }
        }
    }

    /// Returns whether the program gets how long a ban lasts.
    pub(super) fn gets_seconds(&self) -> bool {
        self.ban.iter().any(|argument| uses(argument, "seconds"))
    }
}

fn uses(argument: &str, name: &str) -> bool {
    Template::parse(argument).is_ok_and(|template| template.names().iter().any(|known| known == name))
}

/// Returns why this cannot be an argument.
fn check_argument(argument: &str, bans: bool) -> Result<(), String> {
    if argument.contains('\0') {
        return Err("no argument can contain a null character".into());
    }
    let template = Template::parse(argument).map_err(|e| format!("bad template: {e}"))?;
    for name in template.names() {
        if !NAMES.contains(&name.as_str()) {
            return Err(format!("`{name}` is not known here: only `ip`, `family`, `seconds` and `set` are"));
        }
        if name == "seconds" && !bans {
            return Err("`seconds` is known in `ban` only".into());
        }
    }
    Ok(())
}

/// Inserts the values of an order into a checked command. No value can begin with `-`: they are an address that was
/// parsed, a number and names.
pub(super) fn compose(argv: &[String], order: &Order) -> Vec<String> {
    let value = |name: &str| match (name, order.kind) {
        ("ip", _) => order.net.to_string(),
        ("family", _) => match Family::of(order.net.first()) {
            Family::V4 => "ipv4".to_owned(),
            Family::V6 => "ipv6".to_owned(),
        },
        ("seconds", OrderKind::Ban { timeout } | OrderKind::Renew { timeout }) => {
            timeout.unwrap_or(0).to_string()
        }
        _ => order.set.clone(),
    };
    let argument = |text: &String| {
        let Ok(template) = Template::parse(text) else { return text.clone() };
        let mut whole = String::new();
        for part in template.parts() {
            match part {
                Part::Literal(text) => whole.push_str(text),
                Part::Value { name, .. } => whole.push_str(&value(&template.names()[name])),
            }
        }
        whole
    };
    let mut composed: Vec<String> = argv.iter().take(1).cloned().collect();
    composed.extend(argv.iter().skip(1).map(argument));
    composed
}
