//! The entries of an address policy.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use ipnet::{IpNet, Ipv6Net};

/// A block of addresses, and maybe one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AddressBlock {
    pub(super) net: IpNet,
    pub(super) port: Option<u16>,
}

impl AddressBlock {
    pub(super) fn holds(&self, target: SocketAddr) -> bool {
        self.port.is_none_or(|port| port == target.port()) && self.net.contains(&target.ip())
    }

    /// Whether it names one address.
    pub(super) fn is_single(&self) -> bool {
        self.net.prefix_len() == self.net.max_prefix_len()
    }
}

impl fmt::Display for AddressBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.net, self.port) {
            (IpNet::V6(net), Some(port)) => {
                write!(f, "[{}]/{}:{port}", net.addr(), net.prefix_len())
            }
            (net, Some(port)) => write!(f, "{net}:{port}"),
            (net, None) => write!(f, "{net}"),
        }
    }
}

impl FromStr for AddressBlock {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        let fault = |kind| EntryError {
            entry: text.to_owned(),
            expected: "`CIDR` or `CIDR:PORT`",
            kind,
        };
        let (address, prefix, port) = match text.split_once('/') {
            Some((address, rest)) => match rest.split_once(':') {
                Some((prefix, port)) => (address, Some(prefix), Some(port)),
                None => (address, Some(rest), None),
            },
            None => match text.rsplit_once(':') {
                Some((address, port)) if !address.contains(':') || address.ends_with(']') => {
                    (address, None, Some(port))
                }
                _ => (text, None, None),
            },
        };
        let address = address
            .strip_prefix('[')
            .map_or(Some(address), |inner| inner.strip_suffix(']'))
            .and_then(|address| address.parse::<IpAddr>().ok())
            .ok_or_else(|| fault(EntryFault::Address))?;
        let single = IpNet::from(address);
        let net = match prefix {
            Some(digits) => number(digits)
                .and_then(|prefix| u8::try_from(prefix).ok())
                .and_then(|prefix| IpNet::new(address, prefix).ok())
                .ok_or_else(|| fault(EntryFault::Prefix(single.max_prefix_len())))?,
            None => single,
        };
        let port = match port {
            Some(digits) => Some(
                number(digits)
                    .filter(|port| *port > 0)
                    .ok_or_else(|| fault(EntryFault::Port))?,
            ),
            None => None,
        };
        // `10.0.0.1/8` may mean the host or the network; guessing could open 16 million addresses.
        if net.trunc() != net {
            let entry = Self {
                net: net.trunc(),
                port,
            };
            return Err(fault(EntryFault::HostBits(entry.to_string())));
        }
        Ok(Self {
            net: unmapped(net),
            port,
        })
    }
}

/// Parses the prefix of a NAT64 (RFC 6052, 2.2).
pub(super) fn nat64_prefix(text: &str) -> Result<Ipv6Net, EntryError> {
    let fault = |kind| EntryError {
        entry: text.to_owned(),
        expected: "a NAT64 prefix",
        kind,
    };
    let net: Ipv6Net = text.parse().map_err(|_error| fault(EntryFault::Nat64))?;
    if ![32, 40, 48, 56, 64, 96].contains(&net.prefix_len()) {
        return Err(fault(EntryFault::Nat64));
    }
    if net.trunc() != net {
        return Err(fault(EntryFault::HostBits(net.trunc().to_string())));
    }
    Ok(net)
}

/// The same block in IPv4, if it lies in the IPv4-mapped one: both reach the same sockets.
fn unmapped(net: IpNet) -> IpNet {
    let mapped = match net {
        IpNet::V6(v6) => v6
            .addr()
            .to_ipv4_mapped()
            .zip(v6.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    mapped
        .and_then(|(v4, prefix)| IpNet::new(v4.into(), prefix).ok())
        .unwrap_or(net)
}

/// A decimal number without sign.
fn number(digits: &str) -> Option<u16> {
    digits
        .bytes()
        // `parse` alone accepts a plus sign.
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()
}

/// A text that is not an entry of an [`AddressPolicy`](super::AddressPolicy).
///
/// ```
/// use greenlight::probe::AddressPolicy;
///
/// let error = AddressPolicy::new().allow("10.0.0.1/8").unwrap_err();
/// assert!(error.to_string().ends_with("the address has bits outside the prefix, write 10.0.0.0/8"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("address entry `{entry}` is not {expected}: {kind}")]
pub struct EntryError {
    entry: String,
    expected: &'static str,
    kind: EntryFault,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum EntryFault {
    #[error("it does not begin with an IP address")]
    Address,
    #[error("the prefix is not a number of at most {0} bits")]
    Prefix(u8),
    #[error("the port is not a number from 1 to 65535")]
    Port,
    #[error("the address has bits outside the prefix, write {0}")]
    HostBits(String),
    #[error("the prefix has 32, 40, 48, 56, 64 or 96 bits (RFC 6052, 2.2)")]
    Nat64,
}
