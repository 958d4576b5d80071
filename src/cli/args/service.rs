//! The moderation service, and the sandbox that replaces it.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, ValueEnum, ValueHint};

use super::{ApiOption, OnlyOption, PrintOptions, number::whole};
use crate::{
    cli::{duration, exit::Failure},
    error::Error,
    green::{
        Chain, Client, ClientBuilder, FromCliProfile, FromEcsRole, FromEnvironment, FromIniProfile,
        FromUri, Network, ProvideCredentials as _,
    },
    sandbox::Sandbox,
};
use greenlight::TaskId;

/// The moderation service, and the key for it.
#[derive(Args, Debug)]
#[command(next_help_heading = "Service")]
pub(crate) struct ServiceOptions {
    #[command(flatten)]
    pub(crate) api: ApiOption,

    /// Region of the service, such as ap-southeast-1
    ///
    /// ap-southeast-1, cn-beijing, cn-shanghai, cn-shenzhen, eu-central-1 or us-east-1. 2.0 scans lists in
    /// ap-southeast-1, cn-beijing and cn-shanghai.
    #[arg(long, value_name = "REGION", conflicts_with = "endpoint")]
    pub(crate) region: Option<String>,

    /// Address of the service, as of a sandbox
    ///
    /// https, or http on loopback.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, hide_short_help = true)]
    pub(crate) endpoint: Option<String>,

    /// Use the hosts inside Alibaba Cloud, for a command that runs there
    #[arg(long, hide_short_help = true)]
    vpc: bool,

    /// Sources of the access key, in this order: env, cli, ini, uri, ecs
    ///
    /// env: the environment; cli: a profile of the official command line tool, ~/.aliyun/config.json;
    /// ini: a profile of the official libraries, ~/.alibabacloud/credentials; uri: an address that the
    /// environment names; ecs: the role of the cloud server. Separated by commas; no other is read.
    #[arg(
        long,
        value_name = "SOURCES",
        value_delimiter = ',',
        default_value = "env",
        hide_possible_values = true,
        hide_short_help = true
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

    /// The options that name the same service: ` --region REGION`.
    pub(crate) fn argument(&self) -> String {
        let mut said = match (&self.region, &self.endpoint) {
            (Some(region), _) => format!(" --region {region}"),
            (None, Some(endpoint)) => format!(" --endpoint {endpoint}"),
            (None, None) => String::new(),
        };
        said.push_str(self.api.api.argument());
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
    /// Task ids (in 2.0 `ReqId`), as the service returned them and scan prints them
    #[arg(value_name = "TASK_ID", required = true, value_parser = task_id)]
    pub(crate) tasks: Vec<TaskId>,

    #[command(flatten)]
    pub(crate) service: ServiceOptions,

    /// Give up when the service does not respond for this long
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = duration::parse, hide_short_help = true, help_heading = "Service")]
    pub(crate) wait: Duration,

    #[command(flatten)]
    pub(crate) print: PrintOptions,

    #[command(flatten)]
    pub(crate) only: OnlyOption,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Service")]
pub(crate) struct SandboxOptions {
    /// Address to listen on; port 0 selects a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Key that requests must be signed with: an invented one, never a real one
    ///
    /// With a token it is a temporary key. [default: sandbox-key-id:sandbox-key-secret]
    #[arg(long, value_name = "ID:SECRET[:TOKEN]")]
    pub(crate) key: Option<SandboxKey>,

    /// Polls for a task's results that are answered with `processing` first
    #[arg(long, value_name = "N", default_value = "0", value_parser = whole(0..=u32::MAX))]
    polls: u32,

    /// End tasks with this code unless the image is uploaded: 404 as if no URL could be downloaded
    #[arg(long, value_name = "CODE", value_parser = whole(400_i64..=599))]
    no_download: Option<i64>,

    /// Serve this folder's files, except hidden ones, below a URL that cannot be guessed
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) serve: Option<PathBuf>,
}

impl SandboxOptions {
    pub(crate) async fn start(&self) -> Result<Sandbox, Failure> {
        let mut sandbox = Sandbox::builder().listen(self.listen).polls(self.polls);
        if let Some(key) = &self.key {
            sandbox = sandbox.key_id(&key.id).key_secret(&key.secret);
            if let Some(token) = &key.token {
                sandbox = sandbox.security_token(token);
            }
        }
        if let Some(folder) = &self.serve {
            sandbox = sandbox.serve(folder);
        }
        if let Some(code) = self.no_download {
            sandbox = sandbox.no_download(code);
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
        // At most three parts, so that a token may have colons.
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
    Ok(TaskId::parse(text)?)
}
