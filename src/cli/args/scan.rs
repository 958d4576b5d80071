//! What to scan for, where, and what is kept of it.

use std::time::Duration;

use clap::Args;

use super::{CheckSettings, InputOptions, LedgerOption, SceneOptions, ServiceOptions};
use crate::{
    cli::{duration, exit::Failure},
    green::{Client, ClientBuilder},
    sandbox::Sandbox,
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

    /// Submits to a sandbox in this process instead, which also serves local files under a URL; needs
    /// no account, keeps no ledger, and its outcomes are made up
    #[arg(long, conflicts_with_all = ["region", "endpoint"])]
    pub(crate) sandbox: bool,

    /// Keeps no ledger, for a scan that need not survive an interruption
    #[arg(long, conflicts_with = "ledger")]
    pub(crate) no_ledger: bool,
}

/// The options of `scan`, but for the sources.
#[derive(Args, Debug)]
pub(crate) struct ResumeOptions {
    #[command(flatten)]
    pub(crate) settings: ScanSettings,
}

/// The options of `work`.
#[derive(Args, Debug)]
pub(crate) struct WorkOptions {
    #[command(flatten)]
    pub(crate) settings: ScanSettings,

    /// Ends when nothing is left to do, instead of waiting for more
    #[arg(long)]
    pub(crate) until_done: bool,
}

/// What to scan for, and where.
#[derive(Args, Debug)]
pub(crate) struct ScanSettings {
    #[command(flatten)]
    pub(crate) check: CheckSettings,

    #[command(flatten)]
    pub(crate) scenes: SceneOptions,

    #[command(flatten)]
    pub(crate) service: ServiceOptions,

    #[command(flatten)]
    pub(crate) ledger: LedgerOption,

    /// Who pays, as the ledger is to know it; for temporary keys, whose ids change [default: the
    /// access key's id]
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,

    /// How many images are submitted a second at most, by all who use the ledger [default: 45, nine
    /// tenths of what an account has unless it asked for more]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: Option<u32>,

    /// How long to wait between questions for results [default: 5s, with --sandbox 100ms]
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive)]
    pub(crate) poll: Option<Duration>,

    /// How long to wait for results without one coming; the service keeps them for an hour, and
    /// `greenlight resume` asks again. Without a ledger: for a batch's results in all [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) wait: Option<Duration>,

    /// How long what another run left behind is left alone: an image that was sent without a known
    /// answer is submitted again after this long, when the answer can no longer come
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration::parse_positive)]
    pub(crate) settle: Duration,
}

impl ScanOptions {
    pub(crate) async fn start_sandbox(&self) -> Result<Option<Sandbox>, Failure> {
        if !self.sandbox {
            return Ok(None);
        }
        if self.settings.ledger.ledger.is_some() {
            return Err(Failure::new(
                "a sandbox in this process forgets everything at its end: a ledger of it is of no use",
            )
            .hint("run `greenlight sandbox` beside, and scan with the --endpoint that it names"));
        }
        Ok(Some(Sandbox::start().await?))
    }
}

impl ScanSettings {
    /// The client, with the rate that the user names. The ledger's rate is the narrower one.
    pub(crate) fn client_with(&self, mut client: ClientBuilder) -> Result<Client, Failure> {
        if let Some(rate) = self.rate.and_then(|rate| rate.try_into().ok()) {
            client = client.requests_per_second(rate).images_per_second(rate);
        }
        Ok(client.build()?)
    }
}
