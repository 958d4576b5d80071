//! Which service is asked, and the stand-in for it.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, ValueEnum};

use super::{CheckOptions, Format};
use crate::{
    cli::{duration, exit::Failure},
    error::Error,
    green::{
        Chain, Client, ClientBuilder, Credentials, FromCliProfile, FromEcsRole, FromEnvironment,
        FromIniProfile, FromUri, Network, ProvideCredentials as _, Scene, TaskId,
    },
    sandbox::Sandbox,
};

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

    /// Submits to a sandbox in this process instead, which also serves local files under a URL; needs
    /// no account, and its outcomes are made up
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
    pub(crate) async fn client(&self, sandbox: Option<&Sandbox>) -> Result<Client, Failure> {
        let (client, pause) = match sandbox {
            Some(sandbox) => {
                let key = sandbox.credentials();
                let client = Client::builder()
                    .endpoint(&sandbox.endpoint())
                    .credentials(Credentials::new(key.id(), key.secret()));
                (client, Duration::from_millis(100))
            }
            None => (self.service.client().await?, Duration::from_secs(5)),
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
    /// The service's region: ap-southeast-1, cn-beijing, cn-shanghai, cn-shenzhen, eu-central-1 or
    /// us-east-1
    #[arg(long, value_name = "REGION", conflicts_with = "endpoint")]
    region: Option<String>,

    /// The service's address: https, or http on this machine, as for a sandbox
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,

    /// Uses the hosts inside Alibaba Cloud, for a command that runs there
    #[arg(long)]
    vpc: bool,

    /// Where the key is looked for, in this order, separated by commas
    #[arg(
        long,
        value_name = "SOURCES",
        value_delimiter = ',',
        default_value = "env"
    )]
    credentials: Vec<KeySource>,
}

/// A place that keys are in. Nothing is looked at that is not named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KeySource {
    /// The environment's variables
    Env,
    /// A profile of the official command line tool: ~/.aliyun/config.json
    Cli,
    /// A profile of the official libraries: ~/.alibabacloud/credentials or credentials.ini
    Ini,
    /// An address, named in the environment, that hands them out
    Uri,
    /// The role of the cloud server (ECS) that this runs on
    Ecs,
}

impl KeySource {
    fn add_to(self, chain: Chain) -> Chain {
        match self {
            Self::Env => chain.then(FromEnvironment),
            Self::Cli => chain.then(FromCliProfile::new()),
            Self::Ini => chain.then(FromIniProfile::new()),
            Self::Uri => chain.then(FromUri::new()),
            Self::Ecs => chain.then(FromEcsRole::new()),
        }
    }
}

impl ServiceOptions {
    pub(crate) async fn client(&self) -> Result<ClientBuilder, Failure> {
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
        let client = if self.vpc {
            client.network(Network::Vpc)
        } else {
            client
        };
        Ok(client.credentials(self.keys().await?))
    }

    /// The sources that are named. Whether there is a key is seen before any image is looked at.
    async fn keys(&self) -> Result<Chain, Failure> {
        let sources = self.credentials.iter();
        let chain = sources.fold(Chain::new(), |chain, source| source.add_to(chain));
        let message = match chain.provide().await {
            Ok(Some(_)) => return Ok(chain),
            Ok(None) if self.credentials == [KeySource::Env] => {
                "no credentials: set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET"
                    .to_owned()
            }
            Ok(None) => "no credentials: no source that --credentials names has any".to_owned(),
            Err(error) => error.report(),
        };
        Err(Failure::new(message).hint(
            "temporary credentials need ALIBABA_CLOUD_SECURITY_TOKEN too; --credentials names other \
             places to look at: env, cli, ini, uri, ecs",
        ))
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

    /// How many questions for a task's results are answered with `processing` first
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
