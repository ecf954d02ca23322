use pyruse_spool as _; // Without this line the source is not linked, because nothing else names its crate.

fn main() -> std::process::ExitCode {
    pyruse_bin::run()
}
