//! The settings of a server.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::sync::watch;

use super::{
    App, Limits, Listen, Moderation, Server, Tokens, limits::Room, metrics::Metrics, scans::Scans,
    tokens::Clients,
};
use crate::{
    error::{Error, ErrorKind},
    format::Depth,
    probe::Probe,
    requirements::Requirements,
};

/// Sets a [`Server`] up. Each setting states its default.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), greenlight::Error> {
/// use greenlight::serve::{Listen, Server, Tokens};
///
/// let listen: Listen = "127.0.0.1:0".parse().expect("an address"); // any free port
/// let tokens = Tokens::parse("an-example-of-a-token")?;
/// let server = Server::builder().listen(listen).tokens(tokens).bind().await?;
/// assert!(server.url().starts_with("http://127.0.0.1:"));
///
/// // Without tokens only local clients may use it.
/// let public: Listen = "0.0.0.0:0".parse().expect("an address");
/// assert!(Server::builder().listen(public).bind().await.is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ServerBuilder {
    listen: Listen,
    requirements: Requirements,
    depth: Depth,
    probe: Option<Probe>,
    limits: Limits,
    tokens: Tokens,
    moderation: Option<Moderation>,
}

impl Default for ServerBuilder {
    fn default() -> Self {
        Self {
            listen: Listen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 8_088))),
            requirements: Requirements::ASYNC,
            depth: Depth::Structure,
            probe: None,
            limits: Limits::default(),
            tokens: Tokens::default(),
            moderation: None,
        }
    }
}

impl ServerBuilder {
    /// Sets the address. Default: 127.0.0.1:8088.
    #[must_use]
    pub fn listen(mut self, listen: Listen) -> Self {
        self.listen = listen;
        self
    }

    /// Sets the requirements of requests that name no others, and the limits for those that do.
    /// Default: [`Requirements::ASYNC`].
    #[must_use]
    pub fn requirements(mut self, requirements: Requirements) -> Self {
        self.requirements = requirements;
        self
    }

    /// Sets how far images are read. Default: [`Depth::Structure`].
    #[must_use]
    pub const fn depth(mut self, depth: Depth) -> Self {
        self.depth = depth;
        self
    }

    /// Sets the probe that downloads images, with its address rule. Default: [`Probe::new`].
    #[must_use]
    pub fn probe(mut self, probe: Probe) -> Self {
        self.probe = Some(probe);
        self
    }

    /// Sets what clients may use together. Default: [`Limits::default`].
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the tokens of the clients. Default: none, for which the address must be local.
    #[must_use]
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = tokens;
        self
    }

    /// Adds the routes that submit images. Default: the server only checks.
    #[must_use]
    pub fn moderation(mut self, moderation: Moderation) -> Self {
        self.moderation = Some(moderation);
        self
    }

    /// Binds the address.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if the address is not local and there are no tokens, [`ErrorKind::Io`] if
    /// it cannot be bound.
    pub async fn bind(self) -> Result<Server, Error> {
        if self.tokens.is_empty() && !self.listen.is_local() {
            return Err(Error::new(
                ErrorKind::Usage,
                format_args!(
                    "listen on {}: without tokens the address must be of loopback, or a socket",
                    self.listen
                ),
            ));
        }
        // Before the pipeline starts: a second server that finds the address in use must submit
        // nothing.
        let socket = self.listen.bind().await?;
        let started = self.moderation.map(Scans::start).transpose();
        let started = started.map_err(|error| {
            Error::new(ErrorKind::Io, "create the folder of images").with_source(error)
        })?;
        let (scans, run) = started.unzip();
        let app = App {
            room: Room::new(&self.limits),
            clients: Clients::new(self.tokens, self.limits.rate),
            requirements: self.requirements,
            depth: self.depth,
            probe: self.probe.unwrap_or_default(),
            limits: self.limits,
            metrics: Metrics::new(),
            closing: watch::Sender::new(false),
            scans: scans.map(Arc::new),
        };
        Ok(Server {
            url: socket.url()?,
            socket,
            run,
            app: Arc::new(app),
        })
    }
}
