//! One trial: a behavior, a server with that behavior, a canary, and the assertions on every probe.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which may fail anywhere"
)]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use greenlight::{
    ImageUrl, Requirements, Verdict,
    download::{Download, Ending},
    probe::{AddressPolicy, Mode, Probe, ProbeBuilder},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{self, Instant},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    probe_server::{Peer, Server, ok, png},
    probe_tls::HOST,
};

/// A small limit, so that few bytes reach it.
pub(super) const ASKED: Requirements = Requirements::ASYNC.with_max_bytes(1 << 20);

/// The maximum number of bytes received: twice the limit, and the maximum of heads and TLS, with a
/// last read.
const MOST_RECEIVED: u64 = (3 << 20) + (512 << 10);

const DEADLINE: Duration = Duration::from_secs(3);

/// The maximum duration of a probe.
const MOST_ELAPSED: Duration = Duration::from_millis(3300);

pub(super) const FULL: &[Mode] = &[Mode::Full];
pub(super) const HEADER: &[Mode] = &[Mode::Header];
pub(super) const BOTH: &[Mode] = &[Mode::Full, Mode::Header];

/// The address of the servers, and the one of the canaries, which no probe here may connect to.
const ALLOWED: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const FORBIDDEN: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A name that leads to the canary alone.
pub(super) const CANARY: &str = "canary.example";

type Serve = Arc<dyn Fn(Peer) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// One hostile behavior, and the expected result of the probe.
pub(super) struct Behavior {
    pub(super) name: &'static str,
    pub(super) modes: &'static [Mode],
    serve: Serve,
    is_tls: bool,
    /// How many checks a probe makes, with the same finding each time.
    times: usize,
    ending: &'static str,
    codes: &'static [&'static str],
}

/// A behavior to build: its name and the modes that it is tried in.
pub(super) struct Named(pub(super) &'static str, pub(super) &'static [Mode]);

impl Named {
    pub(super) fn serve<F, A>(self, serve: F) -> Setup
    where
        F: Fn(Peer) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        Setup(self, Arc::new(move |peer| Box::pin(serve(peer))), false)
    }

    /// Serves `https`.
    pub(super) fn serve_https<F, A>(self, serve: F) -> Setup
    where
        F: Fn(Peer) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let Setup(named, serve, _) = self.serve(serve);
        Setup(named, serve, true)
    }

    /// Sets TLS up, in which `serve` misbehaves.
    pub(super) fn serve_tls<F, A>(self, acceptor: &TlsAcceptor, serve: F) -> Setup
    where
        F: Fn(TlsStream<TcpStream>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let acceptor = acceptor.clone();
        self.serve_https(move |peer| {
            let (acceptor, serve) = (acceptor.clone(), serve.clone());
            async move {
                if let Ok(stream) = acceptor.accept(peer.stream).await {
                    serve(stream).await;
                }
            }
        })
    }

    /// Responds with `bytes` and closes.
    pub(super) fn answer(self, bytes: impl Into<Vec<u8>>) -> Setup {
        self.then(bytes, Peer::close)
    }

    /// Responds with `bytes` and leaves the connection open.
    pub(super) fn answer_and_stall(self, bytes: impl Into<Vec<u8>>) -> Setup {
        self.then(bytes, Peer::stall)
    }

    /// Responds with `start`, then with `more` endlessly.
    pub(super) fn endless(self, start: impl Into<Vec<u8>>, more: impl Into<Vec<u8>>) -> Setup {
        let more: Arc<[u8]> = more.into().into();
        self.then(start, move |mut peer| {
            let more = Arc::clone(&more);
            async move { while peer.send(&more).await {} }
        })
    }

    /// Responds with `start`, then with `rest` byte by byte.
    pub(super) fn trickle(self, start: impl Into<Vec<u8>>, rest: impl Into<Vec<u8>>) -> Setup {
        let rest: Arc<[u8]> = rest.into().into();
        self.then(start, move |mut peer| {
            let rest = Arc::clone(&rest);
            async move {
                peer.trickle(&rest, Duration::from_millis(5)).await;
            }
        })
    }

    pub(super) fn then<F, A>(self, bytes: impl Into<Vec<u8>>, then: F) -> Setup
    where
        F: Fn(Peer) -> A + Send + Sync + Clone + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let bytes: Arc<[u8]> = bytes.into().into();
        self.serve(move |mut peer| {
            let (bytes, then) = (Arc::clone(&bytes), then.clone());
            async move {
                if peer.request().await.is_some() && peer.send(&bytes).await {
                    then(peer).await;
                }
            }
        })
    }
}

pub(super) struct Setup(Named, Serve, bool);

impl Setup {
    pub(super) fn is(self, ending: &'static str, codes: &'static [&'static str]) -> Behavior {
        let Self(Named(name, modes), serve, is_tls) = self;
        Behavior {
            name,
            modes,
            serve,
            is_tls,
            times: 1,
            ending,
            codes,
        }
    }

    pub(super) fn too_slow(self) -> Behavior {
        self.is("too-slow", &["download/too-slow"])
    }

    pub(super) fn malformed(self) -> Behavior {
        self.is("protocol", &["download/protocol"])
    }

    pub(super) fn incomplete(self) -> Behavior {
        self.is("incomplete", &["download/incomplete"])
    }

    pub(super) fn reset(self) -> Behavior {
        self.is("reset", &["download/incomplete"])
    }

    pub(super) fn tls(self) -> Behavior {
        self.is("tls", &["download/tls"])
    }
}

impl Behavior {
    /// Sets how many checks one probe makes, with the same finding each time.
    pub(super) fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    pub(super) fn is_slow(&self) -> bool {
        self.ending == "too-slow"
    }

    /// Tries the behavior in one mode and returns the deviations.
    pub(super) async fn faults(&self, mode: Mode, root: &[u8], lag: &Lag) -> Vec<String> {
        let trial = Trial::start(Arc::clone(&self.serve)).await;
        let probe = trial.probe(root).mode(mode).build().unwrap();
        let mut faults = Vec::new();
        for _ in 0..self.times {
            let begun = Instant::now();
            let download = probe.download(&trial.url(self.is_tls), &ASKED).await;
            let took = begun.elapsed();
            if took > MOST_ELAPSED + lag.most() {
                faults.push(format!(
                    "took {took:?}, though the machine is late by {:?} at most",
                    lag.most()
                ));
            }
            if self.is_slow() && download.elapsed() < DEADLINE {
                faults.push(format!("given up after {:?}", download.elapsed()));
            }
            if download.elapsed() > took {
                faults.push(format!("took {took:?}, says {:?}", download.elapsed()));
            }
            faults.extend(self.differences(&download));
            if self.times > 1 {
                // Waits for the bytes that the server sends after its response.
                time::sleep(Duration::from_millis(50)).await;
            }
        }
        if trial.server.seen.connections() == 0 {
            faults.push("was not asked".to_owned());
        }
        if trial.canary_visits().await > 0 {
            faults.push("reached the canary".to_owned());
        }
        let named = faults
            .into_iter()
            .map(|fault| format!("{} ({mode:?}): {fault}", self.name));
        named.collect()
    }

    /// Returns the deviations of a download.
    fn differences(&self, download: &Download) -> Vec<String> {
        let mut faults = Vec::new();
        if name_of(download.ending()) != self.ending {
            faults.push(format!("{:?} and not {}", download.ending(), self.ending));
        }
        let found = codes(&ASKED.judge_download(download.clone()));
        if found != self.codes {
            faults.push(format!("{found:?} and not {:?}", self.codes));
        }
        if download.received() > MOST_RECEIVED || download.bytes() > ASKED.max_bytes() + 1 {
            faults.push(format!(
                "{} bytes came, {} of body",
                download.received(),
                download.bytes()
            ));
        }
        faults
    }
}

/// A server, and a canary at the same port of the denied address. The server's name has both
/// addresses, the canary's first, so that a violation of the address rule is detected.
pub(super) struct Trial {
    pub(super) server: Server,
    pub(super) canary: Server,
}

impl Trial {
    async fn start(serve: Serve) -> Self {
        loop {
            let serve = Arc::clone(&serve);
            let server = Server::start(move |peer| serve(peer)).await;
            if let Some(canary) = canary(server.address.port()).await {
                return Self { server, canary };
            }
        }
    }

    /// Returns how many connections the canary accepted. It accepts in order, so all connections
    /// opened before this call are counted.
    async fn canary_visits(&self) -> usize {
        #[expect(
            clippy::disallowed_methods,
            reason = "the test's own end of a connection"
        )]
        let mut own = TcpStream::connect(self.canary.address).await.unwrap();
        own.write_all(b"\r\n\r\n").await.unwrap();
        own.read_u8().await.unwrap();
        self.canary.seen.connections() - 1
    }

    fn url(&self, is_tls: bool) -> ImageUrl {
        let scheme = if is_tls { "https" } else { "http" };
        let port = self.server.address.port();
        ImageUrl::parse(&format!("{scheme}://{HOST}:{port}/x")).unwrap()
    }

    fn probe(&self, root: &[u8]) -> ProbeBuilder {
        let allowed = self.server.address.to_string();
        Probe::builder()
            .policy(AddressPolicy::new().allow(&allowed).unwrap())
            .resolver(|host| async move {
                Ok(match host.as_str() {
                    CANARY => vec![FORBIDDEN],
                    _ => vec![FORBIDDEN, ALLOWED],
                })
            })
            .root_certificates(root)
            .deadline(DEADLINE)
    }
}

/// Starts a server at an address that no probe may connect to; `None` if the port is in use.
async fn canary(port: u16) -> Option<Server> {
    let address = SocketAddr::new(FORBIDDEN, port).to_string();
    Server::try_start_at(&address, |mut peer| async move {
        peer.request().await;
        peer.send(ok("image/png", &png(300, 300, 0))).await;
        peer.close().await;
    })
    .await
    .ok()
}

/// Shows that the canary detects a probe without the address rule.
#[tokio::test]
async fn a_probe_without_the_address_rule_reaches_the_canary() {
    let trial = Trial::start(Arc::new(|peer| Box::pin(Peer::close(peer)))).await;
    let root = crate::probe_tls::Authority::new();
    let everywhere = AddressPolicy::new().allow("127.0.0.0/8").unwrap();
    let probe = trial.probe(root.pem().as_bytes()).policy(everywhere);
    let download = probe
        .build()
        .unwrap()
        .download(&trial.url(false), &ASKED)
        .await;
    assert_eq!(download.ending(), &Ending::Complete);
    assert_eq!(trial.canary_visits().await, 1);
}

/// Measures by how much a sleeping thread is delayed during the trials. Other load delays the probe
/// and this thread alike.
pub(super) struct Lag {
    most: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Lag {
    pub(super) fn measure() -> Self {
        const NAP: Duration = Duration::from_millis(5);
        let (most, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (seen, ended) = (Arc::clone(&most), Arc::clone(&stop));
        thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let begun = Instant::now();
                thread::sleep(NAP);
                let late = begun.elapsed().saturating_sub(NAP).as_micros();
                seen.fetch_max(u64::try_from(late).unwrap(), Ordering::Relaxed);
            }
        });
        Self { most, stop }
    }

    fn most(&self) -> Duration {
        Duration::from_micros(self.most.load(Ordering::Relaxed))
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn name_of(ending: &Ending) -> &'static str {
    match ending {
        Ending::Complete => "complete",
        Ending::Stopped => "stopped",
        Ending::Refused { .. } => "refused",
        Ending::TooSlow => "too-slow",
        Ending::Blocked { .. } => "blocked",
        Ending::Dns(_) => "dns",
        Ending::Connect(_) => "connect",
        Ending::Tls(..) => "tls",
        Ending::Redirects(_) => "redirects",
        Ending::Status => "status",
        Ending::Reset(_) => "reset",
        Ending::Incomplete(_) => "incomplete",
        Ending::Protocol(_) => "protocol",
        Ending::Encoded(_) => "encoded",
        _ => "another",
    }
}

fn codes(verdict: &Verdict<ImageUrl>) -> Vec<&'static str> {
    let violations = verdict.violations().iter();
    violations
        .map(|violation| violation.code().name())
        .collect()
}
