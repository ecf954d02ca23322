//! `action_http`: sends a request to a web service. Also the courier for all requests.
//!
//! An entry gives values, never the form of the request: templates are taken apart at start, and each value is encoded
//! for the place where it stands.

pub(crate) mod client;
mod courier;
mod encode;
pub(crate) mod inspect;
mod outgoing;
pub(crate) mod pause;
mod pieces;
mod proxy;
mod request;
mod settings;
pub(crate) mod url;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyruse_core::courier::Courier;
use pyruse_core::effect::Effect;
use pyruse_core::plugin::fact::Fact;
use pyruse_core::plugin::{
    Act, Action, Compile, Example, Expected, Inspection, Invalid, Module, Plugin, Service, ServicePlugin,
    StepError, excerpt,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::secret;
use pyruse_core::serde::Deserialize;
use pyruse_core::state::{Handle, Queue, State};
use pyruse_core::throttle::Throttle;
use pyruse_core::time::Timestamp;
use serde_json::Value;

use self::courier::HttpCourier;
use self::encode::Place;
use self::outgoing::{Outgoing, Target};
use self::pieces::{Pieces, SECRET};
use self::request::{Content, Encoded, Json, form};
use self::settings::HttpSettings;
use self::url::{Url, protects_secrets};

const NAME: &str = "action_http";

/// The queue of all requests.
const QUEUE: &str = NAME;

/// Headers that the client sets.
const OWN_HEADERS: [&str; 7] =
    ["host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "idempotency-key"];

/// Headers that usually hold a secret.
const SECRET_HEADERS: [&str; 6] =
    ["authorization", "key", "x-api-key", "x-auth-token", "x-gotify-key", "proxy-authorization"];

/// The methods that a request may have.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The URL, a template. Values are encoded; the server must not contain any. In this and all other templates,
    /// `{$id}` is an identity of the request that is the same in all attempts to send it.
    url: String,
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`. The default is `POST` with a body, and `GET` without.
    #[serde(default)]
    method: Option<String>,
    /// Headers: their values are templates.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The body, as JSON: all texts in it, at any depth, are templates.
    #[serde(default)]
    #[schemars(extend("type" = ["object", "array", "string", "number", "boolean"]))]
    json: Option<Value>,
    /// The body, as a form: names, and values that are templates.
    #[serde(default)]
    form: Option<BTreeMap<String, String>>,
    /// The body, as plain text, a template.
    #[serde(default)]
    text: Option<String>,
    /// The file whose first line is a secret, which is inserted in all templates in place of `{$secret}`. It is read
    /// again for each request, and only Pyruse should be able to read it.
    #[serde(rename = "secretFile", default)]
    secret_file: Option<PathBuf>,
    /// The statuses of answers that mean success, such as `[200, 409]`; the default is all from 200 to 299.
    #[serde(default)]
    success: Vec<u16>,
    /// The maximum size of a value of an entry, in bytes; a longer one is cut.
    #[serde(rename = "maxValue", default = "max_value")]
    max_value: usize,
}

fn max_value() -> usize {
    1000
}

struct Http {
    method: String,
    url: Url,
    headers: Vec<(String, Encoded)>,
    content: Content,
    target: Target,
    success: Vec<u16>,
    max_value: usize,
    queue: Handle<Queue>,
    /// For the log of requests that are not queued.
    full: Throttle<(), ()>,
    settings: Arc<HttpSettings>,
}

/// Where the steps of a configuration send requests to.
#[derive(Default)]
struct Targets(BTreeSet<Target>);

impl Module for Http {
    const NAME: &'static str = NAME;
    const DOC: &'static str = "Sends an HTTP request.";
    const SETTINGS: &'static [&'static str] = &["http"];
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let url = Url::compile(&args.url, cx);
        let headers = compile_headers(&args.headers, cx);
        let content = compile_content(&args, cx);
        let method = compile_method(&args, cx);
        let checked = check_numbers(&args, cx);
        let (url, headers, content, method) = (url?, headers?, content?, method?);
        checked?;
        let has_secret =
            url.has_secret() || headers.iter().any(|(_, value)| value.has_secret()) || content.has_secret();
        check_secret(&args, has_secret, &url.origin, cx)?;
        let target = Target { origin: url.origin.clone(), secret_file: args.secret_file };
        cx.shared::<Targets>().0.insert(target.clone());
        cx.states("", Fact::Sends);
        Ok(Http {
            method,
            url,
            headers,
            content,
            target,
            success: args.success,
            max_value: args.max_value,
            queue: cx.state(QUEUE)?,
            full: Throttle::new(1, 1),
            settings: cx.settings::<HttpSettings>(),
        })
    }

    fn examples() -> Vec<Example> {
        let json =
            r#"{"url": "https://alerts.example.org/api/{host}", "json": {"text": "{MESSAGE}", "level": 3}}"#;
        vec![
            Example {
                title: "a JSON body",
                args: json,
                entry: &[("host", "web/1"), ("MESSAGE", "disk \"sda\" is failing")],
                expected: Expected::Effect(
                    r#"{"effect": "http", "method": "POST", "url": "https://alerts.example.org/api/web%2F1", "body": "{\"level\":3,\"text\":\"disk \\\"sda\\\" is failing\"}"}"#,
                ),
            },
            Example {
                title: "a form",
                args: r#"{"url": "https://reports.example.org/new", "form": {"ip": "{thatIP}", "why": "{MESSAGE}"}}"#,
                entry: &[("thatIP", "2001:db8::1"), ("MESSAGE", "a&b")],
                expected: Expected::Effect(
                    r#"{"effect": "http", "method": "POST", "url": "https://reports.example.org/new", "body": "ip=2001%3Adb8%3A%3A1&why=a%26b"}"#,
                ),
            },
            Example {
                title: "a value must not lead to another path",
                args: json,
                entry: &[("host", ".."), ("MESSAGE", "m")],
                expected: Expected::Error(
                    "`host` makes an empty part, `.` or `..` of the URL's path: nothing is sent",
                ),
            },
        ]
    }
}

fn compile_method(args: &Args, cx: &mut Compile<'_>) -> Result<String, Invalid> {
    let has_body = args.json.is_some() || args.form.is_some() || args.text.is_some();
    match args.method.as_deref() {
        None => Ok(if has_body { "POST" } else { "GET" }.to_owned()),
        Some(method) if !METHODS.contains(&method) => {
            let help = format!("write one of: {}", METHODS.join(", "));
            Err(cx.error_with_help("method", format!("`{}` is not a method", excerpt(method)), help))
        }
        Some("GET") if has_body => Err(cx.error("method", "a request with a body cannot be `GET`")),
        Some(method) => Ok(method.to_owned()),
    }
}

fn compile_headers(
    headers: &BTreeMap<String, String>,
    cx: &mut Compile<'_>,
) -> Result<Vec<(String, Encoded)>, Invalid> {
    let compiled = headers.iter().map(|(name, text)| {
        let path = format!("headers.{name}");
        let lower = name.to_ascii_lowercase();
        if ureq::http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(cx.error(&path, format!("`{}` is not the name of a header", excerpt(name))));
        }
        if OWN_HEADERS.contains(&&*lower) {
            return Err(cx.error(&path, format!("the header `{name}` is set by Pyruse itself")));
        }
        if text.chars().any(char::is_control) {
            return Err(cx.error(&path, "a header must be one line, without control characters"));
        }
        let value = Encoded::compile(&path, text, Place::Header, cx)?;
        if SECRET_HEADERS.contains(&&*lower) && !value.has_secret() {
            let help = "write the secret into a file, name it in `secretFile`, and write `{$secret}` here";
            cx.warning_within(&path, 0..text.len(), format!("`{name}` looks like a secret"), help);
        }
        Ok((name.clone(), value))
    });
    compiled.collect::<Vec<_>>().into_iter().collect()
}

fn compile_content(args: &Args, cx: &mut Compile<'_>) -> Result<Content, Invalid> {
    match (&args.json, &args.form, &args.text) {
        (None, None, None) => Ok(Content::None),
        (Some(json), None, None) => Ok(Content::Json(Json::compile("json", json, cx)?)),
        (None, Some(fields), None) => Ok(Content::Form(form(fields, cx)?)),
        (None, None, Some(text)) => Ok(Content::Text(Encoded::compile("text", text, Place::Text, cx)?)),
        _ => Err(cx.error("", "a request has one body: keep one of `json`, `form` and `text`")),
    }
}

fn check_numbers(args: &Args, cx: &mut Compile<'_>) -> Result<(), Invalid> {
    let mut checked = Ok(());
    for (n, status) in args.success.iter().enumerate() {
        if !(200..=599).contains(status) {
            let what = format!("{status} is not the status of an answer: they are from 200 to 599");
            checked = Err(cx.error(&format!("success.{n}"), what));
        } else if (300..400).contains(status) {
            let what = format!("{status} is a redirect: it is not followed, and never a success");
            checked = Err(cx.error(&format!("success.{n}"), what));
        }
    }
    if args.max_value == 0 {
        checked = Err(cx.error("maxValue", "with 0, no value would be left"));
    }
    checked
}

fn check_secret(args: &Args, has_secret: bool, origin: &str, cx: &mut Compile<'_>) -> Result<(), Invalid> {
    match &args.secret_file {
        None if has_secret => {
            let help = "name the file whose first line is the secret";
            Err(cx.error_with_help("", format!("`{{{SECRET}}}` needs `secretFile`"), help))
        }
        None => Ok(()),
        Some(_) if !has_secret => {
            let what = format!("the secret is not used: write `{{{SECRET}}}` where it belongs");
            Err(cx.error("secretFile", what))
        }
        Some(file) => {
            if !protects_secrets(origin) {
                let what = format!("the secret would be sent unencrypted to {origin}: use `https://`");
                return Err(cx.error("url", what));
            }
            // The proxy would see what it is sent.
            if origin.starts_with("http://")
                && let Some(proxy) = cx.settings::<HttpSettings>().proxy_to(origin)
            {
                let what = format!("the secret would be sent unencrypted through the proxy {proxy}");
                let help = "use `https://`, or name the server in `http.noProxy`";
                return Err(cx.error_with_help("url", what, help));
            }
            if let Err(e) = secret::read(file, "secret") {
                return Err(cx.error("secretFile", e));
            }
            if let Some(warning) = secret::exposure(file, "secret") {
                let length = file.as_os_str().len();
                cx.warning_within("secretFile", 0..length, warning, "it should belong to Pyruse alone");
            }
            Ok(())
        }
    }
}

impl Action for Http {
    fn inspect(&self, inspection: &mut Inspection) {
        inspect::inspect(&self.target, &self.settings, inspection);
    }

    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let (id, limit) = (Outgoing::new_id(), self.max_value);
        let path = self.url.render(run.entry, &id, limit)?;
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, template) in &self.headers {
            let mut value = Pieces::default();
            template.render(run.entry, (&id, limit), &mut value)?;
            headers.push((name.clone(), value));
        }
        let body = self.content.render(run.entry, (&id, limit))?;
        run.effect(|| Effect::Http {
            method: self.method.clone(),
            url: format!("{}{}", self.target.origin, path.shown()),
            body: body.text.shown(),
        });
        let request = Outgoing {
            id,
            target: self.target.clone(),
            method: self.method.clone(),
            path,
            headers,
            body,
            success: self.success.clone(),
        };
        // Texts and numbers always serialize.
        let payload = serde_json::to_string(&request).unwrap_or_default();
        let max = self.settings.max_waiting;
        let queue = run.state.get_mut(self.queue);
        if queue.push_bounded(payload, max as usize).is_none() {
            self.log_full(max);
        }
        Ok(())
    }
}

impl Http {
    fn log_full(&mut self, max: u32) {
        let origin = &self.target.origin;
        self.full.flush_if_over(|(), more, _| {
            tracing::error!("{NAME}: {more} more requests to {origin} were not queued: too many wait");
        });
        if self.full.admits((), (), 1) {
            tracing::error!(
                "{NAME}: a request to {origin} is lost: {max} requests wait (`http.maxWaiting`); see `pyruse outbox list`"
            );
        }
    }
}

struct HttpService {
    queue: Handle<Queue>,
    courier: Option<HttpCourier>,
}

impl Service for HttpService {
    fn courier(&mut self) -> Option<(Handle<Queue>, Courier)> {
        // One at a time: a slow server must not make a whole batch wait for its answer.
        let courier =
            Courier::new(NAME, self.courier.take()?).batch(1).longest_wait(Duration::from_secs(300));
        Some((self.queue, courier))
    }

    fn queue(&self) -> Option<Handle<Queue>> {
        Some(self.queue)
    }

    fn describe(&self, payload: &str) -> String {
        match serde_json::from_str::<Outgoing>(payload) {
            Ok(request) => excerpt(&request.shown()),
            Err(_) => "not a request".into(),
        }
    }

    fn boot(&mut self, state: &mut State, _now: Timestamp) {
        // A reload may have changed the setting that requests wait for.
        state.get_mut(self.queue).retry_now();
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Http>());
pyruse_core::inventory::submit!(ServicePlugin::new(NAME, |start| {
    let targets = std::mem::take(start.shared::<Targets>()).0;
    let courier = HttpCourier::new(HttpSettings::clone(&start.settings()), targets);
    Ok(Box::new(HttpService { queue: start.layout().open(QUEUE)?, courier: Some(courier) }))
}));
