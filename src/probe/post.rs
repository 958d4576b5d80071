//! One POST request, under the address rule and a deadline. Redirects are not followed, and the body of
//! the response is not read.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, header::RETRY_AFTER};
use tokio::time;
use url::Host;

use super::{
    EntryError, Probe, ProbeBuilder,
    connection::Content,
    failure,
    fetch::{self, Hop},
    record::Record,
};
use crate::{download::Ending, image_url::ImageUrl, inspect::Depth, requirements::Requirements};

/// The head of a response, as far as it matters.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) status: u16,
    /// The header `Retry-After`, as the server wrote it.
    pub(crate) retry_after: Option<String>,
}

impl ProbeBuilder {
    /// Allows the address and port in a URL, or loopback for `localhost`: for a URL that the operator
    /// wrote. A name is still subject to the policy, because others decide what it resolves to.
    pub(crate) fn allow_named(mut self, url: &ImageUrl) -> Result<Self, EntryError> {
        let addresses: Vec<IpAddr> = match url.parsed_host() {
            Some(Host::Ipv4(address)) => vec![address.into()],
            Some(Host::Ipv6(address)) => vec![address.into()],
            // The one name that is loopback everywhere (RFC 6761, 6.3).
            Some(Host::Domain(name)) if name.eq_ignore_ascii_case("localhost") => {
                vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            }
            Some(Host::Domain(_)) | None => Vec::new(),
        };
        let port = url.parsed().port_or_known_default().unwrap_or_default();
        for address in addresses {
            let entry = match address {
                IpAddr::V4(address) => format!("{address}/32:{port}"),
                IpAddr::V6(address) => format!("[{address}]/128:{port}"),
            };
            self.policy = self.policy.allow(&entry)?;
        }
        Ok(self)
    }
}

impl Probe {
    /// Posts `body` within `limit`. Returns the reason in words if there is no response.
    pub(crate) async fn post(
        &self,
        url: &ImageUrl,
        headers: HeaderMap,
        body: Bytes,
        limit: Duration,
    ) -> Result<Posted, String> {
        // For its deadline and connection: no image is read, so depth and rules do not matter.
        let mut record = Record::new(url.clone(), limit, Depth::Header, Requirements::ASYNC);
        let deadline = record.deadline();
        let exchange = self.exchange(&mut record, url, headers, body);
        match time::timeout_at(deadline, exchange).await {
            Ok(posted) => posted.map_err(reason),
            Err(_elapsed) => Err(reason(Ending::TooSlow)),
        }
    }

    async fn exchange(
        &self,
        record: &mut Record,
        url: &ImageUrl,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Posted, Ending> {
        let probe = &*self.inner;
        let mut connection = fetch::open(probe, record, url, &fetch::origin(url)?).await?;
        let hop = Hop {
            url,
            window: None,
            at_home: true,
        };
        let mut request = fetch::request(probe, &hop, connection.is_h2())?;
        *request.method_mut() = Method::POST;
        request.headers_mut().extend(headers);
        *request.body_mut() = Content::new(body);
        connection.counters.allow(fetch::HEAD_BYTES);
        let sent = connection.send(request).await;
        let response = sent.map_err(|error| failure::exchange(&error))?;
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok());
        Ok(Posted {
            status: response.status().as_u16(),
            retry_after: retry_after.map(str::to_owned),
        })
    }
}

fn reason(ending: Ending) -> String {
    match ending {
        Ending::TooSlow => "no response in time".to_owned(),
        Ending::Blocked { target, reason } => format!("{target}: {reason}"),
        Ending::Dns(reason) => format!("the name cannot be resolved: {reason}"),
        Ending::Connect(reason) | Ending::Local(reason) => format!("cannot connect: {reason}"),
        Ending::Tls(_, reason) => format!("TLS: {reason}"),
        Ending::Reset(reason) | Ending::Incomplete(reason) | Ending::Protocol(reason) => {
            format!("the connection failed: {reason}")
        }
        other => format!("{other:?}"),
    }
}
