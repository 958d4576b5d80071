//! The arguments of `serve`.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use clap::{
    Args, ValueEnum, ValueHint,
    builder::{PossibleValuesParser, TypedValueParser},
};

use super::{Log, ScanSettings, number::whole, webhook::WebhookOptions};
use crate::{
    cli::{
        duration,
        exit::{Failure, reason},
        text_file,
    },
    serve::{Limits, Listen, OnOutage, Tokens},
};
use greenlight::ByteSize;

/// How a server listens, whom it serves, and how much.
#[derive(Args, Debug)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServeOptions {
    /// Address to listen on; port 0 selects a free one
    ///
    /// unix:PATH is a Unix domain socket. Another address than one of loopback needs --token-file.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8088")]
    pub(crate) listen: Listen,

    /// Serve only requests with a token of this file
    ///
    /// One token per line, at least 16 characters; lines that begin with # are skipped. Requests have it in
    /// `Authorization: Bearer TOKEN`, or as the password in the server's URL.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,

    /// Most requests of each token per second [default: no limit]
    ///
    /// More get the status 429.
    #[arg(long, value_name = "N", value_parser = whole(1_u32..=1_000_000), hide_short_help = true)]
    token_rate: Option<u32>,

    /// Most images received or downloaded at a time
    ///
    /// More get the status 503.
    #[arg(long, value_name = "N", default_value = "512", value_parser = whole(1_u32..=65_536), hide_short_help = true)]
    max_uploads: u32,

    /// Most bytes that the images being received have together
    ///
    /// As announced by the clients. More get the status 503.
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "1GiB",
        hide_short_help = true
    )]
    max_in_flight: ByteSize,

    /// Most connections at a time; others wait
    #[arg(long, value_name = "N", default_value = "1024", value_parser = whole(1_u32..=65_536), hide_short_help = true)]
    max_connections: u32,

    /// Time limit for the requests in progress at the end
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::parse, hide_short_help = true)]
    shutdown_time: Duration,

    /// Format of the log on standard error
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_short_help = true
    )]
    log_format: LogFormat,

    /// Submit to a mock service in this process
    ///
    /// Its outcomes are made up. It needs no account and keeps no ledger. Without this option, --region or
    /// --endpoint the server only checks.
    #[arg(long, conflicts_with_all = ["region", "endpoint", "ledger"], help_heading = "Service")]
    pub(crate) sandbox: bool,

    /// Advice for images without an outcome
    ///
    /// That is, without one in time: hold, allow or deny. A request can name a stricter one. The decision on such an image is not-inspected in any case.
    #[arg(
        long,
        value_name = "POLICY",
        value_parser = policy(),
        default_value = "hold",
        hide_possible_values = true,
        help_heading = "Service"
    )]
    pub(crate) on_outage: OnOutage,

    /// Folder for images until they have an outcome [default: the ledger's name and .images]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, hide_short_help = true, help_heading = "Service")]
    pub(crate) images: Option<PathBuf>,

    /// Most bytes of images on disk that have no outcome yet
    ///
    /// More get the status 503.
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "10GiB",
        hide_short_help = true,
        help_heading = "Service"
    )]
    pub(crate) max_held: ByteSize,

    /// Use the outcome of the last scan of a URL for this long [default: download again]
    ///
    /// The image at the URL may have changed since. Equal bytes are submitted once in any case.
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive, hide_short_help = true, help_heading = "Service")]
    pub(crate) url_age: Option<Duration>,

    /// Public URL of this server, to get outcomes by callback as well
    ///
    /// The service posts to /callbacks/1.0 or /callbacks/2.0 below it. The seed is in the environment, in
    /// `CALLBACK_SEED`: up to 64 random letters, digits and _.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, requires = "callback_uid", hide_short_help = true, help_heading = "Service")]
    pub(crate) callback_url: Option<String>,

    /// Id of the account that pays, which the service signs callbacks with
    #[arg(
        long,
        value_name = "UID",
        requires = "callback_url",
        hide_short_help = true,
        help_heading = "Service"
    )]
    pub(crate) callback_uid: Option<String>,

    #[command(flatten)]
    pub(crate) webhook: WebhookOptions,

    #[command(flatten)]
    pub(crate) scan: ScanSettings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// One line with fields per request
    Text,
    /// One JSON object per request
    Json,
}

impl ServeOptions {
    /// A server logs its requests, unless `quiet`.
    pub(super) const fn log(&self, quiet: bool, verbose: u8) -> Log {
        Log {
            level: if quiet { 0 } else { verbose.saturating_add(1) },
            is_json: matches!(self.log_format, LogFormat::Json),
        }
    }

    /// Whether images are submitted, and not only checked.
    pub(crate) const fn has_service(&self) -> bool {
        let service = &self.scan.service;
        self.sandbox || service.region.is_some() || service.endpoint.is_some()
    }

    pub(crate) fn limits(&self) -> Limits {
        let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        Limits::default()
            .with_connections(count(self.max_connections))
            .with_uploads(count(self.max_uploads))
            .with_bytes(self.max_in_flight.bytes())
            .with_rate(self.token_rate.and_then(NonZeroU32::new))
            .with_shutdown_time(self.shutdown_time)
    }

    pub(crate) fn tokens(&self) -> Result<Tokens, Failure> {
        let Some(path) = &self.token_file else {
            return Ok(Tokens::default());
        };
        let text = text_file::read(path).map_err(|error| {
            let path = path.display();
            Failure::new(format!("cannot read {path}: {}", reason(&error)))
                .hint("--token-file names a file with one token per line")
        })?;
        Tokens::parse(&text)
            .map_err(|error| Failure::new(format!("{}: {}", path.display(), error.report())))
    }
}

fn policy() -> impl TypedValueParser<Value = OnOutage> {
    let names = OnOutage::ALL.iter().map(|policy| policy.name());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<OnOutage>())
}
