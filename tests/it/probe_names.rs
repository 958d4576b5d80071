//! The probe's DNS client, with name servers on loopback.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::{BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use greenlight::{
    Decision, ImageUrl, Requirements,
    download::{Ending, Phase},
    probe::{AddressPolicy, Probe, ProbeBuilder},
};
use tokio::{net::UdpSocket, task::JoinSet, time};

use crate::probe_server::{Server, builder, ok, png};

const ASYNC: Requirements = Requirements::ASYNC;
const A: u16 = 1;
const GOOD: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const BAD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// The reaction of a name server to a query.
enum Reply {
    Silence,
    /// A response code without records (RFC 1035, 4.1.1).
    Code(u8),
    /// Records with a TTL. Those of the other family are left out.
    Records(u32, Vec<IpAddr>),
}

/// A name server that counts the queries per name and type.
struct Dns {
    address: SocketAddr,
    asked: Arc<Mutex<HashMap<(String, u16), usize>>>,
}

impl Dns {
    /// Calls `reply` with the name, the type, and the number of earlier queries for both.
    async fn start(reply: impl Fn(&str, u16, usize) -> Reply + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(HashMap::new()));
        let noted = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut query = [0; 1500];
            while let Ok((len, from)) = socket.recv_from(&mut query).await {
                let (name, kind, end) = question(&query[..len]);
                let before = {
                    let mut noted = noted.lock().unwrap();
                    let count: &mut usize = noted.entry((name.clone(), kind)).or_default();
                    *count += 1;
                    *count - 1
                };
                if let Some(response) = response(&query[..end], kind, reply(&name, kind, before)) {
                    let _ = socket.send_to(&response, from).await;
                }
            }
        });
        Self { address, asked }
    }

    fn asked(&self, name: &str, kind: u16) -> usize {
        let asked = self.asked.lock().unwrap();
        asked
            .get(&(name.to_owned(), kind))
            .copied()
            .unwrap_or_default()
    }

    /// Returns the names that were asked for.
    fn names(&self) -> BTreeSet<String> {
        let asked = self.asked.lock().unwrap();
        asked.keys().map(|(name, _)| name.clone()).collect()
    }

    /// Returns a probe that uses this name server and may connect to `127.0.0.1`.
    fn builder(&self) -> ProbeBuilder {
        let policy = AddressPolicy::new().allow("127.0.0.1").unwrap();
        builder().policy(policy).name_servers([self.address])
    }

    fn probe(&self) -> Probe {
        self.builder().build().unwrap()
    }
}

/// Returns the name and type of a query, and the end of its question.
fn question(query: &[u8]) -> (String, u16, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] > 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).into_owned());
        at = end;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    (labels.join("."), kind, at + 5)
}

fn response(query: &[u8], kind: u16, reply: Reply) -> Option<Vec<u8>> {
    let (code, ttl, addresses) = match reply {
        Reply::Silence => return None,
        Reply::Code(code) => (code, 0, Vec::new()),
        Reply::Records(ttl, addresses) => (0, ttl, addresses),
    };
    let addresses: Vec<_> = addresses
        .into_iter()
        .filter(|address| address.is_ipv4() == (kind == A))
        .collect();
    let mut message = query.to_vec();
    message[2..4].copy_from_slice(&[0x81, 0x80 | code]);
    let count = u16::try_from(addresses.len()).unwrap();
    message[6..12].copy_from_slice(&[0; 6]);
    message[6..8].copy_from_slice(&count.to_be_bytes());
    for address in addresses {
        message.extend([0xc0, 12]);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1]);
        message.extend(ttl.to_be_bytes());
        match address {
            IpAddr::V4(v4) => message.extend([&[0, 4][..], &v4.octets()].concat()),
            IpAddr::V6(v6) => message.extend([&[0, 16][..], &v6.octets()].concat()),
        }
    }
    Some(message)
}

async fn image() -> Server {
    Server::answering(ok("image/png", &png(300, 300, 0))).await
}

fn named(server: &Server, host: &str) -> ImageUrl {
    ImageUrl::parse(&format!(
        "http://{host}:{}/image.png",
        server.address.port()
    ))
    .unwrap()
}

#[tokio::test]
async fn a_dns_response_is_cached_for_its_ttl() {
    let server = image().await;
    let dns = Dns::start(|name, _, _| {
        let ttl = if name.starts_with("short") { 1 } else { 600 };
        Reply::Records(ttl, vec![GOOD])
    })
    .await;
    let probe = dns.probe();
    for _ in 0..3 {
        for host in ["short.example", "long.example"] {
            let download = probe.download(&named(&server, host), &ASYNC).await;
            assert_eq!(download.ending(), &Ending::Complete, "{host}");
        }
    }
    assert_eq!(
        (dns.asked("short.example", A), dns.asked("long.example", A)),
        (1, 1)
    );
    time::sleep(Duration::from_millis(1_200)).await;
    for host in ["short.example", "long.example"] {
        probe.download(&named(&server, host), &ASYNC).await;
    }
    assert_eq!(
        (dns.asked("short.example", A), dns.asked("long.example", A)),
        (2, 1)
    );
}

#[tokio::test]
async fn a_cached_address_is_checked_at_every_connection() {
    let server = image().await;
    let dns = Dns::start(|name, _, before| {
        // The first response is allowed; then the name resolves to an address that is not.
        let address = if before == 0 && name.starts_with("rebinding") {
            GOOD
        } else {
            BAD
        };
        Reply::Records(1, vec![address])
    })
    .await;
    let probe = dns.probe();
    let url = named(&server, "rebinding.example");
    let first = probe.download(&url, &ASYNC).await;
    assert_eq!(first.ending(), &Ending::Complete);
    time::sleep(Duration::from_millis(1_200)).await;
    for _ in 0..2 {
        let later = probe.download(&url, &ASYNC).await;
        assert!(
            matches!(later.ending(), Ending::Blocked { .. }),
            "{later:?}"
        );
    }
    // The policy applies to cached addresses too, here for the first time.
    let bad = named(&server, "bad.example");
    for _ in 0..2 {
        let download = probe.download(&bad, &ASYNC).await;
        assert!(
            matches!(download.ending(), Ending::Blocked { .. }),
            "{download:?}"
        );
    }
    assert_eq!(server.seen.connections(), 1);
}

#[tokio::test]
async fn names_without_a_response_do_not_delay_others() {
    let server = image().await;
    let dns = Dns::start(|name, _, _| {
        if name.contains("dead") {
            Reply::Silence
        } else {
            Reply::Records(60, vec![GOOD])
        }
    })
    .await;
    // One download at a time: a dead name that kept its turn would delay the others by its deadline.
    let probe = dns
        .builder()
        .concurrency(1)
        .deadline(Duration::from_secs(10))
        .build()
        .unwrap();
    let mut running = JoinSet::new();
    for at in 0..150 {
        // Each in a domain of its own, and all in one.
        for host in [
            format!("dead{at}.example"),
            format!("dead.{at}.dead.example"),
        ] {
            let (probe, url) = (probe.clone(), named(&server, &host));
            running.spawn(async move { (true, probe.download(&url, &ASYNC).await) });
        }
        if at % 3 == 0 {
            let (probe, url) = (probe.clone(), named(&server, &format!("good{at}.example")));
            running.spawn(async move { (false, probe.download(&url, &ASYNC).await) });
        }
    }
    let (mut good, mut dead) = (0, 0);
    while good < 50 {
        let (is_dead, download) = running.join_next().await.unwrap().unwrap();
        if is_dead {
            dead += 1;
            // The resolver has its own time-outs, within the deadline.
            let ending = download.ending();
            assert!(
                matches!(ending, Ending::TooSlow | Ending::Dns(_)),
                "{ending:?}"
            );
            assert_eq!(download.phase(), Phase::Resolve);
        } else {
            good += 1;
            assert_eq!(download.ending(), &Ending::Complete, "{download:?}");
        }
    }
    assert!(
        dead < 200,
        "the good ones do not wait for the dead ones: {dead}"
    );
    assert!(dns.asked("dead0.example", A) >= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_query_does_not_delay_a_name() {
    let server = image().await;
    let dns = Dns::start(|name, _, before| {
        if name.starts_with("dead") || before == 0 {
            Reply::Silence
        } else {
            Reply::Records(60, vec![GOOD])
        }
    })
    .await;
    let probe = dns
        .builder()
        .deadline(Duration::from_secs(10))
        .build()
        .unwrap();
    let mut running = JoinSet::new();
    for at in 0..400 {
        for kind in ["dead", "late"] {
            if kind == "late" && at % 10 > 0 {
                continue;
            }
            let (probe, url) = (
                probe.clone(),
                named(&server, &format!("{kind}{at}.example")),
            );
            running.spawn(async move { (kind, probe.download(&url, &ASYNC).await) });
        }
    }
    let (mut late, mut dead) = (0, 0);
    while late < 40 {
        let (kind, download) = running.join_next().await.unwrap().unwrap();
        if kind == "dead" {
            dead += 1;
        } else {
            assert_eq!(download.ending(), &Ending::Complete, "{download:?}");
            late += 1;
        }
    }
    assert!(dead < 200, "{dead} names without a response ended first");
}

#[tokio::test]
async fn failures_of_names_are_distinguished() {
    let server = image().await;
    let dns = Dns::start(|name, _, _| match name {
        "none.example" => Reply::Code(3),
        "failing.example" => Reply::Code(2),
        _ => Reply::Records(60, Vec::new()),
    })
    .await;
    let probe = dns.probe();
    for (host, reason) in [
        ("none.example", "no such name"),
        ("empty.example", "it has no addresses"),
        ("failing.example", "the name server responds: "),
    ] {
        let download = probe.download(&named(&server, host), &ASYNC).await;
        let Ending::Dns(text) = download.ending() else {
            panic!("{host}: {download:?}")
        };
        assert!(text.starts_with(reason), "{host}: {text}");
        let verdict = ASYNC.judge_download(download);
        assert_eq!(verdict.decision(), Decision::Reject);
    }
}

#[tokio::test]
async fn one_address_family_is_enough() {
    let server = image().await;
    let dns = Dns::start(|_, kind, _| match kind {
        A => Reply::Records(60, vec![GOOD]),
        // Some name servers ignore questions for AAAA records.
        _ => Reply::Silence,
    })
    .await;
    let download = dns
        .probe()
        .download(&named(&server, "v4.example"), &ASYNC)
        .await;
    assert_eq!(download.ending(), &Ending::Complete, "{download:?}");

    let Ok(v6) = Server::try_start_at("[::1]:0", |mut peer| async move {
        while peer.request().await.is_some() {
            peer.send(ok("image/png", &png(300, 300, 0))).await;
        }
    })
    .await
    else {
        return;
    };
    let loopback = vec![IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let dns = Dns::start(move |_, _, _| Reply::Records(60, loopback.clone())).await;
    let policy = AddressPolicy::new().allow("::1").unwrap();
    let probe = dns.builder().policy(policy).build().unwrap();
    let download = probe.download(&named(&v6, "v6.example"), &ASYNC).await;
    assert_eq!(download.ending(), &Ending::Complete, "{download:?}");
}

#[tokio::test]
async fn names_are_resolved_unchanged() {
    let server = image().await;
    let dns = Dns::start(|_, _, _| Reply::Records(60, vec![GOOD])).await;
    let probe = dns.probe();
    let mut expected = BTreeSet::new();
    for (host, asked) in [
        ("my_bucket.example", "my_bucket.example"),
        ("a-.example", "a-.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("dot.example.", "dot.example"),
    ] {
        let download = probe.download(&named(&server, host), &ASYNC).await;
        assert_eq!(download.ending(), &Ending::Complete, "{host}: {download:?}");
        // How often depends on how soon the response comes.
        assert!(dns.asked(asked, A) > 0, "{host}");
        expected.insert(asked.to_owned());
    }
    // The names of RFC 6761 are not resolved.
    for host in ["localhost", "nothing.invalid"] {
        probe.download(&named(&server, host), &ASYNC).await;
        assert_eq!(dns.asked(host, A), 0, "{host}");
    }
    assert_eq!(dns.names(), expected, "no other spelling was asked for");
}
