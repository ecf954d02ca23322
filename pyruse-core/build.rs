//! Nothing is built here: cargo asks for a build script where `links` is set, and `links` is what makes cargo
//! refuse two versions of this crate in one program (each would have a plugin registry of its own).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
