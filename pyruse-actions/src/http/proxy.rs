//! The proxy that the configuration names. The environment names none: what a service inherits must not decide where
//! secrets go.

use std::path::Path;

use pyruse_core::secret;
use ureq::{Proxy, ProxyProtocol};

use super::url::{authority, server};

/// Returns the proxy in its normal form, `http://host:port`, or why the text is not a proxy.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let Some(rest) = text.strip_prefix("http://") else {
        return Err("a proxy is written as `http://proxy.example.org:3128`".into());
    };
    if rest.contains('@') {
        return Err("a proxy's user and password must not be in its URL: write `user:password` into a file, and name \
                    it in `proxySecretFile`"
            .into());
    }
    let (host, port) = server(&format!("http://{}", authority(rest.strip_suffix('/').unwrap_or(rest))?));
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Ok(format!("http://{host}:{port}"))
}

/// Checks a name in `noProxy`.
pub(super) fn check_exception(text: &str) -> Result<(), String> {
    let host = text.strip_prefix("*.").or(text.strip_prefix('.')).unwrap_or(text);
    let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
    match authority(host) {
        // To the client, a name that ends in a dot is the beginning of names.
        Ok(normal) if normal.eq_ignore_ascii_case(host) && !has_port && !host.ends_with('.') => Ok(()),
        _ => Err(format!(
            "`{text}` is not a host, such as `ntfy.example.org`, or `*.example.org` for all in a domain"
        )),
    }
}

/// Returns user and password.
pub(super) fn credentials(file: &Path) -> Result<(String, String), String> {
    let line = secret::read(file, "user and password of the proxy")?;
    let Some((user, password)) = line.split_once(':') else {
        return Err(format!("{}: its first line is not `user:password`", file.display()));
    };
    Ok((user.to_owned(), password.to_owned()))
}

/// Returns the proxy for the client. Its user and password are read from the file.
pub(super) fn proxy(text: &str, no_proxy: &[String], secret_file: Option<&Path>) -> Result<Proxy, String> {
    let origin = origin(text)?;
    let (host, port) = origin.trim_start_matches("http://").rsplit_once(':').unwrap_or_default();
    let mut builder = Proxy::builder(ProxyProtocol::Http).host(host).port(port.parse().unwrap_or(80));
    for name in no_proxy {
        builder = builder.no_proxy(name);
    }
    if let Some(file) = secret_file {
        let (user, password) = credentials(file)?;
        builder = builder.username(&user).password(&password);
    }
    builder.build().map_err(|_| format!("`{text}` is not a proxy"))
}

/// Whether a server is reached without the proxy.
pub(super) fn is_excepted(target: &str, no_proxy: &[String]) -> bool {
    let host = server(target).0;
    no_proxy.iter().any(|name| match name.trim_start_matches('*') {
        domain if domain.starts_with('.') => {
            let cut = host.len().checked_sub(domain.len());
            cut.and_then(|cut| host.get(cut..)).is_some_and(|end| end.eq_ignore_ascii_case(domain))
        }
        name => host.eq_ignore_ascii_case(name.trim_start_matches('[').trim_end_matches(']')),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_has_a_host_and_no_password() {
        for (text, normal) in [
            ("http://proxy.example.org:3128", "http://proxy.example.org:3128"),
            ("http://proxy/", "http://proxy:80"),
            ("http://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(normal));
            let proxy = proxy(text, &[], None).unwrap();
            assert_eq!(format!("http://{}:{}", proxy.host(), proxy.port()), normal);
        }
        for bad in [
            "proxy:3128",
            "https://a:1",
            "socks5://a:1",
            "http://",
            "http://a:0",
            "http://a/b",
            "http://u:p@a:1",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn exceptions_mean_the_same_for_the_client_and_for_a_check() {
        let names = ["ntfy.example.org", "*.lan", ".corp", "192.0.2.1", "[::1]"];
        for name in names {
            assert_eq!(check_exception(name), Ok(()), "{name}");
        }
        for bad in [
            "",
            "*",
            "a b",
            "a:80",
            "a:81",
            "*.",
            "10.0.0.0/8",
            "http://a",
            "a*",
            "a.",
            "192.0.2.",
            "[::1]:80",
        ] {
            assert!(check_exception(bad).is_err(), "{bad}");
        }
        let proxy = proxy("http://proxy:3128", &names.map(str::to_owned), None).unwrap();
        for (target, is_direct) in [
            ("https://ntfy.example.org", true),
            ("https://NTFY.example.org:8443", true),
            ("https://a.ntfy.example.org", false),
            ("http://a.b.lan", true),
            ("http://lan", false),
            ("http://xlan", false),
            ("http://a.corp", true),
            ("http://192.0.2.1:8080", true),
            ("http://192.0.2.11", false),
            ("http://[::1]:8080", true),
            ("https://hooks.example.org", false),
        ] {
            assert_eq!(is_excepted(target, &names.map(str::to_owned)), is_direct, "{target}");
            assert_eq!(proxy.is_no_proxy(&target.parse().unwrap()), is_direct, "{target}");
        }
    }
}
