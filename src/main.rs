//! The command `greenlight`. It uses the library's public items only.

mod cli;

use std::process::ExitCode;

#[cfg(feature = "serve")]
use greenlight::serve;
use greenlight::{download, green, ledger, local_file, pipeline, probe, sandbox, sanitize};

/// The library's errors.
mod error {
    pub(crate) use greenlight::{Error, ErrorKind, Retry, UnknownName};
}

/// The library's URLs of images.
mod image_url {
    use std::borrow::Cow;

    pub(crate) use greenlight::ImageUrl;

    pub(crate) fn masked(text: &str) -> Cow<'_, str> {
        ImageUrl::masked(text)
    }
}

fn main() -> ExitCode {
    cli::run()
}
