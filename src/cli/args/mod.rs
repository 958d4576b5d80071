//! The arguments.

mod about;
mod api;
mod check;
mod doctor;
mod examples;
mod ledger;
mod maintain;
mod number;
mod output;
mod plan;
mod reach;
mod report;
mod requirements;
mod scan;
mod scenes;
#[cfg(feature = "serve")]
mod serve;
mod service;
#[cfg(feature = "serve")]
mod webhook;

use clap::{CommandFactory as _, Parser, Subcommand, builder::StyledStr};

pub(crate) use about::{CompletionsOptions, ConfigOptions, ManOptions, ShowConfigOptions};
pub(crate) use api::{ApiOption, ApiVersion};
pub(crate) use check::{CheckOptions, CheckSettings, InputOptions};
pub(crate) use doctor::DoctorOptions;
pub(crate) use ledger::{
    DeadOptions, ExportFormat, ExportOptions, LedgerLocation, LedgerOption, ObstacleOption,
    RetryOptions, StatusOptions, has_password, quoted, without_password,
};
pub(crate) use maintain::{CopyOptions, LedgerOptions, LedgerTask};
pub(crate) use output::{
    CsvOption, DestinationOptions, Format, Kind, OnlyOption, OutputOptions, PrintOptions,
};
pub(crate) use plan::{PlanOptions, Price};
pub(crate) use reach::{ReachOptions, entry_of, header};
pub(crate) use report::ReportOptions;
pub(crate) use requirements::RequirementOptions;
pub(crate) use scan::{POLL, ResumeOptions, ScanOptions, ScanSettings, WorkOptions};
pub(crate) use scenes::SceneOptions;
#[cfg(feature = "serve")]
pub(crate) use serve::ServeOptions;
pub(crate) use service::{ResultsOptions, SandboxOptions, ServiceOptions};

/// Checks whether Alibaba Cloud's image moderation can scan images, submits those that pass and
/// collects the results
#[derive(Debug, Parser)]
#[command(
    version,
    long_version = long_version(),
    max_term_width = 100,
    after_help = examples::EXIT_CODES
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) output: OutputOptions,

    #[command(flatten)]
    pub(crate) config: ConfigOptions,

    /// The options that the environment or a file sets, each with its origin.
    #[arg(skip)]
    pub(crate) elsewhere: Vec<(String, String)>,
}

impl Arguments {
    /// What is logged, and how.
    pub(crate) const fn log(&self) -> Log {
        let verbose = self.output.verbose;
        match &self.command {
            #[cfg(feature = "serve")]
            Command::Serve(options) => options.log(self.output.quiet, verbose),
            _ => Log {
                level: verbose,
                is_json: false,
            },
        }
    }

    /// Returns the command line, each short help of which names the long one if that has more options.
    pub(crate) fn command_line() -> clap::Command {
        let command = Self::command();
        // Its images come from requests, so no list states that they were checked.
        #[cfg(feature = "serve")]
        let command = command.mut_subcommand("serve", |serve| {
            serve.mut_arg("checked_within", |arg| arg.hide(true))
        });
        command.mut_subcommands(point_to_long_help)
    }
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log {
    /// 0: nothing; 1: events; more: spans too.
    pub(crate) level: u8,
    /// Whether each event is a JSON object.
    #[cfg_attr(not(feature = "serve"), expect(dead_code, reason = "for servers"))]
    pub(crate) is_json: bool,
}

fn point_to_long_help(command: clap::Command) -> clap::Command {
    let command = command.mut_subcommands(point_to_long_help);
    let text = |help: Option<&StyledStr>| help.map(ToString::to_string);
    let short = text(command.get_after_help()).unwrap_or_default();
    let long = text(command.get_after_long_help()).unwrap_or_else(|| short.clone());
    command
        .after_help(
            format!("{short}\n\nAll options: --help")
                .trim_start()
                .to_owned(),
        )
        .after_long_help(long)
}

/// The version, and the features that the command was built with.
fn long_version() -> String {
    let features = [
        ("cli", true),
        ("postgres", cfg!(feature = "postgres")),
        ("axum", cfg!(feature = "axum")),
        ("serve", cfg!(feature = "serve")),
        ("stream", cfg!(feature = "stream")),
    ];
    let features = features.into_iter().filter(|(_, is_on)| *is_on);
    let features: Vec<_> = features.map(|(name, _)| name).collect();
    format!(
        "{}\nfeatures: {}",
        env!("CARGO_PKG_VERSION"),
        features.join(" ")
    )
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check images; needs no account
    #[command(after_help = examples::CHECK, after_long_help = examples::CHECK_LONG)]
    Check(CheckOptions),

    /// Check images, submit those that pass and print the outcomes
    #[command(after_help = examples::SCAN, after_long_help = examples::SCAN_LONG)]
    Scan(ScanOptions),

    /// Continue a scan from its ledger
    #[command(after_help = examples::RESUME, after_long_help = examples::RESUME_LONG)]
    Resume(ResumeOptions),

    /// Take part in the work of a ledger that several machines share
    #[command(after_help = examples::WORK, after_long_help = examples::WORK_LONG)]
    Work(WorkOptions),

    /// Print the progress, outcomes and cost of a ledger
    #[command(after_help = examples::STATUS)]
    Status(StatusOptions),

    /// Make images that failed permanently due again
    #[command(after_help = examples::RETRY)]
    Retry(RetryOptions),

    /// List images that failed permanently, and why
    #[command(after_help = examples::DEAD)]
    Dead(DeadOptions),

    /// Write a row for each source of a ledger, in the order of the input
    #[command(after_help = examples::EXPORT)]
    Export(ExportOptions),

    /// Create, upgrade, check or copy a ledger
    #[command(after_help = examples::LEDGER)]
    Ledger(LedgerOptions),

    /// Check images and print what a scan of them would submit and cost; needs no account
    #[command(after_help = examples::PLAN)]
    Plan(PlanOptions),

    /// Fetch the results of tasks by their ids; needs a region and a key
    #[command(after_help = examples::RESULTS)]
    Results(ResultsOptions),

    /// Render a run or a ledger as one HTML page
    #[command(after_help = examples::REPORT)]
    Report(ReportOptions),

    /// Run a mock of the moderation service on this host until interrupted
    #[command(after_help = examples::SANDBOX)]
    Sandbox(SandboxOptions),

    /// Run an HTTP server that checks images for other programs
    #[cfg(feature = "serve")]
    #[command(after_help = examples::SERVE)]
    Serve(Box<ServeOptions>),

    /// Test region, network, clock, key and ledger; free of charge
    #[command(after_help = examples::DOCTOR)]
    Doctor(DoctorOptions),

    /// Print the options in effect, and where each comes from
    #[command(after_help = examples::CONFIG)]
    Config(ShowConfigOptions),

    /// Print a script that completes the command in a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions(CompletionsOptions),

    /// Write manual pages to a folder
    #[command(after_help = examples::MAN)]
    Man(ManOptions),
}
