//! Completions for the shells that people use on servers.

use clap::Command;
use clap_complete::{Shell, generate};

use super::Page;

/// One script for each shell, under the name by which the shell looks for it.
pub(super) fn scripts(mut command: Command) -> Vec<Page> {
    let shells = [(Shell::Bash, "pyruse.bash"), (Shell::Zsh, "_pyruse"), (Shell::Fish, "pyruse.fish")];
    let script = |(shell, file): (Shell, &str)| {
        let mut script = Vec::new();
        generate(shell, &mut command, "pyruse", &mut script);
        (file.to_owned(), script)
    };
    shells.map(script).into()
}
