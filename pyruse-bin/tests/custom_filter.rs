//! A filter in another crate: `examples/custom-filter`, copied elsewhere, with only the path of Pyruse changed.
//!
//! It is built without the network, from what building this workspace has downloaded, and beside it: with the same
//! profile, so that only what is ours is compiled once more.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The copy.
struct Elsewhere {
    directory: tempfile::TempDir,
}

/// What it is built to: what the tests were built to; unless that is somebody else's (the tests run by sudo), who could
/// not write there any more.
fn target() -> PathBuf {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Also with `--target`, `tmp` lies in the directory itself.
    let shared = own.parent().unwrap();
    let is_ours = shared.metadata().unwrap().uid() == nix::unistd::geteuid().as_raw();
    if is_ours { shared.to_owned() } else { own.join("elsewhere") }
}

impl Elsewhere {
    fn new() -> Elsewhere {
        let elsewhere = Elsewhere { directory: tempfile::tempdir().unwrap() };
        let example = root().join("examples/custom-filter");
        for file in ["Cargo.toml", "src/lib.rs", "src/main.rs", "pyruse.json"] {
            elsewhere.write(file, &fs::read_to_string(example.join(file)).unwrap());
        }
        // The one thing that changes.
        let manifest = elsewhere.read("Cargo.toml");
        let here = format!("path = \"{}/", root().display());
        assert_eq!(manifest.matches("path = \"../../").count(), 2);
        elsewhere.write("Cargo.toml", &manifest.replace("path = \"../../", &here));
        // The versions that are downloaded; cargo drops what is not needed.
        elsewhere.write("Cargo.lock", &fs::read_to_string(root().join("Cargo.lock")).unwrap());
        elsewhere
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Builds it; the program.
    fn build(&self) -> PathBuf {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--offline", "--quiet", "--message-format=json-render-diagnostics"]);
        let sqlite = ["package.libsqlite3-sys.opt-level=2", "package.libsqlite3-sys.debug=false"];
        for setting in ["debug=\"line-tables-only\"", sqlite[0], sqlite[1]] {
            command.arg("--config").arg(format!("profile.dev.{setting}"));
        }
        command.current_dir(self.directory.path()).env("CARGO_TARGET_DIR", target());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let messages = text(&output.stdout);
        let mut messages =
            messages.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let program = messages.find_map(|message| Some(message["executable"].as_str()?.to_owned())).unwrap();
        // Another build may take its place before it has run.
        let kept = self.path("pyruse");
        fs::copy(program, &kept).unwrap();
        kept
    }

    fn run(&self, program: &Path, args: &[&str]) -> Output {
        Command::new(program)
            .args(args)
            .current_dir(self.directory.path())
            .env("TZ", "UTC")
            .env("COLUMNS", "500")
            .output()
            .unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_plugin_crate_works_and_the_error_for_an_unlinked_one_says_how_to_link_it() {
    let elsewhere = Elsewhere::new();
    let program = elsewhere.build();

    let output = elsewhere.run(&program, &["check", "pyruse.json"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout), "pyruse.json: 3 chains, 6 steps; 0 errors, 0 warnings\n");

    // At 12:06 and at 19:06 in Paris.
    let entry = |time: &str| {
        format!(
            r#"{{"__REALTIME_TIMESTAMP":"{time}","SYSLOG_IDENTIFIER":"sudo","_COMM":"sudo","MESSAGE":"alice : PWD=/ ; USER=root ; COMMAND=/bin/sh"}}"#
        )
    };
    elsewhere
        .write("entries.jsonl", &format!("{}\n{}\n", entry("1795000000000000"), entry("1795025200000000")));
    let replay = ["--config", "pyruse.json", "replay", "--json", "--input", "entries.jsonl"];
    let output = elsewhere.run(&program, &replay);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(
        text(&output.stdout),
        r#"{"effect":"email","at":"2026-11-18T18:06:40.000000Z","cursor":null,"chain":"unusual","step":0,"subject":"root, at this hour?","to":["hostmaster"],"body":"alice : PWD=/ ; USER=root ; COMMAND=/bin/sh"}
"#
    );

    // Now the line is forgotten that names the crate.
    let main = elsewhere.read("src/main.rs");
    let (named, rest) = main.split_once('\n').unwrap();
    assert!(named.starts_with("use pyruse_working_hours as _;"));
    elsewhere.write("src/main.rs", rest);
    let program = elsewhere.build();
    let output = elsewhere.run(&program, &["check", "pyruse.json"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(text(&output.stderr));
}
