//! The judgement of how a download went.

use std::time::Duration;

use super::{Findings, NOTHING, Shown, number};
use crate::{
    download::{Download, Ending, TlsFault},
    format::Format,
    inspect::Identity,
    verdict::{Code, Enforcement, Measure, Missing},
};

impl Findings<'_> {
    pub(super) fn download(&mut self, download: &Download) {
        let host = download.last_url().host();
        match download.ending() {
            Ending::Complete | Ending::Stopped | Ending::Refused { .. } => {
                self.slowness(download);
                self.coding(download);
                self.content(download);
            }
            Ending::TooSlow => self.too_slow(download, download.limit()),
            Ending::Blocked { target, reason } => {
                let message = format!("{target} is refused: {reason}");
                self.broken(Code::UrlPrivateAddress, target.as_str(), NOTHING, message);
            }
            Ending::Dns(reason) => {
                let message = format!("{host} cannot be resolved: {reason}");
                self.broken(Code::DownloadDns, host, NOTHING, message);
            }
            Ending::Connect(reason) => {
                let millis = download.elapsed().as_millis();
                let message = format!("no connection to {host} after {millis} ms: {reason}");
                self.broken(Code::DownloadConnect, reason.as_str(), NOTHING, message);
            }
            Ending::Tls(TlsFault::Unsupported, reason) => {
                let message = format!(
                    "TLS with {host} failed: {reason}: this client lacks what the server requires, the service may succeed"
                );
                let code = Code::DownloadTlsUnsupported;
                self.broken(code, reason.as_str(), NOTHING, message);
                self.missing.push(Missing::Tls);
            }
            Ending::Tls(fault, reason) => {
                let words = tls_words(*fault);
                let message = format!("TLS with {host} failed: {words}: {reason}");
                self.broken(Code::DownloadTls, words, NOTHING, message);
            }
            Ending::Redirects(reason) => {
                let message = format!("{reason}: give the URL that holds the image");
                if download.last_url().has_credentials() {
                    self.broken(Code::UrlCredentials, NOTHING, NOTHING, message);
                } else {
                    let hops = number(download.hops().len());
                    self.broken(Code::DownloadRedirects, hops, NOTHING, message);
                }
            }
            Ending::Status => self.status(download),
            Ending::Reset(reason) | Ending::Incomplete(reason) => {
                let bytes = download.bytes();
                let message = format!(
                    "the connection ended while {}, after {bytes} bytes: {reason}",
                    download.phase().name()
                );
                let declared = download.content_length();
                let declared = Shown(declared.map(Measure::Number));
                self.broken(Code::DownloadIncomplete, bytes, declared, message);
            }
            Ending::Protocol(reason) => {
                let message = format!("the answer breaks the protocol: {reason}");
                let reason = reason.as_str();
                self.broken(Code::DownloadProtocol, reason, NOTHING, message);
            }
            Ending::Encoded(coding) => {
                let message = format!(
                    "the body is compressed ({coding}) though not asked for: serve it as it is"
                );
                let coding = coding.as_str();
                self.broken(Code::DownloadEncoding, coding, "identity", message);
            }
            Ending::Local(_) => self.missing.push(Missing::LocalResources),
        }
    }

    fn too_slow(&mut self, download: &Download, limit: Duration) {
        let limit = millis(limit);
        let message = format!(
            "not downloaded within {limit} ms ({}): serve it faster or smaller",
            download.phase().name()
        );
        let elapsed = millis(download.elapsed());
        self.broken(Code::DownloadTooSlow, elapsed, limit, message);
    }

    /// A probe may be more patient than the requirements are.
    fn slowness(&mut self, download: &Download) {
        let asked = self.asked.download_time();
        if download.elapsed() > asked {
            self.too_slow(download, asked);
        }
    }

    fn status(&mut self, download: &Download) {
        let status = download.status().unwrap_or_default();
        let meaning = match status {
            204 | 205 => "it has nothing at this URL".to_owned(),
            206 | 416 => {
                "it takes a request for the whole file for one of a part: mend how it, or a cache before it, answers without a Range"
                    .to_owned()
            }
            300 => "it leaves a choice of URLs: give that of the image".to_owned(),
            304 => {
                "it speaks of a copy that nobody has: mend how it answers requests without conditions"
                    .to_owned()
            }
            301..=399 => {
                "it sends elsewhere in a way that is not followed: give the URL that holds the image"
                    .to_owned()
            }
            401 | 407 => "it asks strangers to log in: make the image public".to_owned(),
            403 => {
                "it refuses strangers: make the image public, or allow requests without a Referer"
                    .to_owned()
            }
            404 | 410 => "there is nothing at this URL: check it in a browser".to_owned(),
            429 => "it is asked too often: lower the rate".to_owned(),
            500..=599 => "it failed: try again later".to_owned(),
            _ => "check the URL in a browser".to_owned(),
        };
        let image = download
            .content_type()
            .filter(|_| status >= 400)
            .and_then(Format::from_media_type)
            .map(|format| format!(" with {} content, which does not count", format.title()))
            .unwrap_or_default();
        let message = format!("server answered {status}{image}, 200 is needed: {meaning}");
        self.broken(Code::DownloadStatus, u64::from(status), 200, message);
    }

    /// Clients read the body as it is: the service most likely does too.
    fn coding(&mut self, download: &Download) {
        if let Some(coding) = download.unregistered_coding() {
            let message = format!(
                "the Content-Encoding `{coding}` is not a registered coding: remove the header"
            );
            let rule = self.asked.rules[Code::DownloadEncoding.index()];
            self.broken_as(
                Code::DownloadEncoding,
                rule.min(Enforcement::Warn),
                coding.into(),
                "identity".into(),
                message,
            );
        }
    }

    /// What was sent in place of an image, or under a type that is none of an image's.
    fn content(&mut self, download: &Download) {
        let essence = download.content_type().map(essence);
        let claimed = essence.as_deref().and_then(Format::from_media_type);
        let is_page = match download.inspection().identity() {
            Identity::Undecided => false,
            Identity::NotAnImage => claimed == Some(Format::Html),
            Identity::Format(Format::Html) => !self.asked.allows(Format::Html),
            Identity::Format(format) => {
                if let Some(essence) = essence
                    && claimed.is_none()
                    && self.asked.allows(format)
                    && !says_nothing(&essence)
                {
                    let message = format!(
                        "the Content-Type is {essence}, the content is {}: serve it as {}",
                        format.title(),
                        format.media_type()
                    );
                    self.broken(
                        Code::DownloadContentType,
                        essence,
                        format.media_type(),
                        message,
                    );
                }
                false
            }
        };
        if is_page {
            let message =
                "the server answered with a web page: give the URL of the image itself, and check that it needs no login"
                    .to_owned();
            self.broken(Code::DownloadWebPage, "html", self.formats(), message);
        }
    }
}

/// A media type without its parameters (RFC 9110, 8.3.1), cut to a length that a message bears.
fn essence(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.to_ascii_lowercase().chars().take(60).collect()
}

/// Whether the type stands for bytes of any kind.
fn says_nothing(essence: &str) -> bool {
    matches!(
        essence,
        "" | "application/octet-stream"
            | "binary/octet-stream"
            | "application/x-download"
            | "application/force-download"
            | "image/*"
    )
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

const fn tls_words(fault: TlsFault) -> &'static str {
    match fault {
        TlsFault::Expired => "the certificate has expired",
        TlsFault::NotYetValid => "the certificate is not valid yet",
        TlsFault::WrongHost => "the certificate is for another host",
        TlsFault::UnknownIssuer => "the certificate's issuer is unknown",
        TlsFault::Cut => "the connection ended during the handshake",
        TlsFault::Unsupported | TlsFault::Other => "the handshake failed",
    }
}
