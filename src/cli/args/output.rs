//! How and where the command prints.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum, ValueHint};

use crate::cli::terminal::{STDOUT, When};

/// What every command prints, and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// Print no notes, warnings, hints or progress; errors are still printed
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "verbose",
        hide_short_help = true
    )]
    pub(crate) quiet: bool,

    /// Log what is probed, retried and waited for
    ///
    /// Twice (-vv): every request to the service too. The log goes to standard error.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Color the output
    ///
    /// With `auto` a terminal gets colors, unless `NO_COLOR` is set or `CLICOLOR` is 0; `CLICOLOR_FORCE`
    /// colors pipes and files too.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_short_help = true
    )]
    pub(crate) color: When,

    /// Show progress on standard error
    ///
    /// On a terminal as bars, elsewhere as at most one line every 10 seconds. `always` shows it with
    /// --quiet too.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_short_help = true
    )]
    pub(crate) progress: When,
}

/// The options of the commands that print data.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct PrintOptions {
    /// human (a table), jsonl or csv
    ///
    /// jsonl is one JSON object per line; csv has a header line.
    #[arg(long, default_value = "human", hide_possible_values = true)]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) to: DestinationOptions,
}

/// Where data goes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct DestinationOptions {
    /// Write to a file instead of standard output
    ///
    /// The file is replaced once all is written; - is standard output. Only its owner can read a new file,
    /// an existing one keeps its permissions.
    #[arg(
        long,
        value_name = "FILE|-",
        default_value = STDOUT,
        hide_default_value = true,
        value_hint = ValueHint::FilePath
    )]
    pub(crate) output: PathBuf,

    #[command(flatten)]
    pub(crate) csv: CsvOption,
}

/// The lines that are printed.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(crate) struct OnlyOption {
    /// Print only some results: rejected,inconclusive
    ///
    /// Separated by commas: accepted, rejected and inconclusive; the outcomes of a scan: pass, review, block,
    /// undecided and not-submitted. The summary and the exit code are about all sources.
    #[arg(
        long,
        value_name = "KINDS",
        value_delimiter = ',',
        hide_possible_values = true
    )]
    pub(crate) only: Vec<Kind>,
}

/// A kind of result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    #[value(alias = "accept")]
    Accepted,
    #[value(alias = "reject")]
    Rejected,
    Inconclusive,
    Pass,
    Review,
    Block,
    Undecided,
    NotSubmitted,
}

impl OnlyOption {
    /// Whether a line that is of these kinds is printed.
    pub(crate) fn lets_through(&self, kinds: &[Kind]) -> bool {
        self.only.is_empty() || kinds.iter().any(|kind| self.only.contains(kind))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Jsonl,
    Csv,
}

/// How cells of CSV are written.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct CsvOption {
    /// Write cells of CSV unchanged, formulas included
    ///
    /// By default a cell that begins with =, +, -, @, a tab or a line end is prefixed with ', because
    /// spreadsheets would run it as a formula.
    #[arg(long, hide_short_help = true)]
    pub(crate) csv_raw: bool,
}
