//! The address rule: which addresses an untrusted URL may lead to. Pure, and without dependencies.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The reason why an address is not public.
///
/// ```
/// use greenlight::probe::{AddressClass, classify};
///
/// let class = classify("169.254.169.254".parse()?).expect("it is not public");
/// assert_eq!(class, AddressClass::Metadata); // no allow entry for a block opens it
/// assert_eq!(format!("a {class} address"), "a cloud-metadata address");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressClass {
    /// The unspecified address or the host's own network.
    ThisNetwork,
    /// Private use, unique local or site-local.
    Private,
    /// Shared by a carrier's customers.
    Shared,
    /// The machine itself.
    Loopback,
    /// The local link.
    LinkLocal,
    /// Reserved for protocols, benchmarks or segment routing.
    Protocol,
    /// For examples in documentation.
    Documentation,
    /// A group, or the broadcast address.
    Multicast,
    /// An IPv6 form that leads to another address: 6to4, Teredo, ISATAP, IPv4-compatible.
    Embedding,
    /// Not assigned to anything.
    Reserved,
    /// A cloud's metadata service, which hands out credentials.
    Metadata,
}

impl AddressClass {
    /// The class in words, as in "… address".
    pub const fn name(self) -> &'static str {
        match self {
            Self::ThisNetwork => "unspecified",
            Self::Private => "private",
            Self::Shared => "carrier-shared",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Protocol => "protocol-assignment",
            Self::Documentation => "documentation",
            Self::Multicast => "multicast",
            Self::Embedding => "tunnel",
            Self::Reserved => "reserved",
            Self::Metadata => "cloud-metadata",
        }
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Returns why an address is not public; `None` for a public one.
///
/// [`AddressPolicy`](super::AddressPolicy) makes exceptions to this rule.
///
/// IPv4 is public unless it lies in one of these blocks:
///
/// | block | what it is | source |
/// |---|---|---|
/// | `0.0.0.0/8` | this network | RFC 791, 3.2 |
/// | `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16` | private use | RFC 1918 |
/// | `100.64.0.0/10` | shared by carriers; holds `100.100.100.200` | RFC 6598 |
/// | `127.0.0.0/8` | loopback | RFC 1122, 3.2.1.3 |
/// | `169.254.0.0/16` | link-local; holds `169.254.169.254`, `169.254.170.2`, `169.254.170.23` | RFC 3927 |
/// | `192.0.0.0/24` | protocol assignments; holds `192.0.0.192` | RFC 6890 |
/// | `192.0.2.0/24`, `198.51.100.0/24`, `203.0.113.0/24` | documentation | RFC 5737 |
/// | `192.88.99.0/24` | 6to4 relays, withdrawn | RFC 7526 |
/// | `198.18.0.0/15` | benchmarks | RFC 2544 |
/// | `224.0.0.0/4` | multicast | RFC 5771 |
/// | `240.0.0.0/4` | reserved, and the broadcast address | RFC 1112, 4; RFC 8190 |
///
/// IPv6 is public only inside `2000::/3` (RFC 4291, 2.4 and the IANA registry of global unicast
/// addresses), and there not in:
///
/// | block | what it is | source |
/// |---|---|---|
/// | `2001::/23` | protocol assignments: Teredo, benchmarks, ORCHID and others | RFC 2928, 4380, 5180, 7343 |
/// | `2001:db8::/32`, `3fff::/20` | documentation | RFC 3849, 9637 |
/// | `2002::/16` | 6to4, which embeds an IPv4 address | RFC 3056 |
/// | interface `0:5efe:`… or `200:5efe:`… | ISATAP, which embeds an IPv4 address | RFC 5214, 6.1 |
///
/// That leaves out loopback `::1` and `::/128` (RFC 4291), unique local `fc00::/7` (RFC 4193),
/// link-local `fe80::/10` and site-local `fec0::/10` (RFC 4291, RFC 3879), multicast `ff00::/8`,
/// discard `100::/64` (RFC 6666), segment routing `5f00::/16` (RFC 9602), the local NAT64 block
/// `64:ff9b:1::/48` (RFC 8215) and IPv4-compatible addresses `::/96` (RFC 4291, 2.5.5.1). Two forms
/// are judged by the IPv4 address that they embed, because a socket reaches just that: IPv4-mapped
/// `::ffff:0:0/96` (RFC 4291, 2.5.5.2) and the NAT64 prefix `64:ff9b::/96` (RFC 6052), which
/// networks with DNS64 cannot do without.
///
/// Services of clouds that hand out credentials or settings are of a class of their own, wherever
/// they lie:
///
/// | address | what it is |
/// |---|---|
/// | `169.254.169.254` | the metadata service of most clouds, Hetzner's and OpenStack's among them |
/// | `fe80::a9fe:a9fe` | the same over IPv6, of OpenStack |
/// | `fd00:c1::a9fe:a9fe` | the same over IPv6, of Oracle (not verified) |
/// | `169.254.0.23` | the metadata service of Tencent Cloud |
/// | `169.254.42.42`, `fd00:42::42` | the metadata service of Scaleway (the latter not verified) |
/// | `fd00:ec2::254`, `fd20:ce::254` | the same over IPv6, of AWS and of Google |
/// | `100.100.100.200` | Alibaba Cloud's metadata service |
/// | `169.254.170.2` | the credentials of AWS' ECS tasks |
/// | `169.254.170.23`, `fd00:ec2::23` | the credentials of AWS' EKS pods |
/// | `192.0.0.192` | the metadata service of Oracle's Compute Classic |
/// | `168.63.129.16` | Azure's wire server, an address that looks public |
///
/// ```
/// use greenlight::probe::{AddressClass, classify};
///
/// assert_eq!(classify("8.8.8.8".parse()?), None);
/// assert_eq!(classify("10.1.2.3".parse()?), Some(AddressClass::Private));
/// // An IPv4 address in an IPv6 form that reaches the same host.
/// assert_eq!(classify("::ffff:127.0.0.1".parse()?), Some(AddressClass::Loopback));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn classify(address: IpAddr) -> Option<AddressClass> {
    // Before all other classes: an allow entry for a private block must not open the metadata
    // service that is inside of it.
    if is_metadata(address) {
        return Some(AddressClass::Metadata);
    }
    match address {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => classify(IpAddr::V4(v4)),
            None => classify_v6(v6),
        },
    }
}

/// The services of clouds that return credentials or settings to any client that reaches them.
const METADATA: [IpAddr; 14] = [
    // In general: AWS, Google Cloud, Azure, Oracle Cloud, OpenStack, Hetzner Cloud and others.
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    // Alibaba Cloud, "Instance metadata" in the guide to ECS.
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    // Azure, "What is IP address 168.63.129.16?": it looks public.
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    // AWS, "Task IAM role" in the guide to ECS: what AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is
    // relative to.
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    // AWS, "EKS Pod Identity Agent" in the guide to EKS, over both protocols.
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    // Oracle Cloud Infrastructure Compute Classic, "Retrieving instance metadata".
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    // AWS, "Instance metadata" in the guide to EC2, over IPv6.
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    // OpenStack Neutron, "metadata over IPv6".
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe)),
    // Oracle Cloud over IPv6. Seen in other software's lists, not in the cloud's own pages.
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)),
    // Tencent Cloud: what metadata.tencentyun.com resolves to. The cloud's pages give the name
    // only.
    IpAddr::V4(Ipv4Addr::new(169, 254, 0, 23)),
    // Scaleway; the address over IPv6 is not verified.
    IpAddr::V4(Ipv4Addr::new(169, 254, 42, 42)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42)),
    // Google Cloud, the metadata server over IPv6.
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Whether the address, or one that it embeds, is a cloud's metadata service.
fn is_metadata(address: IpAddr) -> bool {
    leads_to(address).any(|reached| METADATA.contains(&reached))
}

/// Every address that a packet to this one may arrive at: itself, and what it embeds in any form
/// that a host or a gateway may extract. More forms than the rule evaluates, because an address
/// that is closed must stay so on every path.
pub(super) fn leads_to(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let embedded = match address {
        IpAddr::V4(_) => [None; 4],
        IpAddr::V6(v6) => any_embedded(v6),
    };
    std::iter::once(address).chain(embedded.into_iter().flatten().map(IpAddr::V4))
}

/// The IPv4 addresses that one may embed. The local NAT64 block does not say how long its prefix
/// is, so that each length of RFC 6052, 2.2 is tried.
fn any_embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 4] {
    let octets = address.octets();
    let [.., a, b, c, d] = octets;
    let last = Some(Ipv4Addr::new(a, b, c, d));
    match address.segments() {
        // Unspecified and loopback (RFC 4291, 2.5.2 and 2.5.3).
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None; 4],
        // Compatible, mapped (RFC 4291, 2.5.5), translated (RFC 2765, 2.1), NAT64, ISATAP.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..]
        | [_, _, _, _, 0 | 0x200, 0x5efe, ..] => [last, None, None, None],
        [0x64, 0xff9b, 1, ..] => {
            // Octet 8 is left out of every address (RFC 6052, 2.2).
            let [_, _, _, _, _, _, o6, o7, _, o9, o10, o11, o12, ..] = octets;
            [
                last,
                Some(Ipv4Addr::new(o6, o7, o9, o10)),
                Some(Ipv4Addr::new(o7, o9, o10, o11)),
                Some(Ipv4Addr::new(o9, o10, o11, o12)),
            ]
        }
        [0x2002, ..] => {
            let [_, _, a, b, c, d, ..] = octets;
            [Some(Ipv4Addr::new(a, b, c, d)), None, None, None]
        }
        // Teredo's client, with every bit turned (RFC 4380, 4).
        [0x2001, 0, ..] => [Some(Ipv4Addr::new(!a, !b, !c, !d)), None, None, None],
        _ => [None; 4],
    }
}

/// Returns the length of the prefix that this address shares with all that embed an IPv4 address in
/// the same form, of the forms that [`embedded`] does not judge by that address.
pub(super) const fn embedding_prefix(address: IpAddr) -> Option<u8> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0x2002, ..] => Some(16),
        [0x2001, 0, ..] => Some(32),
        [0x64, 0xff9b, 1, ..] => Some(48),
        [0, 0, 0, 0, 0 | 0xffff, 0, ..] | [_, _, _, _, 0 | 0x200, 0x5efe, ..] => Some(96),
        _ => None,
    }
}

/// The IPv4 address that the rule judges in place of one that embeds it.
pub(super) const fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

/// The IPv4 address in a NAT64 address with a prefix of so many bits. Octet 8 is no part of it (RFC
/// 6052, 2.2).
pub(super) const fn nat64(address: Ipv6Addr, prefix: u8) -> Ipv4Addr {
    let [
        _,
        _,
        _,
        _,
        o4,
        o5,
        o6,
        o7,
        _,
        o9,
        o10,
        o11,
        o12,
        o13,
        o14,
        o15,
    ] = address.octets();
    match prefix {
        32 => Ipv4Addr::new(o4, o5, o6, o7),
        40 => Ipv4Addr::new(o5, o6, o7, o9),
        48 => Ipv4Addr::new(o6, o7, o9, o10),
        56 => Ipv4Addr::new(o7, o9, o10, o11),
        64 => Ipv4Addr::new(o9, o10, o11, o12),
        _ => Ipv4Addr::new(o12, o13, o14, o15),
    }
}

const fn classify_v4(address: Ipv4Addr) -> Option<AddressClass> {
    Some(match address.octets() {
        [0, ..] => AddressClass::ThisNetwork,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => AddressClass::Private,
        [100, 64..=127, ..] => AddressClass::Shared,
        [127, ..] => AddressClass::Loopback,
        [169, 254, ..] => AddressClass::LinkLocal,
        [192, 0, 0, _] | [198, 18..=19, ..] => AddressClass::Protocol,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => AddressClass::Documentation,
        [192, 88, 99, _] => AddressClass::Embedding,
        [224..=239, ..] | [255, 255, 255, 255] => AddressClass::Multicast,
        [240..=255, ..] => AddressClass::Reserved,
        _ => return None,
    })
}

const fn classify_v6(address: Ipv6Addr) -> Option<AddressClass> {
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => AddressClass::ThisNetwork,
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressClass::Loopback,
        [0, 0, 0, 0, 0, 0, ..]
        | [0x2001, 0, ..]
        | [0x2002, ..]
        | [_, _, _, _, 0 | 0x200, 0x5efe, ..] => AddressClass::Embedding,
        // Site-local addresses are deprecated (RFC 3879), but old networks route them.
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => AddressClass::Private,
        [0xfe80..=0xfebf, ..] => AddressClass::LinkLocal,
        [0xff00..=0xffff, ..] => AddressClass::Multicast,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => AddressClass::Documentation,
        [0x2001, 1..=0x1ff, ..] | [0x64, 0xff9b, ..] | [0x5f00, ..] | [0x100, 0, 0, 0, ..] => {
            AddressClass::Protocol
        }
        [0x2000..=0x3fff, ..] => return None,
        _ => AddressClass::Reserved,
    })
}
