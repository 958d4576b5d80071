//! HTTP/1.1 over a socket, written and read by hand: requests that no client library would send.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::io::Read;

/// A response, split into status, head and body.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn code(&self) -> String {
        let document: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        document["code"].as_str().unwrap().to_owned()
    }
}

/// Reads one response of the declared length.
pub(crate) fn read(stream: &mut impl Read) -> Reply {
    try_read(stream).expect("a response")
}

pub(crate) fn try_read(stream: &mut impl Read) -> Option<Reply> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let len = header(&head, "content-length").map_or(0, |len| len.parse().unwrap());
    let mut body = vec![0; len];
    stream.read_exact(&mut body).ok()?;
    Some(Reply {
        status,
        head,
        body: String::from_utf8(body).unwrap(),
    })
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find_map(|(held, value)| held.eq_ignore_ascii_case(name).then_some(value))
}

pub(crate) const FORM: &str = "multipart/form-data; boundary=xYzZY";

pub(crate) fn head(path: &str, content_type: &str, len: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: {content_type}\r\n\
         Content-Length: {len}\r\n\r\n"
    )
}

/// A form of fields: their Content-Disposition parameters, and their bytes.
pub(crate) fn form(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (disposition, bytes) in fields {
        form.extend(
            format!("--xYzZY\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").bytes(),
        );
        form.extend(*bytes);
        form.extend(b"\r\n");
    }
    form.extend(b"--xYzZY--\r\n");
    form
}

pub(crate) fn image_form(image: &[u8]) -> Vec<u8> {
    form(&[(r#"name="image"; filename="photo.png""#, image)])
}

/// The same bytes under `Transfer-Encoding: chunked`, in chunks of `size`.
pub(crate) fn chunked(path: &str, content_type: &str, bytes: &[u8], size: usize) -> Vec<u8> {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: {content_type}\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for chunk in bytes.chunks(size) {
        request.extend(format!("{:x}\r\n", chunk.len()).bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    request
}
