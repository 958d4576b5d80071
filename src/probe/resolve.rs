//! Names to addresses: DNS, the system's resolver on a bounded number of threads, or the caller's
//! own.
//!
//! A name whose server does not respond must not delay others, and a slow name cannot be
//! distinguished from a dead one before it responds. So look-ups take turns: a short first try
//! under a limit per domain, then a few longer retries, and one last try for the rest of the time.
//! Each kind of try has a limit of its own, and a look-up that waits for its next turn holds no
//! socket. A name server that was still resolving the name, or lost the query, responds in the next
//! turn from its cache.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    ops::RangeInclusive,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    task,
    time::{Instant, timeout, timeout_at},
};

use super::{
    clock,
    dns::{self, Dns},
    limits::Limits,
};
use crate::download::Ending;

/// More addresses than this are ignored.
const MAX_ADDRESSES: usize = 32;

/// How many tries of a kind run at a time. Each holds two sockets, and a process has 1,024 by
/// default.
const TRIES: usize = 128;
const FIRST_TRIES_PER_DOMAIN: usize = 64;
/// How long a first try takes at most: twice as long as answers have taken lately, within these
/// bounds. Dead names hold a turn for all of it, and name servers nearby respond within a few
/// milliseconds.
const FIRST_TRY: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_millis(100);
/// The response time that is assumed before the first response.
const ASSUMED: Duration = Duration::from_micros(12_500);
/// How long the retries take at most. They grow for name servers that cache nothing.
const RETRIES: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
];

type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Resolves names.
#[derive(Clone)]
pub(super) enum Resolver {
    Dns(Arc<Stub>),
    System(System),
    Custom(Arc<dyn Fn(String) -> Lookup + Send + Sync>),
}

/// A DNS client, made at its first use: its sockets belong to a runtime.
pub(super) struct Stub {
    /// Empty: those of the system's configuration.
    servers: Vec<SocketAddr>,
    /// `None` if the system has no usable configuration.
    dns: OnceLock<Option<Dns>>,
    /// Used if there is none.
    system: System,
    first_tries: Arc<Limits>,
    pace: Pace,
    retries: Semaphore,
    last_tries: Semaphore,
}

/// `getaddrinfo`. An abandoned look-up keeps its thread, and with it its permit, until the system
/// responds: the number of waiting threads is bounded however slow the name servers are.
#[derive(Clone)]
pub(super) struct System {
    threads: Arc<Semaphore>,
    look_up: fn(&str) -> io::Result<Vec<IpAddr>>,
}

/// A look-up's result, and how long it took without the waits for its turn.
pub(super) struct Resolved {
    pub(super) addresses: Result<Vec<IpAddr>, Ending>,
    pub(super) took: Duration,
}

impl Resolver {
    pub(super) fn dns(servers: Vec<SocketAddr>, threads: usize) -> Self {
        Self::Dns(Arc::new(Stub {
            servers,
            dns: OnceLock::new(),
            system: System::new(threads),
            first_tries: Limits::new(TRIES, FIRST_TRIES_PER_DOMAIN, Duration::ZERO),
            pace: Pace::new(),
            retries: Semaphore::new(TRIES),
            last_tries: Semaphore::new(TRIES),
        }))
    }

    pub(super) fn system(threads: usize) -> Self {
        Self::System(System::new(threads))
    }

    pub(super) fn custom<F, A>(resolve: F) -> Self
    where
        F: Fn(String) -> A + Send + Sync + 'static,
        A: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        Self::Custom(Arc::new(move |host| Box::pin(resolve(host))))
    }

    /// Resolves `host` within `limit`. A wait for a turn does not count, but ends at `latest`: it
    /// is caused by this client's limits and not by the name.
    pub(super) async fn resolve(
        &self,
        host: &str,
        limit: Duration,
        latest: Option<Instant>,
    ) -> Resolved {
        let mut clock = Clock {
            limit,
            latest,
            took: Duration::ZERO,
        };
        let addresses = match self {
            Self::Dns(stub) => stub.resolve(host, &mut clock).await,
            Self::System(system) => system.resolve(host, &mut clock).await,
            Self::Custom(resolve) => clock.run(resolve(host.to_owned())).await,
        };
        let addresses = addresses.and_then(|mut addresses| {
            // A name can have thousands of addresses, and each is vetted.
            addresses.truncate(MAX_ADDRESSES);
            if addresses.is_empty() {
                return Err(Ending::Dns("it has no addresses".to_owned()));
            }
            Ok(addresses)
        });
        Resolved {
            addresses,
            took: clock.took,
        }
    }
}

impl Stub {
    async fn resolve(&self, host: &str, clock: &mut Clock) -> Result<Vec<IpAddr>, Ending> {
        let Some(dns) = self.dns.get_or_init(|| Dns::new(&self.servers)) else {
            return self.system.resolve(host, clock).await;
        };
        if let Some(addresses) = dns.known(host) {
            return Ok(addresses);
        }
        let answer = self.answer(dns, host, clock).await;
        // A name without a response says nothing about how fast the name server responds.
        if answer != Err(Ending::TooSlow) {
            self.pace.add(clock.took);
        }
        answer
    }

    async fn answer(
        &self,
        dns: &Dns,
        host: &str,
        clock: &mut Clock,
    ) -> Result<Vec<IpAddr>, Ending> {
        let turn = async {
            let mut turn = self.first_tries.enter(domain(host)).await;
            turn.start().await;
            turn
        };
        let turn = clock.wait(turn).await?;
        if let Some(answer) = clock
            .try_for(self.pace.first_try(), dns.look_up(host))
            .await
        {
            return answer;
        }
        // The turn of the first try must be free for other names before this one waits.
        drop(turn);
        let retries = RETRIES.map(|time| (&self.retries, time));
        let last = (&self.last_tries, Duration::MAX);
        for (limit, time) in retries.into_iter().chain([last]) {
            if clock.rest().is_zero() {
                break;
            }
            let _turn = clock.wait(limit.acquire()).await?;
            if let Some(answer) = clock.try_for(time, dns.look_up(host)).await {
                return answer;
            }
        }
        Err(Ending::TooSlow)
    }
}

impl System {
    fn new(threads: usize) -> Self {
        Self {
            threads: Arc::new(Semaphore::new(threads)),
            look_up: system,
        }
    }

    async fn resolve(&self, host: &str, clock: &mut Clock) -> Result<Vec<IpAddr>, Ending> {
        let turn = clock
            .wait(Arc::clone(&self.threads).acquire_owned())
            .await?;
        let (host, look_up) = (host.to_owned(), self.look_up);
        let answer = task::spawn_blocking(move || {
            // Moved into the thread: abandoning the look-up does not end `getaddrinfo`.
            let _held_until_answered = turn;
            look_up(&host)
        });
        clock
            .run(async { answer.await.map_err(io::Error::other)? })
            .await
    }
}

/// The recent response time: a moving average in microseconds.
struct Pace(AtomicU64);

impl Pace {
    /// One answer counts for an eighth, as a round trip does for TCP (RFC 6298, 2.3).
    const WEIGHT: u64 = 8;

    fn new() -> Self {
        Self(AtomicU64::new(micros(ASSUMED)))
    }

    fn add(&self, took: Duration) {
        // Relaxed: the average only chooses a time limit, and no other memory depends on it.
        let _never_fails = self.0.fetch_update(Relaxed, Relaxed, |average| {
            Some((average * (Self::WEIGHT - 1) + micros(took)) / Self::WEIGHT)
        });
    }

    fn first_try(&self) -> Duration {
        let twice = Duration::from_micros(self.0.load(Relaxed)) * 2;
        twice.clamp(*FIRST_TRY.start(), *FIRST_TRY.end())
    }
}

/// At most an hour, so that sums cannot overflow.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros())
        .unwrap_or(u64::MAX)
        .min(3_600_000_000)
}

/// Counts the time that a look-up takes.
struct Clock {
    limit: Duration,
    latest: Option<Instant>,
    took: Duration,
}

impl Clock {
    /// Waits for a turn, which does not count.
    async fn wait<T>(&self, turn: impl Future<Output = T>) -> Result<T, Ending> {
        match self.latest {
            None => Ok(turn.await),
            Some(latest) => timeout_at(latest, turn)
                .await
                .map_err(|_elapsed| Ending::Local("too many names wait for a response".to_owned())),
        }
    }

    fn rest(&self) -> Duration {
        self.limit.saturating_sub(self.took)
    }

    /// Waits for an answer, at most for the rest of the limit.
    async fn run(
        &mut self,
        answer: impl Future<Output = io::Result<Vec<IpAddr>>>,
    ) -> Result<Vec<IpAddr>, Ending> {
        self.try_for(Duration::MAX, answer)
            .await
            .unwrap_or(Err(Ending::TooSlow))
    }

    /// Waits for an answer for a time, at most for the rest of the limit; `None` if that passes
    /// first.
    async fn try_for(
        &mut self,
        time: Duration,
        answer: impl Future<Output = io::Result<Vec<IpAddr>>>,
    ) -> Option<Result<Vec<IpAddr>, Ending>> {
        let begun = clock::now();
        let answer = timeout(time.min(self.rest()), answer).await;
        self.took += clock::now() - begun;
        Some(answer.ok()?.map_err(|error| dns::ending(&error)))
    }
}

/// What a host counts against: its last two labels. Without a list of public suffixes, hosts of a
/// registry such as `co.uk` share one limit, which delays them only while it is used up.
fn domain(host: &str) -> &str {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.rmatch_indices('.')
        .nth(1)
        .and_then(|(dot, _)| host.get(dot + 1..))
        .unwrap_or(host)
}

fn system(host: &str) -> io::Result<Vec<IpAddr>> {
    let addresses = (host, 0).to_socket_addrs()?;
    Ok(addresses.map(|address: SocketAddr| address.ip()).collect())
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns(_) => "Resolver::Dns",
            Self::System(_) => "Resolver::System",
            Self::Custom(_) => "Resolver::Custom",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, thread, time::Duration};

    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "the shape of a look-up")]
    fn slow(_host: &str) -> io::Result<Vec<IpAddr>> {
        thread::sleep(Duration::from_millis(300));
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }

    #[tokio::test]
    async fn an_abandoned_look_up_keeps_its_thread_counted() {
        let resolver = Resolver::System(System {
            threads: Arc::new(Semaphore::new(1)),
            look_up: slow,
        });
        let limit = Duration::from_millis(20);
        let abandoned = resolver.resolve("slow.example", limit, None).await;
        assert_eq!(abandoned.addresses, Err(Ending::TooSlow));

        let latest = Some(clock::now() + limit);
        let early = resolver.resolve("slow.example", limit, latest).await;
        assert!(matches!(early.addresses, Err(Ending::Local(_))));
        let limit = Duration::from_secs(5);
        let later = resolver.resolve("slow.example", limit, None).await;
        assert_eq!(later.addresses.unwrap(), [Ipv4Addr::LOCALHOST]);
    }

    #[test]
    fn a_first_try_is_as_short_as_answers_allow() {
        for (took, expected) in [(1, 10), (20, 40), (49, 98), (80, 100), (3_000, 100)] {
            let pace = Pace::new();
            assert_eq!(pace.first_try(), Duration::from_millis(25));
            for _ in 0..200 {
                pace.add(Duration::from_millis(took));
            }
            let first_try = pace.first_try().as_micros().div_ceil(1_000);
            assert_eq!(first_try, expected, "{took} ms an answer");
        }
        let pace = Pace::new();
        pace.add(Duration::MAX);
        assert_eq!(pace.first_try(), Duration::from_millis(100));
    }

    #[test]
    fn a_domain_is_the_last_two_labels() {
        for (host, expected) in [
            ("a.b.example.com", "example.com"),
            ("example.com.", "example.com"),
            ("example.com", "example.com"),
            ("localhost", "localhost"),
            ("", ""),
        ] {
            assert_eq!(domain(host), expected);
        }
    }
}
