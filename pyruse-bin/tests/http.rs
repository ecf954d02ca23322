//! `action_http` with the real daemon and a server on loopback: what is sent, what each answer means, and what a server
//! that is down, slow or hostile can do.

mod common;
#[path = "http/proxy.rs"]
mod proxy;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use common::http_server::{HttpServer, Request, make_certificates, status};
use common::{Firewall, Journald, Running, Site, failed_login, run, ssh_rules, wait_for};
use serde_json::{Value, json};

/// What an attacker may write into a line: everything that ends something.
const NASTY: &str = "a\"b\\c{d}&e=f?g#h%2f/i\u{2028}ü <!channel>";

fn parts() -> (Journald, Site, HttpServer) {
    (Journald::start(), Site::new(), HttpServer::start())
}

/// Each line of `app` is sent with these arguments.
fn rules(args: &Value) -> Value {
    json!({"app": [
        {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "app"}},
        {"action": "action_http", "args": args},
    ]})
}

fn secret_file(site: &Site, text: &str) -> PathBuf {
    let path = site.path("secret");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn log_of(site: &Site) -> impl Fn() -> String + '_ {
    || site.log()
}

fn wait_log(site: &Site, text: &str) {
    wait_for(&format!("`{text}` in the log: {}", site.log()), || site.log().contains(text).then_some(()));
}

fn stop(pyruse: Running, site: &Site) {
    assert!(pyruse.terminate().success(), "{}", site.log());
}

fn outbox(site: &Site) -> Vec<Value> {
    let output = site.pyruse(None, &["outbox", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    listed["deliveries"].as_array().unwrap().clone()
}

fn wait_outbox(site: &Site, what: &str, is_it: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    wait_for(&format!("{what} in the outbox"), || Some(outbox(site)).filter(|all| is_it(all)))
}

fn texts(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|request| request.body.clone()).collect()
}

#[test]
fn values_of_entries_stay_in_their_places() {
    let (journald, site, server) = parts();
    let url = format!("{}/a/{{MESSAGE}}/b?q={{MESSAGE}}&r=1", server.url());
    let headers = json!({"X-Line": "<{MESSAGE}>"});
    let bodies = [
        json!({"url": url, "headers": headers, "json": {"a": ["{MESSAGE}", 1, null], "b{{": {"c": "{MESSAGE}"}}}),
        json!({"url": url, "headers": headers, "form": {"a&": "{MESSAGE}", "b": "2"}}),
        json!({"url": url, "headers": headers, "text": "{MESSAGE}", "method": "PUT"}),
    ];
    let chains = bodies.iter().enumerate().map(|(n, args)| {
        let name = format!("app{n}");
        let steps = json!([
            {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": name}},
            {"action": "action_http", "args": args},
        ]);
        (name.clone(), steps)
    });
    site.configure(&journald, &Value::Object(chains.collect()));
    let pyruse = site.start(None);
    for n in 0..3 {
        journald.line(&format!("app{n}"), 6, &format!("{NASTY}\r\nX-Evil: 1"));
    }
    let mut requests = server.wait(3, log_of(&site));
    stop(pyruse, &site);
    requests.sort_by_key(|request| request.header("content-type").map(str::to_owned));
    let line = format!("{NASTY}\r\nX-Evil: 1");
    let encoded: String = line
        .bytes()
        .map(|byte| match byte {
            b'-' => "-".to_owned(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    for request in &requests {
        assert_eq!(request.path, format!("/a/{encoded}/b?q={encoded}&r=1"));
        assert_eq!(request.header("x-evil"), None);
        let shown = format!("<{NASTY}  X-Evil: 1>");
        assert_eq!(request.header("x-line"), Some(&*shown));
    }
    let [json, form, text] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(json.json(), json!({"a": [line, 1, null], "b{{": {"c": line}}));
    assert_eq!(form.body, format!("a%26={encoded}&b=2"));
    assert_eq!((text.body.as_str(), text.method.as_str()), (line.as_str(), "PUT"));
}

#[test]
fn a_server_that_is_down_delays_nothing_and_what_waits_for_it_is_bounded() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]), Site::new());
    let up = HttpServer::start();
    let port = {
        let down = HttpServer::start();
        down.port
    };
    let mut actions = ssh_rules(600);
    let steps = |url: &str, name: &str| {
        json!([
            {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": name}},
            {"action": "action_http", "args": {"url": url, "text": "{MESSAGE}"}},
        ])
    };
    actions["down"] = steps(&format!("http://localhost:{port}/"), "down");
    actions["up"] = steps(&up.url(), "up");
    // The servers are outside of the namespace.
    let nft = json!(["nsenter", format!("--net=/run/netns/{}", firewall.name), "nft"]);
    let more = json!({"http": {"maxWaiting": 5}, "nftBan": {"nft": nft}});
    site.configure_with(&journald, &actions, &more);
    let pyruse = site.start(None);
    for n in 0..4 {
        journald.line("down", 6, &format!("{n}"));
    }
    wait_outbox(&site, "an attempt each", |all| all.len() == 4 && all.iter().all(|one| one["tries"] != 0));
    // The other server, a mail and a ban are not delayed.
    journald.line("up", 6, "at once");
    assert_eq!(texts(&up.wait(1, log_of(&site))), ["at once"]);
    for _ in 0..3 {
        failed_login(&journald, "192.0.2.1");
    }
    wait_for("the ban", || (firewall.addresses("ip Inet4 ssh_ban") == ["192.0.2.1"]).then_some(()));
    wait_for("the mail", || (site.mails().len() == 1).then_some(()));
    // Two more than may wait.
    for n in 4..7 {
        journald.line("down", 6, &format!("{n}"));
    }
    wait_log(&site, "is lost: 5 requests wait (`http.maxWaiting`)");
    stop(pyruse, &site);

    // It survives a restart, and arrives when the server is there.
    let pyruse = site.start(None);
    wait_outbox(&site, "the same", |all| all.len() == 5 && all.iter().all(|one| one["error"] != Value::Null));
    let down = HttpServer::start_again(port);
    let mut arrived = texts(&down.wait(5, log_of(&site)));
    arrived.sort();
    assert_eq!(arrived, ["0", "1", "2", "3", "4"]);
    wait_outbox(&site, "nothing", <[Value]>::is_empty);
    stop(pyruse, &site);
    assert_eq!(down.requests().len(), 5, "each once");
}

#[test]
fn a_server_that_is_busy_is_left_alone_as_long_as_it_asks() {
    let (journald, site, server) = parts();
    server.answer(status("429 Too Many Requests", "Retry-After: 3600\r\n", "slow down"));
    site.configure(&journald, &rules(&json!({"url": server.url(), "text": "{MESSAGE}"})));
    let pyruse = site.start(None);
    journald.line("app", 6, "one");
    server.wait(1, log_of(&site));
    journald.line("app", 6, "two");
    let waiting =
        wait_outbox(&site, "both", |all| all.len() == 2 && all.iter().all(|one| one["error"] != Value::Null));
    for one in waiting {
        assert!(one["error"].as_str().unwrap().ends_with("answers 429: slow down"), "{one}");
        let next = one["next"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let minutes = (next.as_second() - jiff::Timestamp::now().as_second()) / 60;
        assert!((50..=60).contains(&minutes), "{one}");
    }
    assert_eq!(server.requests().len(), 1, "the second was not sent");
    // A new start tries again, because a setting may have changed.
    stop(pyruse, &site);
    server.answer(status("204 No Content", "", ""));
    let pyruse = site.start(None);
    server.wait(3, log_of(&site));
    wait_outbox(&site, "nothing", <[Value]>::is_empty);
    stop(pyruse, &site);
}

#[test]
fn each_answer_has_its_consequence() {
    let (journald, site, server) = parts();
    let elsewhere = HttpServer::start();
    let secret = secret_file(&site, "wrong\n");
    let location = format!("Location: http://127.0.0.1:{}/private\r\n", elsewhere.port);
    let redirect = format!("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n{location}\r\n");
    server.answer(Box::new(move |request, out| {
        let answer = match request.body.as_str() {
            "redirect" => redirect.as_str(),
            "gone" => "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nno\u{1b}[31mat",
            "known" => "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n",
            "login" if request.header("x-token") != Some("right") => {
                "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
            }
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        };
        out.write_all(answer.as_bytes())
    }));
    let args = json!({"url": server.url(), "text": "{MESSAGE}", "headers": {"X-Token": "{$secret}"},
        "secretFile": secret, "success": [200, 409]});
    site.configure(&journald, &rules(&args));
    let pyruse = site.start(None);
    for line in ["redirect", "gone", "known", "login"] {
        journald.line("app", 6, line);
    }
    server.wait(4, log_of(&site));
    let all = wait_outbox(&site, "all answers", |all| {
        all.len() == 3 && all.iter().all(|one| one["error"] != Value::Null && one["state"] != "inProgress")
    });
    let states: Vec<(&str, &str)> =
        all.iter().map(|one| (one["state"].as_str().unwrap(), one["error"].as_str().unwrap())).collect();
    assert!(states[0].1.contains("a redirect to http://127.0.0.1:"), "{states:?}");
    assert!(states[0].1.contains("redirects are not followed"), "{states:?}");
    assert!(states[1].1.ends_with("answers 404: no [31mat"), "{states:?}");
    assert!(states[2].1.ends_with("answers 401; are the secret and its place right?"), "{states:?}");
    assert_eq!(states.iter().map(|(state, _)| *state).collect::<Vec<_>>(), ["waiting", "givenUp", "waiting"]);
    assert_eq!(elsewhere.requests(), [], "a redirect leads nowhere");
    // The operator corrects the secret, and drops what cannot succeed.
    secret_file(&site, "right\n");
    for id in [0, 1] {
        run(&mut site.command(None, &["outbox", "drop", &format!("http:{id}")]));
    }
    run(&mut site.command(None, &["outbox", "retry", "http:3"]));
    wait_outbox(&site, "nothing", <[Value]>::is_empty);
    stop(pyruse, &site);
}

#[test]
fn answers_without_an_end_are_cut_and_slow_ones_end_in_time() {
    let (journald, site) = (Journald::start(), Site::new());
    let servers: Vec<(&str, HttpServer)> =
        ["endless", "head", "drip", "garbage"].map(|name| (name, HttpServer::start())).into();
    let mut actions = serde_json::Map::new();
    for (name, server) in &servers {
        server.answer(Box::new(|request, out| match request.body.as_str() {
            "endless" => {
                write!(out, "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n")?;
                loop {
                    out.write_all(&[b'x'; 4096])?;
                }
            }
            "head" => {
                write!(out, "HTTP/1.1 200 OK\r\n")?;
                loop {
                    write!(out, "X-More: {}\r\n", "y".repeat(1000))?;
                }
            }
            "drip" => {
                for byte in b"HTTP/1.1 200 OK\r\nX-More: ".iter().chain(std::iter::repeat(&b'z')) {
                    out.write_all(&[*byte])?;
                    out.flush()?;
                    std::thread::sleep(Duration::from_millis(200));
                }
                Ok(())
            }
            _ => write!(out, "SSH-2.0-OpenSSH_9.2\r\n"),
        }));
        let steps = json!([
            {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": name}},
            {"action": "action_http", "args": {"url": server.url(), "text": "{MESSAGE}"}},
        ]);
        actions.insert((*name).to_owned(), steps);
    }
    site.configure_with(&journald, &Value::Object(actions), &json!({"http": {"timeoutSeconds": 2}}));
    let pyruse = site.start(None);
    for (name, _) in &servers {
        journald.line(name, 6, name);
    }
    let errors = ["response header is too big", "timeout", "protocol: http parse fail"];
    for ((_, server), error) in servers[1..].iter().zip(errors) {
        wait_log(&site, &format!("{}: {error}", server.url()));
    }
    // For the first, the status was there.
    let urls =
        |all: &[Value]| all.iter().map(|one| one["what"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let expected: Vec<String> =
        servers[1..].iter().map(|(_, server)| format!("POST {}/", server.url())).collect();
    wait_outbox(&site, &format!("{expected:?}"), |all| urls(all) == expected);
    stop(pyruse, &site);
}

#[test]
fn a_server_proves_who_it_is_by_the_configured_authority() {
    let (journald, site) = (Journald::start(), Site::new());
    let directory = site.path("tls");
    make_certificates(&directory);
    let server = HttpServer::start_with_tls(&directory.join("server.pem"), &directory.join("server.key"));
    let actions = rules(&json!({"url": server.url(), "text": "{MESSAGE}"}));
    site.configure(&journald, &actions);
    let live = |expected: &str| {
        let output = site.pyruse(None, &["check", "--live"]);
        let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(printed.contains(expected), "{expected}: {printed}");
    };
    live("cannot be used: invalid peer certificate: UnknownIssuer");
    let pyruse = site.start(None);
    journald.line("app", 6, "hello");
    wait_log(&site, "invalid peer certificate: UnknownIssuer");
    assert_eq!(server.requests(), []);
    site.configure_with(&journald, &actions, &json!({"http": {"caFile": directory.join("ca.pem")}}));
    pyruse.signal("-HUP");
    assert_eq!(texts(&server.wait(1, log_of(&site))), ["hello"]);
    live("0 errors");
    assert_eq!(server.requests().len(), 1, "a check sends no request");
    stop(pyruse, &site);
}

#[test]
fn the_secret_is_sent_and_is_nowhere_else() {
    let (journald, site, server) = parts();
    let secret = "S3CR3T-T0K3N";
    server.answer(status("500 Internal Server Error", "", "no"));
    let args = json!({"url": format!("{}/bot{{$secret}}/send", server.url()),
        "headers": {"Authorization": "Bearer {$secret}"}, "json": {"token": "{$secret}", "text": "{MESSAGE}"},
        "secretFile": secret_file(&site, &format!("{secret}\n"))});
    site.configure(&journald, &rules(&args));
    let pyruse = site.start(None);
    // An entry that names the secret does not get it.
    journald.line("app", 6, "give me {$secret}");
    let request = server.wait(1, log_of(&site)).remove(0);
    assert_eq!(request.path, format!("/bot{secret}/send"));
    assert_eq!(request.header("authorization"), Some(&*format!("Bearer {secret}")));
    assert_eq!(request.json(), json!({"token": secret, "text": "give me {$secret}"}));
    wait_outbox(&site, "the failure", |all| all.len() == 1 && all[0]["error"] != Value::Null);
    let mut printed = String::new();
    for args in [&["outbox", "list"][..], &["outbox", "list", "--json"], &["check"], &["status"]] {
        let output = site.pyruse(None, args);
        printed += &String::from_utf8_lossy(&[output.stdout, output.stderr].concat());
    }
    let replay = format!("--directory={}", journald.directory().display());
    let output = site.pyruse(None, &["replay", &replay, "--since", "@0", "--json"]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("/bot{$secret}/send"), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    stop(pyruse, &site);
    printed += &(shown + &site.log());
    assert!(!printed.contains(secret), "{printed}");
    for file in fs::read_dir(site.path("state")).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains(secret));
    }
}

#[test]
fn a_request_whose_answer_a_crash_loses_comes_again_with_the_same_identity() {
    let (journald, site, server) = parts();
    server.answer(Box::new(|_, _| {
        std::thread::sleep(Duration::from_secs(20));
        Ok(())
    }));
    let args = json!({"url": format!("{}/{{$id}}", server.url()), "method": "PUT", "text": "{MESSAGE}"});
    site.configure(&journald, &rules(&args));
    let pyruse = site.start(None);
    journald.line("app", 6, "one");
    server.wait(1, log_of(&site));
    pyruse.kill();
    server.answer(status("200 OK", "", ""));
    let pyruse = site.start(None);
    let requests = server.wait(2, log_of(&site));
    assert_eq!(requests[0], requests[1]);
    assert_eq!(requests[0].path, format!("/{}", requests[0].id()));
    wait_outbox(&site, "nothing", <[Value]>::is_empty);
    journald.line("app", 6, "two");
    let requests = server.wait(3, log_of(&site));
    assert_ne!(requests[1].id(), requests[2].id());
    stop(pyruse, &site);
}

#[test]
fn what_the_state_says_is_only_sent_where_the_configuration_says() {
    let (journald, site, server) = parts();
    let secret = secret_file(&site, "token\n");
    server.answer(status("500 Internal Server Error", "", ""));
    let args = |url: &str| json!({"url": url, "text": "{MESSAGE}"});
    site.configure(&journald, &rules(&args(&server.url())));
    let pyruse = site.start(None);
    journald.line("app", 6, "one");
    server.wait(1, log_of(&site));
    stop(pyruse, &site);
    // Somebody who can write the state wants to get the secret.
    let state = rusqlite::Connection::open(site.path("state/state.sqlite")).unwrap();
    let changed = state.execute(
        "UPDATE rows SET value = CAST(replace(CAST(value AS TEXT), '\\\"target\\\":{', \
         '\\\"target\\\":{\\\"secretFile\\\":\\\"' || ?1 || '\\\",') AS BLOB) \
         WHERE CAST(value AS TEXT) LIKE '%idempot%' OR CAST(value AS TEXT) LIKE '%target%'",
        [secret.to_str().unwrap()],
    );
    assert_eq!(changed.unwrap(), 1);
    drop(state);
    let before = server.requests().len();
    let pyruse = site.start(None);
    let all = wait_outbox(&site, "its end", |all| all.len() == 1 && all[0]["state"] == "givenUp");
    let error = all[0]["error"].as_str().unwrap();
    assert!(error.contains("no step sends to") && error.ends_with("any more"), "{error}");
    assert_eq!(server.requests().len(), before);
    stop(pyruse, &site);
}

#[test]
fn mistakes_are_reported_at_their_place() {
    let site = Site::new();
    let exposed = secret_file(&site, "token\n");
    fs::set_permissions(&exposed, fs::Permissions::from_mode(0o644)).unwrap();
    let cases = [
        json!({"url": "ftp://a/"}),
        json!({"url": "{host}"}),
        json!({"url": "https://{host}/a"}),
        json!({"url": "https://user:password@a/"}),
        json!({"url": "https://a b/"}),
        json!({"url": "https://a/b c"}),
        json!({"url": "https://a/b#c"}),
        json!({"url": "https://a/{b"}),
        json!({"url": "https://a/", "method": "post"}),
        json!({"url": "https://a/", "method": "GET", "text": "a"}),
        json!({"url": "https://a/", "text": "a", "json": {"a": "b"}}),
        json!({"url": "https://a/", "json": {"a": ["b", "{c"]}}),
        json!({"url": "https://a/", "headers": {"Host": "b", "a b": "c", "d": "e\nf"}}),
        json!({"url": "https://a/", "success": [200, 302, 999]}),
        json!({"url": "https://a/", "maxValue": 0}),
        json!({"url": "https://a/{$secret}"}),
        json!({"url": "https://a/", "secretFile": exposed}),
        json!({"url": "http://a/{$secret}", "secretFile": exposed}),
        json!({"url": "https://a/{$secret}", "secretFile": exposed}),
        json!({"url": "https://a/{$secret}", "secretFile": "/no/such"}),
        json!({"url": "https://a/", "headers": {"Authorization": "Bearer abc"}}),
    ];
    let mut printed = String::new();
    for case in cases {
        let text = serde_json::to_string(&json!({"actions": rules(&case)})).unwrap();
        fs::write(site.path("pyruse.json"), text).unwrap();
        let output = site.pyruse(None, &["check"]);
        let output = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let shown: Vec<&str> = output
            .lines()
            .filter(|line| {
                let line = line.trim_start();
                line.starts_with("error") || line.starts_with("warning") || line.contains("= help")
            })
            .filter(|line| !line.contains("P0"))
            .collect();
        printed.extend([&case.to_string(), "\n", &shown.join("\n"), "\n\n"]);
    }
    printed = printed.replace(&site.path("").display().to_string(), "/SITE/");
    insta::assert_snapshot!(printed);
}

#[test]
fn a_firewall_that_swallows_packets_is_only_waited_for_as_long_as_the_limit_says() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&[]), Site::new());
    run(firewall.command("ip").args(["link", "set", "lo", "up"]));
    firewall.nft(&["add table ip t; add chain ip t c { type filter hook input priority 0; }; \
                    add rule ip t c tcp dport 80 drop"]);
    let args = json!({"url": "http://127.0.0.1/", "text": "{MESSAGE}"});
    site.configure_with(&journald, &rules(&args), &json!({"http": {"timeoutSeconds": 1}}));
    let pyruse = site.start(Some(&firewall));
    journald.line("app", 6, "one");
    wait_log(&site, "http://127.0.0.1: timeout");
    let mut check = site.command(Some(&firewall), &["check", "--live"]);
    let printed = String::from_utf8(check.output().unwrap().stderr).unwrap();
    assert!(printed.contains("http://127.0.0.1 cannot be used"), "{printed}");
    stop(pyruse, &site);
}
