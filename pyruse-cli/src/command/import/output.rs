//! Where an import is written: into a new directory, or on standard output.
//!
//! The files are written beside that directory first, and get its name when they are complete: nothing is overwritten,
//! and an import that fails leaves nothing behind.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::command::text::{print_line, printable};

#[derive(clap::Args)]
pub(super) struct Output {
    /// The directory to write into, which must not exist
    #[arg(long, value_name = "DIR", default_value = "/etc/pyruse/import")]
    output: PathBuf,
    /// Print what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// A file to write.
#[derive(Debug)]
pub(super) struct File {
    /// Its path within the directory.
    pub(super) name: String,
    pub(super) text: String,
}

impl Output {
    /// The directory, as text for a page.
    pub(super) fn shown(&self) -> String {
        self.output.display().to_string()
    }

    /// An error if there is something that would be overwritten.
    pub(super) fn check_absent(&self) -> anyhow::Result<()> {
        if !self.dry_run && self.output.symlink_metadata().is_ok() {
            bail!(
                "{} exists, and nothing is overwritten: name another directory with --output, or remove it",
                self.output.display()
            );
        }
        Ok(())
    }

    /// Writes or prints the files.
    pub(super) fn write(&self, files: &[File]) -> anyhow::Result<()> {
        if self.dry_run {
            for file in files {
                print_line(&format!("==> {} <==", printable(&file.name)))?;
                for line in file.text.lines() {
                    print_line(&printable(line))?;
                }
                print_line("")?;
            }
            return Ok(());
        }
        let name = self.output.file_name().context("--output names no directory")?;
        let beside =
            self.output.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        let done = self.write_into(&beside, files);
        if done.is_err() {
            let _ = fs::remove_dir_all(&beside);
        }
        done
    }

    fn write_into(&self, beside: &std::path::Path, files: &[File]) -> anyhow::Result<()> {
        let failed = |path: &std::path::Path| format!("writing {}", path.display());
        fs::create_dir(beside).with_context(|| failed(beside))?;
        for file in files {
            let path = beside.join(&file.name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).with_context(|| failed(parent))?;
            }
            let mut written = fs::File::create_new(&path).with_context(|| failed(&path))?;
            written.write_all(file.text.as_bytes()).with_context(|| failed(&path))?;
        }
        self.check_absent()?;
        // A directory that was created meanwhile and is empty would be replaced, which loses nothing.
        fs::rename(beside, &self.output).with_context(|| failed(&self.output))?;
        print_line(&printable(&format!("{} files are in {}", files.len(), self.output.display())))?;
        Ok(())
    }
}
