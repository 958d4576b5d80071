//! Header mode: the first window of a file decides, by a Range request (RFC 9110, 14).
//!
//! The first window is 64 KB; a file that is still undecided after it is asked for the next, 8
//! times larger. The size is what `Content-Range` or the body's framing says. A server that does
//! not know ranges responds with the file and is read until the inspector is settled; a body of
//! unknown length is read to the end of the first window, which may be its end. A server that
//! closes the connection, responds with a status other than 2xx and 3xx, or with a range that was
//! not requested, gets one plain GET. So does one whose part is shorter than the window, unless the
//! part decides or is known to end the file: the windows would not grow, and a server could cause
//! as many requests as the deadline leaves time for. A connection whose remaining body is short is
//! used again.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{
    Inner,
    fetch::{Fetched, Window},
    follow,
    part::{self, Part},
    read::{self, Stop, Until},
    record::Record,
};
use crate::download::Ending;

/// How many bytes are asked for first. A JPEG's dimensions come after its EXIF thumbnail and color
/// profile, a few ten KB.
const FIRST_WINDOW: u64 = 64 * 1024;
/// The factor between a window and the next one.
const GROWTH: u64 = 8;
/// Maximum number of windows: the last one ends beyond 100 GB.
const MOST_WINDOWS: usize = 8;

/// Reads as many windows as it takes to decide.
pub(super) async fn download(probe: &Inner, record: &mut Record) -> Result<Ending, Ending> {
    let mut size = FIRST_WINDOW;
    let mut window = Window {
        first: 0,
        last: size - 1,
    };
    let mut version: Option<(Option<u64>, Option<HeaderValue>)> = None;
    for _ in 0..MOST_WINDOWS {
        let mut answer = match follow::follow(probe, record, Some(window)).await {
            // Some servers close the connection at a Range that they do not expect.
            Err(Ending::Reset(_) | Ending::Incomplete(_)) => break,
            answer => answer?,
        };
        if read::is_whole(answer.head.status) {
            return whole(probe, record, answer).await;
        }
        let part = match answer.head.status {
            StatusCode::PARTIAL_CONTENT => Part::requested(&answer, window),
            status if status.is_success() || status.is_redirection() => {
                return Err(Ending::Status);
            }
            // Servers reject a Range that they, or a filter before them, do not expect with 400,
            // 403, 405, 416, 500 and others.
            _ => None,
        };
        // A file that is replaced between two windows would mix two images: total or ETag shows it.
        let changed = |part: &Part| {
            let now = (part.total, etag(&answer.head.headers));
            version.get_or_insert_with(|| now.clone()) != &now
        };
        let Some(part) = part.filter(|part| !{ changed }(part)) else {
            settle(probe, answer);
            break;
        };
        read::check_codings(record, &answer)?;
        let refused = if window.first == 0 {
            record.begin_body(part.total)
        } else {
            None
        };
        let end = part.last.saturating_add(1);
        let stop = match refused {
            Some(code) => Stop::Refused(code),
            None => read::read(record, &mut answer, Until::Settled { end, window: 0 }).await?,
        };
        settle(probe, answer);
        if stop != Stop::End {
            return Ok(stop.ending());
        }
        // The next window begins at `end`: a gap would shift all bytes after it.
        if record.seen() != end {
            return Err(Ending::Protocol(
                "a part is not as long as its Content-Range says".to_owned(),
            ));
        }
        if part.total == Some(end) {
            return Ok(Ending::Complete);
        }
        // The part neither ended the file nor filled its window, so windows would not grow.
        if part.last < window.last {
            break;
        }
        size = size.saturating_mul(GROWTH);
        window = Window {
            first: end,
            last: end.saturating_add(size).saturating_sub(1),
        };
    }
    plain(probe, record).await
}

/// Repeats the request without a range.
async fn plain(probe: &Inner, record: &mut Record) -> Result<Ending, Ending> {
    let answer = follow::follow(probe, record, None).await?;
    if !part::is_file(&answer) {
        return Err(Ending::Status);
    }
    whole(probe, record, answer).await
}

/// Reads an answer that holds the file from its first byte on.
async fn whole(probe: &Inner, record: &mut Record, mut answer: Fetched) -> Result<Ending, Ending> {
    read::check_codings(record, &answer)?;
    let stop = if let Some(code) = record.begin_body(read::framed_len(&answer)) {
        Stop::Refused(code)
    } else {
        let until = Until::Settled {
            end: u64::MAX,
            window: FIRST_WINDOW,
        };
        read::read(record, &mut answer, until).await?
    };
    settle(probe, answer);
    Ok(stop.ending())
}

fn settle(probe: &Inner, answer: Fetched) {
    let Fetched {
        origin,
        body,
        connection,
        ..
    } = answer;
    probe.pool.settle(origin, connection, body);
}

fn etag(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(header::ETAG).cloned()
}
