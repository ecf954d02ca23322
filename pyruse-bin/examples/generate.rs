//! Writes the pages that are made from the source, for `make reference`.

use std::fs;
use std::path::Path;

use pyruse_bin as _;

fn main() -> anyhow::Result<()> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (path, content) in pyruse_cli::generate::pages()? {
        fs::write(repository.join(path), content)?;
    }
    Ok(())
}
