//! Requests through a proxy: the one that the configuration names, and no other.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use super::*;

/// A proxy on loopback that keeps the heads of what it is asked.
struct LocalProxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl LocalProxy {
    /// With `user:pass word`. The server that it calls `hooks.invalid` has this port; others are on loopback.
    fn start(hooks: u16) -> LocalProxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = heads.clone();
        // It ends with the process of the test.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, kept) = (client.unwrap(), kept.clone());
                std::thread::spawn(move || serve(client, hooks, &kept));
            }
        });
        LocalProxy { port, heads }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The first lines of what it was asked.
    fn asked(&self) -> Vec<String> {
        self.heads.lock().unwrap().iter().map(|head| head.lines().next().unwrap().to_owned()).collect()
    }
}

fn serve(mut client: TcpStream, hooks: u16, kept: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
        head += &std::mem::take(&mut line);
    }
    if head.is_empty() {
        // A check that only connects.
        return;
    }
    kept.lock().unwrap().push(head.clone());
    let server = head.split(' ').nth(1).unwrap_or_default();
    let port = match server {
        "hooks.invalid:80" => hooks,
        other => other.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(0),
    };
    // `user:pass word`
    if !head.lines().any(|line| line == "Proxy-Authorization: Basic dXNlcjpwYXNzIHdvcmQ=") {
        let _ = client.write_all(
            b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nLocation: http://127.0.0.1/\r\n\r\n",
        );
        return;
    }
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)) else { return };
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut reader, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut from);
    let _ = from.shutdown(Shutdown::Both);
}

/// Lines of each program go to one of these servers.
fn rules_to(servers: &[(&str, String)]) -> Value {
    let chains = servers.iter().map(|(name, url)| {
        let steps = json!([
            {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": name}},
            {"action": "action_http", "args": {"url": url, "text": "{MESSAGE}"}},
        ]);
        ((*name).to_owned(), steps)
    });
    Value::Object(chains.collect())
}

fn tls_server(site: &Site) -> (HttpServer, PathBuf) {
    let directory = site.path("tls");
    make_certificates(&directory);
    let server = HttpServer::start_with_tls(&directory.join("server.pem"), &directory.join("server.key"));
    (server, directory.join("ca.pem"))
}

#[test]
fn the_proxy_of_the_environment_is_not_used() {
    let (journald, site, plain) = parts();
    let (encrypted, authority) = tls_server(&site);
    let proxy = LocalProxy::start(plain.port);
    let actions = rules_to(&[("plain", plain.url()), ("encrypted", encrypted.url())]);
    site.configure_with(&journald, &actions, &json!({"http": {"caFile": authority}}));
    let mut command = site.command(None, &["run"]);
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, proxy.url());
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    let pyruse = site.launch_command(command);
    pyruse.wait_ready();
    for name in ["plain", "encrypted"] {
        journald.line(name, 6, name);
    }
    assert_eq!(texts(&plain.wait(1, log_of(&site))), ["plain"]);
    assert_eq!(texts(&encrypted.wait(1, log_of(&site))), ["encrypted"]);
    wait_outbox(&site, "nothing", <[Value]>::is_empty);
    stop(pyruse, &site);
    assert_eq!(proxy.asked(), [""; 0]);
}

#[test]
fn requests_go_through_the_configured_proxy() {
    let (journald, site, hooks) = parts();
    let (encrypted, authority) = tls_server(&site);
    let (direct, elsewhere) = (HttpServer::start(), HttpServer::start());
    let proxy = LocalProxy::start(hooks.port);
    // Only the proxy knows this name.
    let actions = rules_to(&[
        ("hooks", "http://hooks.invalid/a".into()),
        ("encrypted", encrypted.url()),
        ("direct", format!("http://127.0.0.1:{}/", direct.port)),
    ]);
    let password = site.path("password");
    let write = |text: &str| {
        fs::write(&password, text).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("user:wr0ng\n");
    let http = json!({"caFile": authority, "proxy": proxy.url(), "proxySecretFile": password, "noProxy": ["127.0.0.1"]});
    site.configure_with(&journald, &actions, &json!({"http": http}));
    let pyruse = site.start(None);
    journald.line("hooks", 6, "one");
    // The proxy refuses, and names another server, which is not asked.
    wait_log(&site, "http://hooks.invalid: CONNECT proxy failed: proxy server responded 407");
    write("user:pass word\n");
    pyruse.signal("-HUP");
    assert_eq!(texts(&hooks.wait(1, log_of(&site))), ["one"]);
    let request = hooks.requests().remove(0);
    assert_eq!((request.path.as_str(), request.header("host")), ("/a", Some("hooks.invalid")));
    assert_eq!(request.header("proxy-authorization"), None, "the password is the proxy's alone");
    journald.line("encrypted", 6, "two");
    assert_eq!(texts(&encrypted.wait(1, log_of(&site))), ["two"]);
    journald.line("direct", 6, "three");
    assert_eq!(texts(&direct.wait(1, log_of(&site))), ["three"]);
    wait_outbox(&site, "nothing", <[Value]>::is_empty);
    let mut asked = proxy.asked();
    asked.dedup();
    let to_encrypted = format!("CONNECT localhost:{} HTTP/1.1", encrypted.port);
    assert_eq!(asked, ["CONNECT hooks.invalid:80 HTTP/1.1", &to_encrypted]);

    // Redirects stay refused.
    let location =
        format!("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {}/\r\n\r\n", elsewhere.url());
    hooks.answer(Box::new(move |_, out| out.write_all(location.as_bytes())));
    journald.line("hooks", 6, "four");
    wait_outbox(&site, "a refused redirect", |all| {
        all.iter()
            .any(|one| one["error"].as_str().is_some_and(|why| why.contains("redirects are not followed")))
    });
    assert_eq!(elsewhere.requests(), []);
    let live = site.pyruse(None, &["check", "--live"]);
    let printed = String::from_utf8_lossy(&[live.stdout, live.stderr].concat()).into_owned();
    assert!(printed.contains("0 errors"), "{printed}");
    stop(pyruse, &site);
    let said = site.log();
    for secret in ["wr0ng", "pass word", "dXNlcj"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn mistakes_of_a_proxy_are_reported() {
    let (journald, site) = (Journald::start(), Site::new());
    let secret = secret_file(&site, "no colon\n");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (http, url, said) in [
        (
            json!({"proxy": "proxy:3128"}),
            "https://a/",
            "a proxy is written as `http://proxy.example.org:3128`",
        ),
        (json!({"proxy": "http://u:p@proxy:3128"}), "https://a/", "must not be in its URL"),
        (json!({"proxy": "http://proxy:0"}), "https://a/", "`proxy:0` is not a host, or a host and a port"),
        (json!({"proxy": "http://a", "proxySecretFile": secret}), "https://a/", "is not `user:password`"),
        (json!({"proxy": "http://a", "proxySecretFile": "/no/such"}), "https://a/", "/no/such: No such file"),
        (json!({"proxySecretFile": secret}), "https://a/", "`proxySecretFile` needs `proxy`"),
        (json!({"noProxy": ["a"]}), "https://a/", "`noProxy` needs `proxy`"),
        (
            json!({"proxy": "http://a", "noProxy": ["b", "10.0.0.0/8"]}),
            "https://a/",
            "`10.0.0.0/8` is not a host",
        ),
        (
            json!({"proxy": format!("http://{closed}")}),
            "https://hooks.invalid/",
            &format!("the proxy http://{closed} cannot be used: {closed}: Connection refused"),
        ),
    ] {
        site.configure_with(&journald, &rules(&json!({"url": url, "text": "a"})), &json!({"http": http}));
        let output = site.pyruse(None, &["check", "--live"]);
        let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && printed.contains(said), "{said}: {printed}");
    }
    // A secret that stays in the local network without the proxy.
    let args = json!({"url": "http://10.0.0.1/{$secret}", "secretFile": secret, "text": "a"});
    let check = |http: &Value| {
        site.configure_with(&journald, &rules(&args), &json!({"http": http}));
        let output = site.pyruse(None, &["check"]);
        (
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    };
    let (good, printed) = check(&json!({"proxy": "http://proxy"}));
    assert!(
        !good && printed.contains("would be sent unencrypted through the proxy http://proxy:80"),
        "{printed}"
    );
    let (_, printed) = check(&json!({"proxy": "http://proxy", "noProxy": ["10.0.0.1"]}));
    assert!(!printed.contains("unencrypted"), "{printed}");
}
