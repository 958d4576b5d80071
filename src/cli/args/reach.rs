//! Where URLs may lead, and how their servers are asked.

use std::{fmt, net::SocketAddr};

use clap::{Args, ValueEnum};

use super::number::whole;
use crate::{
    cli::exit::Failure,
    probe::{AddressPolicy, EntryError, Mode, ProbeBuilder},
};

/// Where URLs may lead, and how their servers are asked.
#[derive(Args, Debug)]
#[command(next_help_heading = "Network")]
pub(crate) struct ReachOptions {
    /// Part of a URL's file that is downloaded
    #[arg(
        long,
        value_name = "MODE",
        default_value = "full",
        hide_short_help = true
    )]
    pub(crate) probe: ProbeMode,

    /// Images checked at the same time
    ///
    /// Of one host at most 8, of files at most as many as there are processors.
    #[arg(long, value_name = "N", default_value = "64", value_parser = whole(1_u16..=1024), hide_short_help = true)]
    pub(crate) concurrency: u16,

    /// Allow addresses that are not public
    ///
    /// May be repeated; such as 10.0.0.0/8, or 127.0.0.1/32:8080 for that port alone.
    #[arg(long = "allow-address", value_name = "CIDR", value_parser = address_entry, hide_short_help = true)]
    allow_addresses: Vec<String>,

    /// Reject URLs at these addresses, even if they are allowed; may be repeated
    #[arg(long = "deny-address", value_name = "CIDR", value_parser = address_entry, hide_short_help = true)]
    deny_addresses: Vec<String>,

    /// Maximum number of redirects of a URL
    #[arg(long, value_name = "N", default_value = "5", value_parser = whole(0_u8..=20), hide_short_help = true)]
    max_redirects: u8,

    /// User-Agent of requests for URLs [default: greenlight/ and its version]
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        hide_short_help = true
    )]
    user_agent: String,

    /// Evaluate addresses in this NAT64 prefix by the IPv4 address they embed; may be repeated
    #[arg(long = "nat64-prefix", value_name = "CIDR", value_parser = nat64_prefix, hide_short_help = true)]
    nat64_prefixes: Vec<String>,

    /// Add a header to requests for URLs, or to those for one host; may be repeated
    ///
    /// Such as a Referer for servers that forbid hotlinks. The moderation service sends none of these.
    #[arg(long = "header", value_name = "[HOST=]NAME: VALUE", value_parser = header, hide_short_help = true)]
    headers: Vec<Header>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProbeMode {
    /// The whole file
    Full,
    /// As far as format, dimensions and size need; the URL may then not download in time
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

impl ReachOptions {
    /// Sets a probe up as the options ask, so that it may also reach `own`, an address of this
    /// command's.
    pub(crate) fn set_up(
        &self,
        probe: ProbeBuilder,
        own: Option<SocketAddr>,
    ) -> Result<ProbeBuilder, Failure> {
        let unusable = |error: EntryError| Failure::new(error.to_string());
        let own = own.map(entry_of);
        let mut policy = AddressPolicy::new();
        for entry in self.allow_addresses.iter().chain(&own) {
            policy = policy.allow(entry).map_err(unusable)?;
        }
        for entry in &self.deny_addresses {
            policy = policy.deny(entry).map_err(unusable)?;
        }
        for prefix in &self.nat64_prefixes {
            policy = policy.with_nat64_prefix(prefix).map_err(unusable)?;
        }
        let probe = probe
            .policy(policy)
            .max_redirects(usize::from(self.max_redirects))
            .user_agent(&self.user_agent);
        let headers = self.headers.iter();
        Ok(headers.fold(probe, |probe, Header { host, name, value }| {
            let header = crate::probe::Header::new(name).with_value(value);
            probe.header(match host {
                Some(host) => header.with_host(host),
                None => header,
            })
        }))
    }

    /// The warning for headers that hold a secret and are sent to every host.
    pub(crate) fn warning(&self) -> Option<String> {
        let is_unbound = |header: &&Header| header.host.is_none() && header.is_secret();
        let secret = self.headers.iter().find(is_unbound)?;
        let name = &secret.name;
        Some(format!(
            "{name} is sent to the host of every URL; bind it to one: --header 'HOST={name}: VALUE'"
        ))
    }
}

fn nat64_prefix(text: &str) -> Result<String, EntryError> {
    AddressPolicy::new()
        .with_nat64_prefix(text)
        .map(|_| text.to_owned())
}

pub(super) fn address_entry(text: &str) -> Result<String, EntryError> {
    AddressPolicy::new().allow(text).map(|_| text.to_owned())
}

/// A header that is sent with requests for URLs.
#[derive(Clone)]
pub(crate) struct Header {
    host: Option<String>,
    name: String,
    value: String,
}

impl Header {
    /// Whether the value is probably a secret, judged by the name.
    pub(crate) fn is_secret(&self) -> bool {
        const PARTS: [&str; 6] = [
            "authorization",
            "cookie",
            "api-key",
            "token",
            "secret",
            "password",
        ];
        let name = self.name.to_ascii_lowercase();
        PARTS.iter().any(|part| name.contains(part))
    }
}

/// Writes the header without its value.
impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}=")?;
        }
        write!(f, "{}: ***", self.name)
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(crate) fn header(text: &str) -> Result<Header, &'static str> {
    // A header's name holds no `=`, and a host no blank.
    let (host, header) = match text.split_once('=') {
        Some((host, header)) if is_host(host) && header.contains(':') => (Some(host), header),
        _ => (None, text),
    };
    let (name, value) = header
        .split_once(':')
        .ok_or("write the name, a colon and the value")?;
    Ok(Header {
        host: host.map(str::to_owned),
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
    })
}

/// `HOST` or `HOST:PORT`.
fn is_host(text: &str) -> bool {
    let name = match text.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => text,
    };
    let is_literal = name.starts_with('[') && name.ends_with(']');
    !name.is_empty()
        && (is_literal || !name.contains(':'))
        && !name.contains(|c: char| c.is_whitespace() || c == '/')
}

/// The entry that allows one address and port alone.
pub(crate) fn entry_of(address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    match address {
        SocketAddr::V4(_) => format!("{ip}/32:{port}"),
        SocketAddr::V6(_) => format!("[{ip}]/128:{port}"),
    }
}
