//! The temporary credentials of uploads.

use std::{future::Future, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::Mutex;
use url::Url;
use uuid::Uuid;

use super::{
    credentials::{Credentials, epoch_millis},
    endpoint::{Endpoint, Network},
    object::Object,
    wire::Envelope,
};
use crate::error::{Error, ErrorKind};

/// A bucket and folder that accept uploads, and the credentials for them.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) credentials: Credentials,
    pub(super) bucket: String,
    /// The prefix of an object's name: a folder and a slash, or empty.
    prefix: String,
    endpoint: Endpoint,
}

/// The grant in use, shared by all uploads of a client.
#[derive(Debug, Default)]
pub(super) struct GrantCache {
    held: Mutex<Option<Arc<Grant>>>,
}

impl GrantCache {
    /// A new grant is requested when less than this is left, so that no upload outlives it.
    const FRESH: Duration = Duration::from_secs(5 * 60);

    /// Returns the grant in use, or requests a new one with `request`: one request at a time, while
    /// other uploads wait for it. `service` is the endpoint that is asked.
    pub(super) async fn get(
        &self,
        now: Timestamp,
        service: &Endpoint,
        network: Network,
        parse: fn(&Object<'_>, &Endpoint, Network) -> Option<Grant>,
        request: impl Future<Output = Result<Envelope, Error>>,
    ) -> Result<Arc<Grant>, Error> {
        let mut held = self.held.lock().await;
        if let Some(grant) = held
            .as_ref()
            .filter(|grant| grant.credentials.lasts(now, Self::FRESH))
        {
            return Ok(Arc::clone(grant));
        }
        let envelope = request.await?;
        let grant = envelope
            .data
            .first()
            .and_then(|data| parse(data, service, network))
            // Shorter than `FRESH` is accepted: the next upload requests a new grant.
            .filter(|grant| grant.credentials.lasts(now, Duration::ZERO))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Answer,
                    "upload failed: the service's upload credentials are incomplete, expired or \
                     for an unusable endpoint",
                )
            })?;
        let grant = Arc::new(grant);
        *held = Some(Arc::clone(&grant));
        Ok(grant)
    }

    /// Drops the grant, so that the next upload requests a new one.
    pub(super) async fn clear(&self) {
        *self.held.lock().await = None;
    }
}

impl Grant {
    /// Reads the credentials that 1.0 hands out.
    pub(super) fn of_v1(data: &Object<'_>, service: &Endpoint, network: Network) -> Option<Self> {
        let endpoint = match network {
            Network::Public => data.text("ossEndpoint")?,
            Network::Vpc => data.text("ossInternalEndpoint")?,
        };
        let prefix = match data.text("uploadFolder")?.trim_matches('/') {
            "" => "images/".to_owned(),
            folder => format!("{folder}/images/"),
        };
        Some(Self {
            credentials: Credentials::of_grant(data, epoch_millis(data.number("expiredTime")?)?)?,
            bucket: data.text("uploadBucket")?.to_owned(),
            prefix,
            endpoint: store_endpoint(endpoint, service)?,
        })
    }

    /// Reads the credentials that 2.0 hands out.
    pub(super) fn of_v2(data: &Object<'_>, service: &Endpoint, network: Network) -> Option<Self> {
        let endpoint = match network {
            Network::Public => data.text("ossInternetEndPoint")?,
            Network::Vpc => data.text("ossInternalEndPoint")?,
        };
        // In seconds, where 1.0 has milliseconds.
        let expiry = epoch_millis(data.number("expiration")? * 1000.0)?;
        Some(Self {
            credentials: Credentials::of_grant(data, expiry)?,
            bucket: data.text("bucketName")?.to_owned(),
            prefix: data
                .text("fileNamePrefix")?
                .trim_start_matches('/')
                .to_owned(),
            endpoint: store_endpoint(endpoint, service)?,
        })
    }

    /// Returns the name of a new object.
    pub(super) fn key(&self, id: Uuid, extension: &str) -> String {
        format!("{}{id}.{extension}", self.prefix)
    }

    /// Returns the URL that an object is uploaded to: `bucket.host/key`, or `host/bucket/key` if
    /// the host is an address (as in the official library).
    pub(super) fn url(&self, key: &str) -> Url {
        let mut url = self.endpoint.url(&format!("/{}/{key}", self.bucket));
        if let Some(host) = url.domain().filter(|host| *host != "localhost") {
            // The object store accepts path-style URLs only at addresses.
            let host = format!("{}.{host}", self.bucket);
            if url.set_host(Some(&host)).is_ok() {
                url.set_path(&format!("/{key}"));
            }
        }
        url
    }
}

/// Parses the object store's endpoint: https, whatever scheme the service names.
///
/// A loopback store is accepted only from a service on loopback, such as the sandbox, and may then
/// use http. Any other service that names one would have this client send images, and signatures,
/// to whatever listens on the local machine.
fn store_endpoint(text: &str, service: &Endpoint) -> Option<Endpoint> {
    let host = match text.split_once("://") {
        Some(("http", _)) if service.is_loopback() => match Endpoint::parse(text) {
            Ok(loopback) => return Some(loopback),
            Err(_) => text.trim_start_matches("http://"),
        },
        Some(("http" | "https", host)) => host,
        Some(_) => return None,
        None => text,
    };
    let endpoint = Endpoint::parse(&format!("https://{host}")).ok()?;
    (service.is_loopback() || !endpoint.is_loopback()).then_some(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_service_on_loopback_may_name_a_store_on_loopback() {
        let service = |text| Endpoint::parse(text).expect("an endpoint");
        let local = service("http://127.0.0.1:8080");
        let remote = service("https://green.ap-southeast-1.aliyuncs.com");
        for (text, from_local, from_remote) in [
            ("http://127.0.0.1:9000", Some("http://127.0.0.1:9000"), None),
            ("http://localhost", Some("http://localhost"), None),
            ("https://[::1]:9000", Some("https://[::1]:9000"), None),
            ("127.0.0.1:9000", Some("https://127.0.0.1:9000"), None),
            (
                "oss.example",
                Some("https://oss.example"),
                Some("https://oss.example"),
            ),
            (
                "http://oss.example",
                Some("https://oss.example"),
                Some("https://oss.example"),
            ),
            (
                "https://oss.example",
                Some("https://oss.example"),
                Some("https://oss.example"),
            ),
            ("ftp://oss.example", None, None),
        ] {
            let shown = |service| store_endpoint(text, service).map(|found| found.to_string());
            assert_eq!(shown(&local).as_deref(), from_local, "{text}");
            assert_eq!(shown(&remote).as_deref(), from_remote, "{text}");
        }
    }
}
