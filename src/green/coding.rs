//! Content codings of responses (RFC 9110, 8.4.1).
//!
//! The client asks for `identity`. Some proxies compress anyway, and the answer to a paid call
//! holds ids that cannot be had again, so everything that can be read of it is.

use zlib_rs::{Inflate, InflateFlush, Status};

/// A body, as far as it can be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// The body is not compressed.
    Unchanged,
    /// The decompressed body. If the input is truncated or corrupt, the part before the defect.
    Body { body: Vec<u8>, is_too_long: bool },
    /// It is compressed in another way.
    Unknown,
}

/// The decompressed body exceeds the limit.
#[derive(Debug)]
pub(super) struct TooLong;

/// Decompresses a body to at most `max` bytes.
///
/// The first bytes decide, the header only where they leave it open: there are servers and proxies
/// that compress without the header, and ones that leave it after decompressing.
pub(super) fn decode(body: &[u8], named: &str, max: usize) -> Decoded {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_text = matches!(first, None | Some(b'{' | b'[' | b'<'));
    if body.starts_with(&[0x1f, 0x8b]) {
        // 16 more than the window's bits: a gzip header.
        return inflate(body, Inflate::new(true, 16 + 15), max);
    }
    let named = named.trim().to_ascii_lowercase();
    match named.as_str() {
        _ if is_text => Decoded::Unchanged,
        "deflate" => match inflate(body, Inflate::new(true, 15), max) {
            // Some servers send what is inside without the zlib header.
            Decoded::Body { body: empty, .. } if empty.is_empty() => {
                inflate(body, Inflate::new(false, 15), max)
            }
            decoded => decoded,
        },
        "br" | "zstd" | "compress" | "x-compress" | "gzip" | "x-gzip" => Decoded::Unknown,
        _ if named.contains(',') => Decoded::Unknown,
        // No registered coding, such as `utf-8` or `aws-chunked`.
        _ => Decoded::Unchanged,
    }
}

fn inflate(mut input: &[u8], mut state: Inflate, max: usize) -> Decoded {
    const CHUNK: usize = 16 << 10;
    let mut body = Vec::new();
    let mut chunk = vec![0; CHUNK];
    let mut is_too_long = false;
    loop {
        let (before_in, before_out) = (state.total_in(), state.total_out());
        let status = state.decompress(input, &mut chunk, InflateFlush::NoFlush);
        let moved = |before: u64, now: u64| usize::try_from(now - before).unwrap_or(0);
        let taken = moved(before_in, state.total_in());
        let made = moved(before_out, state.total_out());
        input = input.get(taken..).unwrap_or_default();
        let room = max - body.len();
        is_too_long |= made > room;
        body.extend_from_slice(chunk.get(..made.min(room)).unwrap_or_default());
        // An error ends the loop as well: the part before it may contain ids that were paid for.
        let goes_on = matches!(status, Ok(Status::Ok)) && (taken > 0 || made > 0);
        if is_too_long || !goes_on {
            return Decoded::Body { body, is_too_long };
        }
    }
}
