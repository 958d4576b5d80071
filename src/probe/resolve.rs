//! Names to addresses: the system's resolver on a bounded number of threads, or the caller's own.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
};

use tokio::{sync::Semaphore, task};

/// More addresses than this are not looked at.
const MAX_ADDRESSES: usize = 32;

/// What a resolver answers with.
type Answer = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Looks names up.
#[derive(Clone)]
pub(super) enum Resolver {
    /// `getaddrinfo`. A look-up that is given up keeps its thread until the system answers, and its
    /// permit with it: however slow the name servers are, no more threads wait for them.
    System {
        threads: Arc<Semaphore>,
        look_up: fn(&str) -> io::Result<Vec<IpAddr>>,
    },
    Custom(Arc<dyn Fn(String) -> Answer + Send + Sync>),
}

impl Resolver {
    pub(super) fn system(threads: usize) -> Self {
        Self::System {
            threads: Arc::new(Semaphore::new(threads)),
            look_up: system,
        }
    }

    pub(super) fn custom<F, A>(resolve: F) -> Self
    where
        F: Fn(String) -> A + Send + Sync + 'static,
        A: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        Self::Custom(Arc::new(move |host| Box::pin(resolve(host))))
    }

    /// Waits until the resolver takes another name. The wait is this machine's doing, not the
    /// name's.
    pub(super) async fn ready(&self) -> Ticket {
        match self {
            Self::System { threads, .. } => Ticket(Arc::clone(threads).acquire_owned().await.ok()),
            Self::Custom(_) => Ticket(None),
        }
    }

    /// Looks `host` up. An answer without addresses is an error.
    pub(super) async fn resolve(&self, host: &str, ticket: Ticket) -> io::Result<Vec<IpAddr>> {
        let host = host.to_owned();
        let mut addresses = match self {
            Self::System { look_up, .. } => {
                let look_up = *look_up;
                let answer = task::spawn_blocking(move || {
                    let _held_until_answered = ticket;
                    look_up(&host)
                });
                answer.await.map_err(io::Error::other)??
            }
            Self::Custom(resolve) => resolve(host).await?,
        };
        addresses.truncate(MAX_ADDRESSES);
        if addresses.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "it has no addresses",
            ));
        }
        Ok(addresses)
    }
}

/// The right to look one name up.
pub(super) struct Ticket(
    #[expect(dead_code, reason = "held, not read")] Option<tokio::sync::OwnedSemaphorePermit>,
);

fn system(host: &str) -> io::Result<Vec<IpAddr>> {
    let addresses = (host, 0).to_socket_addrs()?;
    Ok(addresses.map(|address: SocketAddr| address.ip()).collect())
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System { .. } => "Resolver::System",
            Self::Custom(_) => "Resolver::Custom",
        })
    }
}

/// Why a name has no address.
pub(super) fn reason(error: &io::Error) -> String {
    // std prefixes what the system's resolver says.
    let text = error.to_string();
    text.strip_prefix("failed to lookup address information: ")
        .unwrap_or(&text)
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, thread, time::Duration};

    use tokio::time;

    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "the shape of a look-up")]
    fn slow(_host: &str) -> io::Result<Vec<IpAddr>> {
        thread::sleep(Duration::from_millis(300));
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }

    #[tokio::test]
    async fn a_look_up_that_is_given_up_keeps_its_thread_counted() {
        let resolver = Resolver::System {
            threads: Arc::new(Semaphore::new(1)),
            look_up: slow,
        };
        let ticket = resolver.ready().await;
        let given_up = resolver.resolve("slow.example", ticket);
        let given_up = time::timeout(Duration::from_millis(20), given_up).await;
        assert!(given_up.is_err());

        let early = time::timeout(Duration::from_millis(20), resolver.ready()).await;
        assert!(early.is_err(), "the thread still waits");
        let ticket = time::timeout(Duration::from_secs(5), resolver.ready()).await;
        let addresses = resolver.resolve("slow.example", ticket.unwrap()).await;
        assert_eq!(addresses.unwrap(), [Ipv4Addr::LOCALHOST]);
    }
}
