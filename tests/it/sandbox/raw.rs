//! A client with its own signer and HTTP code, so that it can send invalid requests.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use greenlight::sandbox::Sandbox;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use serde_json::Value;
use sha1::Sha1;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The time of every signed request here: the sandbox's clock is set to it.
pub(crate) const DATE: &str = "Tue, 17 Jan 2017 10:16:36 GMT";

pub(crate) fn date() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_484_648_196)
}

/// A request to send.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Returns a POST with all documented headers except `Authorization`.
    pub(crate) fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let md5 = STANDARD.encode(Md5::digest(&body));
        let mut request = Self::new("POST", target);
        request.body = body;
        request
            .with("accept", "application/json")
            .with("content-type", "application/json")
            .with("content-md5", &md5)
            .with("date", DATE)
            .with("x-acs-version", "2018-05-09")
            .with("x-acs-signature-method", "HMAC-SHA1")
            .with("x-acs-signature-version", "1.0")
    }

    /// Sets a header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(held, _)| held != name);
        self
    }

    /// Signs the request in its current state.
    pub(crate) fn signed(self, id: &str, secret: &str) -> Self {
        let text = self.string_to_sign();
        let mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes())
            .expect("HMAC takes keys of any length")
            .chain_update(text.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        self.with("authorization", &format!("acs {id}:{signature}"))
    }

    pub(crate) fn signed_for(self, sandbox: &Sandbox) -> Self {
        let key = sandbox.credentials();
        self.signed(key.id(), key.secret())
    }

    /// Signs the request, if its query needs no decoding.
    pub(crate) fn string_to_sign(&self) -> String {
        let value = |name: &str| {
            let held = self.headers.iter().find(|(held, _)| held == name);
            held.map_or("", |(_, value)| value.as_str())
        };
        let mut extensions: Vec<_> = self
            .headers
            .iter()
            .filter(|(name, _)| name.starts_with("x-acs-"))
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        extensions.sort();
        let plain = ["accept", "content-md5", "content-type", "date"].map(value);
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let mut parameters: Vec<_> = query.split('&').collect();
        parameters.sort_unstable();
        let joint = if query.is_empty() { "" } else { "?" };
        format!(
            "{}\n{}\n{}{path}{joint}{}",
            self.method,
            plain.join("\n"),
            extensions.concat(),
            parameters.join("&")
        )
    }

    /// Sends the request and reads until the connection closes; `None` without a response.
    pub(crate) async fn send(&self, to: SocketAddr) -> Option<Answer> {
        let mut stream = connect(to).await;
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let names = |name: &str| self.headers.iter().any(|(held, _)| held == name);
        if !names("host") {
            let _ = write!(text, "host: {to}\r\n");
        }
        if !names("content-length") && !names("transfer-encoding") {
            let _ = write!(text, "content-length: {}\r\n", self.body.len());
        }
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str("connection: close\r\n\r\n");
        // A server that rejects early may close before it has read the whole request.
        let _ = stream.write_all(text.as_bytes()).await;
        let _ = stream.write_all(&self.body).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        Answer::parse(&bytes)
    }

    /// Sends the request to a sandbox and returns its response.
    pub(crate) async fn ask(&self, sandbox: &Sandbox) -> Answer {
        let answer = self.send(sandbox.address()).await;
        answer.expect("the sandbox answers")
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's client, on loopback")]
async fn connect(to: SocketAddr) -> TcpStream {
    TcpStream::connect(to).await.expect("the sandbox listens")
}

/// A raw response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Some(Self {
            status,
            headers,
            body: bytes[end + 4..].to_vec(),
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let held = self.headers.iter().find(|(held, _)| held == name);
        held.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}
