//! The address policy: the address rule, the ports, and the caller's exceptions to both.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use super::address::{self, AddressClass};

/// Ports below 1024 that are open by default.
const WEB_PORTS: [u16; 2] = [80, 443];

/// Ports above 1023 that browsers refuse, because something other than HTTP listens there (WHATWG
/// Fetch, "bad port", read 2026-11).
const BAD_PORTS: [u16; 19] = [
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10_080,
];

/// Which addresses and ports a probe may connect to.
///
/// Without exceptions: the public addresses (see [`classify`](super::classify)) at the ports 80, 443
/// and above 1023, but not at those that browsers refuse.
///
/// An exception is an entry `CIDR` or `CIDR:PORT`, as in `10.0.0.0/8`, `127.0.0.1/32:8080` and
/// `[fd00::]/8:8080`; a plain address stands for itself alone. An allowed `CIDR` is open at the
/// default ports, an allowed `CIDR:PORT` at that port alone. A denied `CIDR` is closed at every
/// port. Deny wins over allow, and a cloud's metadata service is refused unless an allow entry names
/// its address alone: `169.254.169.254/32`.
///
/// The policy judges the address that is connected to, not the name that led there.
///
/// ```
/// use greenlight::probe::AddressPolicy;
///
/// let policy = AddressPolicy::new().allow("127.0.0.1/32:8080")?.deny("203.0.0.0/16")?;
/// assert!(policy.check("127.0.0.1:8080".parse()?).is_ok());
///
/// let refusal = policy.check("127.0.0.1:8081".parse()?).unwrap_err();
/// assert_eq!(
///     refusal.to_string(),
///     "127.0.0.1 is a loopback address: allow it with --allow-address 127.0.0.1/32:8081"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    allow: Vec<Entry>,
    deny: Vec<Entry>,
    ports: Option<Vec<u16>>,
}

impl AddressPolicy {
    /// The policy without exceptions.
    pub const fn new() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            ports: None,
        }
    }

    /// Opens addresses that the rule closes, or a port of theirs.
    ///
    /// # Errors
    ///
    /// Returns an error for a text that is not `CIDR` or `CIDR:PORT`.
    pub fn allow(mut self, entry: &str) -> Result<Self, EntryError> {
        self.allow.push(entry.parse()?);
        Ok(self)
    }

    /// Closes addresses that the rule or an allow entry opens, or a port of theirs.
    ///
    /// # Errors
    ///
    /// Returns an error for a text that is not `CIDR` or `CIDR:PORT`.
    pub fn deny(mut self, entry: &str) -> Result<Self, EntryError> {
        self.deny.push(entry.parse()?);
        Ok(self)
    }

    /// Sets the ports that are open, in place of the default ones.
    #[must_use]
    pub fn ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.ports = Some(ports.into_iter().collect());
        self
    }

    /// Checks an address and a port.
    ///
    /// # Errors
    ///
    /// Returns the reason, and the option that would allow it, when a connection to there is
    /// refused.
    pub fn check(&self, target: SocketAddr) -> Result<(), Refusal> {
        let refusal = |reason| Err(Refusal { target, reason });
        if self.deny.iter().any(|entry| entry.denies(target)) {
            return refusal(RefusalReason::Denied);
        }
        let allowing = || self.allow.iter().filter(|entry| entry.holds(target));
        let metadata = address::is_metadata(target.ip());
        if allowing().any(|entry| entry.port.is_some() && (!metadata || entry.is_single())) {
            return Ok(());
        }
        let open = allowing().any(|entry| !metadata || entry.is_single());
        match address::classify(target.ip()) {
            Some(class) if !open => refusal(RefusalReason::Address(class)),
            _ if self.is_open(target.port()) => Ok(()),
            _ => refusal(RefusalReason::Port),
        }
    }

    /// The address, once it may be connected to.
    pub(super) fn vet(&self, target: SocketAddr) -> Result<Vetted, Refusal> {
        self.check(target).map(|()| Vetted(target))
    }

    fn is_open(&self, port: u16) -> bool {
        match &self.ports {
            Some(ports) => ports.contains(&port),
            None => WEB_PORTS.contains(&port) || (port > 1023 && !BAD_PORTS.contains(&port)),
        }
    }
}

/// An address that the policy lets a connection through to. Only [`AddressPolicy::vet`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vetted(SocketAddr);

impl Vetted {
    pub(super) const fn get(self) -> SocketAddr {
        self.0
    }
}

/// Why a connection is refused. `Display` says which option would allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    target: SocketAddr,
    reason: RefusalReason,
}

/// What a connection is refused for.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// The address is not public.
    Address(AddressClass),
    /// The port is not open.
    Port,
    /// A deny entry names it.
    Denied,
}

impl Refusal {
    /// The address and port that are refused.
    pub const fn target(&self) -> SocketAddr {
        self.target
    }

    /// What they are refused for.
    pub const fn reason(&self) -> RefusalReason {
        self.reason
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ip, port) = (self.target.ip(), self.target.port());
        match self.reason {
            RefusalReason::Address(class) => {
                let article = match class {
                    AddressClass::ThisNetwork => "an",
                    _ => "a",
                };
                write!(f, "{ip} is {article} {class} address")?;
            }
            RefusalReason::Port => write!(f, "port {port} is not open to probes")?,
            RefusalReason::Denied => {
                return write!(
                    f,
                    "{ip} at port {port} is denied: allow it by leaving it out of --deny-address"
                );
            }
        }
        let entry = Entry {
            address: ip,
            prefix: bits(ip),
            port: Some(port),
        };
        write!(f, ": allow it with --allow-address {entry}")
    }
}

/// A block of addresses, and maybe one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    address: IpAddr,
    prefix: u8,
    port: Option<u16>,
}

impl Entry {
    /// Whether the target lies in it. An IPv4 entry holds the IPv4-mapped form too, because both
    /// reach the same socket.
    fn holds(&self, target: SocketAddr) -> bool {
        let mapped = match target.ip() {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map(IpAddr::V4),
            IpAddr::V4(_) => None,
        };
        self.port.is_none_or(|port| port == target.port())
            && (self.contains(target.ip()) || mapped.is_some_and(|v4| self.contains(v4)))
    }

    /// Whether it denies the target: as [`holds`](Self::holds), and for every embedded address.
    fn denies(&self, target: SocketAddr) -> bool {
        address::leads_to(target.ip())
            .any(|reached| self.holds(SocketAddr::new(reached, target.port())))
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32_u32.saturating_sub(u32::from(self.prefix));
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128_u32.saturating_sub(u32::from(self.prefix));
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }

    /// The same block in IPv4, if it lies in the IPv4-mapped one: both reach the same sockets.
    fn unmapped(self) -> Self {
        let mapped = match self.address {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().zip(self.prefix.checked_sub(96)),
            IpAddr::V4(_) => None,
        };
        mapped.map_or(self, |(v4, prefix)| Self {
            address: IpAddr::V4(v4),
            prefix,
            ..self
        })
    }

    /// Whether it names one address.
    const fn is_single(&self) -> bool {
        self.prefix == bits(self.address)
    }

    /// The block's first address.
    fn network(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(v4) => {
                let shift = 32_u32.saturating_sub(u32::from(self.prefix));
                let mask = u32::MAX.checked_shl(shift).unwrap_or(0);
                IpAddr::V4((v4.to_bits() & mask).into())
            }
            IpAddr::V6(v6) => {
                let shift = 128_u32.saturating_sub(u32::from(self.prefix));
                let mask = u128::MAX.checked_shl(shift).unwrap_or(0);
                IpAddr::V6((v6.to_bits() & mask).into())
            }
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            prefix,
            port,
        } = self;
        match (address, port) {
            (IpAddr::V6(v6), Some(port)) => write!(f, "[{v6}]/{prefix}:{port}"),
            (_, Some(port)) => write!(f, "{address}/{prefix}:{port}"),
            (_, None) => write!(f, "{address}/{prefix}"),
        }
    }
}

impl FromStr for Entry {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        let fault = |kind| EntryError {
            entry: text.to_owned(),
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
        let prefix = match prefix {
            Some(digits) => number(digits)
                .and_then(|prefix| u8::try_from(prefix).ok())
                .filter(|prefix| *prefix <= bits(address))
                .ok_or_else(|| fault(EntryFault::Prefix(bits(address))))?,
            None => bits(address),
        };
        let port = match port {
            Some(digits) => Some(
                number(digits)
                    .filter(|port| *port > 0)
                    .ok_or_else(|| fault(EntryFault::Port))?,
            ),
            None => None,
        };
        let entry = Self {
            address,
            prefix,
            port,
        };
        let network = entry.network();
        if network != address {
            let entry = Self {
                address: network,
                ..entry
            };
            return Err(fault(EntryFault::HostBits(entry.to_string())));
        }
        Ok(entry.unmapped())
    }
}

/// A decimal number without sign.
fn number(digits: &str) -> Option<u16> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()
}

/// How many bits an address of this family has.
const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// A text that is not an entry of an [`AddressPolicy`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("address entry `{entry}` is not `CIDR` or `CIDR:PORT`: {kind}")]
pub struct EntryError {
    entry: String,
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
}
