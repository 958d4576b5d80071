//! Reads a body: inspects the bytes as they are received, keeps none, and stops as soon as a fact
//! rejects the image.

use std::time::Duration;

use http::{StatusCode, header};
use hyper::body::Body;
use tokio::task;

use super::{
    clock, failure,
    fetch::{self, Fetched},
    record::Record,
};
use crate::{download::Ending, verdict::Code};

/// Bytes inspected at a time. Data may decompress to a thousand times its size, and the deadline
/// bounds this work too.
const PIECE: usize = 16 * 1024;
/// Time limit of an inspection before it yields to other downloads.
const MOST_BUSY: Duration = Duration::from_millis(10);

/// The part of a body that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// To its end.
    End,
    /// Until the inspector has seen what its depth asks for, in an answer that holds the file's
    /// bytes before `end`. A body of unknown length is read up to `window` to find its end.
    Settled { end: u64, window: u64 },
}

/// The reason why reading stopped without a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The body is over.
    End,
    /// The inspector has seen what its depth asks for.
    Settled,
    /// A rule is broken.
    Refused(Code),
    /// One byte more than the largest file has been seen.
    Limit,
}

impl Stop {
    /// The ending, for a body that is the whole file.
    pub(super) const fn ending(self) -> Ending {
        match self {
            Self::End => Ending::Complete,
            Self::Settled | Self::Limit => Ending::Stopped,
            Self::Refused(code) => Ending::Refused { rule: code },
        }
    }
}

/// Whether a response has the status of a whole file: any of success but those without a body, and
/// that of a part.
pub(super) fn is_whole(status: StatusCode) -> bool {
    status.is_success() && !matches!(status.as_u16(), 204..=206)
}

/// Checks that a response has no coding that changes the image's bytes. An unregistered coding is
/// recorded, and the body is read as it is.
pub(super) fn check_codings(record: &mut Record, answer: &Fetched) -> Result<(), Ending> {
    for (name, plain) in [
        (header::CONTENT_ENCODING, "identity"),
        (header::TRANSFER_ENCODING, "chunked"),
    ] {
        for value in answer.head.headers.get_all(&name) {
            for coding in value.as_bytes().split(|byte| *byte == b',') {
                let coding = String::from_utf8_lossy(coding).trim().to_ascii_lowercase();
                if CODINGS.contains(&coding.as_str()) {
                    return Err(Ending::Encoded(coding));
                }
                let is_absent = coding.is_empty() && name == header::TRANSFER_ENCODING;
                if coding != plain && coding != "identity" && !is_absent {
                    record.unregistered_coding(coding.chars().take(40).collect());
                }
            }
        }
    }
    Ok(())
}

/// The registered codings that change a body's bytes: the HTTP Content Coding Registry (RFC 9110,
/// 18.6, read 2026-11) without `identity`. Servers send other values by mistake, and clients ignore
/// them.
const CODINGS: [&str; 12] = [
    "aes128gcm",
    "br",
    "compress",
    "dcb",
    "dcz",
    "deflate",
    "exi",
    "gzip",
    "pack200-gzip",
    "x-compress",
    "x-gzip",
    "zstd",
];

/// The length of the response body, if its framing guarantees it.
pub(super) fn framed_len(answer: &Fetched) -> Option<u64> {
    answer.body.size_hint().exact()
}

/// Reads the body until `until` is reached.
pub(super) async fn read(
    record: &mut Record,
    answer: &mut Fetched,
    until: Until,
) -> Result<Stop, Ending> {
    // One byte more than allowed proves that the file is too large.
    let limit = record.asked().max_bytes().saturating_add(1);
    let (end, window) = match until {
        Until::End => (u64::MAX, u64::MAX),
        Until::Settled { end, window } => (end, window),
    };
    let is_measured = record.is_measured();
    let mut rested = clock::now();
    loop {
        if matches!(until, Until::Settled { .. })
            && record.is_settled()
            && (is_measured || record.seen() >= window)
        {
            return Ok(Stop::Settled);
        }
        let left = limit.saturating_sub(record.seen());
        if left == 0 {
            return Ok(Stop::Limit);
        }
        let frame = match answer.connection.frame(&mut answer.body).await {
            None => return Ok(Stop::End),
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                record.is_unread =
                    failure::is_unreadable(&error) && fetch::repair(record, &answer.connection);
                return Err(failure::exchange(&error));
            }
        };
        // Trailers are no part of the image.
        let Some(bytes) = frame.data_ref() else {
            continue;
        };
        let promised = end.saturating_sub(record.seen());
        let room = usize::try_from(left.min(promised)).unwrap_or(usize::MAX);
        let (taken, surplus) = bytes.split_at(room.min(bytes.len()));
        for piece in taken.chunks(PIECE) {
            if let Some(code) = record.push(piece) {
                return Ok(Stop::Refused(code));
            }
            let now = clock::now();
            // The runtime's timer cannot fire while this task does not yield.
            if now >= record.deadline() {
                return Err(Ending::TooSlow);
            }
            if now - rested > MOST_BUSY {
                task::yield_now().await;
                rested = clock::now();
            }
        }
        // Surplus beyond the size limit is expected; beyond the range it contradicts the head.
        if !surplus.is_empty() && promised < left {
            return Err(Ending::Protocol(
                "a part is longer than its Content-Range says".to_owned(),
            ));
        }
    }
}
