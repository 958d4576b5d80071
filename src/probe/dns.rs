//! DNS by hickory-resolver: the system's name servers and hosts file, and a cache.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    time::Duration,
};

use hickory_resolver::{
    Hosts, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    net::{DnsError, NetError, NoRecords, runtime::TokioRuntimeProvider},
    proto::{
        op::{Query, ResponseCode},
        rr::{Name, RecordType},
    },
};
use tokio::time::timeout;

use super::failure;
use crate::download::Ending;

/// How long a name server is waited for, and how often after that. A UDP query is repeated in this
/// time. Both are less than the download's deadline of 3 s.
const TIMEOUT: Duration = Duration::from_millis(1_500);
const ATTEMPTS: usize = 1;

/// The cache: by the answers' TTL, which a name's owner chooses, within these bounds.
const MAX_CACHED: u64 = 8_192;
const MAX_TTL: Duration = Duration::from_secs(300);
const MAX_NEGATIVE_TTL: Duration = Duration::from_secs(30);

/// How long the addresses of the other family are waited for once one family's have arrived (RFC
/// 8305, 3): some name servers do not respond to AAAA queries.
const OTHER_FAMILY: Duration = Duration::from_millis(50);

/// A client of name servers.
pub(super) struct Dns {
    resolver: TokioResolver,
    hosts: Hosts,
}

impl Dns {
    /// A client of `servers`, or of those in the system's configuration if it is empty; `None` if
    /// there is no usable configuration.
    pub(super) fn new(servers: &[SocketAddr]) -> Option<Self> {
        let provider = TokioRuntimeProvider::default();
        let mut builder = if servers.is_empty() {
            TokioResolver::builder(provider).ok()?
        } else {
            let servers = servers.iter().map(|server| name_server(*server)).collect();
            let config = ResolverConfig::from_name_servers(servers);
            TokioResolver::builder_with_config(config, provider)
        };
        let options = builder.options_mut();
        options.timeout = TIMEOUT;
        options.attempts = ATTEMPTS;
        options.cache_size = MAX_CACHED;
        options.positive_max_ttl = Some(MAX_TTL);
        options.negative_max_ttl = Some(MAX_NEGATIVE_TTL);
        // Read here: a name in the hosts file is not asked for, not even for its other family.
        options.use_hosts_file = ResolveHosts::Never;
        Some(Self {
            resolver: builder.build().ok()?,
            // A missing or unreadable hosts file does not matter to the name servers.
            hosts: Hosts::from_system().unwrap_or_default(),
        })
    }

    /// The addresses of a host in the hosts file.
    pub(super) fn known(&self, host: &str) -> Option<Vec<IpAddr>> {
        let name = name(host).ok()?;
        let addresses: Vec<_> = [RecordType::A, RecordType::AAAA]
            .into_iter()
            .filter_map(|kind| {
                let query = Query::query(name.clone(), kind);
                self.hosts.lookup_static_host(&query)
            })
            .flat_map(|found| {
                let addresses: Vec<_> = found
                    .answers()
                    .iter()
                    .filter_map(|record| record.data.ip_addr())
                    .collect();
                addresses
            })
            .collect();
        (!addresses.is_empty()).then_some(addresses)
    }

    /// The addresses of a host, IPv4 first: the moderation service most likely connects over IPv4.
    pub(super) async fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let name = name(host).map_err(io::Error::other)?;
        let (mut v4, mut v6) = (
            pin!(self.records(name.clone(), RecordType::A)),
            pin!(self.records(name, RecordType::AAAA)),
        );
        // Both families are queried at once. The first to have addresses waits briefly for the
        // other; a failure waits for the other in full.
        tokio::select! {
            found = &mut v4 => match found {
                Ok(found) => {
                    let other = timeout(OTHER_FAMILY, v6).await;
                    Ok([found, other.ok().and_then(Result::ok).unwrap_or_default()].concat())
                }
                Err(error) => v6.await.map_err(|other| clearer(error, other)),
            },
            found = &mut v6 => match found {
                Ok(found) => {
                    let other = timeout(OTHER_FAMILY, v4).await;
                    Ok([other.ok().and_then(Result::ok).unwrap_or_default(), found].concat())
                }
                Err(error) => v4.await.map_err(|other| clearer(other, error)),
            },
        }
        .map_err(io::Error::other)
    }

    async fn records(&self, name: Name, kind: RecordType) -> Result<Vec<IpAddr>, NetError> {
        let found = self.resolver.lookup(name, kind).await?;
        let records = found.answers().iter();
        Ok(records.filter_map(|record| record.data.ip_addr()).collect())
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
    udp.port = address.port();
    // For responses that do not fit into a UDP message (RFC 7766).
    tcp.port = address.port();
    NameServerConfig::new(address.ip(), true, vec![udp, tcp])
}

/// A host's name as bytes, as any DNS client sends it: with underscores, or hyphens at the end of a
/// label. It is absolute unless it is a single label: the moderation service does not know the
/// system's search list, and trying it would cost several queries per name.
fn name(host: &str) -> Result<Name, NetError> {
    let labels = host.strip_suffix('.').unwrap_or(host);
    let mut name = Name::from_labels(labels.split('.').map(str::as_bytes))?;
    // A name with a dot is not tried below the search domains first.
    name.set_fqdn(host.contains('.'));
    Ok(name)
}

/// The error that says more: that a name has no records of one family does not explain a failure.
fn clearer(first: NetError, second: NetError) -> NetError {
    if first.is_no_records_found() && !second.is_no_records_found() {
        second
    } else {
        first
    }
}

/// Classifies a failed look-up: a fact of the name, or of this client.
pub(super) fn ending(error: &io::Error) -> Ending {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref()) else {
        // std prefixes the text of the system's resolver.
        let text = error.to_string();
        let reason = text.strip_prefix("failed to lookup address information: ");
        return Ending::Dns(reason.unwrap_or(&text).to_lowercase());
    };
    Ending::Dns(match error {
        NetError::Io(io) if failure::is_local(io) => {
            return Ending::Local(format!("cannot open a socket: {io}"));
        }
        NetError::Busy => return Ending::Local("the DNS client is busy".to_owned()),
        NetError::Timeout | NetError::NoConnections => "no name server responds".to_owned(),
        NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. })) => {
            match *response_code {
                ResponseCode::NXDomain => "no such name".to_owned(),
                _ => "it has no addresses".to_owned(),
            }
        }
        NetError::Dns(DnsError::ResponseCode(code)) => format!("the name server responds: {code}"),
        other => other.to_string(),
    })
}
