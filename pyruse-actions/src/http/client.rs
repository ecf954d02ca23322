//! The client of web services; and how `action_http` sends one request and reads the start of the answer. Redirects are not followed, so no answer can send us anywhere
//! else, and no proxy of the environment is used: only the one that the configuration names.

use std::io::Read;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pyruse_core::time::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use ureq::Agent;
use ureq::http::{HeaderMap, Request};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use super::outgoing::Ready;
use super::url::server;

/// How much of an answer is read, in bytes: enough to say why a server refuses.
pub(crate) const ANSWER: u64 = 400;

/// The maximum size of an answer's head, in bytes.
const HEAD: usize = 64 * 1024;

/// What a server answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// How long it asks us to wait.
    pub(super) retry_after: Option<Duration>,
    /// Where it redirects to.
    pub(super) location: Option<String>,
    /// The start of its body.
    pub(super) text: String,
}

/// Returns the certificates in the file.
pub(crate) fn authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let name = file.display();
    let text = std::fs::read(file).map_err(|e| format!("{name}: {e}"))?;
    let all: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|_| format!("{name} contains a damaged certificate"))?;
    if all.is_empty() {
        return Err(format!("{name} contains no certificate in PEM form"));
    }
    let mut store = RootCertStore::empty();
    for certificate in &all {
        store
            .add(certificate.clone())
            .map_err(|e| format!("{name} contains a certificate that cannot be used: {e}"))?;
    }
    Ok(all)
}

/// Returns the certificates that are trusted. The files are read each time, so that a renewed one is used.
fn trusted(ca_file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut all = rustls_native_certs::load_native_certs().certs;
    if let Some(file) = ca_file {
        all.extend(authorities(file)?);
    }
    Ok(all)
}

/// Makes a client. A request takes at most `limit`, from looking up the name to the end of the answer.
pub(crate) fn agent(
    ca_file: Option<&Path>,
    limit: Duration,
    proxy: Option<ureq::Proxy>,
) -> Result<Agent, String> {
    let trusted = trusted(ca_file)?;
    let roots: Vec<_> = trusted.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .build();
    Ok(Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(limit))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(proxy)
        .max_idle_connections(0)
        .max_response_header_size(HEAD)
        .user_agent(concat!("pyruse/", env!("CARGO_PKG_VERSION")))
        .allow_non_standard_methods(true)
        .build()
        .new_agent())
}

/// Sends a request. An error means that there was no whole answer.
pub(super) fn send(agent: &Agent, request: &Ready) -> Result<Answer, String> {
    let mut builder = Request::builder().method(request.method.as_str()).uri(request.url.as_str());
    for (name, value) in &request.headers {
        builder = builder.header(name.as_str(), value.as_bytes());
    }
    let answer = match &request.body {
        Some(body) => agent.run(builder.body(body.as_str()).map_err(|e| without_url(&e, request))?),
        None => agent.run(builder.body(()).map_err(|e| without_url(&e, request))?),
    };
    let mut answer = answer.map_err(|e| without_url(&e, request))?;
    let mut start = Vec::new();
    // The status is there; what is missing of the text is not needed.
    let _ = answer.body_mut().as_reader().take(ANSWER).read_to_end(&mut start);
    let headers = answer.headers();
    Ok(Answer {
        status: answer.status().as_u16(),
        retry_after: retry_after(headers),
        location: text(headers, "location"),
        text: one_line(&String::from_utf8_lossy(&start)),
    })
}

/// Returns an error's text. It must not contain the URL, in which a secret may be.
fn without_url(error: &dyn std::fmt::Display, request: &Ready) -> String {
    one_line(&error.to_string().replace(&request.url, "…"))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| one_line(&String::from_utf8_lossy(value.as_bytes())))
}

/// Returns the wait that `Retry-After` asks for, in seconds or until a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, "retry-after")?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(&value).ok()?;
    Some(Timestamp::now().until(Timestamp(date.timestamp().as_microsecond())))
}

/// Returns a text of a server on one line, and not longer than an answer.
pub(crate) fn one_line(text: &str) -> String {
    let limit = usize::try_from(ANSWER).unwrap_or(usize::MAX);
    let line = text.chars().take(limit).map(|c| if pyruse_core::text::is_hidden(c) { ' ' } else { c });
    line.collect::<String>().trim().to_owned()
}

/// Connects to a server and checks its certificate, without sending a request.
pub(super) fn connect(origin: &str, ca_file: Option<&Path>, limit: Duration) -> Result<(), String> {
    let (host, port) = server(origin);
    let addresses = (host.as_str(), port).to_socket_addrs().map_err(|e| e.to_string())?;
    let mut last = "its name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) if origin.starts_with("https://") => return handshake(stream, &host, ca_file, limit),
            Ok(_) => return Ok(()),
            Err(e) => last = format!("{address}: {e}"),
        }
    }
    Err(last)
}

fn handshake(
    mut stream: TcpStream,
    host: &str,
    ca_file: Option<&Path>,
    limit: Duration,
) -> Result<(), String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    stream.set_read_timeout(Some(limit)).map_err(|e| text(&e))?;
    stream.set_write_timeout(Some(limit)).map_err(|e| text(&e))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted(ca_file)?);
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| text(&e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|e| text(&e))?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(|e| text(&e))?;
    connection.complete_io(&mut stream).map(drop).map_err(|e| text(&e))
}

#[cfg(test)]
mod tests {
    use ureq::http::HeaderValue;

    use super::*;

    fn wait(value: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_str(value).unwrap());
        retry_after(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_server_says_how_long_to_wait_in_seconds_or_by_a_date() {
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0), "a date that has passed");
        assert!(wait("Fri, 31 Dec 2100 23:59:59 GMT").is_some_and(|seconds| seconds > 86_400));
        assert_eq!(wait("18446744073709551615"), Some(u64::MAX), "the courier bounds it");
        for bad in ["", "soon", "-1", "1e9", "18446744073709551616", "Fri, 31 Dec 99999 23:59:59 GMT"] {
            assert_eq!(wait(bad), None, "{bad}");
        }
    }
}
