//! Reads an HTTP/1 response as curl does, and writes it as hyper reads it.
//!
//! hyper's parser refuses responses that common clients accept. If it does, the request is sent
//! once more over a connection whose bytes pass through here. What curl 7.88 and 8 refuse is
//! refused.

mod head;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::head::{Framing, repair_head, status_line, trim_end};

/// The longest response head, in bytes: as long as hyper's.
const MAX_HEAD: usize = 400 << 10;

/// The most digits of a chunk's size, as in curl.
const MAX_DIGITS: u32 = 16;

/// A response that curl does not read either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(&'static str);

/// A transport whose received bytes may be repaired.
#[derive(Debug)]
pub(super) struct Repaired<T> {
    transport: T,
    repair: Option<Box<Repair>>,
}

impl<T> Repaired<T> {
    pub(super) fn new(transport: T, is_repaired: bool) -> Self {
        Self {
            transport,
            repair: is_repaired.then(Box::default),
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Repaired<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { transport, repair } = self.get_mut();
        let Some(repair) = repair else {
            return Pin::new(transport).poll_read(cx, buffer);
        };
        while !repair.give(buffer) {
            let mut space = [0; 8 << 10];
            let mut received = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut *transport).poll_read(cx, &mut received))?;
            if received.filled().is_empty() {
                break;
            }
            repair
                .push(received.filled())
                .map_err(|malformed| io::Error::new(io::ErrorKind::InvalidData, malformed))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Repaired<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().transport).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_shutdown(cx)
    }
}

/// The repair of one response. Its head is held until it is complete.
#[derive(Debug, Default)]
struct Repair {
    state: State,
    head: Vec<u8>,
    /// Where the head's last line begins.
    line: usize,
    /// Repaired bytes, and how many of them were passed on.
    ready: Vec<u8>,
    given: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    /// In a chunk's size, after so many digits.
    Size {
        size: u64,
        digits: u32,
    },
    /// After the digits, up to the line's end.
    Extension {
        size: u64,
    },
    Data {
        left: u64,
    },
    AfterData,
    /// In the lines after the last chunk.
    Trailer {
        is_blank: bool,
    },
    /// Whatever follows is the body, or ignored.
    Plain,
    Ended,
}

const SIZE: State = State::Size { size: 0, digits: 0 };

impl Repair {
    /// Moves repaired bytes into the buffer; returns whether there were any.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let rest = self.ready.get(self.given..).unwrap_or_default();
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..count).unwrap_or_default());
        self.given = self.given.saturating_add(count);
        if self.given == self.ready.len() {
            self.ready.clear();
            self.given = 0;
        }
        count > 0
    }

    fn push(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            let taken = match self.state {
                State::Head => self.push_head(bytes)?,
                State::Plain => {
                    self.ready.extend(bytes);
                    bytes.len()
                }
                // The repaired head closes the connection, so that no response can follow.
                State::Ended => bytes.len(),
                State::Data { left } => self.push_data(bytes, left),
                state => {
                    // Framing is a few bytes per chunk: one at a time is fast enough.
                    let [byte, ..] = bytes else { break };
                    self.state = self.framing(state, *byte)?;
                    1
                }
            };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Adds bytes up to the end of a line.
    fn push_head(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let end = memchr::memchr(b'\n', bytes);
        let taken = end.map_or(bytes.len(), |end| end.saturating_add(1));
        self.head.extend(bytes.get(..taken).unwrap_or_default());
        // Checked before a line ends: another protocol's greeting could otherwise fill the buffer.
        if !may_be_http(&self.head) {
            return Err(Malformed("the response is not HTTP"));
        }
        if self.head.len() > MAX_HEAD {
            return Err(Malformed("the head is too large"));
        }
        if end.is_none() {
            return Ok(taken);
        }
        let line = self.head.get(self.line..).unwrap_or_default();
        let is_first = self.line == 0;
        let is_last = trim_end(line).is_empty();
        if is_first {
            status_line(trim_end(line))?;
        }
        self.line = self.head.len();
        if is_last && !is_first {
            let head = std::mem::take(&mut self.head);
            self.line = 0;
            self.state = match repair_head(&head, &mut self.ready)? {
                Framing::Interim => State::Head,
                Framing::Chunked => SIZE,
                Framing::Other => State::Plain,
            };
        }
        Ok(taken)
    }

    fn push_data(&mut self, bytes: &[u8], left: u64) -> usize {
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let data = bytes.get(..most).unwrap_or(bytes);
        self.ready.extend(data);
        let left = left.saturating_sub(u64::try_from(data.len()).unwrap_or(u64::MAX));
        self.state = State::Data { left };
        if left == 0 {
            // The end of the chunk's data is written here, because servers may send LF alone.
            self.ready.extend(b"\r\n");
            self.state = State::AfterData;
        }
        data.len()
    }

    /// Reads a byte of the chunks' framing (RFC 9112, 7.1), where a line may end with LF alone.
    fn framing(&mut self, state: State, byte: u8) -> Result<State, Malformed> {
        Ok(match (state, byte) {
            (State::Size { size, digits }, byte) if byte.is_ascii_hexdigit() => {
                if digits == MAX_DIGITS {
                    return Err(Malformed("the size of a chunk is too long"));
                }
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                State::Size {
                    size: size.saturating_mul(16).saturating_add(digit.into()),
                    digits: digits.saturating_add(1),
                }
            }
            (State::Size { digits: 0, .. }, _) => {
                return Err(Malformed("a chunk has no size"));
            }
            (State::Size { size, .. } | State::Extension { size }, b'\n') => {
                self.ready.extend(format!("{size:x}\r\n").into_bytes());
                match size {
                    0 => State::Trailer { is_blank: true },
                    left => State::Data { left },
                }
            }
            (State::Size { size, .. } | State::Extension { size }, _) => State::Extension { size },
            (State::AfterData, b'\n') => SIZE,
            (State::AfterData, b'\r') => State::AfterData,
            (State::AfterData, _) => {
                return Err(Malformed("a chunk is longer than its size"));
            }
            (State::Trailer { is_blank: true }, b'\n') => {
                self.ready.extend(b"\r\n");
                State::Ended
            }
            (State::Trailer { .. }, b'\n') => State::Trailer { is_blank: true },
            (State::Trailer { is_blank }, byte) => State::Trailer {
                is_blank: is_blank && byte == b'\r',
            },
            (state, _) => state,
        })
    }
}

/// Whether the response begins like one, as far as it was received: another protocol's may have no
/// line that ends.
fn may_be_http(head: &[u8]) -> bool {
    const START: &[u8] = b"HTTP/";
    let mut pairs = head.iter().zip(START);
    pairs.all(|(one, other)| one.eq_ignore_ascii_case(other))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn repaired(bytes: &[u8], chunk: usize) -> Result<String, Malformed> {
        let mut repair = Repair::default();
        let mut out = Vec::new();
        for chunk in bytes.chunks(chunk) {
            repair.push(chunk)?;
            let mut space = [0; 7];
            loop {
                let mut buffer = ReadBuf::new(&mut space);
                if !repair.give(&mut buffer) {
                    break;
                }
                out.extend(buffer.filled());
            }
        }
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn responses_are_rewritten_in_any_chunks() {
        let chunked = "HTTP/1.1 200 \r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n";
        for (text, wanted) in [
            (
                "http/1.0  200\n\nbody",
                "HTTP/1.0 200 \r\nConnection: close\r\n\r\nbody",
            ),
            (
                "HTTP/2 200OK\r\r\nX-A: one\r\n  two \r\nContent-Length: +4 \r\n x\r\n\r\nbody",
                "HTTP/1.1 200 \r\nConnection: close\r\nContent-Length: 4\r\nx-a: one two\r\n\r\nbody",
            ),
            (
                "HTTP/1.1 103 E\nLink: x\n\nHTTP/1.1 200 OK\nnonsense\nX: a\rb\nTransfer-Encoding:\n\nbody",
                "HTTP/1.1 103 \r\nlink: x\r\n\r\nHTTP/1.1 200 \r\nConnection: close\r\n\r\nbody",
            ),
            (
                "HTTP/1.0 200 OK\nContent-Length: 7\nTransfer-Encoding: identity, Chunked\n\n05;a=b\nabcde\n0\n\n",
                chunked,
            ),
            (
                "HTTP/1.1 200 OK\nTransfer-Encoding: chunked, chunked\n\n5 \r\nabcde\r\r\n0\r\nX: y\r\n\r\nrest",
                chunked,
            ),
        ] {
            for chunk in [1, 2, 3, 5, text.len()] {
                let found = repaired(text.as_bytes(), chunk);
                assert_eq!(found.as_deref(), Ok(wanted), "{text}, {chunk}");
            }
        }
    }

    #[test]
    fn responses_that_curl_refuses_are_refused() {
        let chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n";
        for text in [
            "\r\nHTTP/1.1 200 OK\r\n\r\n".to_owned(),
            "ICY 200 OK\r\n\r\n".to_owned(),
            "\u{15}\u{3}\u{1}\0\u{2}\u{2}F".to_owned(),
            "HTTP/1.1\t200 OK\r\n\r\n".to_owned(),
            "HTTP/1.2 200 OK\r\n\r\n".to_owned(),
            "HTTP/3 200 OK\r\n\r\n".to_owned(),
            "HTTP/1.1 2000 OK\r\n\r\n".to_owned(),
            "HTTP/1.1 20 OK\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nX: a\0\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nContent-Length: -7\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nContent-Length: \"7\"\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 8\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nContent-Length: 7, 8\r\n\r\n".to_owned(),
            format!("{chunked} 5\nabcde\n0\n\n"),
            format!("{chunked}5\nabcdefg\n0\n\n"),
            format!("{chunked}00000000000000005\nabcde\n0\n\n"),
            format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(70_000)),
        ] {
            let text = text.as_bytes();
            assert!(repaired(text, text.len()).is_err(), "{text:?}");
        }
    }
}
