//! Name resolution, connection and TLS of the service, tested with a download.

use super::{LIMIT, finding::Finding};
use crate::{
    download::{Download, Ending},
    image_url::ImageUrl,
    probe::{AddressPolicy, Mode, Probe},
};
use greenlight::{Depth, Requirements};

/// Tests the connection to the service with one request that is not signed.
pub(super) async fn examine(url: &str) -> Vec<Finding> {
    // The address is the user's own choice, so it may be private: --vpc, a sandbox.
    let port = url::Url::parse(url)
        .ok()
        .and_then(|url| url.port_or_known_default());
    let port = port.unwrap_or(443);
    let policy = AddressPolicy::new()
        .allow(&format!("0.0.0.0/0:{port}"))
        .and_then(|policy| policy.allow(&format!("[::]/0:{port}")));
    let url = ImageUrl::parse(&format!("{}/", url.trim_end_matches('/')));
    let (Ok(policy), Ok(url)) = (policy, url) else {
        return vec![Finding::failed("dns", "the endpoint is not a URL", None)];
    };
    let probe = Probe::builder()
        .policy(policy)
        .mode(Mode::Header)
        .depth(Depth::Header);
    let probe = match probe.deadline(LIMIT).max_redirects(0).build() {
        Ok(probe) => probe,
        Err(error) => return vec![Finding::failed("dns", &error.report(), None)],
    };
    of_download(&probe.download(&url, &Requirements::ASYNC).await)
}

fn of_download(download: &Download) -> Vec<Finding> {
    let timings = download.timings();
    let named = Finding::ok(
        "dns",
        &format!("resolved in {} ms", timings.resolve.as_millis()),
    );
    let remote = download
        .remote()
        .map(|remote| format!("{remote}, "))
        .unwrap_or_default();
    let took = format!("{remote}{} ms", timings.connect.as_millis());
    let connected = Finding::ok("connection", &took);
    match download.ending() {
        Ending::Dns(why) => vec![Finding::failed(
            "dns",
            why,
            Some("check the resolver of this host, and the spelling of the endpoint"),
        )],
        Ending::Connect(why) => vec![
            named,
            Finding::failed(
                "connection",
                why,
                Some("check the firewall of this host, and that the service is running"),
            ),
        ],
        Ending::Tls(_, why) => vec![
            named,
            connected,
            Finding::failed(
                "tls",
                why,
                Some("check the clock of this host, and whether something intercepts TLS"),
            ),
        ],
        Ending::Blocked { target, reason } => {
            vec![
                named,
                Finding::failed("connection", &format!("{target}: {reason}"), None),
            ]
        }
        Ending::TooSlow if download.hops().is_empty() => {
            let phase = download.phase().name();
            vec![Finding::failed(
                "connection",
                &format!(
                    "no answer within {} s, in the phase {phase}",
                    LIMIT.as_secs()
                ),
                Some("check the firewall of this host, and that the service is running"),
            )]
        }
        Ending::Local(why) => vec![Finding::failed("connection", why, None)],
        _ if download.url().as_str().starts_with("http:") => {
            vec![named, connected, Finding::ok("tls", "not used on loopback")]
        }
        _ => vec![
            named,
            connected,
            Finding::ok("tls", &format!("set up in {} ms", timings.tls.as_millis())),
        ],
    }
}
