//! `pyruse import hosts.deny`, `csv` and `text`: addresses in files of other programs become a file for a list.

use std::collections::HashSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use pyruse_core::network::Network;

use crate::command::text::{counted, printable};
use crate::ending::Ending;

/// The limits of a file of a list.
const MAX_SIZE: u64 = 32 << 20;
const MAX_NETWORKS: usize = 1_000_000;

/// How many lines that cannot be used are printed; the others are counted.
const MAX_SHOWN: usize = 20;

/// Where a file of addresses comes from and goes to.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file to read
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file to write, which must not exist; without it, the addresses are printed
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Which field of a line has the address.
#[derive(clap::Args)]
pub(crate) struct CsvArgs {
    #[command(flatten)]
    args: Args,
    /// The column with the address: its number, from 1, or its name in the first line
    #[arg(long, value_name = "COLUMN", default_value = "1")]
    column: String,
    /// The character between columns
    #[arg(long, value_name = "C", default_value_t = ',')]
    separator: char,
}

/// The form of a file.
pub(crate) enum Form<'f> {
    HostsDeny,
    Csv { column: &'f str, separator: char },
    Text,
}

impl CsvArgs {
    pub(crate) fn run(&self) -> anyhow::Result<Ending> {
        run(&self.args, &Form::Csv { column: &self.column, separator: self.separator })
    }
}

pub(crate) fn run(args: &Args, form: &Form<'_>) -> anyhow::Result<Ending> {
    if let Some(output) = args.output.as_ref().filter(|path| path.symlink_metadata().is_ok()) {
        bail!("{} exists, and nothing is overwritten: name another file with --output", output.display());
    }
    let text = read(&args.file)?;
    let found = Found::of(&text, form)?;
    let mut written = String::new();
    for network in &found.networks {
        written += &network.to_string();
        written.push('\n');
    }
    match &args.output {
        Some(path) => {
            let failed = || format!("writing {}", path.display());
            let mut file = fs::File::create_new(path).with_context(failed)?;
            file.write_all(written.as_bytes()).and_then(|()| file.sync_all()).with_context(failed)?;
        }
        None => std::io::stdout().lock().write_all(written.as_bytes())?,
    }
    for problem in found.problems.iter().take(MAX_SHOWN) {
        eprintln!("pyruse: {}: {}", args.file.display(), printable(problem));
    }
    let (networks, problems) = (found.networks.len() as u64, found.problems.len() as u64);
    eprintln!(
        "pyruse: {}; {} could not be used",
        counted(networks, "address or network", "addresses and networks"),
        counted(problems, "line", "lines")
    );
    Ok(if found.problems.is_empty() { Ending::Good } else { Ending::Failed })
}

fn read(path: &Path) -> anyhow::Result<String> {
    let failed = || format!("reading {}", path.display());
    let file = fs::File::open(path).with_context(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).with_context(failed)?;
    if bytes.len() as u64 > MAX_SIZE {
        bail!("{} is larger than {} MiB", path.display(), MAX_SIZE >> 20);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What a file has.
#[derive(Debug, Default)]
struct Found {
    /// In their order, each once.
    networks: Vec<Network>,
    known: HashSet<Network>,
    /// Lines that cannot be used, and why.
    problems: Vec<String>,
}

impl Found {
    fn of(text: &str, form: &Form<'_>) -> anyhow::Result<Found> {
        let mut found = Found::default();
        match form {
            Form::HostsDeny => found.hosts_deny(text),
            Form::Csv { column, separator } => found.csv(text, column, *separator)?,
            Form::Text => found.text(text),
        }
        if found.networks.len() > MAX_NETWORKS {
            bail!("a list has at most {MAX_NETWORKS} networks, and these are {}", found.networks.len());
        }
        Ok(found)
    }

    fn add(&mut self, network: Network, line: usize) {
        if network.bits() == 0 {
            self.problems.push(format!("line {line}: {network} is all addresses"));
        } else if self.known.insert(network) {
            self.networks.push(network);
        }
    }

    /// hosts_access(5): `daemons : clients : options`, with a line continued by a backslash at its end.
    fn hosts_deny(&mut self, text: &str) {
        let mut begun = String::new();
        for (n, line) in text.lines().enumerate() {
            let n = n + 1;
            if let Some(part) = line.strip_suffix('\\') {
                begun += part;
                continue;
            }
            let whole = std::mem::take(&mut begun) + line;
            let rule = whole.trim();
            if rule.is_empty() || rule.starts_with('#') {
                continue;
            }
            let Some((_, clients)) = rule.split_once(':') else {
                self.problems.push(format!("line {n}: there is no `:`"));
                continue;
            };
            // DenyHosts writes IPv6 addresses without brackets.
            if let Some(network) = client(clients.trim()) {
                self.add(network, n);
                continue;
            }
            let clients = before_options(clients);
            let mut words =
                clients.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
            if words.clone().any(|word| word == "EXCEPT") {
                self.problems.push(format!("line {n}: EXCEPT cannot be a list"));
                continue;
            }
            words.by_ref().for_each(|word| match client(word) {
                Some(network) => self.add(network, n),
                None => self.problems.push(format!("line {n}: `{word}` is no address")),
            });
        }
    }

    fn csv(&mut self, text: &str, column: &str, separator: char) -> anyhow::Result<()> {
        let mut lines = text.lines().enumerate();
        let at = match column.parse::<usize>() {
            Ok(0) => bail!("columns have numbers from 1"),
            Ok(number) => number - 1,
            Err(_) => {
                let names = lines.next().map(|(_, line)| fields(line, separator)).unwrap_or_default();
                let at = names.iter().position(|name| name.trim() == column);
                at.with_context(|| format!("the first line has no column `{column}`"))?
            }
        };
        for (n, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            match fields(line, separator).get(at).and_then(|field| scoped(field.trim())) {
                Some(network) => self.add(network, n + 1),
                None => self.problems.push(format!("line {}: column {} has no address", n + 1, at + 1)),
            }
        }
        Ok(())
    }

    /// Every word that is an address or a network; what follows `#` is a comment.
    fn text(&mut self, text: &str) {
        for (n, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let is_between = |c: char| c.is_whitespace() || ",;|\"'()<>=[]{}".contains(c);
            let words = line.split(is_between).filter(|word| word.contains(['.', ':']));
            let networks: Vec<Network> = words.filter_map(Network::parse).collect();
            if networks.is_empty() && !line.trim().is_empty() {
                self.problems.push(format!("line {}: there is no address", n + 1));
            }
            for network in networks {
                self.add(network, n + 1);
            }
        }
    }
}

/// The clients, without the options behind the next `:`. Within brackets, `:` is a part of an IPv6 address.
fn before_options(text: &str) -> &str {
    let mut is_within = false;
    let end = text.find(|c| {
        match c {
            '[' => is_within = true,
            ']' => is_within = false,
            _ => {}
        }
        c == ':' && !is_within
    });
    &text[..end.unwrap_or(text.len())]
}

/// A client of hosts_access(5): `192.0.2.1`, `192.0.2.`, `192.0.2.0/255.255.255.0`, `[2001:db8::]/32`.
fn client(word: &str) -> Option<Network> {
    if let Some(rest) = word.strip_prefix('[') {
        return Network::parse(&rest.replacen(']', "", 1));
    }
    if let Some(first) = word.strip_suffix('.') {
        let parts = first.split('.').count();
        let zeros = ".0".repeat(4usize.checked_sub(parts)?);
        return Network::parse(&format!("{first}{zeros}/{}", parts * 8));
    }
    if let Some((address, mask)) = word.split_once('/')
        && let Ok(mask) = mask.parse::<Ipv4Addr>()
    {
        let mask = u32::from(mask);
        let is_mask = mask.leading_ones() + mask.trailing_zeros() == 32 || mask == u32::MAX;
        return is_mask.then(|| Network::parse(&format!("{address}/{}", mask.leading_ones())))?;
    }
    Network::parse(word)
}

/// An address or a network, which CrowdSec writes with its scope: `Ip:192.0.2.1`, `Range:192.0.2.0/24`.
fn scoped(field: &str) -> Option<Network> {
    let address = ["Ip:", "Range:"].iter().find_map(|scope| field.strip_prefix(scope));
    Network::parse(address.unwrap_or(field))
}

/// The fields of a line, of which some may be in quotes.
fn fields(line: &str, separator: char) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            c if c == separator && !is_quoted => fields.push(String::new()),
            c => fields.last_mut().into_iter().for_each(|field| field.push(c)),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::{Form, Found};

    fn found(text: &str, form: &Form<'_>) -> (Vec<String>, Vec<String>) {
        let found = Found::of(text, form).unwrap();
        (found.networks.iter().map(ToString::to_string).collect(), found.problems)
    }

    #[test]
    fn clients_of_hosts_deny_are_networks() {
        let text = "# x\nALL: 192.0.2.1, 198.51.100.\nsshd : [2001:db8::]/32 [::5] : spawn (x)\n\
                    ALL: 10.0.0.0/255.0.0.0 \\\n 192.0.2.1\nALL: .example.org ALL\nALL: 1.2.3.4 EXCEPT 1.2.3.5\nx\n\
                    sshd: 2001:db8::7\n";
        let (networks, problems) = found(text, &Form::HostsDeny);
        assert_eq!(
            networks,
            ["192.0.2.1", "198.51.100.0/24", "2001:db8::/32", "::5", "10.0.0.0/8", "2001:db8::7"]
        );
        assert_eq!(
            problems,
            [
                "line 6: `.example.org` is no address",
                "line 6: `ALL` is no address",
                "line 7: EXCEPT cannot be a list",
                "line 8: there is no `:`"
            ]
        );
    }

    #[test]
    fn a_column_of_csv_is_named_or_numbered() {
        let text = "when,\"ip\"\n\"a, b\",192.0.2.1\n\nc,x\n";
        let expected = (vec!["192.0.2.1".to_owned()], vec!["line 4: column 2 has no address".to_owned()]);
        assert_eq!(found(text, &Form::Csv { column: "ip", separator: ',' }), expected);
        let (networks, problems) = found(text, &Form::Csv { column: "2", separator: ',' });
        assert_eq!((networks.len(), problems.len()), (1, 2));
        let scoped = "id,ip\n1,Ip:192.0.2.1\n2,Range:2001:db8::/32\n3,Country:FR\n";
        let (networks, problems) = found(scoped, &Form::Csv { column: "ip", separator: ',' });
        assert_eq!(networks, ["192.0.2.1", "2001:db8::/32"]);
        assert_eq!(problems, ["line 4: column 2 has no address"]);
        assert!(Found::of(text, &Form::Csv { column: "no", separator: ',' }).is_err());
    }

    #[test]
    fn addresses_are_found_anywhere_in_a_text() {
        let text =
            "1574939|100|4|192.0.2.1\nDeny from 192.0.2.0/24 # 10.0.0.1\n0.0.0.0/0\nnothing\n[2001:db8::1]\n";
        let (networks, problems) = found(text, &Form::Text);
        assert_eq!(networks, ["192.0.2.1", "192.0.2.0/24", "2001:db8::1"]);
        assert_eq!(problems, ["line 3: 0.0.0.0/0 is all addresses", "line 4: there is no address"]);
    }
}
