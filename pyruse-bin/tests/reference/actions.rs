//! The actions, one by one, as the contract lists them, and the lists that they leave.

use std::net::IpAddr;

use pyruse_core::seconds::Seconds;
use serde_json::{Value as Json, json};

use super::entry::{Entry, Value};
use super::filters::address;
use super::{Failed, Tools};

/// A thousand years.
const LONGEST_SECONDS: i64 = 1000 * 366 * 86_400;

/// What an action has at hand.
pub struct Act<'a> {
    pub args: &'a Json,
    pub entry: &'a mut Entry,
    pub tools: &'a mut Tools,
    pub email_to: &'a Json,
    pub effects: &'a mut Vec<Json>,
}

impl Act<'_> {
    fn arg(&self, name: &str) -> Option<String> {
        self.args[name].as_str().map(str::to_owned)
    }

    /// Microseconds; 0, if it is absent.
    fn length(&self, name: &str) -> i64 {
        self.args[name].as_i64().unwrap_or(0) * 1_000_000
    }

    /// The text of the field that an argument names.
    fn field(&mut self, arg: &str) -> Option<String> {
        let name = self.arg(arg)?;
        self.entry.text(&name, self.tools)
    }

    /// The value of the field that an argument names; a time is no address, and is taken as its text.
    fn value(&mut self, arg: &str) -> Option<Value> {
        let name = self.arg(arg)?;
        match self.entry.shown(&name, self.tools)? {
            Value::Time(_) => self.field(arg).map(Value::Text),
            value => Some(value),
        }
    }

    fn message(&mut self) -> Result<String, Failed> {
        let text = self.arg("message").unwrap();
        self.tools.render(&text, self.entry)
    }

    fn save(&mut self, arg: &str, value: Option<Value>) {
        if let Some(name) = self.arg(arg) {
            self.entry.set(&name, value);
        }
    }
}

/// What entries have caused. Without an end: for ever.
#[derive(Default)]
pub struct World {
    ticks: Vec<Tick>,
    resets: Vec<Reset>,
    bans: Vec<Ban>,
    offences: Vec<Offence>,
    mappings: Vec<Mapping>,
    remembered: Vec<Remembered>,
}

/// A ban that counts for a list of durations.
struct Offence {
    action: String,
    set: String,
    ip: String,
    at: i64,
}

struct Remembered {
    memory: String,
    field: String,
    key: String,
    at: i64,
    end: i64,
    text: String,
}

/// Counts at the times from its start on, until its end.
struct Tick {
    counter: String,
    key: String,
    start: i64,
    end: Option<i64>,
    /// Those of one value count as one.
    value: Option<String>,
}

/// A reset: what is earlier counts no more from then on. With an end, it began a grace.
struct Reset {
    counter: String,
    key: String,
    at: i64,
    grace_end: Option<i64>,
}

struct Ban {
    action: String,
    set: String,
    ip: String,
    at: i64,
    end: Option<i64>,
}

struct Mapping {
    /// Whole seconds.
    at: i64,
    bits: u32,
    client: Value,
    client_port: Option<Value>,
    /// `addr`, `port`, `daddr`, `dport`.
    seen_as: [Option<String>; 4],
}

const SEEN_AS: [&str; 4] = ["addr", "port", "daddr", "dport"];

/// A value where it stands in a request.
type Encode = fn(&str) -> String;

fn percent(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn in_json(text: &str) -> String {
    let quoted = json!(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// A template without `{{`, each of whose values is cut and encoded.
fn encoded(
    act: &mut Act<'_>,
    template: &str,
    encode: Encode,
    missing: Option<&str>,
) -> Result<String, Failed> {
    let max = usize::try_from(act.args["maxValue"].as_u64().unwrap_or(1000)).unwrap();
    let mut out = String::new();
    let mut rest = template;
    while let Some((literal, behind)) = rest.split_once('{') {
        let (name, behind) = behind.split_once('}').unwrap();
        let mut value = act.tools.render(&format!("{{{name}}}"), act.entry)?;
        if let Some(missing) = missing.filter(|_| act.entry.shown(name, act.tools).is_none()) {
            missing.clone_into(&mut value);
        }
        if value.len() > max {
            let end = (0..=max).rev().find(|end| value.is_char_boundary(*end)).unwrap();
            value.truncate(end);
            value.push('…');
        }
        out += literal;
        out += &encode(&value);
        rest = behind;
    }
    Ok(out + rest)
}

fn json_body(act: &mut Act<'_>, value: &Json) -> Result<String, Failed> {
    Ok(match value {
        Json::String(text) => format!("\"{}\"", encoded(act, text, in_json, None)?),
        Json::Array(items) => {
            let items: Result<Vec<String>, Failed> = items.iter().map(|item| json_body(act, item)).collect();
            format!("[{}]", items?.join(","))
        }
        Json::Object(members) => {
            let member =
                |(name, value): (&String, &Json)| Ok(format!("{}:{}", json!(name), json_body(act, value)?));
            let members: Result<Vec<String>, Failed> = members.iter().map(member).collect();
            format!("{{{}}}", members?.join(","))
        }
        other => other.to_string(),
    })
}

fn request(act: &mut Act<'_>) -> Result<(), Failed> {
    let args = act.args;
    let template = args["url"].as_str().unwrap();
    let url = encoded(act, template, percent, Some(""))?;
    // Literal parts of the paths in the tests are never empty.
    let path = url.split('/').skip(3).collect::<Vec<_>>().join("/");
    let path = path.split('?').next().unwrap().to_owned();
    if template.contains("/{") && path.split('/').any(|part| ["", ".", ".."].contains(&part)) {
        return Err(Failed);
    }
    let body = if args["json"].is_object() {
        json_body(act, &args["json"])?
    } else if let Some(form) = args["form"].as_object() {
        let field = |(name, value): (&String, &Json)| {
            Ok(format!("{}={}", percent(name), encoded(act, value.as_str().unwrap(), percent, None)?))
        };
        form.iter().map(field).collect::<Result<Vec<String>, Failed>>()?.join("&")
    } else if let Some(text) = args["text"].as_str() {
        encoded(act, text, str::to_owned, None)?
    } else {
        String::new()
    };
    let method = if body.is_empty() && args["text"].is_null() { "GET" } else { "POST" };
    act.effects.push(json!({"effect": "http", "method": method, "url": url, "body": body}));
    Ok(())
}

impl World {
    pub fn act(&mut self, name: &str, act: &mut Act<'_>) -> Result<(), Failed> {
        match name {
            "action_noop" => Ok(()),
            "action_counterRaise" | "action_counterReset" | "action_counterLower" | "action_counterRead" => {
                self.count(name, act)
            }
            "action_set" => {
                let text = if let Some(template) = act.arg("value") {
                    Some(act.tools.render(&template, act.entry)?)
                } else {
                    let names = act.args["first"].as_array().unwrap();
                    let mut texts =
                        names.iter().map(|name| act.entry.text(name.as_str().unwrap(), act.tools));
                    texts.find_map(|text| text)
                };
                if let Some(text) = text {
                    act.save("field", Some(Value::Text(text)));
                }
                Ok(())
            }
            "action_remember" => self.remember(act),
            "action_recall" => self.recall(act),
            "action_log" => {
                let level = act.arg("level").unwrap_or_else(|| "INFO".into());
                let message = act.message()?;
                act.effects.push(json!({"effect": "log", "level": level, "message": message}));
                Ok(())
            }
            "action_email" => {
                let subject = act.arg("subject").unwrap_or_else(|| "Pyruse Notification".into());
                let body = act.message()?;
                act.effects
                    .push(json!({"effect": "email", "subject": subject, "to": act.email_to, "body": body}));
                Ok(())
            }
            "action_http" => request(act),
            "action_run" => {
                let argv = act.args["argv"].as_array().unwrap().clone();
                let mut shown = Vec::new();
                for template in argv.iter().map(|text| text.as_str().unwrap()) {
                    let text = act.tools.render(template, act.entry)?;
                    if (template.starts_with('{') && text.starts_with('-')) || text.contains('\0') {
                        return Err(Failed);
                    }
                    shown.push(text);
                }
                act.effects.push(json!({"effect": "run", "argv": shown}));
                Ok(())
            }
            "action_dailyReport" => {
                let message = act.message()?;
                let details = act.arg("details").unwrap_or_else(|| "ALL".into());
                act.effects.push(
                    json!({"effect": "report", "level": act.args["level"], "message": message, "details": details}),
                );
                Ok(())
            }
            "action_nftBan" => self.ban(name, ["nftSetIPv4", "nftSetIPv6"], act),
            "action_ipsetBan" => self.ban(name, ["ipSetIPv4", "ipSetIPv6"], act),
            "action_crowdsec" => self.ban(name, ["set", "set"], act),
            "action_runBan" => {
                let own = if act.args["setIPv6"].is_null() { "set" } else { "setIPv6" };
                self.ban(name, ["set", own], act)
            }
            "action_dnatCapture" => {
                self.capture(act);
                Ok(())
            }
            "action_dnatReplace" => {
                self.replace(act);
                Ok(())
            }
            other => panic!("no such action: {other}"),
        }
    }

    fn count(&mut self, name: &str, act: &mut Act<'_>) -> Result<(), Failed> {
        let now = act.entry.time();
        let counter = act.arg("counter").unwrap();
        let mut key = act.field("for").ok_or(Failed)?;
        let has_prefix = act.args["prefix4"].is_u64() || act.args["prefix6"].is_u64();
        if let Some(ip) = address(&key).filter(|_| has_prefix) {
            key = network(act, ip).0;
        }
        let value =
            if act.args["distinct"].is_null() { None } else { Some(act.field("distinct").ok_or(Failed)?) };
        let by = by(act)?;
        // Dead at exactly its end; and a late entry does not see what is later.
        let is_ours = |tick: &Tick| tick.counter == counter && tick.key == key;
        let is_alive =
            |tick: &Tick| is_ours(tick) && tick.start <= now && tick.end.is_none_or(|end| now < end);
        match name {
            "action_counterRaise" => {
                if self.is_in_grace(&counter, &key, now) {
                    act.save("save", Some(Value::Integer(0)));
                    act.save("saveValues", None);
                    return Ok(());
                }
                let keep = act.length("keepSeconds");
                let end = (keep > 0).then_some(now + keep);
                // A later reset, which came first, holds for this one too.
                let resets = self.resets.iter().filter(|reset| reset.counter == counter && reset.key == key);
                let reset = resets.map(|reset| reset.at).filter(|at| *at > now).min();
                let end = end.into_iter().chain(reset).min();
                for _ in 0..by {
                    self.ticks.push(Tick {
                        counter: counter.clone(),
                        key: key.clone(),
                        start: now,
                        end,
                        value: value.clone(),
                    });
                }
            }
            "action_counterReset" => {
                let grace = act.length("graceSeconds");
                let is_known = self.ticks.iter().any(is_ours)
                    || self.resets.iter().any(|reset| reset.counter == counter && reset.key == key);
                // Of a key that nothing is known of, nothing is noted.
                if is_known || grace > 0 {
                    let grace_end = (grace > 0).then_some(now + grace);
                    self.resets.push(Reset {
                        counter: counter.clone(),
                        key: key.clone(),
                        at: now,
                        grace_end,
                    });
                }
                let mut ticks = std::mem::take(&mut self.ticks);
                for tick in ticks.iter_mut().filter(|tick| is_ours(tick) && tick.start <= now) {
                    tick.end = Some(tick.end.map_or(now, |end| end.min(now)));
                }
                // What was counted since, in what turns out to be a grace.
                let is_void = |tick: &Tick| {
                    is_ours(tick) && tick.start > now && self.is_in_grace(&counter, &key, tick.start)
                };
                ticks.retain(|tick| !is_void(tick));
                self.ticks = ticks;
                act.save("save", Some(Value::Integer(0)));
                return Ok(());
            }
            "action_counterLower" => {
                for _ in 0..by {
                    let alive: Vec<usize> =
                        (0..self.ticks.len()).filter(|n| is_alive(&self.ticks[*n])).collect();
                    // Of those that end together, the one that began last. A value's next tick takes over from it.
                    let is_same = |n: usize, other: usize| {
                        n == other
                            || (self.ticks[n].value.is_some()
                                && is_ours(&self.ticks[other])
                                && self.ticks[n].value == self.ticks[other].value)
                    };
                    let last = |n: usize| {
                        let others = (0..self.ticks.len()).filter(|other| is_same(n, *other));
                        let starts = others.map(|other| self.ticks[other].start);
                        let next = starts.filter(|start| *start > self.ticks[n].start);
                        next.chain(self.ticks[n].end).min().unwrap_or(i64::MAX)
                    };
                    let longest = alive.iter().copied().max_by_key(|n| (last(*n), self.ticks[*n].start));
                    let Some(longest) = longest else { break };
                    let ended: Vec<usize> = alive.into_iter().filter(|n| is_same(longest, *n)).collect();
                    for n in ended {
                        self.ticks[n].end = Some(now);
                    }
                }
            }
            _ => {}
        }
        let mut alive: Vec<&Tick> = self.ticks.iter().filter(|tick| is_alive(tick)).collect();
        alive.sort_by_key(|tick| tick.start);
        // Each value once, where it was raised last.
        let later = |n: usize| alive[n + 1..].iter().any(|tick| tick.value == alive[n].value);
        let shown: Vec<&Tick> =
            (0..alive.len()).filter(|n| alive[*n].value.is_none() || !later(*n)).map(|n| alive[n]).collect();
        act.save("save", Some(Value::Integer(i64::try_from(shown.len()).unwrap())));
        if let Some(name) = act.arg("saveValues") {
            let values = shown.iter().filter_map(|tick| tick.value.clone()).collect();
            act.entry.set_all(&name, values);
        }
        Ok(())
    }

    /// Of the graces that have begun, the last one counts.
    fn is_in_grace(&self, counter: &str, key: &str, now: i64) -> bool {
        let graces = self.resets.iter().filter(|reset| reset.counter == counter && reset.key == key);
        let begun =
            graces.filter_map(|reset| Some((reset.at, reset.grace_end?))).filter(|(at, _)| *at <= now);
        begun.max_by_key(|(at, _)| *at).is_some_and(|(_, end)| now < end)
    }

    /// Bans each value of the field.
    fn ban(&mut self, action: &str, sets: [&str; 2], act: &mut Act<'_>) -> Result<(), Failed> {
        let values = act.entry.values(&act.arg("IP").unwrap());
        let mut result = if values.is_empty() { Err(Failed) } else { Ok(()) };
        for value in values {
            let text = value.text(act.tools);
            let banned = address(&text).ok_or(Failed).and_then(|ip| self.ban_one(action, sets, ip, act));
            result = result.and(banned);
        }
        result
    }

    fn ban_one(
        &mut self,
        action: &str,
        sets: [&str; 2],
        ip: IpAddr,
        act: &mut Act<'_>,
    ) -> Result<(), Failed> {
        let now = act.entry.time();
        let net = network(act, ip);
        // All addresses that differ only in the host bits.
        let is_special = |text: &str| {
            let (special, bits) = text.split_once('/').unwrap();
            let special: IpAddr = special.parse().unwrap();
            let bits = net.1.min(bits.parse().unwrap());
            special.is_ipv4() == ip.is_ipv4() && first_bits(special, bits) == first_bits(ip, bits)
        };
        let special = [
            "0.0.0.0/32",
            "127.0.0.0/8",
            "224.0.0.0/4",
            "255.255.255.255/32",
            "::/128",
            "::1/128",
            "ff00::/8",
        ];
        if special.into_iter().any(is_special) && act.args["allowSpecial"] != json!(true) {
            return Err(Failed);
        }
        let set = act.arg(sets[usize::from(ip.is_ipv6())]).unwrap();
        let ip = net.0;
        let field = act.args["banSeconds"]["field"].as_str().map(str::to_owned);
        let of_field = match field {
            Some(name) => Some(seconds(&act.entry.text(&name, act.tools).ok_or(Failed)?)?),
            None => None,
        };
        let is_it = |ban: &Ban| ban.action == action && ban.set == set && ban.ip == ip;
        let renewed = self.bans.iter().any(|ban| is_it(ban) && ban.end.is_none_or(|end| now < end));
        let length = match (of_field, act.args["banSeconds"].as_array()) {
            (Some(length), _) => length,
            (None, None) => act.length("banSeconds"),
            (None, Some(list)) => {
                let is_ours = |o: &Offence| o.action == action && o.set == set && o.ip == ip;
                if !(renewed && self.offences.iter().any(is_ours)) {
                    self.offences.push(Offence {
                        action: action.to_owned(),
                        set: set.clone(),
                        ip: ip.clone(),
                        at: now,
                    });
                }
                let nth = self.offences.iter().filter(|o| is_ours(o) && o.at <= now).count();
                list[nth.clamp(1, list.len()) - 1].as_i64().unwrap() * 1_000_000
            }
        };
        let end = (length > 0).then_some(now + length);
        // An entry that comes late does not shorten what a later one has done.
        let stands =
            |ban: &Ban| now < ban.at && end.is_some_and(|end| ban.end.is_none_or(|known| end < known));
        if !self.bans.iter().any(|ban| is_it(ban) && stands(ban)) {
            self.bans.retain(|ban| !is_it(ban));
            self.bans.push(Ban { action: action.to_owned(), set: set.clone(), ip: ip.clone(), at: now, end });
        }
        act.effects.push(json!({
            "effect": "ban", "action": action, "set": set, "ip": ip,
            "seconds": length / 1_000_000, "renewed": renewed,
        }));
        Ok(())
    }

    fn remember(&mut self, act: &mut Act<'_>) -> Result<(), Failed> {
        let (now, memory) = (act.entry.time(), act.arg("memory").unwrap());
        let key = act.field("for").ok_or(Failed)?;
        let keep = match act.arg("keepSeconds") {
            Some(text) => seconds(&text)?,
            None => act.length("keepSeconds"),
        };
        let end = now + keep;
        for name in act.args["fields"].as_array().unwrap() {
            let field = name.as_str().unwrap().to_owned();
            let Some(text) = act.entry.text(&field, act.tools) else { continue };
            let is_it = |r: &Remembered| r.memory == memory && r.field == field && r.key == key;
            // An entry that comes late does not replace what a later one has stored.
            if self.remembered.iter().any(|r| is_it(r) && r.at > now && now < r.end) {
                continue;
            }
            self.remembered.retain(|r| !is_it(r));
            self.remembered.push(Remembered {
                memory: memory.clone(),
                field,
                key: key.clone(),
                at: now,
                end,
                text,
            });
        }
        Ok(())
    }

    fn recall(&mut self, act: &mut Act<'_>) -> Result<(), Failed> {
        let (now, memory) = (act.entry.time(), act.arg("memory").unwrap());
        let key = act.field("for").ok_or(Failed)?;
        for name in act.args["fields"].as_array().unwrap() {
            let field = name.as_str().unwrap();
            let is_it =
                |r: &&Remembered| r.memory == memory && r.field == field && r.key == key && now < r.end;
            let text = self.remembered.iter().find(is_it).map(|r| Value::Text(r.text.clone()));
            act.entry.set(field, text);
        }
        Ok(())
    }

    fn capture(&mut self, act: &mut Act<'_>) {
        let Some(client) = act.value("saddr") else { return };
        let client_port = act.value("sport");
        let seen_as = SEEN_AS.map(|name| {
            let value = act.field(name).or_else(|| value_text(&act.args[format!("{name}Value")]));
            value.map(|text| comparable(name, text))
        });
        if seen_as[0].is_none() {
            return;
        }
        let keep = act.args["keepSeconds"].as_u64().unwrap_or(63);
        let bits = u64::BITS - keep.leading_zeros();
        let at = act.entry.time().div_euclid(1_000_000);
        self.mappings.push(Mapping { at, bits, client, client_port, seen_as });
    }

    fn replace(&mut self, act: &mut Act<'_>) {
        let now = act.entry.time().div_euclid(1_000_000);
        let mut wanted = Vec::new();
        for (n, name) in SEEN_AS.into_iter().enumerate() {
            if act.arg(name).is_some() {
                let Some(text) = act.field(name) else { return };
                wanted.push((n, comparable(name, text)));
            }
        }
        let is_alive = |mapping: &&Mapping| now >> mapping.bits <= 1 + (mapping.at >> mapping.bits);
        let is_it =
            |mapping: &&Mapping| wanted.iter().all(|(n, text)| mapping.seen_as[*n].as_ref() == Some(text));
        let Some(mapping) = self.mappings.iter().rev().filter(is_it).find(is_alive) else { return };
        act.save("saddrInto", Some(mapping.client.clone()));
        if let Some(port) = &mapping.client_port {
            act.save("sportInto", Some(port.clone()));
        }
    }
}

/// The argument `by`: a number, or the field that has it.
fn by(act: &mut Act<'_>) -> Result<u64, Failed> {
    if let Some(number) = act.args["by"].as_u64() {
        return Ok(number);
    }
    let Some(text) = act.field("by") else { return Ok(1) };
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && text.bytes().any(|byte| byte != b'0');
    if is_number { Ok(text.parse().unwrap_or(1000).min(1000)) } else { Err(Failed) }
}

/// The duration in a field, in microseconds.
fn seconds(text: &str) -> Result<i64, Failed> {
    let Seconds(seconds) = match text.parse() {
        Ok(number) => Seconds(number),
        Err(_) => text.parse().map_err(|_| Failed)?,
    };
    let seconds = i64::try_from(seconds).map_err(|_| Failed)?;
    if (1..LONGEST_SECONDS).contains(&seconds) { Ok(seconds * 1_000_000) } else { Err(Failed) }
}

/// Values compare as text; but an address is the same address in each of its spellings.
fn comparable(name: &str, text: String) -> String {
    let is_address = name.ends_with("addr");
    address(&text).filter(|_| is_address).map_or(text, |ip| ip.to_string())
}

/// A value in the arguments: a text, or a number as its text.
fn value_text(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The network that an address stands for, as text, and the length of its prefix.
fn network(act: &Act<'_>, ip: IpAddr) -> (String, u32) {
    let (name, full) = if ip.is_ipv4() { ("prefix4", 32) } else { ("prefix6", 128) };
    let bits = act.args[name].as_u64().map_or(full, |bits| u32::try_from(bits).unwrap());
    let first: IpAddr = match (ip, first_bits(ip, bits)) {
        (IpAddr::V4(_), first) => std::net::Ipv4Addr::from(u32::try_from(first >> 96).unwrap()).into(),
        (IpAddr::V6(_), first) => std::net::Ipv6Addr::from(first).into(),
    };
    (if bits == full { first.to_string() } else { format!("{first}/{bits}") }, bits)
}

/// The address as a number of 128 bits, of which only the first ones are kept.
fn first_bits(ip: IpAddr, bits: u32) -> u128 {
    let number = match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)) << 96,
        IpAddr::V6(ip) => u128::from(ip),
    };
    (0..bits).fold(0, |kept, n| kept | (number & (1 << (127 - n))))
}
