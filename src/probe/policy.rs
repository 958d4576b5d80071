//! The address policy: the address rule, the ports, and the caller's exceptions to both.

mod entry;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use ipnet::{IpNet, Ipv6Net};

use self::entry::AddressBlock;
pub use self::entry::EntryError;
use super::address::{self, AddressClass};

/// Ports below 1024 that are open by default.
const WEB_PORTS: [u16; 2] = [80, 443];

/// Ports above 1023 that browsers refuse, because something other than HTTP listens there (WHATWG
/// Fetch, "bad port", read 2026-11).
const BAD_PORTS: [u16; 19] = [
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10_080,
];

/// The addresses and ports that a probe may connect to.
///
/// Without exceptions: the public addresses (see [`classify`](super::classify)) at the ports 80,
/// 443 and above 1023, but not at those that browsers refuse.
///
/// An exception is an entry `CIDR` or `CIDR:PORT`, as in `10.0.0.0/8`, `127.0.0.1/32:8080` and
/// `[fd00::]/8:8080`; a plain address is a block of one. An allowed `CIDR` is open at the default
/// ports, an allowed `CIDR:PORT` at that port alone. A denied `CIDR` is closed at every port. Deny
/// wins over allow, and a cloud's metadata service is refused unless an allow entry names its
/// address alone: `169.254.169.254/32`.
///
/// An IPv6 address that embeds an IPv4 address (IPv4-mapped, NAT64) is allowed by the entries that
/// allow the IPv4 address, or by an entry inside the embedding prefix: `::/0` does not open
/// `::ffff:127.0.0.1`. One that embeds it in another form (6to4, Teredo, ISATAP) is allowed by the
/// latter only.
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
///     "127.0.0.1 is a loopback address: the address policy needs the allow entry 127.0.0.1/32:8081"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    allow: Vec<AddressBlock>,
    deny: Vec<AddressBlock>,
    nat64: Vec<Ipv6Net>,
    ports: Option<Vec<u16>>,
}

impl AddressPolicy {
    /// The policy without exceptions.
    pub const fn new() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            nat64: Vec::new(),
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

    /// Judges addresses in this NAT64 prefix by the IPv4 address that they embed (RFC 6052, 2.2),
    /// as those in `64:ff9b::/96`. For networks whose DNS64 uses a prefix of its own.
    ///
    /// # Errors
    ///
    /// Returns an error for a text that is not an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits.
    pub fn with_nat64_prefix(mut self, prefix: &str) -> Result<Self, EntryError> {
        self.nat64.push(entry::nat64_prefix(prefix)?);
        Ok(self)
    }

    /// Sets the ports that are open, in place of the default ones.
    #[must_use]
    pub fn with_ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.ports = Some(ports.into_iter().collect());
        self
    }

    /// Checks an address and a port.
    ///
    /// # Errors
    ///
    /// Returns the reason, and the entry that would allow it, if a connection to the target is
    /// refused.
    pub fn check(&self, target: SocketAddr) -> Result<(), AddressRefusal> {
        let refusal = |reason| Err(AddressRefusal { target, reason });
        let embedded = self.embedded(target.ip());
        // Deny entries first: they win over every allow entry.
        if self.denies(target, embedded) {
            return refusal(RefusalReason::Denied);
        }
        let class = match embedded {
            Some((v4, _)) => address::classify(v4.into()),
            None => address::classify(target.ip()),
        };
        let metadata = class == Some(AddressClass::Metadata);
        let allowing = || {
            self.allow
                .iter()
                .filter(|entry| Self::allows(entry, target, embedded))
                .filter(|entry| !metadata || entry.is_single())
        };
        // An entry with a port is the exception for that port, so neither rule applies.
        if allowing().any(|entry| entry.port.is_some()) {
            return Ok(());
        }
        match class {
            Some(class) if allowing().next().is_none() => refusal(RefusalReason::Address(class)),
            // The address is public or allowed at every port, so the rule of ports decides.
            _ if self.is_open(target.port()) => Ok(()),
            _ => refusal(RefusalReason::Port),
        }
    }

    /// The IPv4 address that is judged in place of an IPv6 address, and the prefix that embeds it.
    fn embedded(&self, address: IpAddr) -> Option<(Ipv4Addr, Ipv6Net)> {
        let IpAddr::V6(address) = address else {
            return None;
        };
        let own = self.nat64.iter().find(|net| net.contains(&address));
        if let Some(net) = own {
            return Some((address::nat64(address, net.prefix_len()), *net));
        }
        let v4 = address::embedded(address)?;
        Some((v4, Ipv6Net::new(address, 96).ok()?.trunc()))
    }

    fn allows(
        entry: &AddressBlock,
        target: SocketAddr,
        embedded: Option<(Ipv4Addr, Ipv6Net)>,
    ) -> bool {
        let Some((v4, prefix)) = embedded else {
            let least = address::embedding_prefix(target.ip()).unwrap_or_default();
            return entry.net.prefix_len() >= least && entry.holds(target);
        };
        // An IPv6 entry counts only if it is within the embedding prefix: a wide one such as `::/0`
        // was not written with embedded addresses in mind.
        let inside = matches!(entry.net, IpNet::V6(net) if prefix.contains(&net));
        (inside && entry.holds(target)) || entry.holds(SocketAddr::new(v4.into(), target.port()))
    }

    /// Whether an entry denies the target, or an address that it embeds in any form.
    fn denies(&self, target: SocketAddr, embedded: Option<(Ipv4Addr, Ipv6Net)>) -> bool {
        let embedded = embedded.map(|(v4, _)| IpAddr::V4(v4));
        address::leads_to(target.ip())
            .chain(embedded)
            .map(|reached| SocketAddr::new(reached, target.port()))
            .any(|reached| self.deny.iter().any(|entry| entry.holds(reached)))
    }

    /// The address, once it may be connected to.
    pub(super) fn vet(&self, target: SocketAddr) -> Result<Vetted, AddressRefusal> {
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

/// The reason why a connection is refused. `Display` names the entry that would allow it.
///
/// ```
/// use greenlight::probe::AddressPolicy;
///
/// let policy = AddressPolicy::new().deny("93.184.215.0/24")?;
/// let refusal = policy.check("93.184.215.14:80".parse()?).unwrap_err();
/// assert_eq!(refusal.target().port(), 80);
/// assert_eq!(
///     refusal.to_string(),
///     "a deny entry of the address policy names 93.184.215.14 at port 80"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct AddressRefusal {
    target: SocketAddr,
    reason: RefusalReason,
}

/// The rule that refuses a connection.
///
/// ```
/// use greenlight::probe::{AddressClass, AddressPolicy, RefusalReason};
///
/// let reason = |target: &str| {
///     let target = target.parse().expect("an address and a port");
///     AddressPolicy::new().check(target).unwrap_err().reason()
/// };
/// assert_eq!(reason("192.168.0.1:80"), RefusalReason::Address(AddressClass::Private));
/// assert_eq!(reason("93.184.215.14:25"), RefusalReason::Port);
/// ```
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

impl AddressRefusal {
    /// The address and port that are refused.
    pub const fn target(&self) -> SocketAddr {
        self.target
    }

    /// The rule that refuses them.
    pub const fn reason(&self) -> RefusalReason {
        self.reason
    }
}

impl fmt::Display for AddressRefusal {
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
                    "a deny entry of the address policy names {ip} at port {port}"
                );
            }
        }
        let entry = AddressBlock {
            net: ip.into(),
            port: Some(port),
        };
        write!(f, ": the address policy needs the allow entry {entry}")
    }
}
