fn main() -> std::process::ExitCode {
    pyruse_bin::run()
}
