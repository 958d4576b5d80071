//! The arguments for the moderation service and its mock.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

use clap::{Args, ValueEnum};

use super::{CsvOption, Format};
use crate::{
    cli::exit::Failure,
    error::Error,
    green::{
        Chain, Client, ClientBuilder, FromCliProfile, FromEcsRole, FromEnvironment, FromIniProfile,
        FromUri, Network, ProvideCredentials as _, TaskId,
    },
    sandbox::Sandbox,
};

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
    /// A client of the service that is named, without credentials yet.
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
        Ok(if self.vpc {
            client.network(Network::Vpc)
        } else {
            client
        })
    }

    /// The sources of credentials that the options name.
    pub(crate) fn chain(&self) -> Chain {
        let sources = self.credentials.iter();
        sources.fold(Chain::new(), |chain, source| source.add_to(chain))
    }

    /// Fetches the credentials once, so that missing ones are found before any image is read, and
    /// returns the id of the access key.
    pub(crate) async fn key_id(&self) -> Result<String, Failure> {
        let message = match self.chain().provide().await {
            Ok(Some(found)) => return Ok(found.access_key_id().to_owned()),
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

    /// What must be said to use the same service: ` --region REGION`.
    pub(crate) fn argument(&self) -> String {
        let mut said = match (&self.region, &self.endpoint) {
            (Some(region), _) => format!(" --region {region}"),
            (None, Some(endpoint)) => format!(" --endpoint {endpoint}"),
            (None, None) => String::new(),
        };
        if self.vpc {
            said.push_str(" --vpc");
        }
        if self.credentials != [KeySource::Env] {
            let names = self
                .credentials
                .iter()
                .filter_map(ValueEnum::to_possible_value);
            let names: Vec<_> = names.map(|name| name.get_name().to_owned()).collect();
            said.push_str(" --credentials ");
            said.push_str(&names.join(","));
        }
        said
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

    #[command(flatten)]
    pub(crate) csv: CsvOption,
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

    /// Serves this folder's files, hidden ones excepted, below a URL that cannot be guessed
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
