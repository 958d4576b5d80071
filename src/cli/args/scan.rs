//! What to scan for, where, and what is kept of it.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use clap::Args;

use super::{
    CheckSettings, InputOptions, LedgerOption, ObstacleOption, OnlyOption, PrintOptions,
    SceneOptions, ServiceOptions, number::whole,
};
use crate::{
    cli::{duration, exit::Failure},
    green::{Api, ClientBuilder},
};

/// Default interval between requests for results.
pub(crate) const POLL: Duration = Duration::from_secs(5);

/// What to scan, for what, and where.
#[derive(Args, Debug)]
pub(crate) struct ScanOptions {
    #[command(flatten)]
    pub(crate) input: InputOptions,

    #[command(flatten)]
    pub(crate) settings: ScanSettings,

    /// Submit to a mock service in this process
    ///
    /// Its outcomes are made up. It needs no account, keeps no ledger, and serves local files under a URL:
    /// they are downloaded, so that codes of downloads (download/web-page) are possible too, which check
    /// does not find in the file.
    #[arg(long, conflicts_with_all = ["region", "endpoint", "ledger"], help_heading = "Service")]
    pub(crate) sandbox: bool,

    /// Keep no ledger, for a scan that need not survive an interruption
    #[arg(
        long,
        conflicts_with = "ledger",
        help_heading = "Service",
        hide_short_help = true
    )]
    pub(crate) no_ledger: bool,

    #[command(flatten)]
    pub(crate) print: PrintOptions,

    #[command(flatten)]
    pub(crate) only: OnlyOption,
}

/// The options of `scan`, but for the sources.
#[derive(Args, Debug)]
pub(crate) struct ResumeOptions {
    #[command(flatten)]
    pub(crate) settings: ScanSettings,

    #[command(flatten)]
    pub(crate) print: PrintOptions,

    #[command(flatten)]
    pub(crate) only: OnlyOption,
}

/// The options of `work`.
#[derive(Args, Debug)]
pub(crate) struct WorkOptions {
    #[command(flatten)]
    pub(crate) settings: ScanSettings,

    /// End when nothing is left to do, instead of waiting for more
    #[arg(long, help_heading = "Service")]
    pub(crate) until_done: bool,

    #[command(flatten)]
    pub(crate) obstacles: ObstacleOption,
}

/// What to scan for, and where.
#[derive(Args, Debug)]
#[command(next_help_heading = "Service")]
pub(crate) struct ScanSettings {
    #[command(flatten)]
    pub(crate) check: CheckSettings,

    /// Do not probe URLs that the list states as accepted within this time
    ///
    /// The list has the columns of `check --format csv` or `jsonl`, or of the Python package. A row of another
    /// version or other requirements, or without such columns, is probed. The depth and the mode of the check
    /// are not compared: what it did not examine is submitted unexamined. The author of the list has to be
    /// trusted, because every submission is billed.
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive, hide_short_help = true, help_heading = "Input")]
    pub(crate) checked_within: Option<Duration>,

    #[command(flatten)]
    pub(crate) scenes: SceneOptions,

    #[command(flatten)]
    pub(crate) service: ServiceOptions,

    #[command(flatten)]
    pub(crate) ledger: LedgerOption,

    /// Name of the paying account in the ledger [default: the access key's id]
    ///
    /// For temporary keys, whose ids change.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(crate) account: Option<String>,

    /// Maximum images submitted per second [default: 45]
    ///
    /// It is shared by all that use the ledger. The default, 90 in 2.0, is nine tenths of an account's
    /// default limit.
    #[arg(long, value_name = "N", value_parser = whole(1_u32..=100_000))]
    pub(crate) rate: Option<u32>,

    /// Interval between two polls for results [default: 5s, with --sandbox 100ms]
    ///
    /// In 2.0 it grows with the age of a task, up to 30s.
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive, hide_short_help = true)]
    pub(crate) poll: Option<Duration>,

    /// Give up when no result comes for this long; without a ledger after [default: 10m]
    ///
    /// With a ledger the default is to wait without limit: the service keeps results for an hour (2.0: three days), and
    /// `greenlight resume` polls again.
    #[arg(long, value_name = "TIME", value_parser = duration::parse, hide_short_help = true)]
    pub(crate) wait: Option<Duration>,

    /// Upload and resubmit, once, what the service cannot download
    ///
    /// For an image at a URL that the check could read, but that the service reports as not downloadable
    /// or too slow (codes 403, 404, 480 and 592, in 2.0 404 and 405). The second submission follows the
    /// definite failure of the first, and is billed.
    #[arg(long, hide_short_help = true)]
    pub(crate) upload_fallback: bool,

    /// Resubmit an image whose answer is unknown after this time
    ///
    /// An image is left to another run for as long, even if that ended.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration::parse_positive, hide_short_help = true)]
    pub(crate) settle: Duration,
}

impl ScanSettings {
    /// The client, without a limit of its own: the ledger has the account's, and a request that waits
    /// in the client would count as sent when its time is up.
    pub(crate) fn client_with(&self, client: ClientBuilder) -> Result<Arc<dyn Api>, Failure> {
        const UNLIMITED: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();
        let client = client
            .requests_per_second(UNLIMITED)
            .images_per_second(UNLIMITED);
        self.service.api.api.build(client)
    }
}
