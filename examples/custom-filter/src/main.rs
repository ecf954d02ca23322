use pyruse_working_hours as _; // Without this line the filter is not linked, because nothing else names its crate.

fn main() -> std::process::ExitCode {
    pyruse_bin::run()
}
