//! The arguments.

mod check;
mod ledger;
mod plan;
mod reach;
mod report;
mod requirements;
mod scan;
mod scenes;
mod service;

use clap::{Parser, Subcommand};

pub(crate) use check::{CheckOptions, CheckSettings, CsvOption, Format, InputOptions, entry_of};
pub(crate) use ledger::{
    DeadOptions, ExportFormat, ExportOptions, LedgerOption, RetryOptions, StatusOptions,
};
pub(crate) use plan::{PlanOptions, Price};
pub(crate) use reach::ReachOptions;
pub(crate) use report::ReportOptions;
pub(crate) use requirements::RequirementOptions;
pub(crate) use scan::{POLL, ResumeOptions, ScanOptions, ScanSettings, WorkOptions};
pub(crate) use scenes::SceneOptions;
pub(crate) use service::{ResultsOptions, SandboxOptions, ServiceOptions};

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
    /// Checks which images the moderation service can scan; needs no account
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckOptions),

    /// Checks images, submits those that pass to the moderation service and prints the outcomes
    #[command(after_help = SCAN_EXAMPLES)]
    Scan(ScanOptions),

    /// Resumes a scan from its ledger
    #[command(after_help = RESUME_EXAMPLES)]
    Resume(ResumeOptions),

    /// Works on a ledger that several machines share, without printing outcomes
    #[command(after_help = WORK_EXAMPLES)]
    Work(WorkOptions),

    /// Prints the progress of a ledger's scan, what it cost and how long it will take
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusOptions),

    /// Puts dead images of a ledger back to work
    #[command(after_help = RETRY_EXAMPLES)]
    Retry(RetryOptions),

    /// Lists the images of a ledger that failed permanently, and why
    #[command(after_help = DEAD_EXAMPLES)]
    Dead(DeadOptions),

    /// Writes a ledger's outcomes: a row for each source, in the order of the input
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportOptions),

    /// Checks images and prints what a scan of them would submit and cost; needs no account
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(PlanOptions),

    /// Fetches the results of tasks that were submitted before
    Results(ResultsOptions),

    /// Renders the output of a run, or a ledger, as one HTML page
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportOptions),

    /// Runs a mock of the moderation service on loopback until it is interrupted
    #[command(after_help = SANDBOX_EXAMPLES)]
    Sandbox(SandboxOptions),
}

const CHECK_EXAMPLES: &str = "\
Examples:
  greenlight check photo.jpg uploads/ https://example.com/cat.png
  greenlight check --from urls.txt --probe header --format jsonl > verdicts.jsonl
  greenlight check uploads/ --for sync --format csv
  greenlight check uploads/ --requirements site.json --strict --enforce image/type-mismatch=warn
  greenlight check http://10.0.0.7:8080/a.png --allow-address 10.0.0.7/32:8080

Exit codes: 0 all accepted, 1 some rejected, 2 could not decide or failed, 130 interrupted";

const SCAN_EXAMPLES: &str = "\
Examples:
  greenlight scan --sandbox fixtures/images
  greenlight scan --region ap-southeast-1 https://example.com/cat.png
  greenlight scan --region cn-shanghai --scenes porn --from urls.txt --format jsonl > out.jsonl

Progress is kept in a ledger, by default greenlight.db. An image is submitted once, however often it is \
listed, scanned or interrupted; `greenlight resume` resumes a scan, and `greenlight export` prints \
everything again. Ctrl-C finishes the requests that were sent; a second one ends immediately and loses \
nothing either.

Every scene of every submitted image is billed. Local files that pass are uploaded to the service's \
own store first; whether that is billed is not documented. The key is read from the environment \
unless --credentials names other places:
  ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET
  ALIBABA_CLOUD_SECURITY_TOKEN (for temporary credentials)

Exit codes: 0 all passed, 1 some rejected or not passed, 2 could not decide or failed, \
130 interrupted; of the sources that this run prints";

const RESUME_EXAMPLES: &str = "\
Examples:
  greenlight resume --region ap-southeast-1
  greenlight resume --ledger urls.db --region cn-shanghai --format jsonl >> out.jsonl

Pass the options of the scan, without the sources. It prints the sources that no earlier run printed, \
in the order of the input.

Exit codes as those of scan: of the sources that this run prints";

const WORK_EXAMPLES: &str = "\
Examples:
  greenlight work --ledger postgres://me@db.example.com/images --region ap-southeast-1

Any number of processes on any number of machines may run it. `greenlight scan` with the same ledger \
reads the list and prints the outcomes. SIGTERM or Ctrl-C finishes what was sent and releases the rest.

Exit codes: 0 interrupted, or nothing left to do with --until-done; 2 failed";

const STATUS_EXAMPLES: &str = "\
Examples:
  greenlight status
  greenlight status --ledger urls.db --format jsonl

It may run during a scan, and needs no key.";

const RETRY_EXAMPLES: &str = "\
Examples:
  greenlight retry
  greenlight retry --class download/too-slow,submit/592 --ledger urls.db

Nothing is sent until `greenlight resume` runs. What was submitted before may be billed again.";

const DEAD_EXAMPLES: &str = "\
Examples:
  greenlight dead
  greenlight dead --ledger urls.db --format jsonl";

const EXPORT_EXAMPLES: &str = "\
Examples:
  greenlight export > outcomes.jsonl
  greenlight export --ledger urls.db --format csv --output outcomes.csv
  greenlight export --format parquet --output outcomes.parquet

The fields are those of scan. It may run during a scan, and needs no key; a source that is not done yet \
has that in its field `error`.";

const PLAN_EXAMPLES: &str = "\
Examples:
  greenlight plan --from urls.txt --price 1.80
  greenlight plan photos/ --scenes porn,ad --probe header --format jsonl

Nothing is sent or kept.";

const REPORT_EXAMPLES: &str = "\
Examples:
  greenlight check --from urls.txt --format jsonl | greenlight report --html report.html
  greenlight report --html report.html --from outcomes.jsonl --thumbnails
  greenlight report --html report.html --ledger greenlight.db

The page needs no server and loads nothing but the images, and those only with --thumbnails.";

const SANDBOX_EXAMPLES: &str = "\
Examples:
  greenlight sandbox
  greenlight sandbox --listen 127.0.0.1:8080 --serve pictures/ --polls 2

Images whose name holds `porn` are blocked, `sexy` are to be reviewed, others pass.";
