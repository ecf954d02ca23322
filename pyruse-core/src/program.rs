//! Runs a configured program: an argv without a shell, with input, and with a time limit. It waits for the program, so
//! only couriers may use it.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How much of a program's standard error is kept, in bytes.
const MAX_STDERR: usize = 2000;

/// Returns the argv. If the default program is not at the default path, it is looked up in the usual directories.
pub fn with_default_found(argv: &[String], default: &str) -> Vec<String> {
    let mut argv = argv.to_vec();
    if let Some(program) =
        argv.first_mut().filter(|program| *program == default && !Path::new(default).exists())
    {
        let name = Path::new(default).file_name().unwrap_or_default();
        let places = ["/usr/sbin", "/usr/lib", "/sbin"].map(|place| Path::new(place).join(name));
        if let Some(found) = places.iter().find(|place| place.exists()) {
            *program = found.to_string_lossy().into_owned();
        }
    }
    argv
}

/// The reason why a program failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the operator needs to know: which program, how it ended, and what it printed.
    pub message: String,
    /// It did not end in time: running it again at once would only wait as long again.
    pub timed_out: bool,
    /// It could not be started.
    pub not_started: bool,
    /// Its exit status, if it ended by itself.
    pub status: Option<i32>,
}

impl Failure {
    fn new(message: String) -> Failure {
        Failure { message, timed_out: false, not_started: false, status: None }
    }
}

/// The maximum size of an answer that is read; nothing that we ask for is longer.
const ANSWER: u64 = 64 << 20;

/// Runs the program with these additional arguments, for at most `limit`. Returns its standard output; the errors are
/// those of [`run`].
pub fn ask(argv: &[String], more: &[&str], limit: Duration) -> Result<Vec<u8>, Failure> {
    let failed = |e: std::io::Error| Failure::new(format!("its answer cannot be read: {e}"));
    // A file in memory takes any answer at once: it need not be read while the program runs.
    let mut answer = in_memory(b"").map_err(failed)?;
    run_into(argv, more, b"", limit, answer.try_clone().map_err(failed)?.into(), None)?;
    let mut read = Vec::new();
    answer.rewind().and_then(|()| answer.take(ANSWER).read_to_end(&mut read)).map_err(failed)?;
    Ok(read)
}

/// Runs the program with these additional arguments and this input, for at most `limit`; then it is killed. An exit
/// status other than 0 is an error, whose message contains the start of the program's standard error.
///
/// The input is complete before the program starts, as a file in memory. If this process were killed while it writes to
/// a pipe, the program would take the truncated input for all of it.
pub fn run(argv: &[String], more: &[&str], input: &[u8], limit: Duration) -> Result<(), Failure> {
    run_into(argv, more, input, limit, Stdio::null(), None)
}

/// Runs the program with only these variables in its environment, for at most `limit`; then it is killed. The errors are
/// those of [`run`].
pub fn run_with(argv: &[String], env: &[(String, String)], limit: Duration) -> Result<(), Failure> {
    run_into(argv, &[], b"", limit, Stdio::null(), Some(env))
}

fn run_into(
    argv: &[String],
    more: &[&str],
    input: &[u8],
    limit: Duration,
    output: Stdio,
    env: Option<&[(String, String)]>,
) -> Result<(), Failure> {
    let failed = Failure::new;
    let Some((program, arguments)) = argv.split_first() else {
        return Err(failed("the command is empty".into()));
    };
    let stdin = if input.is_empty() { Ok(Stdio::null()) } else { in_memory(input).map(Stdio::from) };
    let mut command = Command::new(program);
    if let Some(env) = env {
        command.env_clear().envs(env.iter().map(|(name, value)| (name, value)));
    }
    let mut child = command
        .args(arguments)
        .args(more)
        .stdin(stdin.map_err(|e| failed(format!("{program}: its input cannot be prepared: {e}")))?)
        .stdout(output)
        .stderr(Stdio::piped())
        // A process group of its own, so that its children can be ended with it.
        .process_group(0)
        .spawn()
        .map_err(|e| Failure { not_started: true, ..failed(format!("{program}: cannot be started: {e}")) })?;
    let mut stderr = Vec::new();
    match wait_with_limit(&mut child, &mut stderr, Instant::now() + limit) {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => {
            let failure = failed(format!("{program}: {}{}", ending(status), shown(&stderr)));
            Err(Failure { status: status.code(), ..failure })
        }
        Ok(None) => {
            let message =
                format!("{program}: not finished after {} s, killed{}", limit.as_secs(), shown(&stderr));
            Err(Failure { timed_out: true, ..failed(message) })
        }
        Err(e) => Err(failed(format!("{program}: {e}"))),
    }
}

fn in_memory(input: &[u8]) -> std::io::Result<File> {
    let mut file = File::from(memfd_create(c"pyruse", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(input)?;
    file.rewind()?;
    Ok(file)
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended in an unknown way".into(),
    }
}

fn shown(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!(": {}", text.replace('\n', " / ")) }
}

/// Waits until the program ends, and keeps the start of its standard error; `None` if the time limit expired before.
fn wait_with_limit(
    child: &mut Child,
    kept: &mut Vec<u8>,
    deadline: Instant,
) -> std::io::Result<Option<ExitStatus>> {
    let mut stderr = child.stderr.take();
    if let Some(stderr) = &stderr {
        set_nonblocking(stderr)?;
    }
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        let now = Instant::now();
        if now >= deadline {
            break None;
        }
        // Its end shows as the end of its standard error, unless a child holds that open. So its status is also polled
        // at a low rate.
        let slice = (deadline - now).min(Duration::from_millis(if stderr.is_some() { 100 } else { 1 }));
        let mut fds: Vec<PollFd<'_>> =
            stderr.iter().map(|stderr| PollFd::new(stderr.as_fd(), PollFlags::POLLIN)).collect();
        match poll(&mut fds, PollTimeout::try_from(slice).unwrap_or(PollTimeout::ZERO)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
        if let Some(pipe) = &mut stderr
            && read_available(pipe, kept)
        {
            stderr = None;
        }
    };
    if status.is_none() {
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
        // It may have ended just now; then there is no process to kill. It may have left its group; so it is also
        // killed by its own id.
        let _ = killpg(group, Signal::SIGKILL);
        let _ = child.kill();
        let given_up = Instant::now() + Duration::from_secs(2);
        // A process that we may not kill (sudo), or that cannot be killed (a dead file system), must not block us.
        while child.try_wait()?.is_none() && Instant::now() < given_up {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    if let Some(pipe) = &mut stderr {
        read_available(pipe, kept);
    }
    Ok(status)
}

fn set_nonblocking(fd: &impl AsFd) -> std::io::Result<()> {
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map(drop).map_err(Into::into)
}

/// Reads what is available. Returns whether that is the end.
fn read_available(pipe: &mut impl Read, kept: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 1024];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => return true,
            Ok(length) => {
                let room = MAX_STDERR.saturating_sub(kept.len());
                kept.extend_from_slice(&buffer[..length.min(room)]);
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => return false,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(_) => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, input: &[u8], limit: Duration) -> Result<(), String> {
        run(&["/bin/sh".into(), "-c".into(), script.into()], &[], input, limit)
            .map_err(|failure| failure.message)
    }

    #[test]
    fn an_error_contains_the_standard_error_and_the_exit_status() {
        let long = Duration::from_secs(20);
        assert_eq!(sh("exit 0", b"", long), Ok(()));
        assert_eq!(
            sh("echo no >&2; echo way >&2; exit 3", b"", long).unwrap_err(),
            "/bin/sh: exit status 3: no / way"
        );
        assert_eq!(sh("kill -9 $$", b"", long).unwrap_err(), "/bin/sh: killed by signal 9");
        let missing = run(&["/no/such".into()], &[], b"", long).unwrap_err().message;
        assert!(missing.starts_with("/no/such: cannot be started: "), "{missing}");
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_all_that_it_started() {
        let start = Instant::now();
        let error =
            sh("sleep 1000 & sleep 1000", &vec![b'x'; 1 << 20], Duration::from_millis(300)).unwrap_err();
        assert!(error.contains("not finished after"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(300));
    }

    #[test]
    fn a_large_input_arrives_complete_and_one_that_is_not_read_is_no_error() {
        let input = vec![b'x'; 3 << 20];
        assert_eq!(sh("test $(wc -c) = 3145728", &input, Duration::from_secs(20)), Ok(()));
        assert_eq!(sh("exit 0", &input, Duration::from_secs(20)), Ok(()));
    }

    #[test]
    fn a_child_that_is_left_behind_does_not_delay_the_result() {
        let start = Instant::now();
        assert_eq!(sh("sleep 1000 & exit 0", b"", Duration::from_secs(600)), Ok(()));
        assert!(start.elapsed() < Duration::from_secs(300));
    }
}
