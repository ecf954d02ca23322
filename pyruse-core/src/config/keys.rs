//! The top-level keys that the core itself reads, as data: for messages, the reference pages and the schema of the
//! file.

use serde_json::{Value, json};

// For the schema and the reference pages.
#[doc(hidden)]
/// A top-level key of the configuration.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CoreKey {
    /// The key.
    pub key: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// JSON Schema of its value. The schema of `actions` knows no module: a caller that has a registry adds what a step
    /// may be.
    pub schema: fn() -> Value,
}

// For the schema and the reference pages.
#[doc(hidden)]
/// All core keys, in the order in which people write them.
pub const CORE_KEYS: [CoreKey; 8] = [
    CoreKey {
        key: "$schema",
        doc: "The JSON Schema of this file, for editors; `pyruse schema` writes it. Pyruse itself does not read it.",
        schema: || json!({"type": "string"}),
    },
    CoreKey {
        key: "actions",
        doc: "The chains: each label has a list of steps. An entry starts at the first chain; the order matters.",
        schema: || {
            json!({
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {"type": "array", "minItems": 1},
            })
        },
    },
    CoreKey {
        key: "include",
        doc: "Further files of the configuration: a path or a list of paths, relative to this file's directory, with \
              wildcards. Their chains stand where `include` stands.",
        schema: || {
            let path = json!({"type": "string", "minLength": 1});
            json!({"anyOf": [path, {"type": "array", "items": path}]})
        },
    },
    CoreKey {
        key: "vars",
        doc: "Values by name; `{\"$var\": NAME}` stands for the value. A file that includes another one overrides its \
              values.",
        schema: || json!({"type": "object"}),
    },
    CoreKey {
        key: "sources",
        doc: "Where entries come from: each source has a name, a module (`source`) and its `args`. Without this key, \
              the systemd journal is read, as configured by the key `journal`.",
        schema: || json!({"type": "object", "minProperties": 1}),
    },
    CoreKey {
        key: "storage",
        doc: "The directory of the state: counters, bans, pending mails, and the position in the journal.",
        schema: || json!({"type": "string", "minLength": 1, "default": "/var/lib/pyruse"}),
    },
    CoreKey {
        key: "8bit-message-encoding",
        doc: "The encoding of texts that are not valid UTF-8, such as `iso-8859-15`, `windows-1252` or `koi8-r`.",
        schema: || json!({"type": "string", "default": "iso-8859-1"}),
    },
    CoreKey {
        key: "debug",
        doc: "More verbose diagnostics.",
        schema: || json!({"type": "boolean", "default": false}),
    },
];
