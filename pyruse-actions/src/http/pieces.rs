//! A rendered text with the places of a secret. The secret itself is inserted when the text is sent: it is never in the
//! state, in an effect or in the log.

use pyruse_core::serde::{Deserialize, Serialize};

/// The placeholder of the secret in a template.
pub(super) const SECRET: &str = "$secret";

/// The placeholder of the request's identity in a template.
pub(super) const ID: &str = "$id";

/// The placeholders that are not fields.
pub(super) const OWN: [&str; 2] = [SECRET, ID];

/// The texts between which the secret is inserted; one text, if there is no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde", transparent)]
pub(super) struct Pieces(Vec<String>);

impl Default for Pieces {
    fn default() -> Pieces {
        Pieces(vec![String::new()])
    }
}

impl Pieces {
    /// Appends a text.
    pub(super) fn push(&mut self, text: &str) {
        self.end().push_str(text);
    }

    /// Returns the last text, to append to it.
    pub(super) fn end(&mut self) -> &mut String {
        if self.0.is_empty() {
            self.0.push(String::new());
        }
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    /// Appends the place of the secret.
    pub(super) fn push_secret(&mut self) {
        self.0.push(String::new());
    }

    /// Returns `true` if the secret is needed.
    pub(super) fn has_secret(&self) -> bool {
        self.0.len() > 1
    }

    /// Returns the whole text with this secret.
    pub(super) fn with(&self, secret: &str) -> String {
        self.0.join(secret)
    }

    /// Returns the text for people.
    pub(super) fn shown(&self) -> String {
        self.with("{$secret}")
    }
}
