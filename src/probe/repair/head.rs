//! The head of a response, read as curl reads it.

use http::HeaderName;

use super::Malformed;

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// The head of the response, after that of an interim one.
    Interim,
    Chunked,
    /// A body that hyper frames by its length or the connection's end.
    Other,
}

/// The line without its end.
pub(super) fn trim_end(line: &[u8]) -> &[u8] {
    let mut line = line;
    while let [rest @ .., b'\n' | b'\r'] = line {
        line = rest;
    }
    line
}

/// Returns whether the version is 1.0, and the status.
pub(super) fn status_line(line: &[u8]) -> Result<(bool, u16), Malformed> {
    let malformed = Malformed("the status line is malformed");
    let (name, rest) = line.split_at_checked(5).ok_or(malformed)?;
    if !name.eq_ignore_ascii_case(b"HTTP/") {
        return Err(malformed);
    }
    let end = rest
        .iter()
        .position(|byte| *byte == b' ')
        .ok_or(malformed)?;
    let (version, rest) = rest.split_at(end);
    let is_old = match version {
        b"1.0" => true,
        // curl accepts the versions of HTTP/2 in a text head too.
        b"1.1" | b"2" | b"2.0" => false,
        _ => return Err(Malformed("the version of HTTP is unknown")),
    };
    let digits: Vec<u8> = rest
        .trim_ascii_start()
        .iter()
        .copied()
        .take_while(u8::is_ascii_digit)
        // One more than a status has, so that a longer number is refused and not cut.
        .take(4)
        .collect();
    let status = str::from_utf8(&digits)
        .ok()
        .and_then(|text| text.parse().ok());
    match status {
        Some(status @ 100..=999) => Ok((is_old, status)),
        _ => Err(malformed),
    }
}

/// Writes a head for hyper. Returns how its body is framed.
pub(super) fn repair_head(head: &[u8], ready: &mut Vec<u8>) -> Result<Framing, Malformed> {
    if head.contains(&0) {
        return Err(Malformed("the head holds a NUL byte"));
    }
    let mut lines = head.split(|byte| *byte == b'\n').map(trim_end);
    let (is_old, status) = status_line(lines.next().unwrap_or_default())?;
    let mut fields = fields(lines);
    let codings = transfer_codings(&fields);
    // RFC 9112, 6.3: only a final `chunked` frames the body.
    let is_chunked = codings.last().is_some_and(|coding| coding == "chunked");
    let length = if codings.is_empty() {
        length(&fields)?
    } else {
        None // The framing by a transfer coding overrides a length (RFC 9112, 6.3).
    };
    fields.retain(|(name, _)| {
        ![
            http::header::CONNECTION,
            http::header::CONTENT_LENGTH,
            http::header::TRANSFER_ENCODING,
        ]
        .contains(name)
    });
    // hyper knows no transfer coding in 1.0.
    let minor = u8::from(!(is_old && codings.is_empty()));
    ready.extend(format!("HTTP/1.{minor} {status} \r\n").into_bytes());
    // Final responses: the connection is not used again after a repair.
    if status == 101 || status >= 200 {
        ready.extend(b"Connection: close\r\n");
    }
    if let Some(length) = length {
        ready.extend(format!("Content-Length: {length}\r\n").into_bytes());
    }
    if !codings.is_empty() {
        ready.extend(format!("Transfer-Encoding: {}\r\n", codings.join(", ")).into_bytes());
    }
    for (name, value) in fields {
        ready.extend(name.as_str().as_bytes());
        ready.extend(b": ");
        ready.extend(value);
        ready.extend(b"\r\n");
    }
    ready.extend(b"\r\n");
    Ok(match status {
        101 => Framing::Other,
        100..=199 => Framing::Interim,
        _ if is_chunked => Framing::Chunked,
        _ => Framing::Other,
    })
}

/// The fields of a head. Lines that are none, and values with control characters, are ignored.
fn fields<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<(HeaderName, Vec<u8>)> {
    let mut fields: Vec<(Option<HeaderName>, Vec<u8>)> = Vec::new();
    for line in lines {
        // A folded line (RFC 9112, 5.2).
        if let [b' ' | b'\t', rest @ ..] = line {
            if let Some((_, value)) = fields.last_mut() {
                value.push(b' ');
                value.extend(rest.trim_ascii());
            }
            continue;
        }
        let colon = memchr::memchr(b':', line);
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.get(1..).unwrap_or_default();
        let name = colon.and_then(|_| HeaderName::from_bytes(name.trim_ascii_end()).ok());
        fields.push((name, value.trim_ascii().to_vec()));
    }
    let is_text = |value: &[u8]| {
        let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        !value.iter().any(is_control)
    };
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name?, value.trim_ascii().to_vec())))
        .filter(|(_, value)| is_text(value))
        .collect()
}

/// The transfer codings but `identity`, each once; `chunked` is the last.
fn transfer_codings(fields: &[(HeaderName, Vec<u8>)]) -> Vec<String> {
    let mut codings: Vec<String> = Vec::new();
    for (_, value) in fields
        .iter()
        .filter(|(name, _)| *name == http::header::TRANSFER_ENCODING)
    {
        for coding in value.split(|byte| *byte == b',') {
            let coding = String::from_utf8_lossy(coding).trim().to_ascii_lowercase();
            if !coding.is_empty() && coding != "identity" && !codings.contains(&coding) {
                codings.push(coding);
            }
        }
    }
    // Only as the last does it divide a response into chunks (RFC 9112, 6.3).
    codings.sort_by_key(|coding| coding == "chunked");
    codings
}

/// The length of the body. Text after its digits is ignored, but not in `0x10`, which curl reads as 0. A number beyond all sizes is no length:
/// the body ends with the connection.
fn length(fields: &[(HeaderName, Vec<u8>)]) -> Result<Option<u64>, Malformed> {
    let mut lengths: Vec<Option<u64>> = Vec::new();
    for (_, value) in fields
        .iter()
        .filter(|(name, _)| *name == http::header::CONTENT_LENGTH)
    {
        for part in value.split(|byte| *byte == b',') {
            let part = part.trim_ascii();
            let part = part.strip_prefix(b"+").unwrap_or(part);
            let digits = part.iter().take_while(|byte| byte.is_ascii_digit());
            let count = digits.count();
            let digits = part.get(..count).unwrap_or_default();
            let rest = part.get(count..).unwrap_or_default();
            if digits.is_empty() || rest.starts_with(b"x") || rest.starts_with(b"X") {
                return Err(Malformed("the Content-Length is not a number"));
            }
            let length = str::from_utf8(digits)
                .ok()
                .and_then(|text| text.parse().ok());
            lengths.push(length.filter(|length| i64::try_from(*length).is_ok()));
        }
    }
    lengths.dedup();
    match lengths.as_slice() {
        [] => Ok(None),
        [length] => Ok(*length),
        // RFC 9112, 6.3: different lengths are a sign of response splitting.
        _ => Err(Malformed("two lengths differ")),
    }
}
