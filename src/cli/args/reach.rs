//! Where URLs may lead, and how their servers are asked.

use std::net::SocketAddr;

use clap::Args;

use super::entry_of;
use crate::{
    cli::exit::Failure,
    probe::{AddressPolicy, EntryError, ProbeBuilder},
};

/// Where URLs may lead, and how their servers are asked.
#[derive(Args, Debug)]
pub(crate) struct ReachOptions {
    /// Lets URLs lead to addresses that are not public, such as 10.0.0.0/8 or 127.0.0.1/32:8080
    /// (that port alone); may be repeated
    #[arg(long = "allow-address", value_name = "CIDR[:PORT]", value_parser = address_entry)]
    allow_addresses: Vec<String>,

    /// Keeps URLs from leading to these addresses, whatever else is allowed; may be repeated
    #[arg(long = "deny-address", value_name = "CIDR[:PORT]", value_parser = address_entry)]
    deny_addresses: Vec<String>,

    /// How many redirects of a URL are followed
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u8).range(0..=20))]
    max_redirects: u8,

    /// The User-Agent that servers are told [default: greenlight/ and its version]
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    user_agent: String,

    /// Adds a header to the requests for URLs, such as a Referer for servers that forbid hotlinks
    /// (the moderation service sends none of these); may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<Header>,
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
        let probe = probe
            .policy(policy)
            .max_redirects(usize::from(self.max_redirects))
            .user_agent(&self.user_agent);
        let headers = self.headers.iter();
        Ok(headers.fold(probe, |probe, Header { name, value }| {
            probe.header(name, value)
        }))
    }
}

fn address_entry(text: &str) -> Result<String, EntryError> {
    AddressPolicy::new().allow(text).map(|_| text.to_owned())
}

#[derive(Clone, Debug)]
struct Header {
    name: String,
    value: String,
}

fn header(text: &str) -> Result<Header, &'static str> {
    let (name, value) = text
        .split_once(':')
        .ok_or("write the name, a colon and the value")?;
    Ok(Header {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
    })
}
