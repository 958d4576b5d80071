//! Settings of a sandbox.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{net::TcpListener, sync::Semaphore};

use super::{
    AccessKey, Fault, Operation, Sandbox, State, callback, clock, fault, files, gateway, ids, oss,
    routes, serve, tasks,
};
use crate::error::{Error, ErrorKind};

/// Settings of a [`Sandbox`].
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::sandbox::Sandbox;
///
/// let sandbox = Sandbox::builder()
///     .polls(2) // a task is done at its third poll
///     .serve("fixtures/images")
///     .start()
///     .await?;
/// assert!(sandbox.folder_url().is_some_and(|url| url.starts_with("http://127.0.0.1:")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SandboxBuilder {
    listen: SocketAddr,
    key: AccessKey,
    uid: String,
    polls: u32,
    no_download: Option<i64>,
    remember: usize,
    folder: Option<PathBuf>,
    upload_lifetime: Duration,
    faults: Vec<(Operation, Fault)>,
}

impl Default for SandboxBuilder {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            key: AccessKey {
                id: "sandbox-key-id".to_owned(),
                secret: "sandbox-key-secret".to_owned(),
                token: None,
            },
            uid: "1234567890123456".to_owned(),
            polls: 0,
            no_download: None,
            remember: 100_000,
            folder: None,
            upload_lifetime: Duration::from_secs(3600),
            faults: Vec::new(),
        }
    }
}

impl SandboxBuilder {
    /// Sets the address to listen on. Defaults to a free port of 127.0.0.1.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Sets the ID of the access key that requests must be signed with. Default: `sandbox-key-id`.
    #[must_use]
    pub fn key_id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.key.id);
        self
    }

    /// Sets the secret of the access key. Default: `sandbox-key-secret`.
    #[must_use]
    pub fn key_secret(mut self, secret: &str) -> Self {
        secret.clone_into(&mut self.key.secret);
        self
    }

    /// Requires this security token as well, as for temporary credentials. Defaults to none.
    #[must_use]
    pub fn security_token(mut self, token: &str) -> Self {
        self.key.token = Some(token.to_owned());
        self
    }

    /// Sends callbacks as this account. Defaults to `1234567890123456`.
    #[must_use]
    pub fn uid(mut self, uid: &str) -> Self {
        uid.clone_into(&mut self.uid);
        self
    }

    /// Responds with 280 to the first `count` polls of a task. Defaults to 0.
    #[must_use]
    pub const fn polls(mut self, count: u32) -> Self {
        self.polls = count;
        self
    }

    /// Remembers at most `count` tasks and forgets the oldest: they answer 594. Defaults to
    /// 100 000.
    #[must_use]
    pub const fn remember(mut self, count: usize) -> Self {
        self.remember = count;
        self
    }

    /// Serves the files of a folder. Hidden ones are not served.
    #[must_use]
    pub fn serve(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// Sets how long upload credentials are valid. Defaults to one hour.
    #[must_use]
    pub const fn upload_lifetime(mut self, lifetime: Duration) -> Self {
        self.upload_lifetime = lifetime;
        self
    }

    /// Ends every task whose image is not uploaded with this code, as if the service could not
    /// download it: 403, 404, 480 or 592 in 1.0, 404 or 405 in 2.0. Defaults to none.
    #[must_use]
    pub const fn no_download(mut self, code: i64) -> Self {
        self.no_download = Some(code);
        self
    }

    /// Adds a fault for the next request of this operation; several apply to requests in order.
    #[must_use]
    pub fn fault(mut self, operation: Operation, fault: Fault) -> Self {
        self.faults.push((operation, fault));
        self
    }

    /// Starts it. It runs on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`ErrorKind::Io`] when the address cannot be listened on or the
    /// folder cannot be read.
    pub async fn start(self) -> Result<Sandbox, Error> {
        let folder = self.folder.as_deref();
        let files = files::Files::new(folder).map_err(|error| {
            let folder = folder.unwrap_or(Path::new("")).display();
            Error::new(
                ErrorKind::Io,
                format_args!("cannot serve a folder: {folder}"),
            )
            .with_source(error)
        })?;
        let cannot_listen = |error: io::Error| {
            let message = format_args!("cannot listen: {}", self.listen);
            Error::new(ErrorKind::Io, message).with_source(error)
        };
        let listener = TcpListener::bind(self.listen)
            .await
            .map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let clock = clock::Clock::default();
        let (callbacks, waiting) = callback::queue();
        let state = Arc::new(State {
            callbacks,
            room: Semaphore::new(routes::ROOM),
            uid: self.uid,
            address: reached(address),
            listens_on_loopback: address.ip().is_loopback(),
            ids: ids::Ids::new(clock.now()),
            key: self.key,
            polls: self.polls,
            no_download: self.no_download,
            clock,
            gateway: gateway::Gateway::default(),
            tasks: Mutex::new(tasks::Tasks::new(self.remember)),
            files,
            oss: oss::Oss::new(self.upload_lifetime),
            plan: fault::Plan::default(),
            counts: Mutex::default(),
        });
        for (operation, fault) in self.faults {
            state.plan.add(operation, fault);
        }
        let tasks = [
            tokio::spawn(serve::run(listener, routes::router(Arc::clone(&state)))),
            tokio::spawn(callback::run(Arc::clone(&state), waiting)),
        ];
        Ok(Sandbox {
            address,
            state,
            tasks,
        })
    }
}

/// The address for clients on this machine: the unspecified address becomes loopback.
fn reached(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
