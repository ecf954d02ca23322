//! What is known of the journal's own fields: their names, their types, and who can write them.

use crate::config::nearest;
use crate::entry::{INTEGER_FIELDS, Kind, TIME_FIELDS};
use crate::pattern::Pattern;

/// Fields that anybody who writes to the journal can set, beside those in [`INTEGER_FIELDS`] and [`TIME_FIELDS`].
const WRITTEN: &[&str] = &[
    "AVAILABLE",
    "AVAILABLE_PRETTY",
    "BLOCK_DEVICE",
    "CODE_FILE",
    "CODE_FUNC",
    "COMMAND",
    "CONFIG_FILE",
    "CONFIG_LINE",
    "CONTAINER_ID",
    "CONTAINER_ID_FULL",
    "CONTAINER_NAME",
    "CONTAINER_TAG",
    "COREDUMP_CGROUP",
    "COREDUMP_CMDLINE",
    "COREDUMP_COMM",
    "COREDUMP_CONTAINER_CMDLINE",
    "COREDUMP_CWD",
    "COREDUMP_ENVIRON",
    "COREDUMP_EXE",
    "COREDUMP_FILENAME",
    "COREDUMP_HOSTNAME",
    "COREDUMP_OPEN_FDS",
    "COREDUMP_OWNER_UID",
    "COREDUMP_PACKAGE_JSON",
    "COREDUMP_PACKAGE_NAME",
    "COREDUMP_PACKAGE_VERSION",
    "COREDUMP_PROC_AUXV",
    "COREDUMP_PROC_CGROUP",
    "COREDUMP_PROC_LIMITS",
    "COREDUMP_PROC_MAPS",
    "COREDUMP_PROC_MOUNTINFO",
    "COREDUMP_PROC_STATUS",
    "COREDUMP_RLIMIT",
    "COREDUMP_ROOT",
    "COREDUMP_SIGNAL_NAME",
    "COREDUMP_SLICE",
    "COREDUMP_TRUNCATED",
    "COREDUMP_UNIT",
    "COREDUMP_USER_UNIT",
    "CPU_USAGE_NSEC",
    "CURRENT_USE",
    "CURRENT_USE_PRETTY",
    "DEVICE",
    "DISK_AVAILABLE",
    "DISK_AVAILABLE_PRETTY",
    "DISK_KEEP_FREE",
    "DISK_KEEP_FREE_PRETTY",
    "DOCUMENTATION",
    "EXECUTABLE",
    "EXIT_CODE",
    "GLIB_DOMAIN",
    "GLIB_OLD_LOG_API",
    "INTERFACE",
    "INVOCATION_ID",
    "IO_METRIC_READ_BYTES",
    "IO_METRIC_WRITE_BYTES",
    "IP_METRIC_EGRESS_BYTES",
    "IP_METRIC_INGRESS_BYTES",
    "JOB_ID",
    "JOB_RESULT",
    "JOB_TYPE",
    "JOURNAL_NAME",
    "JOURNAL_PATH",
    "LIMIT",
    "LIMIT_PRETTY",
    "LOGGER",
    "MAX_USE",
    "MAX_USE_PRETTY",
    "MEMORY_PEAK",
    "MEMORY_SWAP_PEAK",
    "MESSAGE",
    "MESSAGE_ID",
    "NM_DEVICE",
    "NM_LOG_DOMAINS",
    "NM_LOG_LEVEL",
    "N_DROPPED",
    "N_RESTARTS",
    "OBJECT_AUDIT_LOGINUID",
    "OBJECT_AUDIT_SESSION",
    "OBJECT_CAP_EFFECTIVE",
    "OBJECT_CMDLINE",
    "OBJECT_COMM",
    "OBJECT_EXE",
    "OBJECT_GID",
    "OBJECT_PID",
    "OBJECT_SELINUX_CONTEXT",
    "OBJECT_SYSTEMD_CGROUP",
    "OBJECT_SYSTEMD_INVOCATION_ID",
    "OBJECT_SYSTEMD_OWNER_UID",
    "OBJECT_SYSTEMD_SESSION",
    "OBJECT_SYSTEMD_SLICE",
    "OBJECT_SYSTEMD_UNIT",
    "OBJECT_SYSTEMD_USER_SLICE",
    "OBJECT_SYSTEMD_USER_UNIT",
    "OBJECT_UID",
    "PODMAN_EVENT",
    "PODMAN_TYPE",
    "PYRUSE_DIAGNOSTIC",
    "PYRUSE_LOG_ID",
    "REALMD_OPERATION",
    "SEAT_ID",
    "SLEEP",
    "SYSLOG_IDENTIFIER",
    "SYSLOG_RAW",
    "SYSLOG_TIMESTAMP",
    "TAINT",
    "THREAD_ID",
    "THREAD_NAME",
    "TID",
    "UNIT",
    "UNIT_RESULT",
    "USER_ID",
    "USER_INVOCATION_ID",
    "USER_UNIT",
    "WHERE",
];

/// Fields that only journald sets, beside those in [`INTEGER_FIELDS`] and [`TIME_FIELDS`].
const TRUSTED: &[&str] = &[
    "__CURSOR",
    "__MONOTONIC_TIMESTAMP",
    "_AUDIT_ID",
    "_AUDIT_TYPE",
    "_AUDIT_TYPE_NAME",
    "_BOOT_ID",
    "_CAP_EFFECTIVE",
    "_CMDLINE",
    "_COMM",
    "_EXE",
    "_HOSTNAME",
    "_KERNEL_DEVICE",
    "_KERNEL_SUBSYSTEM",
    "_LINE_BREAK",
    "_MACHINE_ID",
    "_NAMESPACE",
    "_RUNTIME_SCOPE",
    "_SELINUX_CONTEXT",
    "_SOURCE_BOOTTIME_TIMESTAMP",
    "_SOURCE_MONOTONIC_TIMESTAMP",
    "_STREAM_ID",
    "_SYSTEMD_CGROUP",
    "_SYSTEMD_INVOCATION_ID",
    "_SYSTEMD_SLICE",
    "_SYSTEMD_UNIT",
    "_SYSTEMD_USER_SLICE",
    "_SYSTEMD_USER_UNIT",
    "_TRANSPORT",
    "_UDEV_DEVLINK",
    "_UDEV_DEVNODE",
    "_UDEV_SYSNAME",
];

/// Fields that say who wrote an entry in a way that he cannot choose. Not among them: `_COMM` and `_CMDLINE`, for a
/// program may be called anything; `_SYSTEMD_USER_UNIT` and `_SYSTEMD_USER_SLICE`, for everybody names the units of his own
/// systemd as he likes; the host and the times, which say nothing of the writer.
const IDENTITY: &[&str] = &[
    "_AUDIT_LOGINUID",
    "_AUDIT_SESSION",
    "_CAP_EFFECTIVE",
    "_EXE",
    "_GID",
    "_PID",
    "_SELINUX_CONTEXT",
    "_SYSTEMD_CGROUP",
    "_SYSTEMD_INVOCATION_ID",
    "_SYSTEMD_OWNER_UID",
    "_SYSTEMD_SESSION",
    "_SYSTEMD_SLICE",
    "_SYSTEMD_UNIT",
    "_TRANSPORT",
    "_UID",
];

/// What these fields hold in entries of somebody who is a user of the machine and nothing more: an expression that is
/// found in it says nothing of who wrote an entry.
const OF_ANYBODY: &[(&str, &[&str])] = &[
    ("_CAP_EFFECTIVE", &["0"]),
    ("_EXE", &["/home/user/x", "/tmp/x", "/usr/bin/logger"]),
    ("_GID", &["1000"]),
    ("_PID", &["1000"]),
    ("_SYSTEMD_CGROUP", &["/user.slice/user-1000.slice/session-1.scope"]),
    ("_SYSTEMD_SLICE", &["user-1000.slice"]),
    ("_SYSTEMD_UNIT", &["session-1.scope", "user@1000.service"]),
    ("_TRANSPORT", &["journal", "stdout", "syslog"]),
    ("_UID", &["1000"]),
];

/// Paths: where they begin is the system's, but what stands at their end anybody may choose below his own.
const PATHS: &[&str] = &["_EXE", "_SYSTEMD_CGROUP"];

/// Fields in which a writer says who he is, or what his message is about; whoever he is.
const CLAIMS: &[&str] = &["MESSAGE_ID", "SYSLOG_IDENTIFIER", "UNIT", "USER_UNIT"];

/// Ways into the journal that no user's program has.
const SAFE_TRANSPORTS: &[&str] = &["kernel", "audit", "driver"];

/// All names that are known.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    [WRITTEN, TRUSTED, INTEGER_FIELDS, TIME_FIELDS].into_iter().flatten().copied()
}

/// May an entry of the journal hold a field of this name? Programs may have fields of their own, in capitals; but not
/// one that is nearly a known one, which is a mistake in writing.
pub(super) fn may_hold(name: &str) -> bool {
    if names().any(|known| known == name)
        || name.strip_prefix('_').unwrap_or(name).starts_with("AUDIT_FIELD_")
    {
        return true;
    }
    let own = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(own) && misspelt(name).is_none()
}

/// The known name that is but a slip away.
fn misspelt(name: &str) -> Option<&'static str> {
    let slips = if name.len() < 8 { 1 } else { 2 };
    nearest(name, names()).filter(|near| near.len() >= 5 && strsim::damerau_levenshtein(name, near) <= slips)
}

/// The type of a field in the journal: is it a number, a time, or text?
pub(super) fn kind(name: &str) -> Kind {
    if name == "__MONOTONIC_TIMESTAMP" { Kind::Integer } else { Kind::of(name) }
}

/// Does the field say who wrote the entry, in a way that he cannot choose?
pub(super) fn is_identity(name: &str) -> bool {
    IDENTITY.contains(&name)
}

/// Does the field say something of who wrote the entry, and not by his own word alone? A program may be called anything,
/// but who asks for its name has thought of it.
pub(super) fn is_evidence(name: &str) -> bool {
    const CHOSEN: &[&str] = &["_COMM", "_CMDLINE", "_SYSTEMD_USER_SLICE", "_SYSTEMD_USER_UNIT"];
    is_identity(name) || CHOSEN.contains(&name)
}

/// Is it a proof of who wrote the entry that this expression is found in such a field?
pub(super) fn is_proved_by(name: &str, pattern: &Pattern) -> bool {
    let anybody = OF_ANYBODY.iter().filter(|(field, _)| *field == name).flat_map(|(_, texts)| *texts);
    (!PATHS.contains(&name) || pattern.begins_with_text())
        && !anybody.into_iter().any(|text| pattern.is_match(text).unwrap_or(true))
}

/// Does the field say who wrote the entry, by his own word?
pub(super) fn is_claim(name: &str) -> bool {
    CLAIMS.contains(&name)
}

/// Is that a way into the journal that no user's program has?
pub(super) fn is_safe_transport(value: &str) -> bool {
    SAFE_TRANSPORTS.contains(&value)
}

/// Is it a field that only journald sets?
pub(super) fn is_trusted(name: &str) -> bool {
    name.starts_with('_')
}
