//! Reading a body: inspected as it comes, never kept, and left as soon as a fact condemns it.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use hyper::body::Body;
use tokio::task;

use super::{clock, failure, fetch::Answer, record::Record};
use crate::{download::Ending, verdict::Code};

/// How many bytes are inspected at a time. Data may inflate a thousandfold, and the deadline must be
/// held over work too.
const PIECE: usize = 16 * 1024;
/// How long other downloads wait for the work on this one.
const MOST_BUSY: Duration = Duration::from_millis(10);

/// How far a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// To its end.
    End,
    /// Until the inspector has seen what its depth asks for, in an answer that holds the file's bytes
    /// before this one.
    Settled { end: u64 },
}

/// Why reading stopped without a failure.
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
            Self::Refused(code) => Ending::Refused { rule: code.name() },
        }
    }
}

/// Checks that an answer's head promises an image's bytes as they are.
pub(super) fn check_head(answer: &Answer, wanted: StatusCode) -> Result<(), Ending> {
    if answer.head.status != wanted {
        return Err(Ending::Status);
    }
    match coding(&answer.head.headers) {
        Some(coding) => Err(Ending::Encoded(coding)),
        None => Ok(()),
    }
}

/// What is sent as a coding and is none: the registry's `identity` (RFC 9110, 18.6), and what servers
/// that were set up wrongly name in its place.
const PLAIN: [&str; 6] = ["", "identity", "none", "binary", "utf-8", "utf8"];

/// The coding that hides the image's bytes, if there is one.
fn coding(headers: &HeaderMap) -> Option<String> {
    let codings = |name, framing: &'static str| {
        headers
            .get_all(name)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(|coding| String::from_utf8_lossy(coding).trim().to_ascii_lowercase())
            .find(move |coding| coding != framing && !PLAIN.contains(&coding.as_str()))
    };
    codings(header::CONTENT_ENCODING, "")
        .or_else(|| codings(header::TRANSFER_ENCODING, "chunked"))
        .map(|coding| coding.chars().take(40).collect())
}

/// The length of the answer's body, where its framing holds the server to it.
pub(super) fn framed_len(answer: &Answer) -> Option<u64> {
    answer.body.size_hint().exact()
}

/// Reads on.
pub(super) async fn read(
    record: &mut Record,
    answer: &mut Answer,
    until: Until,
) -> Result<Stop, Ending> {
    let limit = record.asked().max_bytes().saturating_add(1);
    let end = match until {
        Until::End => u64::MAX,
        Until::Settled { end } => end,
    };
    let mut rested = clock::now();
    loop {
        if matches!(until, Until::Settled { .. }) && record.inspector().is_settled() {
            return Ok(Stop::Settled);
        }
        let left = limit.saturating_sub(record.seen());
        if left == 0 {
            return Ok(Stop::Limit);
        }
        let frame = match answer.connection.frame(&mut answer.body).await {
            None => return Ok(Stop::End),
            Some(frame) => frame.map_err(|error| failure::exchange(&error))?,
        };
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
            if now >= record.deadline() {
                return Err(Ending::TooSlow);
            }
            if now - rested > MOST_BUSY {
                task::yield_now().await;
                rested = clock::now();
            }
        }
        if !surplus.is_empty() && promised < left {
            return Err(Ending::Protocol(
                "a part is longer than its Content-Range says".to_owned(),
            ));
        }
    }
}
