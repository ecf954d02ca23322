//! The programs of a set, as the settings say: each is an argv, whose arguments are templates.

use std::time::Duration;

use pyruse_core::ban::{Order, OrderKind};
use pyruse_core::operation::Family;
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::serde::Deserialize;
use pyruse_core::template::{Part, Template};

use crate::program;

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
            let mut knows_address = false;
            for (n, argument) in arguments.iter().enumerate() {
                match Argument::compile(argument, name == "ban") {
                    Ok(argument) => knows_address |= argument.0.contains(&Piece::Ip),
                    Err(why) => report(&format!("{name}.{}", n + 1), why),
                }
            }
            if !knows_address {
                report(name, "no argument contains `{ip}`: the program cannot know the address".into());
            }
        }
        if self.timeout == Seconds(0) {
            report("timeoutSeconds", "the time limit must not be 0 seconds".into());
        }
    }

    /// Takes the templates apart. Fails for what [`Commands::check`] reports.
    pub(super) fn compile(&self) -> Result<Programs, String> {
        let check = self.check.as_deref().map(|argv| Program::compile(argv, false)).transpose()?;
        Ok(Programs {
            ban: Program::compile(&self.ban, true)?,
            unban: Program::compile(&self.unban, false)?,
            check,
            limit: Duration::from_secs(self.timeout.0),
        })
    }
}

/// The programs of a set, ready to be run.
pub(super) struct Programs {
    pub(super) ban: Program,
    pub(super) unban: Program,
    pub(super) check: Option<Program>,
    /// The time limit of each.
    pub(super) limit: Duration,
}

impl Programs {
    /// Reports the programs that are not on this machine, with the path of each.
    pub(super) fn missing(&self, report: &mut dyn FnMut(&str, String)) {
        let check = self.check.as_ref().map(|program| ("check.0", program));
        for (path, program) in [("ban.0", &self.ban), ("unban.0", &self.unban)].into_iter().chain(check) {
            if let Some(what) = program::missing(&program.name) {
                report(path, what);
            }
        }
    }
}

/// A program and its arguments.
pub(super) struct Program {
    pub(super) name: String,
    arguments: Vec<Argument>,
}

/// An argument, taken apart.
struct Argument(Vec<Piece>);

/// A piece of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Ip,
    Family,
    Seconds,
    Set,
}

impl Argument {
    /// Fails if this cannot be an argument of a program that `bans` or lifts.
    fn compile(text: &str, bans: bool) -> Result<Argument, String> {
        if text.contains('\0') {
            return Err("no argument can contain a null character".into());
        }
        let template = Template::parse(text).map_err(|e| format!("bad template: {e}"))?;
        let piece = |part| match part {
            Part::Literal(text) => Ok(Piece::Literal(text.to_owned())),
            Part::Value { name, .. } => match template.names()[name].as_str() {
                "ip" => Ok(Piece::Ip),
                "family" => Ok(Piece::Family),
                "seconds" if bans => Ok(Piece::Seconds),
                "seconds" => Err("`seconds` is known in `ban` only".to_owned()),
                "set" => Ok(Piece::Set),
                name => {
                    Err(format!("`{name}` is not known here: only `ip`, `family`, `seconds` and `set` are"))
                }
            },
        };
        template.parts().map(piece).collect::<Result<_, _>>().map(Argument)
    }

    fn compose(&self, order: &Order) -> String {
        let mut whole = String::new();
        for piece in &self.0 {
            match (piece, order.kind) {
                (Piece::Literal(text), _) => whole.push_str(text),
                (Piece::Ip, _) => whole.push_str(&order.net.to_string()),
                (Piece::Family, _) => whole.push_str(match Family::of(order.net.first()) {
                    Family::V4 => "ipv4",
                    Family::V6 => "ipv6",
                }),
                (Piece::Seconds, OrderKind::Ban { timeout } | OrderKind::Renew { timeout }) => {
                    whole.push_str(&timeout.unwrap_or(0).to_string());
                }
                // Only a program that bans has it.
                (Piece::Seconds, OrderKind::Lift) => {}
                (Piece::Set, _) => whole.push_str(&order.set),
            }
        }
        whole
    }
}

impl Program {
    fn compile(argv: &[String], bans: bool) -> Result<Program, String> {
        let (name, arguments) = argv.split_first().ok_or("the command is empty")?;
        let arguments = arguments.iter().map(|argument| Argument::compile(argument, bans));
        Ok(Program { name: name.clone(), arguments: arguments.collect::<Result<_, _>>()? })
    }

    /// Returns whether it gets how long a ban lasts.
    pub(super) fn gets_seconds(&self) -> bool {
        self.arguments.iter().any(|argument| argument.0.contains(&Piece::Seconds))
    }

    /// Returns its argv for an order. No value can begin with `-`: they are an address that was parsed, a number and
    /// names.
    pub(super) fn compose(&self, order: &Order) -> Vec<String> {
        let arguments = self.arguments.iter().map(|argument| argument.compose(order));
        std::iter::once(self.name.clone()).chain(arguments).collect()
    }
}
