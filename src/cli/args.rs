//! The arguments.

use std::{ffi::OsString, fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{duration, exit::Failure, list::List, source::Sources};
use crate::{
    error::Error,
    green::{Client, ClientBuilder, Credentials, Scene, TaskId},
    inspect::Depth,
    probe::{AddressPolicy, EntryError, Mode, Probe},
    requirements::Requirements,
    sandbox::Sandbox,
};

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

Every scene of every submitted image is billed. The key is read from the environment:
  ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET
  ALIBABA_CLOUD_SECURITY_TOKEN (for temporary credentials)

Exit codes: 0 all passed, 1 some rejected or not passed, 2 could not decide or failed,
130 interrupted";

const SANDBOX_EXAMPLES: &str = "\
Examples:
  greenlight sandbox
  greenlight sandbox --listen 127.0.0.1:8080 --serve pictures/ --polls 2

Images whose name holds `porn` are blocked, `sexy` are to be reviewed, others pass.";

/// What to check, how, and how to say it.
#[derive(Args, Debug)]
pub(crate) struct CheckOptions {
    /// Files, folders (every regular file in them, recursively; hidden ones and links are skipped)
    /// and http or https URLs
    #[arg(value_name = "SOURCE")]
    pub(crate) sources: Vec<OsString>,

    /// Reads further sources from a text file, or from standard input for -, one a line; blank
    /// lines and lines that begin with # are skipped
    #[arg(long, value_name = "FILE|-")]
    pub(crate) from: Option<OsString>,

    /// The scan that the images are meant for: async takes up to 20 MB, sync up to 5 MB
    #[arg(long = "for", value_name = "SCAN", default_value = "async")]
    pub(crate) scan: Preset,

    /// How far files are read: the header for format and dimensions, or the structure to the end,
    /// which finds truncation and corruption and counts frames
    #[arg(long, default_value = "structure")]
    pub(crate) depth: DepthName,

    /// How URLs are read: the whole file, or only as far as format, dimensions and size take
    /// (an accepted URL is then not known to download in time)
    #[arg(long, value_name = "MODE", default_value = "full")]
    pub(crate) probe: ProbeMode,

    /// How results are printed: a table, a JSON object a line, or CSV with a header line
    #[arg(long, default_value = "human")]
    pub(crate) format: Format,

    /// How many images are checked at the same time; files are never read by more threads than
    /// there are processors
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) concurrency: u16,

    /// How long a URL may take in all, from resolving the name to the last byte: 200ms, 3s
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration::parse_positive)]
    pub(crate) timeout: Duration,

    /// The largest file, in bytes [default: 20971520, with --for sync 5242880]
    #[arg(long, value_name = "N")]
    pub(crate) max_bytes: Option<u64>,

    /// The smallest width, in pixels [default: 256]
    #[arg(long, value_name = "N")]
    pub(crate) min_width: Option<u32>,

    /// The smallest height, in pixels [default: 256]
    #[arg(long, value_name = "N")]
    pub(crate) min_height: Option<u32>,

    /// Lets URLs lead to addresses that are not public, such as 10.0.0.0/8 or 127.0.0.1/32:8080
    /// (that port alone); may be repeated
    #[arg(long = "allow-address", value_name = "CIDR[:PORT]", value_parser = address_entry)]
    pub(crate) allow_addresses: Vec<String>,
}

impl CheckOptions {
    pub(crate) fn requirements(&self) -> Requirements {
        let mut asked = match self.scan {
            Preset::Async => Requirements::ASYNC,
            Preset::Sync => Requirements::SYNC,
        }
        .with_download_time(self.timeout);
        if let Some(bytes) = self.max_bytes {
            asked = asked.with_max_bytes(bytes);
        }
        if let Some(pixels) = self.min_width {
            asked = asked.with_min_width(pixels);
        }
        if let Some(pixels) = self.min_height {
            asked = asked.with_min_height(pixels);
        }
        asked
    }

    /// The probe that the options ask for, which may also reach `own`, an address of this command's.
    pub(crate) fn probe(&self, own: Option<SocketAddr>) -> Result<Probe, Failure> {
        let own = own.map(entry_of);
        let mut policy = AddressPolicy::new();
        for entry in self.allow_addresses.iter().chain(&own) {
            policy = policy
                .allow(entry)
                .map_err(|error| Failure::new(error.to_string()))?;
        }
        Probe::builder()
            .policy(policy)
            .deadline(self.timeout)
            .depth(self.depth.into())
            .mode(self.probe.into())
            .concurrency(usize::from(self.concurrency))
            .build()
            .map_err(|error| Failure::new(error.report()))
    }

    /// Opens the list, if there is one, and lines up all sources.
    pub(crate) fn sources(&self) -> Result<Sources, Failure> {
        if self.sources.is_empty() && self.from.is_none() {
            return Err(Failure::new("no sources are given")
                .hint("name files, folders or URLs, or a list of them with --from FILE"));
        }
        let list = self.from.as_deref().map(List::open).transpose()?;
        Ok(Sources::new(self.sources.clone(), list))
    }
}

/// What to scan for, and where.
#[derive(Args, Debug)]
pub(crate) struct ScanOptions {
    #[command(flatten)]
    pub(crate) check: CheckOptions,

    /// What is looked for, separated by commas: porn, terrorism, ad, qrcode, live, logo
    #[arg(
        long,
        value_name = "SCENES",
        value_delimiter = ',',
        default_value = "porn,terrorism"
    )]
    pub(crate) scenes: Vec<Scene>,

    #[command(flatten)]
    pub(crate) service: ServiceOptions,

    /// Submits to a sandbox in this process instead, which also gives local files a URL; needs no
    /// account, and its outcomes are made up
    #[arg(long, conflicts_with_all = ["region", "endpoint"])]
    pub(crate) sandbox: bool,

    /// How long to wait between questions for results [default: 5s, with --sandbox 100ms]
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive)]
    pub(crate) poll: Option<Duration>,

    /// How long to wait for a batch's results in all; the service keeps them for an hour
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration::parse)]
    pub(crate) wait: Duration,
}

impl ScanOptions {
    pub(crate) async fn start_sandbox(&self) -> Result<Option<Sandbox>, Failure> {
        if !self.sandbox {
            return Ok(None);
        }
        Ok(Some(Sandbox::start().await?))
    }

    /// The client of the sandbox, or of the service that is named.
    pub(crate) fn client(&self, sandbox: Option<&Sandbox>) -> Result<Client, Failure> {
        let (client, pause) = match sandbox {
            Some(sandbox) => {
                let key = sandbox.credentials();
                let client = Client::builder()
                    .endpoint(&sandbox.endpoint())
                    .credentials(Credentials::new(key.id(), key.secret()));
                (client, Duration::from_millis(100))
            }
            None => (self.service.client()?, Duration::from_secs(5)),
        };
        let client = client
            .poll_interval(self.poll.unwrap_or(pause))
            .wait_at_most(self.wait);
        Ok(client.build()?)
    }
}

/// Where the moderation service is.
#[derive(Args, Debug)]
pub(crate) struct ServiceOptions {
    /// The service's region: ap-southeast-1, cn-shanghai, ...
    #[arg(long, value_name = "REGION", conflicts_with = "endpoint")]
    region: Option<String>,

    /// The service's address: https, or http on this machine, as for a sandbox
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
}

impl ServiceOptions {
    pub(crate) fn client(&self) -> Result<ClientBuilder, Failure> {
        let client = match (&self.region, &self.endpoint) {
            (Some(region), _) => Client::builder().region(region),
            (None, Some(endpoint)) => Client::builder().endpoint(endpoint),
            (None, None) => {
                return Err(Failure::new("no service is named").hint(
                    "name one with --region REGION or --endpoint URL; `greenlight scan --sandbox` \
                     needs no account",
                ));
            }
        };
        let credentials = Credentials::from_env().map_err(|error| {
            Failure::from(error).hint(
                "the key is read from the environment alone; temporary credentials need \
                 ALIBABA_CLOUD_SECURITY_TOKEN too",
            )
        })?;
        Ok(client.credentials(credentials))
    }
}

#[derive(Args, Debug)]
pub(crate) struct ResultsOptions {
    /// The ids that the service gave the tasks when they were submitted
    #[arg(value_name = "TASK_ID", required = true, value_parser = task_id)]
    pub(crate) tasks: Vec<TaskId>,

    #[command(flatten)]
    pub(crate) service: ServiceOptions,

    /// How results are printed: a table, a JSON object a line, or CSV with a header line
    #[arg(long, default_value = "human")]
    pub(crate) format: Format,
}

#[derive(Args, Debug)]
pub(crate) struct SandboxOptions {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// The key that requests must be signed with: any invented one, never a real one. With a token
    /// it is a temporary key [default: sandbox-key-id:sandbox-key-secret]
    #[arg(long, value_name = "ID:SECRET[:TOKEN]")]
    pub(crate) key: Option<SandboxKey>,

    /// How many questions for a task's results are answered with \"processing\" first
    #[arg(long, value_name = "N", default_value = "0")]
    polls: u32,

    /// Serves this folder's files, hidden ones excepted, below /files/
    #[arg(long, value_name = "DIR")]
    pub(crate) serve: Option<PathBuf>,
}

impl SandboxOptions {
    pub(crate) async fn start(&self) -> Result<Sandbox, Failure> {
        let mut sandbox = Sandbox::builder().listen(self.listen).polls(self.polls);
        if let Some(key) = &self.key {
            sandbox = sandbox.key(&key.id, &key.secret);
            if let Some(token) = &key.token {
                sandbox = sandbox.security_token(token);
            }
        }
        if let Some(folder) = &self.serve {
            sandbox = sandbox.serve(folder);
        }
        Ok(sandbox.start().await?)
    }
}

/// A key for the sandbox. It should be an invented one; if it is not, it is not printed either.
#[derive(Clone)]
pub(crate) struct SandboxKey {
    id: String,
    secret: String,
    token: Option<String>,
}

impl FromStr for SandboxKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, ':').map(str::to_owned);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(id), Some(secret), token) if !id.is_empty() && !secret.is_empty() => {
                Ok(Self { id, secret, token })
            }
            _ => Err("write an id and a secret with a colon between"),
        }
    }
}

impl fmt::Debug for SandboxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn task_id(text: &str) -> Result<TaskId, Error> {
    TaskId::parse(text)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    Async,
    Sync,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DepthName {
    Header,
    Structure,
}

impl From<DepthName> for Depth {
    fn from(name: DepthName) -> Self {
        match name {
            DepthName::Header => Self::Header,
            DepthName::Structure => Self::Structure,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProbeMode {
    Full,
    Header,
}

impl From<ProbeMode> for Mode {
    fn from(mode: ProbeMode) -> Self {
        match mode {
            ProbeMode::Full => Self::Full,
            ProbeMode::Header => Self::Header,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Jsonl,
    Csv,
}

/// The entry that allows one address and port alone.
pub(crate) fn entry_of(address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    match address {
        SocketAddr::V4(_) => format!("{ip}/32:{port}"),
        SocketAddr::V6(_) => format!("[{ip}]/128:{port}"),
    }
}

fn address_entry(text: &str) -> Result<String, EntryError> {
    AddressPolicy::new().allow(text).map(|_| text.to_owned())
}
