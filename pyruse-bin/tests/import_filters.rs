//! All filters of the installed fail2ban are imported, and search the logs that its package has for its own tests: they
//! find the same addresses as `fail2ban-regex`.

#[allow(dead_code, reason = "this uses a part of it")]
#[path = "fail2ban/mod.rs"]
mod fail2ban;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use fail2ban::{Copy, SAMPLES, VERSION};
use serde_json::Value;

/// Filters that find other addresses, and why.
const OTHERS: [(&str, &str); 2] = [
    ("cyrus-imap", "fail2ban misses a date whose form differs from those before"),
    ("nginx-bad-request", "fail2ban misses a date whose form differs from those before"),
];

/// The names of all filters that are no part of others.
fn filters(directory: &Path) -> Vec<String> {
    let files = fs::read_dir(directory.join("filter.d")).unwrap();
    let names = files.filter_map(|file| {
        file.unwrap().file_name().into_string().unwrap().strip_suffix(".conf").map(str::to_owned)
    });
    let mut names: Vec<String> =
        names.filter(|name| name != "common" && !name.ends_with("-common")).collect();
    names.sort();
    names
}

/// The output of a program that may fail.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Addresses that a remote host can have.
fn remote<'t>(texts: impl Iterator<Item = &'t str>) -> BTreeSet<IpAddr> {
    let addresses = texts.filter_map(|text| text.trim().parse::<IpAddr>().ok());
    addresses.filter(|ip| !ip.is_loopback() && !ip.is_unspecified()).collect()
}

/// The addresses that the imported rules of that filter ban.
fn ours(out: &Path, filter: &str, source: &str, args: &Value, log: &Path) -> BTreeSet<IpAddr> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pyruse"));
    command
        .arg("--config")
        .arg(out.join("pyruse.json"))
        .args(["replay", "--json", "--format", "text", "--file"]);
    command.arg(log).arg("--field").arg(format!("_SOURCE={source}"));
    for (argument, option) in [("time", "--time"), ("first_line", "--first-line")] {
        if let Some(value) = args[argument].as_str() {
            command.args([option, value]);
        }
    }
    let printed = output(&mut command);
    let effects = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let bans: Vec<Value> = effects
        .filter(|e| e["effect"] == "ban" && e["chain"] == format!("{filter}: count"))
        .map(|e| e["ip"].clone())
        .collect();
    remote(bans.iter().filter_map(Value::as_str))
}

#[test]
fn all_filters_find_the_same_addresses_as_fail2ban_and_the_page_has_the_numbers() {
    let copy = Copy::with("");
    assert!(Path::new(SAMPLES).is_dir(), "the package fail2ban has no logs in {SAMPLES}");
    let filters = filters(&copy.directory());
    let mut jails =
        "[DEFAULT]\nmaxretry = 1\nignoreself = false\nbackend = polling\nbanaction = nftables-allports\n"
            .to_owned();
    let log = |filter: &str| Some(copy.logs().join(filter)).filter(|path| path.is_file());
    let empty = copy.logs().join("empty.log");
    fs::write(&empty, "").unwrap();
    for filter in &filters {
        // Comments say what is expected, with dates of their own.
        let Ok(sample) = fs::read(Path::new(SAMPLES).join(filter)) else { continue };
        let lines = sample.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#"));
        fs::write(copy.logs().join(filter), lines.flatten().copied().collect::<Vec<u8>>()).unwrap();
    }
    for filter in &filters {
        let path = log(filter).unwrap_or_else(|| empty.clone());
        let _ =
            writeln!(jails, "[{filter}]\nenabled = true\nfilter = {filter}\nlogpath = {}", path.display());
        jails.push_str("action = nftables-allports\n");
    }
    fs::write(copy.directory().join("jail.conf"), &jails).unwrap();
    let out = copy.path("out");
    let (printed, _) = copy.import(&out, &[]);
    println!("{printed}");
    let numbers = printed.lines().find(|line| line.contains(" jails: ")).expect(&printed);

    let sources = fail2ban::sources(&out);
    let mut others = BTreeMap::new();
    let mut compared = 0;
    for (name, source) in sources.as_object().unwrap() {
        let args = &source["args"];
        let path = PathBuf::from(args["paths"][0].as_str().unwrap());
        let Some(filter) = path.file_name().and_then(|name| name.to_str()).filter(|name| log(name).is_some())
        else {
            continue;
        };
        let ours = ours(&out, filter, name, args, &path);
        let mut command = Command::new("fail2ban-regex");
        command.arg("-c").arg(copy.directory()).args(["-r", "-o", "id"]).arg(&path).arg(filter);
        let theirs = output(&mut command);
        let theirs = remote(theirs.lines());
        compared += 1;
        if ours != theirs {
            println!("{filter}: ours {ours:?}, fail2ban {theirs:?}");
            others.insert(filter.to_owned(), ours.len());
        }
    }
    println!("{compared} compared, {} differ", others.len());
    assert!(compared > 80, "{compared}");
    if fail2ban::version() == VERSION {
        let expected: Vec<&str> = OTHERS.iter().map(|(filter, _)| *filter).collect();
        assert_eq!(others.keys().collect::<Vec<_>>(), expected);
        let page = fail2ban::page();
        let numbers = numbers.replace("jails:", &format!("filters of fail2ban {VERSION}:"));
        assert!(page.contains(&numbers), "{numbers}");
        let same = format!("{} of {compared} find the same addresses", compared - others.len());
        assert!(page.contains(&same), "{same}");
    } else {
        assert!(others.len() * 5 < compared, "{others:?}");
    }
}
