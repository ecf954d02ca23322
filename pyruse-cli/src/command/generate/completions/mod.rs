//! Completions for the shells that people use on servers. The scripts ask the program (`pyruse complete`).

use super::page::Page;

/// One script for each shell, under the name by which the shell looks for it.
pub(super) fn scripts() -> Vec<Page> {
    [
        ("pyruse.bash", include_str!("pyruse.bash")),
        ("_pyruse", include_str!("_pyruse")),
        ("pyruse.fish", include_str!("pyruse.fish")),
    ]
    .map(|(file, script)| (file.to_owned(), script.as_bytes().to_owned()))
    .into()
}
