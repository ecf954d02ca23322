//! A real SMTP server: `smtp/server.py`, for which Python's `aiosmtpd` speaks the protocol.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts it with its mails in `directory`, and waits until it listens. The arguments are the port, the encryption
/// (`none`, …), and what that needs.
pub fn start(directory: &Path, args: &[&str]) -> Child {
    let mut child = Command::new("/usr/bin/python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smtp/server.py"))
        .arg(directory)
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed, with aiosmtpd");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n", "the server does not start; is python3-aiosmtpd there?");
    child
}
