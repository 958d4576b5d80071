//! The command `greenlight`.

use std::process::ExitCode;

fn main() -> ExitCode {
    greenlight::cli::run()
}
