//! The fields of the journal: their names, their types, and who can set them.

use pyruse_core::config::nearest;
use pyruse_core::entry::{FieldTable, Origin, ValueType};
use pyruse_core::pattern::Pattern;

/// The fields of the journal.
pub(crate) struct JournalFields;

/// Names of fields whose values are integers in the journal (systemd.journal-fields(7)).
const INTEGER_FIELDS: &[&str] = &[
    "CODE_LINE",
    "COREDUMP_GID",
    "COREDUMP_PID",
    "COREDUMP_SESSION",
    "COREDUMP_SIGNAL",
    "COREDUMP_UID",
    "ERRNO",
    "EXIT_STATUS",
    "INITRD_USEC",
    "KERNEL_USEC",
    "LEADER",
    "PRIORITY",
    "SESSION_ID",
    "SYSLOG_FACILITY",
    "SYSLOG_PID",
    "USERSPACE_USEC",
    "_AUDIT_LOGINUID",
    "_AUDIT_SESSION",
    "_GID",
    "_PID",
    "_SYSTEMD_OWNER_UID",
    "_SYSTEMD_SESSION",
    "_UID",
];

/// Names of fields whose values are points in time.
const TIME_FIELDS: &[&str] = &["COREDUMP_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"];

/// Fields that any writer to the journal can set, beside those in [`INTEGER_FIELDS`] and [`TIME_FIELDS`].
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

/// Fields that identify the writer of an entry, and that the writer cannot choose. Not among them: `_COMM` and
/// `_CMDLINE`, because a program may have any name; `_SYSTEMD_USER_UNIT` and `_SYSTEMD_USER_SLICE`, because all users
/// name the units of their own systemd as they like; the host and the times, which say nothing about the writer.
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

/// Fields that say something about the writer of an entry, but that a user can choose.
const EVIDENCE: &[&str] = &["_COMM", "_CMDLINE", "_SYSTEMD_USER_SLICE", "_SYSTEMD_USER_UNIT"];

/// Values of these fields in entries of an ordinary user of the machine: an expression that matches one of them proves
/// nothing about the writer.
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

/// Paths: the system determines how they begin, but below their own directories users choose how they end.
const PATHS: &[&str] = &["_EXE", "_SYSTEMD_CGROUP"];

/// Fields in which a writer claims an identity, or the topic of a message.
const CLAIMS: &[&str] = &["MESSAGE_ID", "SYSLOG_IDENTIFIER", "UNIT", "USER_UNIT"];

/// Transports into the journal that no user's program has.
const SAFE_TRANSPORTS: &[&str] = &["kernel", "audit", "driver"];

impl FieldTable for JournalFields {
    fn names(&self) -> Vec<&'static str> {
        names().collect()
    }

    fn value_type(&self, name: &str) -> ValueType {
        if INTEGER_FIELDS.contains(&name) {
            ValueType::Integer
        } else if TIME_FIELDS.contains(&name) {
            ValueType::Time
        } else {
            ValueType::Text
        }
    }

    /// Programs may have fields of their own, in capitals; but a name that nearly equals a known one is a spelling
    /// mistake.
    fn may_hold(&self, name: &str) -> bool {
        if names().any(|known| known == name)
            || name.strip_prefix('_').unwrap_or(name).starts_with("AUDIT_FIELD_")
        {
            return true;
        }
        let own = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.chars().all(own)
            && misspelt(name).is_none()
    }

    /// Only journald sets fields that begin with `_`.
    fn origin(&self, name: &str) -> Origin {
        if IDENTITY.contains(&name) {
            Origin::Identity
        } else if EVIDENCE.contains(&name) {
            Origin::Evidence
        } else if name.starts_with('_') {
            Origin::Source
        } else if CLAIMS.contains(&name) {
            Origin::Claim
        } else {
            Origin::Writer
        }
    }

    fn proves(&self, name: &str, value: &str) -> bool {
        name != "_TRANSPORT" || SAFE_TRANSPORTS.contains(&value)
    }

    fn proves_match(&self, name: &str, pattern: &Pattern) -> bool {
        let anybody = OF_ANYBODY.iter().filter(|(field, _)| *field == name).flat_map(|(_, texts)| *texts);
        (!PATHS.contains(&name) || pattern.begins_with_text())
            && !anybody.into_iter().any(|text| pattern.is_match(text).unwrap_or(true))
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    [WRITTEN, TRUSTED, INTEGER_FIELDS, TIME_FIELDS].into_iter().flatten().copied()
}

/// Returns the known name that differs by only one slip.
fn misspelt(name: &str) -> Option<&'static str> {
    let slips = if name.len() < 8 { 1 } else { 2 };
    nearest(name, names()).filter(|near| near.len() >= 5 && strsim::damerau_levenshtein(name, near) <= slips)
}
