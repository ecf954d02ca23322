//! The filters, one by one, as the contract lists them.

use std::cmp::Ordering;
use std::net::IpAddr;

use pyruse_core::pattern::Groups;
use serde_json::Value as Json;

use super::entry::{Entry, Value};
use super::{Failed, Tools};

pub fn passes(name: &str, args: &Json, entry: &mut Entry, tools: &mut Tools) -> Result<bool, Failed> {
    let field = args["field"].as_str().expect("every filter has a field");
    let values = entry.values(field);
    match name {
        "filter_equals" => Ok(values.iter().any(|value| equals(value, &args["value"]))),
        "filter_in" => {
            let list = args["values"].as_array().unwrap();
            if values.is_empty() {
                return Ok(list.contains(&Json::Null));
            }
            Ok(values.iter().any(|value| list.iter().any(|listed| equals(value, listed))))
        }
        "filter_lowerOrEquals" => {
            any(&values, |value| order(value, &args["value"]).map(|order| order != Ordering::Greater))
        }
        "filter_greaterOrEquals" => {
            any(&values, |value| order(value, &args["value"]).map(|order| order != Ordering::Less))
        }
        "filter_inNetworks" => any(&values, |value| {
            let ip = address(&value.text(tools)).ok_or(Failed)?;
            let nets = args["nets"].as_array().unwrap().iter().map(|net| net.as_str().unwrap());
            Ok(nets.into_iter().any(|net| {
                let is_list = tools.lists[net].is_object();
                if is_list { is_in_list(tools, net, ip) } else { contains(net, ip) }
            }))
        }),
        "filter_inList" => any(&values, |value| {
            let ip = address(&value.text(tools)).ok_or(Failed)?;
            Ok(is_in_list(tools, args["list"].as_str().unwrap(), ip))
        }),
        "filter_pcre" => search(args["re"].as_str().unwrap(), &args["save"], &values, entry, tools),
        "filter_pcreAny" => {
            for expression in args["re"].as_array().unwrap() {
                if search(expression.as_str().unwrap(), &Json::Null, &values, entry, tools)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        "filter_userExists" => any(&values, |value| {
            let name = value.text(tools);
            Ok(!name.contains('\0') && nix::unistd::User::from_name(&name).map_err(|_| Failed)?.is_some())
        }),
        other => panic!("no such filter: {other}"),
    }
}

/// A comparison holds if any element holds; it has failed if none does, and one could not be compared.
fn any(values: &[Value], mut holds: impl FnMut(&Value) -> Result<bool, Failed>) -> Result<bool, Failed> {
    let results: Vec<_> = values.iter().map(&mut holds).collect();
    if results.iter().any(|result| matches!(result, Ok(true))) {
        return Ok(true);
    }
    results.into_iter().find(Result::is_err).unwrap_or(Ok(false))
}

fn equals(value: &Value, wanted: &Json) -> bool {
    order(value, wanted).is_ok_and(|order| order == Ordering::Equal)
}

/// Number with number, text with text.
#[allow(clippy::cast_precision_loss, reason = "no test has a number that large")]
fn order(value: &Value, wanted: &Json) -> Result<Ordering, Failed> {
    match (value, wanted) {
        (Value::Text(value), Json::String(wanted)) => Ok(value.chars().cmp(wanted.chars())),
        (Value::Integer(value), Json::Number(wanted)) => match wanted.as_i64() {
            Some(wanted) => Ok(value.cmp(&wanted)),
            None => (*value as f64).partial_cmp(&wanted.as_f64().unwrap()).ok_or(Failed),
        },
        _ => Err(Failed),
    }
}

/// A mapped address is the IPv4 address; the name of an interface behind an IPv6 address is cut off.
pub fn address(text: &str) -> Option<IpAddr> {
    let is_name = |zone: &str| !zone.is_empty() && zone.bytes().all(|b| b.is_ascii_alphanumeric());
    let plain = match text.split_once('%') {
        Some((ip, zone)) if ip.contains(':') && is_name(zone) => ip,
        _ => text,
    };
    let ip: IpAddr = plain.parse().ok()?;
    Some(match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    })
}

/// Every network of the configuration and every line of a file is compared.
fn is_in_list(tools: &Tools, list: &str, ip: IpAddr) -> bool {
    let list = &tools.lists[list];
    let texts = |key: &str| list[key].as_array().cloned().unwrap_or_default();
    let mut nets: Vec<String> = texts("nets").iter().map(|net| net.as_str().unwrap().to_owned()).collect();
    for file in texts("files") {
        let text = std::fs::read_to_string(file.as_str().unwrap()).unwrap();
        let lines = text.lines().map(|line| line.split(['#', ';']).next().unwrap().trim());
        nets.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
    }
    nets.iter().any(|net| contains(net, ip))
}

/// All addresses as IPv6, the IPv4 ones mapped: then a net is its leading bits.
fn contains(net: &str, ip: IpAddr) -> bool {
    let (base, bits) = net.split_once('/').map_or((net, None), |(base, bits)| (base, Some(bits)));
    let base: IpAddr = base.parse().unwrap();
    let bits: u32 = bits.map_or(if base.is_ipv4() { 32 } else { 128 }, |bits| bits.parse().unwrap());
    let bits = if base.is_ipv4() { bits + 96 } else { bits };
    let wide = |ip: IpAddr| match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let is_v4_net = wide(base) >> 32 == 0xffff && bits >= 96;
    // IPv4 never matches IPv6 nets, not even `::/0`.
    is_v4_net == ip.is_ipv4() && (bits == 0 || (wide(base) ^ wide(ip)) >> (128 - bits) == 0)
}

fn search(
    expression: &str,
    save: &Json,
    values: &[Value],
    entry: &mut Entry,
    tools: &mut Tools,
) -> Result<bool, Failed> {
    let mut found = None;
    let passed = any(values, |value| {
        let text = value.text(tools);
        let mut groups = Groups::default();
        let is_found = tools.pattern(expression).search(&text, &mut groups).map_err(|_| Failed)?;
        if is_found && found.is_none() {
            found = Some((text, groups));
        }
        Ok(is_found)
    })?;
    let Some((text, groups)) = found else { return Ok(passed) };
    let group = |n: usize| groups.get(n).map(|range| Value::Text(text[range].to_owned()));
    for (n, name) in tools.pattern(expression).group_names() {
        entry.set(name, group(n));
    }
    for (n, name) in save.as_array().into_iter().flatten().enumerate() {
        entry.set(name.as_str().unwrap(), group(n + 1));
    }
    Ok(true)
}
