//! Files that journald seals (Seal=yes): between their entries are tags.

use super::*;

/// Runs with directories of journals of its own: the key that journald seals with is in the machine's.
const SCRIPT: &str = r#"
set -e
mount -t tmpfs tmpfs /var/log/journal
mkdir /var/log/journal/$(cat /etc/machine-id)
journalctl --setup-keys --interval=10s >/dev/null 2>&1
printf '[Journal]\nStorage=persistent\nSeal=yes\n' > /etc/systemd/journald@$1.conf
/lib/systemd/systemd-journald $1 & journald=$!
trap 'kill $journald; rm -rf /run/systemd/journal.$1 /etc/systemd/journald@$1.conf' EXIT
until [ -S /run/systemd/journal.$1/dev-log ]; do kill -0 $journald; sleep 0.02; done
for n in 1 2 3 4; do
    seq 100 | sed "s/^/line of part $n, /" | logger --socket /run/systemd/journal.$1/dev-log
    [ $n = 4 ] || journalctl --namespace=$1 --rotate
done
journalctl --namespace=$1 --sync
cp /var/log/journal/*.$1/* $2
"#;

#[test]
fn sealed_files_are_read_as_libsystemd_reads_them() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", SCRIPT, "sh", &format!("pyrseal{}", std::process::id())])
        .arg(directory.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in &files {
        // A compatible feature: a reader need not know it.
        assert_eq!(std::fs::read(file).unwrap()[8] & 1, 1, "{} is not sealed", file.display());
    }
    let settings = of_directory(directory.path());
    let ours = by_us(&settings);
    assert!(ours.len() >= 400, "{} entries", ours.len());
    assert_same(&ours, &by_libsystemd(&settings), "sealed");
    assert_eq!(losses(&mut opened(&settings, pyruse_core::plugin::Begin::Head)), []);
}
