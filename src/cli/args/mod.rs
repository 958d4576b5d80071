//! The arguments.

mod check;
mod reach;
mod report;
mod service;

use clap::{Parser, Subcommand};

pub(crate) use check::{CheckOptions, Format, entry_of};
pub(crate) use reach::ReachOptions;
pub(crate) use report::ReportOptions;
pub(crate) use service::{ResultsOptions, SandboxOptions, ScanOptions};

/// Tells which images Alibaba Cloud's image moderation can scan, and why it would refuse the
/// others; submits only what passes, and brings the results home.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    every image was accepted (scan: passed)
  1    some were rejected (scan: or did not pass)
  2    something could not be decided, or failed
  130  interrupted";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Checks images and says which of them the moderation service can scan; needs no account
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckOptions),

    /// Checks images, submits those that pass to the moderation service and prints the outcomes
    #[command(after_help = SCAN_EXAMPLES)]
    Scan(ScanOptions),

    /// Asks the moderation service for the results of tasks that were submitted before
    Results(ResultsOptions),

    /// Draws the lines of a run as one HTML page, for people who would rather look than read
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportOptions),

    /// Runs a stand-in for the moderation service on this machine, until it is interrupted
    #[command(after_help = SANDBOX_EXAMPLES)]
    Sandbox(SandboxOptions),
}

const CHECK_EXAMPLES: &str = "\
Examples:
  greenlight check photo.jpg uploads/ https://example.com/cat.png
  greenlight check --from urls.txt --probe header --format jsonl > verdicts.jsonl
  greenlight check uploads/ --for sync --format csv
  greenlight check http://10.0.0.7:8080/a.png --allow-address 10.0.0.7/32:8080

Exit codes: 0 all accepted, 1 some rejected, 2 could not decide or failed, 130 interrupted";

const SCAN_EXAMPLES: &str = "\
Examples:
  greenlight scan --sandbox fixtures/images
  greenlight scan --region ap-southeast-1 https://example.com/cat.png
  greenlight scan --region cn-shanghai --scenes porn --from urls.txt --format jsonl

Every scene of every submitted image is billed. Local files that pass are uploaded to the service's
own store first, which is not billed. The key is read from the environment:
  ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET
  ALIBABA_CLOUD_SECURITY_TOKEN (for temporary credentials)

Exit codes: 0 all passed, 1 some rejected or not passed, 2 could not decide or failed,
130 interrupted";

const REPORT_EXAMPLES: &str = "\
Examples:
  greenlight check --from urls.txt --format jsonl | greenlight report --html report.html
  greenlight report --html report.html --from outcomes.jsonl --thumbnails

The page needs no server and loads nothing but the images, and those only with --thumbnails.";

const SANDBOX_EXAMPLES: &str = "\
Examples:
  greenlight sandbox
  greenlight sandbox --listen 127.0.0.1:8080 --serve pictures/ --polls 2

Images whose name holds `porn` are blocked, `sexy` are to be reviewed, others pass.";
