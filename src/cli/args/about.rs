//! The commands about the command itself, and its configuration.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use clap_complete::Shell;

use super::PrintOptions;

/// Where other options are read.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct ConfigOptions {
    /// Read options from this file [default: greenlight.toml, upward]
    ///
    /// By default `greenlight.toml` is looked for in the working directory and the folders above, then in
    /// the user's folder for configuration. A file is ignored if another user, except root, can write it.
    /// Variables GREENLIGHT_* set single options and override the file.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub(crate) config: Option<PathBuf>,

    /// Read no configuration file
    #[arg(long, global = true, conflicts_with = "config", hide_short_help = true)]
    pub(crate) no_config: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ShowConfigOptions {
    #[command(flatten)]
    pub(crate) print: PrintOptions,
}

#[derive(Args, Debug)]
pub(crate) struct CompletionsOptions {
    /// Shell to complete for
    pub(crate) shell: Shell,
}

#[derive(Args, Debug)]
pub(crate) struct ManOptions {
    /// Folder to write the pages to, which is created if needed
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,
}
