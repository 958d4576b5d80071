//! Evaluates a download.

use std::time::Duration;

use super::{Findings, NOTHING, Shown, number};
use crate::{
    download::{Download, Ending, TlsFault},
    format::Format,
    inspect::Identity,
    verdict::{Code, Measure, Missing},
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
                let message = format!("{target} is not allowed: {reason}");
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
                // The violation is a warning by default: the missing fact is what keeps the image
                // from being submitted.
                self.missing.push(Missing::Tls);
            }
            Ending::Tls(fault, reason) => {
                let words = tls_words(*fault);
                let message = format!("TLS with {host} failed: {words}: {reason}");
                self.broken(Code::DownloadTls, words, NOTHING, message);
            }
            Ending::Redirects(reason) => {
                let message = format!("{reason}: use the URL of the image itself");
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
                let message = format!("the response violates HTTP: {reason}");
                let reason = reason.as_str();
                self.broken(Code::DownloadProtocol, reason, NOTHING, message);
            }
            Ending::Encoded(coding) => {
                let message = format!(
                    "the body is compressed ({coding}) although the request did not accept it: serve it uncompressed"
                );
                let coding = coding.as_str();
                self.broken(Code::DownloadEncoding, coding, "identity", message);
            }
            // The image may be good: a local shortage must not become a violation of its server.
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

    /// The probe's deadline may be longer than the required download time.
    fn slowness(&mut self, download: &Download) {
        let asked = self.asked.download_time();
        if download.elapsed() > asked {
            self.too_slow(download, asked);
        }
    }

    fn status(&mut self, download: &Download) {
        let status = download.status().unwrap_or_default();
        let meaning = match status {
            // RFC 9110, 15.3.5 and 15.3.6: neither has content.
            204 | 205 => "the response has no body: check the URL in a browser".to_owned(),
            206 | 416 => {
                "the request had no Range header: fix how the server, or a cache in front of it, handles such requests"
                    .to_owned()
            }
            300 => "the server offers several URLs: use that of the image".to_owned(),
            304 => {
                "the request had no condition: fix how the server, or a cache in front of it, handles such requests"
                    .to_owned()
            }
            301..=399 => {
                "this redirect is not followed: use the URL of the image itself"
                    .to_owned()
            }
            // 407 comes from a proxy in front of the server; the remedy is the same.
            401 | 407 => "authentication is required: make the image public".to_owned(),
            403 => {
                "access is denied: make the image public, or allow requests without a Referer"
                    .to_owned()
            }
            404 | 410 => "nothing was found at this URL: check it in a browser".to_owned(),
            429 => "the server limits the request rate: lower the rate".to_owned(),
            500..=599 => "the server failed: try again later".to_owned(),
            _ => "check the URL in a browser".to_owned(),
        };
        let image = download
            .content_type()
            // Servers send placeholder images with errors; other statuses without an image have
            // none.
            .filter(|_| status >= 400)
            .and_then(Format::from_media_type)
            .map(|format| format!(" with {} content, which does not count", format.title()))
            .unwrap_or_default();
        let message = format!("the server returned {status}{image}, expected 200: {meaning}");
        self.broken(Code::DownloadStatus, u64::from(status), 200, message);
    }

    /// Common clients ignore an unregistered coding; the service most likely does too.
    fn coding(&mut self, download: &Download) {
        if let Some(coding) = download.unregistered_coding() {
            let message = format!(
                "the Content-Encoding `{coding}` is not a registered coding: remove the header"
            );
            let code = Code::DownloadUnknownEncoding;
            self.broken(code, coding, "identity", message);
        }
    }

    /// Checks for a web page instead of an image, and for a `Content-Type` that is not an image's.
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
                "the server returned a web page: use the URL of the image itself, and check that it needs no login"
                    .to_owned();
            self.broken(Code::DownloadWebPage, "html", self.formats(), message);
        }
    }
}

/// Returns a media type without its parameters (RFC 9110, 8.3.1), at most 60 characters.
fn essence(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.to_ascii_lowercase().chars().take(60).collect()
}

/// Whether the type makes no claim about the content.
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
