//! The temporary credentials of uploads.

use std::{sync::Arc, time::Duration};

use tokio::sync::Mutex;
use url::Url;
use uuid::Uuid;

use crate::{
    error::{Error, ErrorKind},
    green::{
        client::Client,
        credentials::Credentials,
        endpoint::{Endpoint, Network},
        object::Object,
    },
};

/// Where images may be uploaded to, by whom.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) credentials: Credentials,
    pub(super) bucket: String,
    folder: String,
    endpoint: Endpoint,
}

/// The grant in use.
#[derive(Debug, Default)]
pub(in crate::green) struct Uploads {
    held: Mutex<Option<Arc<Grant>>>,
}

impl Uploads {
    /// A new one is asked for when less than this is left, so that no upload outlives it.
    const FRESH: Duration = Duration::from_secs(5 * 60);

    pub(super) async fn forget(&self) {
        *self.held.lock().await = None;
    }
}

impl Client {
    /// Gives the grant in use, and asks for a new one when it is time to: one request at a time,
    /// while others wait for it.
    pub(super) async fn grant(&self) -> Result<Arc<Grant>, Error> {
        let now = self.clock().now();
        let mut held = self.uploads().held.lock().await;
        if let Some(grant) = held
            .as_ref()
            .filter(|grant| grant.credentials.lasts(now, Uploads::FRESH))
        {
            return Ok(Arc::clone(grant));
        }
        let envelope = self.upload_grant().await?;
        let grant = envelope
            .data
            .first()
            .and_then(|data| Grant::of(data, self.network()))
            .filter(|grant| grant.credentials.lasts(now, Duration::ZERO))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Answer,
                    "upload failed: the service's upload credentials are incomplete or expired",
                )
            })?;
        let grant = Arc::new(grant);
        *held = Some(Arc::clone(&grant));
        Ok(grant)
    }
}

impl Grant {
    fn of(data: &Object, network: Network) -> Option<Self> {
        let endpoint = match network {
            Network::Public => data.text("ossEndpoint")?,
            Network::Vpc => data.text("ossInternalEndpoint")?,
        };
        Some(Self {
            credentials: Credentials::of_grant(data)?,
            bucket: data.text("uploadBucket")?.to_owned(),
            folder: data.text("uploadFolder")?.trim_matches('/').to_owned(),
            endpoint: secure(endpoint)?,
        })
    }

    /// The name of a new object.
    pub(super) fn key(&self, id: Uuid, extension: &str) -> String {
        match self.folder.as_str() {
            "" => format!("images/{id}.{extension}"),
            folder => format!("{folder}/images/{id}.{extension}"),
        }
    }

    /// Where an object goes: `bucket.host/key`, or `host/bucket/key` where the host is an address
    /// (as the official library does).
    pub(super) fn url(&self, key: &str) -> Url {
        let mut url = self.endpoint.url(&format!("/{}/{key}", self.bucket));
        if let Some(host) = url.domain().filter(|host| *host != "localhost") {
            let host = format!("{}.{host}", self.bucket);
            if url.set_host(Some(&host)).is_ok() {
                url.set_path(&format!("/{key}"));
            }
        }
        url
    }
}

/// The endpoint over https, whatever scheme it is given with; http stays on loopback.
fn secure(endpoint: &str) -> Option<Endpoint> {
    let host = match endpoint.split_once("://") {
        Some(("http", host)) => match Endpoint::parse(endpoint) {
            Ok(loopback) => return Some(loopback),
            Err(_) => host,
        },
        Some(("https", host)) => host,
        Some(_) => return None,
        None => endpoint,
    };
    Endpoint::parse(&format!("https://{host}")).ok()
}
