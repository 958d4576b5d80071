//! Compares the address rule with the RFCs, and tests the policy's exceptions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use greenlight::probe::{AddressClass, AddressPolicy, RefusalReason, classify};
use proptest::prelude::*;

/// Addresses and their classes by the RFCs: the first and last of every block, and their neighbors.
/// `None` is public.
const TABLE: &[(&str, Option<AddressClass>)] = {
    use AddressClass::*;
    &[
        // RFC 791, RFC 1122: this network.
        ("0.0.0.0", Some(ThisNetwork)),
        ("0.255.255.255", Some(ThisNetwork)),
        ("1.0.0.0", None),
        // RFC 1918.
        ("9.255.255.255", None),
        ("10.0.0.0", Some(Private)),
        ("10.255.255.255", Some(Private)),
        ("11.0.0.0", None),
        ("172.15.255.255", None),
        ("172.16.0.0", Some(Private)),
        ("172.31.255.255", Some(Private)),
        ("172.32.0.0", None),
        ("192.167.255.255", None),
        ("192.168.0.0", Some(Private)),
        ("192.168.255.255", Some(Private)),
        ("192.169.0.0", None),
        // RFC 6598.
        ("100.63.255.255", None),
        ("100.64.0.0", Some(Shared)),
        ("100.127.255.255", Some(Shared)),
        ("100.128.0.0", None),
        // RFC 1122: loopback.
        ("126.255.255.255", None),
        ("127.0.0.0", Some(Loopback)),
        ("127.0.0.1", Some(Loopback)),
        ("127.255.255.255", Some(Loopback)),
        ("128.0.0.0", None),
        // RFC 3927.
        ("169.253.255.255", None),
        ("169.254.0.0", Some(LinkLocal)),
        ("169.254.255.255", Some(LinkLocal)),
        ("169.255.0.0", None),
        // The vendors' metadata services.
        ("169.254.169.254", Some(Metadata)),
        ("100.100.100.200", Some(Metadata)),
        ("168.63.129.16", Some(Metadata)),
        ("168.63.129.15", None),
        ("fd00:ec2::254", Some(Metadata)),
        ("fd20:ce::254", Some(Metadata)),
        ("169.254.170.1", Some(LinkLocal)),
        ("169.254.170.2", Some(Metadata)),
        ("169.254.170.3", Some(LinkLocal)),
        ("169.254.170.23", Some(Metadata)),
        ("fd00:ec2::22", Some(Private)),
        ("fd00:ec2::23", Some(Metadata)),
        ("192.0.0.191", Some(Protocol)),
        ("192.0.0.192", Some(Metadata)),
        // RFC 6890.
        ("192.0.0.0", Some(Protocol)),
        ("192.0.0.255", Some(Protocol)),
        ("192.0.1.0", None),
        // RFC 5737.
        ("192.0.2.0", Some(Documentation)),
        ("192.0.2.255", Some(Documentation)),
        ("192.0.3.0", None),
        ("198.51.100.7", Some(Documentation)),
        ("198.51.101.0", None),
        ("203.0.113.255", Some(Documentation)),
        ("203.0.114.0", None),
        // RFC 7526.
        ("192.88.99.1", Some(Embedding)),
        ("192.88.98.255", None),
        // RFC 2544.
        ("198.17.255.255", None),
        ("198.18.0.0", Some(Protocol)),
        ("198.19.255.255", Some(Protocol)),
        ("198.20.0.0", None),
        // RFC 5771, RFC 1112, RFC 8190.
        ("223.255.255.255", None),
        ("224.0.0.1", Some(Multicast)),
        ("239.255.255.255", Some(Multicast)),
        ("240.0.0.0", Some(Reserved)),
        ("255.255.255.254", Some(Reserved)),
        ("255.255.255.255", Some(Multicast)),
        // Public ones in use.
        ("8.8.8.8", None),
        ("47.88.73.1", None),
        ("93.184.215.14", None),
        // RFC 4291: unspecified, loopback, IPv4-compatible.
        ("::", Some(ThisNetwork)),
        ("::1", Some(Loopback)),
        ("::2", Some(Embedding)),
        ("::8.8.8.8", Some(Embedding)),
        ("::ffff", Some(Embedding)),
        // RFC 4291, 2.5.5.2: judged by the IPv4 address.
        ("::ffff:127.0.0.1", Some(Loopback)),
        ("::ffff:10.1.2.3", Some(Private)),
        ("::ffff:169.254.169.254", Some(Metadata)),
        ("::ffff:8.8.8.8", None),
        // RFC 2765: the old translated form.
        ("::ffff:0:127.0.0.1", Some(Reserved)),
        // RFC 6052: judged by the IPv4 address. RFC 8215: local.
        ("64:ff9b::8.8.8.8", None),
        ("64:ff9b::127.0.0.1", Some(Loopback)),
        ("64:ff9b::100.100.100.200", Some(Metadata)),
        ("64:ff9b::192.168.1.1", Some(Private)),
        ("64:ff9b:1::8.8.8.8", Some(Protocol)),
        ("64:ff9b:0:0:0:1:808:808", Some(Protocol)),
        // RFC 6666.
        ("100::1", Some(Protocol)),
        ("100:0:0:1::", Some(Reserved)),
        // RFC 2928, 4380, 5180, 7343, 9374.
        ("2001::1", Some(Embedding)),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Some(Embedding)),
        ("2001:1::1", Some(Protocol)),
        ("2001:2::1", Some(Protocol)),
        ("2001:10::1", Some(Protocol)),
        ("2001:20::1", Some(Protocol)),
        ("2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Some(Protocol)),
        ("2001:200::1", None),
        // RFC 3849, RFC 9637.
        ("2001:db7:ffff::1", None),
        ("2001:db8::1", Some(Documentation)),
        ("2001:db9::1", None),
        ("3fff::1", Some(Documentation)),
        ("3fff:fff:ffff::1", Some(Documentation)),
        ("3fff:1000::1", None),
        // RFC 3056.
        ("2002:7f00:1::1", Some(Embedding)),
        ("2002:808:808::1", Some(Embedding)),
        ("2003::1", None),
        // RFC 5214.
        ("2400:3200::5efe:127.0.0.1", Some(Embedding)),
        ("2400:3200::200:5efe:8.8.8.8", Some(Embedding)),
        // RFC 9602, RFC 4193, RFC 4291, RFC 3879.
        ("5f00::1", Some(Protocol)),
        ("fc00::1", Some(Private)),
        ("fdff:ffff::1", Some(Private)),
        ("fe80::1", Some(LinkLocal)),
        ("febf::1", Some(LinkLocal)),
        ("fec0::1", Some(Private)),
        ("ff02::1", Some(Multicast)),
        // Outside 2000::/3 nothing is assigned for use.
        ("1fff::1", Some(Reserved)),
        ("2000::1", None),
        ("4000::1", Some(Reserved)),
        ("e000::1", Some(Reserved)),
        // Public ones in use.
        ("2400:3200::1", None),
        ("2606:4700:4700::1111", None),
        ("2a00:1450:4001:80b::200e", None),
    ]
};

#[test]
fn addresses_are_classified_by_their_rfcs() {
    for (text, expected) in TABLE {
        let address: IpAddr = text.parse().unwrap();
        assert_eq!(classify(address), *expected, "{text}");
    }
    assert!(TABLE.len() >= 60);
}

#[test]
fn without_exceptions_the_default_address_rule_applies() {
    let policy = AddressPolicy::new();
    for (text, expected) in TABLE {
        let address: IpAddr = text.parse().unwrap();
        for port in [80, 443, 8080] {
            let refusal = policy.check(SocketAddr::new(address, port)).err();
            let reason = refusal.map(|refusal| refusal.reason());
            assert_eq!(reason, expected.map(RefusalReason::Address), "{text}");
        }
    }
}

/// Allow entries, deny entries, target, whether it is let through.
type PolicyCase = (
    &'static [&'static str],
    &'static [&'static str],
    &'static str,
    bool,
);

#[test]
fn exceptions_apply_to_their_range_only() {
    let cases: &[PolicyCase] = &[
        (&["127.0.0.0/8"], &[], "127.0.0.1:80", true),
        (&["127.0.0.0/8"], &[], "127.9.9.9:8080", true),
        (&["127.0.0.0/8"], &[], "128.0.0.1:8080", true),
        (&["127.0.0.0/8"], &[], "10.0.0.1:80", false),
        // No port in the entry: the default ports.
        (&["127.0.0.0/8"], &[], "127.0.0.1:22", false),
        (&["127.0.0.0/8"], &[], "127.0.0.1:6667", false),
        // A port in the entry: only that port, even if it is denied by default.
        (&["127.0.0.1/32:8080"], &[], "127.0.0.1:8080", true),
        (&["127.0.0.1/32:8080"], &[], "127.0.0.1:8081", false),
        (&["127.0.0.1/32:8080"], &[], "127.0.0.1:80", false),
        (&["127.0.0.1/32:8080"], &[], "127.0.0.2:8080", false),
        (&["127.0.0.1/32:22"], &[], "127.0.0.1:22", true),
        (&["93.184.215.14/32:81"], &[], "93.184.215.14:81", true),
        (&["93.184.215.14/32:81"], &[], "93.184.215.15:81", false),
        // Short forms.
        (&["127.0.0.1"], &[], "127.0.0.1:80", true),
        (&["127.0.0.1:8080"], &[], "127.0.0.1:8080", true),
        (&["127.0.0.1:8080"], &[], "127.0.0.1:8081", false),
        // The mapped form reaches the same socket.
        (&["127.0.0.0/8"], &[], "[::ffff:127.0.0.1]:80", true),
        // NAT64 is judged by the IPv4 address, by the rule and by the entries.
        (&["127.0.0.0/8"], &[], "[64:ff9b::127.0.0.1]:80", true),
        // IPv6.
        (&["::1"], &[], "[::1]:8080", true),
        (&["[::1]:8080"], &[], "[::1]:8080", true),
        (&["[::1]/128:8080"], &[], "[::1]:8081", false),
        (&["fd00::/8"], &[], "[fd12::1]:443", true),
        (&["fd00::/8"], &[], "[fc12::1]:443", false),
        (&["::/0"], &[], "[fe80::1]:443", true),
        (&["::/0"], &[], "10.0.0.1:443", false),
        (&["0.0.0.0/0"], &[], "10.0.0.1:443", true),
        // Deny takes precedence over the rule and over allow.
        (&[], &["8.8.8.0/24"], "8.8.8.8:443", false),
        (&[], &["8.8.8.0/24"], "8.8.9.8:443", true),
        (&[], &["8.8.8.0/24"], "[::ffff:8.8.8.8]:443", false),
        (&[], &["8.8.8.0/24"], "[64:ff9b::8.8.8.8]:443", false),
        (&[], &["8.8.8.8/32:443"], "8.8.8.8:443", false),
        (&[], &["8.8.8.8/32:443"], "8.8.8.8:80", true),
        (&["10.0.0.0/8"], &["10.1.0.0/16"], "10.1.2.3:80", false),
        (&["10.1.2.3/32:80"], &["10.0.0.0/8"], "10.1.2.3:80", false),
        (&["10.0.0.0/8"], &["10.1.0.0/16"], "10.2.2.3:80", true),
        // Metadata services, unless allowed by an entry of their own.
        (&["169.254.0.0/16"], &[], "169.254.169.254:80", false),
        (&["169.254.0.0/16"], &[], "169.254.1.1:80", true),
        (&["169.254.169.254/31"], &[], "169.254.169.254:80", false),
        (&["169.254.169.254/31:80"], &[], "169.254.169.254:80", false),
        (&["0.0.0.0/0:80"], &[], "169.254.169.254:80", false),
        (
            &["0.0.0.0/0", "::/0"],
            &[],
            "[::ffff:169.254.169.254]:80",
            false,
        ),
        (&["169.254.169.254/32"], &[], "169.254.169.254:80", true),
        (&["169.254.169.254/32:80"], &[], "169.254.169.254:80", true),
        (
            &["169.254.169.254"],
            &["169.254.0.0/16"],
            "169.254.169.254:80",
            false,
        ),
        (&["100.64.0.0/10"], &[], "100.100.100.200:80", false),
        (&["100.64.0.0/10"], &[], "100.100.100.201:80", true),
        (&["100.100.100.200/32"], &[], "100.100.100.200:80", true),
        (
            &["64:ff9b::/96"],
            &[],
            "[64:ff9b::100.100.100.200]:80",
            false,
        ),
        (&["fd00::/8"], &[], "[fd00:ec2::254]:80", false),
        (&["169.254.0.0/16"], &[], "169.254.170.2:80", false),
        (&["0.0.0.0/0"], &[], "169.254.170.2:80", false),
        (&["0.0.0.0/0"], &[], "169.254.170.23:80", false),
        (&["192.0.0.0/24"], &[], "192.0.0.192:80", false),
        (&["::/0"], &[], "[fd00:ec2::23]:80", false),
        (&["::/0"], &[], "[::ffff:169.254.170.2]:80", false),
        (&["169.254.170.2/32"], &[], "169.254.170.2:80", true),
    ];
    for (allow, deny, target, expected) in cases {
        let mut policy = AddressPolicy::new();
        for entry in *allow {
            policy = policy.allow(entry).unwrap();
        }
        for entry in *deny {
            policy = policy.deny(entry).unwrap();
        }
        let answer = policy.check(target.parse().unwrap());
        assert_eq!(
            answer.is_ok(),
            *expected,
            "{target} under allow {allow:?} deny {deny:?}: {answer:?}"
        );
    }
}

/// The ways to write 169.254.169.254 inside an IPv6 address.
const EMBEDDED: [&str; 10] = [
    "::ffff:169.254.169.254",
    "2002:a9fe:a9fe::1",
    "::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00::",
    "fe80::5efe:169.254.169.254",
    "2001:db8::200:5efe:a9fe:a9fe",
    "::ffff:0:a9fe:a9fe",
    "2001:0:808:808::5601:5601",
];

#[test]
fn denied_addresses_stay_denied_when_embedded() {
    let open = AddressPolicy::new().allow("::/0").unwrap();
    let denied = AddressPolicy::new().deny("169.254.0.0/16").unwrap();
    for form in EMBEDDED {
        let target: SocketAddr = format!("[{form}]:80").parse().unwrap();
        let reason =
            |policy: &AddressPolicy| policy.check(target).map_err(|refusal| refusal.reason());
        let metadata = RefusalReason::Address(AddressClass::Metadata);
        assert_eq!(reason(&open), Err(metadata), "{form}");
        assert_eq!(reason(&denied), Err(RefusalReason::Denied), "{form}");
    }
    let mapped = AddressPolicy::new().deny("::ffff:8.8.0.0/112").unwrap();
    for (target, is_open) in [
        ("8.8.8.8:80", false),
        ("[::ffff:8.8.8.8]:80", false),
        ("[64:ff9b::8.8.8.8]:80", false),
        ("8.9.8.8:80", true),
    ] {
        let answer = mapped.check(target.parse().unwrap());
        assert_eq!(answer.is_ok(), is_open, "{target}: {answer:?}");
    }
}

#[test]
fn default_ports_are_80_and_443() {
    let open = |policy: &AddressPolicy, port| {
        policy
            .check(SocketAddr::new(Ipv4Addr::new(8, 8, 8, 8).into(), port))
            .is_ok()
    };
    let policy = AddressPolicy::new();
    for port in [80, 443, 1024, 3000, 8000, 8080, 8443, 65_535] {
        assert!(open(&policy, port), "{port}");
    }
    // WHATWG Fetch, "bad port".
    for port in [
        0, 1, 21, 22, 23, 25, 81, 110, 143, 389, 587, 993, 1719, 1720, 1723, 2049, 3659, 4045,
        4190, 5060, 5061, 6000, 6566, 6665, 6669, 6679, 6697, 10_080,
    ] {
        assert!(!open(&policy, port), "{port}");
    }
    let policy = AddressPolicy::new().with_ports([443]);
    assert!(open(&policy, 443) && !open(&policy, 80) && !open(&policy, 8080));
}

#[test]
fn a_rejection_names_the_option_that_allows_it() {
    let cases = [
        (
            "127.0.0.1:8080",
            "127.0.0.1 is a loopback address: the address policy needs the allow entry 127.0.0.1/32:8080",
        ),
        (
            "[fe80::1]:80",
            "fe80::1 is a link-local address: the address policy needs the allow entry [fe80::1]/128:80",
        ),
        (
            "8.8.8.8:22",
            "port 22 is not open to probes: the address policy needs the allow entry 8.8.8.8/32:22",
        ),
        (
            "0.0.0.0:80",
            "0.0.0.0 is an unspecified address: the address policy needs the allow entry 0.0.0.0/32:80",
        ),
        (
            "[::ffff:10.0.0.1]:80",
            "::ffff:10.0.0.1 is a private address: the address policy needs the allow entry [::ffff:10.0.0.1]/128:80",
        ),
    ];
    for (target, expected) in cases {
        let target: SocketAddr = target.parse().unwrap();
        let refusal = AddressPolicy::new().check(target).unwrap_err();
        assert_eq!(refusal.to_string(), expected);
        let option = expected.rsplit(' ').next().unwrap();
        let policy = AddressPolicy::new().allow(option).unwrap();
        assert_eq!(policy.check(target), Ok(()), "{option}");
    }
    let policy = AddressPolicy::new().deny("8.8.8.8").unwrap();
    let refusal = policy.check("8.8.8.8:80".parse().unwrap()).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "a deny entry of the address policy names 8.8.8.8 at port 80"
    );
}

#[test]
fn an_invalid_entry_is_rejected_with_a_reason() {
    let cases = [
        ("", "it does not begin with an IP address"),
        ("localhost", "it does not begin with an IP address"),
        ("127.1/8", "it does not begin with an IP address"),
        ("0x7f.0.0.1/8", "it does not begin with an IP address"),
        ("[127.0.0.1", "it does not begin with an IP address"),
        (
            "10.0.0.0/33",
            "the prefix is not a number of at most 32 bits",
        ),
        ("::/129", "the prefix is not a number of at most 128 bits"),
        ("10.0.0.0/", "the prefix is not a number of at most 32 bits"),
        (
            "10.0.0.0/+8",
            "the prefix is not a number of at most 32 bits",
        ),
        (
            "10.0.0.0/8/9",
            "the prefix is not a number of at most 32 bits",
        ),
        ("10.0.0.0/8:", "the port is not a number from 1 to 65535"),
        ("10.0.0.0/8:0", "the port is not a number from 1 to 65535"),
        (
            "10.0.0.0/8:65536",
            "the port is not a number from 1 to 65535",
        ),
        (
            "10.0.0.0/8:http",
            "the port is not a number from 1 to 65535",
        ),
        (
            "10.1.2.3/8",
            "the address has bits outside the prefix, write 10.0.0.0/8",
        ),
        (
            "fd00::1/8:80",
            "the address has bits outside the prefix, write [fd00::]/8:80",
        ),
    ];
    for (entry, reason) in cases {
        let error = AddressPolicy::new().allow(entry).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("address entry `{entry}` is not `CIDR` or `CIDR:PORT`: {reason}")
        );
    }
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        // Addresses near the special blocks.
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits >> 96 | 0x2001 << 112))),
        any::<u32>().prop_map(|bits| IpAddr::V6(Ipv4Addr::from_bits(bits).to_ipv6_mapped())),
    ]
}

proptest! {
    /// An address that std classifies as not public is never public.
    #[test]
    fn addresses_private_by_std_are_rejected(address in address()) {
        let known = match address.to_canonical() {
            IpAddr::V4(v4) => {
                v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_broadcast()
                    || v4.is_documentation() || v4.is_unspecified() || v4.is_multicast()
            }
            IpAddr::V6(v6) => {
                v6.is_loopback() || v6.is_unspecified() || v6.is_multicast()
                    || v6.is_unique_local() || v6.is_unicast_link_local()
            }
        };
        prop_assert!(!known || classify(address).is_some());
    }

    /// An IPv4 address has the same class in any notation.
    #[test]
    fn embedded_ipv4_addresses_are_checked(bits in any::<u32>()) {
        let plain = Ipv4Addr::from_bits(bits);
        let expected = classify(plain.into());
        prop_assert_eq!(classify(plain.to_ipv6_mapped().into()), expected);
        let nat64 = Ipv6Addr::from_bits(0x0064_ff9b << 96 | u128::from(bits));
        prop_assert_eq!(classify(nat64.into()), expected);
    }

    /// No IPv6 address outside `2000::/3` is public, except the two embedding forms.
    #[test]
    fn public_ipv6_is_in_global_unicast(bits in any::<u128>()) {
        let address = Ipv6Addr::from_bits(bits);
        if classify(address.into()).is_none() {
            prop_assert_eq!(bits >> 125, 1);
        }
    }

    /// A deny entry denies all its addresses, regardless of other entries.
    #[test]
    fn deny_always_wins(address in address(), port in 1_u16.., prefix in 0_u32..=32) {
        let bits = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let prefix = prefix.min(bits);
        let network = match address {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(
                v4.to_bits() & u32::MAX.checked_shl(32 - prefix).unwrap_or(0),
            )),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(
                v6.to_bits() & u128::MAX.checked_shl(128 - prefix).unwrap_or(0),
            )),
        };
        let target = SocketAddr::new(address, port);
        let single = match address {
            IpAddr::V4(v4) => format!("{v4}/32:{port}"),
            IpAddr::V6(v6) => format!("[{v6}]/128:{port}"),
        };
        let allowed = AddressPolicy::new().allow(&single).unwrap();
        prop_assert!(allowed.check(target).is_ok());
        let denied = allowed.deny(&format!("{network}/{prefix}")).unwrap();
        prop_assert_eq!(
            denied.check(target).map_err(|refusal| refusal.reason()),
            Err(RefusalReason::Denied)
        );
    }
}

#[test]
fn everything_in_ipv6_does_not_open_embedded_ipv4_addresses() {
    let everything = AddressPolicy::new().allow("::/0").unwrap();
    let at = |address: &str| format!("[{address}]:80").parse().unwrap();
    for closed in [
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::10.0.0.1",
        "64:ff9b:1:a00:0:100::",
        "2002:7f00:1::1",
        "2002:a00:1::1",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",
        "::10.0.0.1",
        "::ffff:0:10.0.0.1",
        "fe80::5efe:10.0.0.1",
        "fe80::200:5efe:10.0.0.1",
        "fe80::a9fe:a9fe",
    ] {
        assert!(everything.check(at(closed)).is_err(), "{closed}");
        let own = AddressPolicy::new().allow(closed).unwrap();
        assert!(own.check(at(closed)).is_ok(), "{closed}");
    }
    for (prefix, inside) in [
        ("2002::/16", "2002:a00:1::1"),
        ("2001::/32", "2001:0:4136:e378:8000:63bf:f5ff:fffe"),
        ("64:ff9b:1::/48", "64:ff9b:1::10.0.0.1"),
        ("::/96", "::10.0.0.1"),
    ] {
        let policy = AddressPolicy::new().allow(prefix).unwrap();
        assert!(policy.check(at(inside)).is_ok(), "{inside}");
    }
    for open in [
        "::1",
        "fd00::1",
        "fe80::1",
        "64:ff9b::8.8.8.8",
        "::ffff:8.8.8.8",
    ] {
        assert!(everything.check(at(open)).is_ok(), "{open}");
    }
    // IPv4 entries open them, and so do entries inside the prefix.
    let v4 = AddressPolicy::new().allow("10.0.0.0/8").unwrap();
    for open in ["::ffff:10.0.0.1", "64:ff9b::10.0.0.1"] {
        assert!(v4.check(at(open)).is_ok(), "{open}");
        assert!(v4.check(at(&open.replace("10.0", "127.0"))).is_err());
    }
    let inside = AddressPolicy::new().allow("64:ff9b::a00:0/104").unwrap();
    assert!(inside.check(at("64:ff9b::10.0.0.1")).is_ok());
    assert!(inside.check("10.0.0.1:80".parse().unwrap()).is_err());
}

#[test]
fn a_nat64_prefix_is_checked_by_the_embedded_address() {
    let at = |address: &str| format!("[{address}]:80").parse().unwrap();
    // 10.0.0.1 and 8.8.8.8 under each length of prefix (RFC 6052, 2.4).
    for (prefix, private, public) in [
        ("2001:4860::/32", "2001:4860:a00:1::", "2001:4860:808:808::"),
        (
            "2001:4860:100::/40",
            "2001:4860:10a:0:1::",
            "2001:4860:108:808:8::",
        ),
        (
            "2001:4860:122::/48",
            "2001:4860:122:a00:0:100::",
            "2001:4860:122:808:8:800::",
        ),
        (
            "2001:4860:122:300::/56",
            "2001:4860:122:30a:0:1::",
            "2001:4860:122:308:8:808::",
        ),
        (
            "2001:4860:122:344::/64",
            "2001:4860:122:344:a:0:100:0",
            "2001:4860:122:344:8:808:800:0",
        ),
        (
            "2001:4860:122:344::/96",
            "2001:4860:122:344::10.0.0.1",
            "2001:4860:122:344::8.8.8.8",
        ),
    ] {
        let plain = AddressPolicy::new();
        let policy = plain.clone().with_nat64_prefix(prefix).unwrap();
        assert!(plain.check(at(private)).is_ok(), "{prefix}: looks public");
        assert!(policy.check(at(private)).is_err(), "{prefix}: {private}");
        assert!(policy.check(at(public)).is_ok(), "{prefix}: {public}");
        let opened = policy.allow("10.0.0.0/8").unwrap();
        assert!(opened.check(at(private)).is_ok(), "{prefix}");
        let denied = opened.deny("8.8.8.8").unwrap();
        assert!(denied.check(at(public)).is_err(), "{prefix}");
    }
    for wrong in ["2001:db8::/33", "10.0.0.0/32", "2001:db8::1/96", "x"] {
        assert!(
            AddressPolicy::new().with_nat64_prefix(wrong).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn metadata_services_need_an_entry_of_their_own() {
    for address in [
        "169.254.0.23",
        "169.254.42.42",
        "[fd00:42::42]",
        "[fe80::a9fe:a9fe]",
        "[fd00:c1::a9fe:a9fe]",
    ] {
        let target = format!("{address}:80").parse().unwrap();
        let wide = AddressPolicy::new()
            .allow("0.0.0.0/0")
            .unwrap()
            .allow("::/0")
            .unwrap();
        assert!(wide.check(target).is_err(), "{address}");
        let own = AddressPolicy::new()
            .allow(address.trim_matches(['[', ']']))
            .unwrap();
        assert!(own.check(target).is_ok(), "{address}");
    }
}
