//! Classifies errors of a connection as an [`Ending`].

use std::{error::Error as StdError, io};

use tokio_rustls::rustls;

use super::connect::TooMuch;
use crate::download::Ending;

/// Classifies a failed exchange.
pub(super) fn exchange(error: &hyper::Error) -> Ending {
    // An h2 error that wraps an I/O error is the socket's, and is classified below.
    if let Some(error) = find::<h2::Error>(error)
        && !error.is_io()
    {
        return h2(error);
    }
    if find::<TooMuch>(error).is_some() {
        return Ending::Protocol(TooMuch.to_string());
    }
    if let Some(error) = find::<io::Error>(error) {
        return stream(error);
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return Ending::Incomplete("it was closed".to_owned());
    }
    Ending::Protocol(error.to_string())
}

/// Whether the failure is one that a server makes without having looked at the request, as far as
/// its kind can tell.
pub(super) fn is_unanswered(error: &hyper::Error) -> bool {
    if let Some(error) = find::<h2::Error>(error)
        && !error.is_io()
    {
        let reason = error.reason();
        return error.is_remote()
            // RFC 9113, 8.7: such a request was not processed.
            && (reason == Some(h2::Reason::REFUSED_STREAM)
                || (error.is_go_away() && reason == Some(h2::Reason::NO_ERROR)));
    }
    matches!(exchange(error), Ending::Reset(_) | Ending::Incomplete(_))
}

/// Whether a head had too many headers or bytes. hyper has a method for this in servers only.
pub(super) fn is_too_large(error: &hyper::Error) -> bool {
    error.is_parse() && error.to_string().starts_with("message head is too large")
}

/// Whether hyper could not read a response over HTTP/1, by its head or by the framing of its body.
pub(super) fn is_unreadable(error: &hyper::Error) -> bool {
    if error.is_parse() {
        return !is_too_large(error);
    }
    let kind = find::<io::Error>(error).map(io::Error::kind);
    matches!(
        kind,
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
    ) && find::<TooMuch>(error).is_none()
        && find::<rustls::Error>(error).is_none()
}

/// Classifies a failed read or write.
pub(super) fn stream(error: &io::Error) -> Ending {
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected => Ending::Reset("it was reset".to_owned()),
        io::ErrorKind::UnexpectedEof => Ending::Incomplete("it was closed".to_owned()),
        _ => Ending::Protocol(error.to_string()),
    }
}

/// Classifies a connection that could not be opened: a fact of the server, or of the local host.
pub(super) fn connect(error: &io::Error) -> Ending {
    if is_local(error) {
        return Ending::Local(format!("cannot open a socket: {error}"));
    }
    // A kind has the same text on every system; that of `Other` explains nothing.
    let reason = match error.kind() {
        io::ErrorKind::Other => error.to_string(),
        kind => kind.to_string(),
    };
    Ending::Connect(reason)
}

/// Whether the local host has run out of file handles, ports or memory.
pub(super) fn is_local(error: &io::Error) -> bool {
    // No buffer space, and no file handle left for the system or for the process.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const EXHAUSTED: &[i32] = &[105, 23, 24];
    #[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
    const EXHAUSTED: &[i32] = &[55, 23, 24];
    // WSAENOBUFS and WSAEMFILE.
    #[cfg(not(unix))]
    const EXHAUSTED: &[i32] = &[10_055, 10_024];
    matches!(
        error.kind(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::OutOfMemory
    ) || error
        .raw_os_error()
        .is_some_and(|code| EXHAUSTED.contains(&code))
}

fn h2(error: &h2::Error) -> Ending {
    let reason = error
        .reason()
        .map_or_else(|| error.to_string(), |reason| reason.to_string());
    match (error.is_remote(), error.is_reset()) {
        (true, true) => Ending::Reset(format!("the stream was reset: {reason}")),
        (true, false) => Ending::Reset(format!("the server ended it: {reason}")),
        (false, _) => Ending::Protocol(reason),
    }
}

/// The first error of type `E` in the chain of causes.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An `io::Error` does not give the error it wraps as its source, but that one's source.
        if let Some(found) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref())
        {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhaustion_is_recognized_by_the_codes_of_the_system() {
        let (exhausted, other) = if cfg!(any(target_os = "linux", target_os = "android")) {
            // 55 is ENOANO here.
            ([105, 23, 24].as_slice(), 55)
        } else if cfg!(unix) {
            ([55, 23, 24].as_slice(), 105)
        } else {
            ([10_055, 10_024].as_slice(), 105)
        };
        for code in exhausted {
            assert!(is_local(&io::Error::from_raw_os_error(*code)), "{code}");
        }
        assert!(!is_local(&io::Error::from_raw_os_error(other)));
    }
}
