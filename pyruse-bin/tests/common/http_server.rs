//! An HTTP server on loopback that keeps what it is asked, and answers as the test says, as badly as it wants.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Firewall, wait_for};

/// What the server was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// With names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// The identity that all attempts share.
    pub fn id(&self) -> &str {
        self.header("idempotency-key").expect("an identity")
    }
}

/// Writes an answer; whatever error it gets ends the connection.
pub type Answer = Box<dyn Fn(&Request, &mut dyn Write) -> std::io::Result<()> + Send + Sync>;

pub struct HttpServer {
    pub port: u16,
    scheme: &'static str,
    requests: Arc<Mutex<Vec<Request>>>,
    answer: Arc<Mutex<Arc<Answer>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// An answer with this status, these further header lines and this text.
pub fn status(status: &'static str, headers: &'static str, text: &'static str) -> Answer {
    Box::new(move |_, out| {
        write!(out, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{text}", text.len())
    })
}

impl HttpServer {
    /// Answers 200 to everything.
    pub fn start() -> HttpServer {
        HttpServer::start_on(0, None, None)
    }

    /// The same, in the network namespace of a firewall.
    pub fn start_in(firewall: &Firewall) -> HttpServer {
        super::run(firewall.command("ip").args(["link", "set", "lo", "up"]));
        HttpServer::start_on(0, None, Some(&firewall.name))
    }

    /// The same, on a port where one was before.
    pub fn start_again(port: u16) -> HttpServer {
        HttpServer::start_on(port, None, None)
    }

    /// The same, with TLS, and this certificate.
    pub fn start_with_tls(certificate: &Path, key: &Path) -> HttpServer {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap())
            .unwrap();
        HttpServer::start_on(0, Some(Arc::new(config)), None)
    }

    fn start_on(port: u16, tls: Option<Arc<rustls::ServerConfig>>, namespace: Option<&str>) -> HttpServer {
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let answer = Arc::new(Mutex::new(Arc::new(status("200 OK", "", ""))));
        let is_over = Arc::new(AtomicBool::new(false));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (kept, current, over) = (requests.clone(), answer.clone(), is_over.clone());
        let namespace = namespace.map(|name| File::open(format!("/run/netns/{name}")).unwrap());
        let (bound, port_of) = channel();
        let thread = std::thread::spawn(move || {
            if let Some(namespace) = namespace {
                setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            }
            let listener = wait_for("the port", || TcpListener::bind(("127.0.0.1", port)).ok());
            listener.set_nonblocking(true).unwrap();
            bound.send(listener.local_addr().unwrap().port()).unwrap();
            while !over.load(Ordering::SeqCst) {
                let Ok((stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(2));
                    continue;
                };
                stream.set_nonblocking(false).unwrap();
                let (kept, current, tls) = (kept.clone(), current.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    None => serve(stream, &kept, &current),
                    Some(config) => {
                        let connection = rustls::ServerConnection::new(config).unwrap();
                        serve(rustls::StreamOwned::new(connection, stream), &kept, &current);
                    }
                });
            }
        });
        let port = port_of.recv().unwrap();
        HttpServer { port, scheme, requests, answer, is_over, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.port)
    }

    /// From now on, it answers like this.
    pub fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits until there are at least so many requests.
    pub fn wait(&self, count: usize, log: impl Fn() -> String) -> Vec<Request> {
        let end = std::time::Instant::now() + super::LONG;
        loop {
            let requests = self.requests();
            if requests.len() >= count {
                return requests;
            }
            assert!(std::time::Instant::now() < end, "{count} requests, not {requests:?}; {}", log());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

fn serve(stream: impl Read + Write, kept: &Mutex<Vec<Request>>, answer: &Mutex<Arc<Answer>>) {
    let mut stream = BufReader::new(stream);
    let Some(request) = read(&mut stream) else { return };
    kept.lock().unwrap().push(request.clone());
    let answer = answer.lock().unwrap().clone();
    let mut stream = stream.into_inner();
    // The client may not want the rest.
    let _ = answer(&request, &mut stream).and_then(|()| stream.flush());
}

fn read(stream: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            // A client that was killed sends half a request.
            if line != "\r\n" {
                return None;
            }
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    stream.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body: String::from_utf8(body).unwrap() })
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Makes an authority `ca.pem`, and by it a certificate for `localhost`, `server.pem` with `server.key`.
pub fn make_certificates(directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    let openssl = |args: &str| {
        super::run(std::process::Command::new("openssl").args(args.split(' ')).current_dir(directory))
    };
    let extensions = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
    std::fs::write(directory.join("san"), extensions).unwrap();
    let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {new_key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"));
    openssl(&format!("req {new_key} -keyout server.key -out server.csr -subj /CN=localhost"));
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out server.pem",
    );
}
