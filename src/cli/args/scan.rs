//! What to scan for, where, and what is kept of it.

use std::time::Duration;

use clap::Args;

use super::{CheckSettings, InputOptions, LedgerOption, ServiceOptions};
use crate::{
    cli::{duration, exit::Failure},
    green::{Chain, Client, ClientBuilder, Credentials, Scene},
    sandbox::Sandbox,
};

/// How long is waited between questions for results unless told.
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

/// What to scan for, and where.
#[derive(Args, Debug)]
pub(crate) struct ScanSettings {
    #[command(flatten)]
    pub(crate) check: CheckSettings,

    /// What is looked for, separated by commas: porn, terrorism, ad, qrcode, live, logo [default:
    /// porn,terrorism, or what the ledger was begun with]
    #[arg(long, value_name = "SCENES", value_delimiter = ',')]
    pub(crate) scenes: Option<Vec<Scene>>,

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
    /// The scenes that are asked for unless a ledger says others.
    pub(crate) fn scenes(&self) -> Vec<Scene> {
        match &self.scenes {
            Some(scenes) => scenes.clone(),
            None => vec![Scene::Porn, Scene::Terrorism],
        }
    }

    /// The client of the sandbox, or of the service that is named.
    pub(crate) async fn client(&self, sandbox: Option<&Sandbox>) -> Result<Client, Failure> {
        let Some(sandbox) = sandbox else {
            // Named first: it is what is missing most often.
            let client = self.service.client()?;
            return self.client_with(client, self.service.keys().await?.chain);
        };
        let key = sandbox.credentials();
        let client = Client::builder()
            .endpoint(&sandbox.endpoint())
            .credentials(Credentials::new(key.id(), key.secret()));
        self.build(client, Duration::from_millis(100))
    }

    /// The client of the service that is named.
    pub(crate) fn client_with(
        &self,
        client: ClientBuilder,
        keys: Chain,
    ) -> Result<Client, Failure> {
        self.build(client.credentials(keys), POLL)
    }

    fn build(&self, client: ClientBuilder, pause: Duration) -> Result<Client, Failure> {
        let mut client = client
            .poll_interval(self.poll.unwrap_or(pause))
            .wait_at_most(self.wait.unwrap_or(Duration::from_secs(600)));
        if let Some(rate) = self.rate.and_then(|rate| rate.try_into().ok()) {
            client = client.requests_per_second(rate).images_per_second(rate);
        }
        Ok(client.build()?)
    }
}
