//! The facts of a download while it runs. They outlive a deadline that cuts the download off.

use std::{
    mem,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::{Version, response};

use super::{
    clock::{self, Instant},
    connect::Counters,
    connection::Leniency,
};
use crate::{
    download::{Download, Ending, Hop, Phase},
    gate::Gate,
    image_url::ImageUrl,
    inspect::{Claim, Depth},
    requirements::Requirements,
    verdict::{Code, Rejected, Severity, Violation},
};

/// A download in progress.
pub(super) struct Record {
    download: Download,
    gate: Gate,
    /// The addresses of the first URL's host, until they are used.
    pub(super) resolved: Option<Vec<IpAddr>>,
    /// The URLs that were asked for, from where the download began to where its redirects led.
    pub(super) route: Vec<ImageUrl>,
    started: Instant,
    /// When the phase under way began.
    entered: Instant,
    /// The connection in use, and how much it had received before.
    wire: Option<(Arc<Counters>, u64)>,
    /// What later connections accept.
    pub(super) leniency: Leniency,
    /// Whether a body's framing could not be read, and the download is to be repeated.
    pub(super) is_unread: bool,
    /// The number of repeated requests.
    pub(super) retries: u32,
    /// The body's bytes so far, if they are kept.
    pub(super) kept: Option<Vec<u8>>,
}

impl Record {
    pub(super) fn new(url: ImageUrl, limit: Duration, depth: Depth, asked: Requirements) -> Self {
        let now = clock::now();
        Self {
            route: vec![url.clone()],
            download: Download::new(url, limit, depth),
            gate: Gate::at(depth, asked),
            resolved: None,
            started: now,
            entered: now,
            wire: None,
            leniency: Leniency::default(),
            is_unread: false,
            retries: 0,
            kept: None,
        }
    }

    /// Counts the time that the look-up of the first name took before the download began.
    pub(super) fn resolved_in(&mut self, took: Duration) {
        let started = self.started.checked_sub(took).unwrap_or(self.started);
        (self.started, self.entered) = (started, started);
    }

    /// When the download must have ended.
    pub(super) fn deadline(&self) -> Instant {
        clock::after(self.started, self.download.limit)
    }

    pub(super) const fn asked(&self) -> &Requirements {
        self.gate.requirements()
    }

    /// Another phase begins, and the one before it ends.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.close_phase();
        self.download.phase = phase;
    }

    fn close_phase(&mut self) {
        let now = clock::now();
        let took = now - self.entered;
        self.entered = now;
        let timings = &mut self.download.timings;
        let total = match self.download.phase {
            Phase::Resolve => &mut timings.resolve,
            Phase::Connect => &mut timings.connect,
            Phase::Tls => &mut timings.tls,
            Phase::FirstByte => &mut timings.first_byte,
            Phase::Body => &mut timings.body,
        };
        *total += took;
    }

    /// Records the head of a response.
    pub(super) fn hop(&mut self, url: &ImageUrl, head: &response::Parts) {
        self.download.hops.push(Hop {
            url: shortened(url.to_string()),
            status: head.status.as_u16(),
        });
        self.download.http_version = Some(match head.version {
            Version::HTTP_09 => "HTTP/0.9",
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_11 => "HTTP/1.1",
            Version::HTTP_2 => "HTTP/2",
            _ => "HTTP/3",
        });
        self.download.content_type = head
            .headers
            .get(http::header::CONTENT_TYPE)
            .map(|value| shortened(String::from_utf8_lossy(value.as_bytes()).into_owned()));
        // What an earlier response of the route stated is not about this one.
        self.download.content_length = None;
        self.download.unregistered_coding = None;
    }

    /// A connection to `peer` is used from here on.
    pub(super) fn wire(&mut self, peer: SocketAddr, counters: &Arc<Counters>) {
        self.close_wire();
        self.download.remote = Some(peer);
        self.wire = Some((Arc::clone(counters), counters.received()));
    }

    fn close_wire(&mut self) {
        if let Some((counters, before)) = self.wire.take() {
            let received = counters.received().saturating_sub(before);
            self.download.received = self.download.received.saturating_add(received);
        }
    }

    /// A body begins at the image's first byte; bytes that were inspected before are discarded.
    pub(super) fn begin_body(&mut self, len: Option<u64>) -> Option<Code> {
        self.enter(Phase::Body);
        if let Some(kept) = &mut self.kept {
            kept.clear();
        }
        self.gate = Gate::at(self.gate.inspection().depth(), self.asked().clone());
        let content_type = self.download.content_type.as_deref();
        let claims = [
            self.download.url.claim(),
            content_type.and_then(Claim::from_content_type),
        ];
        for claim in claims.into_iter().flatten() {
            self.gate.claim(claim);
        }
        self.download.content_length = len;
        match len {
            Some(len) => broken_rule(self.gate.announce_len(len)),
            // An empty chunk makes the gate judge the claims, which alone may reject the image.
            None => broken_rule(self.gate.push(&[])),
        }
    }

    /// Reads the next bytes of the image, and returns which rule they break.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Option<Code> {
        self.download.bytes = self
            .download
            .bytes
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
        broken_rule(self.gate.push(bytes))
    }

    /// Whether more bytes can add no fact but their number.
    pub(super) const fn is_settled(&self) -> bool {
        self.gate.inspector().is_settled()
    }

    /// Whether the image's length is known.
    pub(super) const fn is_measured(&self) -> bool {
        self.download.content_length.is_some()
    }

    /// Records a `Content-Encoding` that no registry knows.
    pub(super) fn unregistered_coding(&mut self, coding: String) {
        self.download.unregistered_coding = Some(coding);
    }

    /// The number of the image's bytes that were received, from the first.
    pub(super) const fn seen(&self) -> u64 {
        self.gate.inspection().bytes_seen()
    }

    /// Stops the clock: reading is over.
    pub(super) fn close(&mut self) {
        self.close_phase();
        self.close_wire();
    }

    /// Returns the facts of the closed download. At decode depth the picture is decoded until the
    /// deadline.
    pub(super) async fn finish(
        self,
        ending: Ending,
        deadline: impl Future<Output = ()>,
    ) -> Download {
        let mut download = self.download;
        download.elapsed = self.entered - self.started;
        download.retries = self.retries;
        if let Some(last) = self.route.last() {
            download.last_url = last.clone();
        }
        download.inspection = match ending {
            // Any other ending leaves the file's end unknown, and `finish` would record a
            // truncation.
            Ending::Complete => self.gate.into_inspector().finish_until(deadline).await,
            _ => self.gate.inspection().clone(),
        };
        download.ending = short(ending);
        download
    }
}

/// The first rule that made the gate reject.
fn broken_rule(passed: Result<(), Rejected>) -> Option<Code> {
    let rejected = passed.err()?;
    let mut violations = rejected.violations().iter();
    violations
        .find(|violation| violation.severity() == Severity::Reject)
        .map(Violation::code)
}

/// Shortens the text of an ending: a certificate alone can list thousands of names.
fn short(mut ending: Ending) -> Ending {
    match &mut ending {
        Ending::Dns(text)
        | Ending::Connect(text)
        | Ending::Tls(_, text)
        | Ending::Redirects(text)
        | Ending::Reset(text)
        | Ending::Incomplete(text)
        | Ending::Protocol(text)
        | Ending::Encoded(text)
        | Ending::Local(text) => *text = shortened(mem::take(text)),
        Ending::Complete
        | Ending::Stopped
        | Ending::Refused { .. }
        | Ending::TooSlow
        | Ending::Blocked { .. }
        | Ending::Status => {}
    }
    ending
}

/// Truncates a server's text to 500 characters: it is kept for every URL of a list.
pub(super) fn shortened(text: String) -> String {
    const MOST: usize = 500;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => {
            let mut text = text;
            text.truncate(end);
            text.push('\u{2026}');
            text
        }
        None => text,
    }
}
