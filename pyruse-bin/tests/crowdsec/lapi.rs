//! A Local API of CrowdSec: the real program, in a network namespace, with its own files. It has no Central API, and reads
//! no logs.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};

use serde_json::Value;

use super::common::{Firewall, LONG, run, unique, wait_for};

/// Its URL in the namespace.
pub const URL: &str = "http://127.0.0.1:8080";

pub struct Lapi<'f> {
    firewall: &'f Firewall,
    directory: tempfile::TempDir,
    child: Option<Child>,
}

impl<'f> Lapi<'f> {
    /// Configures one, with a machine for `cscli`; starts nothing.
    pub fn new(firewall: &'f Firewall) -> Lapi<'f> {
        run(firewall.command("ip").args(["link", "set", "lo", "up"]));
        let directory = tempfile::tempdir().unwrap();
        let lapi = Lapi { firewall, directory, child: None };
        let here = lapi.path("").display().to_string();
        let config = serde_json::json!({
            "common": {"daemonize": false, "log_media": "stdout", "log_level": "info", "working_dir": here},
            "config_paths": {
                "config_dir": here, "data_dir": here, "simulation_path": lapi.path("simulation.yaml"),
                "hub_dir": lapi.path("hub"), "index_path": lapi.path("hub/.index.json"),
                "notification_dir": lapi.path("notifications"), "plugin_dir": lapi.path("plugins"),
            },
            "cscli": {"output": "json"},
            "db_config": {"type": "sqlite", "db_path": lapi.path("crowdsec.db"), "use_wal": true},
            "api": {
                "client": {"credentials_path": lapi.path("credentials.yaml")},
                "server": {"listen_uri": "127.0.0.1:8080", "profiles_path": lapi.path("profiles.yaml")},
            },
            "prometheus": {"enabled": false},
        });
        // JSON is YAML.
        fs::write(lapi.path("config.yaml"), config.to_string()).unwrap();
        fs::write(lapi.path("simulation.yaml"), "simulation: false\n").unwrap();
        let profile = "name: none\nfilters: [\"false\"]\ndecisions: []\non_success: break\n";
        fs::write(lapi.path("profiles.yaml"), profile).unwrap();
        lapi.register();
        lapi
    }

    /// The same, started, with the machine `pyruse` and the bouncer `pyruse`.
    pub fn start(firewall: &'f Firewall) -> Lapi<'f> {
        let mut lapi = Lapi::new(firewall);
        lapi.register_pyruse();
        lapi.launch();
        lapi
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn register(&self) {
        self.cscli(&["machines", "add", "tester", "--password", "of-the-test", "--force"]);
    }

    /// Registers Pyruse, as a machine and as a bouncer.
    pub fn register_pyruse(&self) {
        self.cscli(&["machines", "add", "pyruse", "--password", "good", "-f", "/dev/null"]);
        self.cscli(&["bouncers", "add", "pyruse", "-k", "the-key"]);
    }

    pub fn launch(&mut self) {
        let log = self.path(&unique("log"));
        let output = fs::File::create(&log).unwrap();
        let mut command = self.firewall.command("crowdsec");
        command.arg("-c").arg(self.path("config.yaml")).arg("-no-cs");
        let errors = output.try_clone().unwrap();
        let child = command.stdout(output).stderr(errors).spawn().expect("crowdsec is needed");
        self.child = Some(child);
        let said = || fs::read_to_string(&log).unwrap_or_default();
        let child = self.child.as_mut().unwrap();
        wait_for("the Local API", || {
            assert!(child.try_wait().unwrap().is_none(), "crowdsec ended: {}", said());
            let mut knock = self.firewall.command("curl");
            knock.args(["-s", "-o", "/dev/null", "--max-time", &LONG.as_secs().to_string(), URL]);
            knock.status().unwrap().success().then_some(())
        });
    }

    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            run(Command::new("kill").arg(child.id().to_string()));
            wait_for("crowdsec's end", || child.try_wait().unwrap());
        }
    }

    /// Removes its database, with all who are registered, and registers `cscli` again.
    pub fn wipe(&self) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(self.path(&format!("crowdsec.db{suffix}")));
        }
        self.register();
    }

    pub fn cscli(&self, args: &[&str]) -> String {
        run(self.firewall.command("cscli").arg("-c").arg(self.path("config.yaml")).args(args))
    }

    /// What `cscli decisions list` shows, sorted: `SCOPE VALUE SCENARIO`, and the number of seconds that are left.
    pub fn decisions(&self) -> Vec<(String, u64)> {
        let listed: Value = serde_json::from_str(&self.cscli(&["decisions", "list"])).unwrap();
        let alerts = listed.as_array().into_iter().flatten();
        let decisions = alerts.filter_map(|alert| alert["decisions"].as_array()).flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut all: Vec<_> = decisions
            .map(|it| {
                let words = ["scope", "value", "scenario"].map(|key| text(&it[key]));
                (words.join(" "), seconds(&text(&it["duration"])))
            })
            .collect();
        all.sort();
        all
    }

    /// The same, without the time.
    pub fn names(&self) -> Vec<String> {
        self.decisions().into_iter().map(|(name, _)| name).collect()
    }
}

impl Drop for Lapi<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whole seconds of a duration such as `3h59m57.1s`.
fn seconds(text: &str) -> u64 {
    let (mut total, mut number) = (0, String::new());
    for c in text.chars() {
        let unit = match c {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => {
                number.push(c);
                continue;
            }
        };
        let whole = number.split('.').next().unwrap_or_default();
        total += unit * whole.parse::<u64>().unwrap_or(0);
        number.clear();
    }
    total
}
