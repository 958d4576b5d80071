//! A server on loopback that sends scripted responses, byte for byte, and records requests.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use greenlight::green::{Client, ClientBuilder, Credentials, Secret};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// The server's reaction to one request.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Responds with a status, headers and a body.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Writes these bytes as they are and closes.
    Raw(Vec<u8>),
    /// Writes these bytes as they are, and closes only after this long.
    RawStall(Vec<u8>, Duration),
    /// Reads the request and closes without a response.
    Close,
    /// Waits for this long, then closes without a response.
    Stall(Duration),
}

impl Step {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Answer(status, Vec::new(), body.to_string().into_bytes())
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::Answer(status, Vec::new(), body.as_bytes().to_vec())
    }

    pub(crate) fn with_header(self, name: &'static str, value: &str) -> Self {
        match self {
            Self::Answer(status, mut headers, body) => {
                headers.push((name, value.to_owned()));
                Self::Answer(status, headers, body)
            }
            other => other,
        }
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The server. It stops with the test's runtime.
#[derive(Clone)]
pub(crate) struct Server {
    address: std::net::SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

type Script = Arc<Mutex<Box<dyn FnMut(&Request) -> Step + Send>>>;

impl Server {
    /// Serves the steps one after the other; after the last, it closes connections unanswered.
    pub(crate) async fn steps(steps: impl IntoIterator<Item = Step>) -> Self {
        let mut steps: VecDeque<Step> = steps.into_iter().collect();
        Self::with(move |_| steps.pop_front().unwrap_or(Step::Close)).await
    }

    /// Serves the reaction that a function returns for each request.
    pub(crate) async fn with(script: impl FnMut(&Request) -> Step + Send + 'static) -> Self {
        Self::at(([127, 0, 0, 1], 0).into(), script).await
    }

    /// Like [`with`](Self::with), at a given address.
    pub(crate) async fn at(
        address: std::net::SocketAddr,
        script: impl FnMut(&Request) -> Step + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
        };
        let script: Script = Arc::new(Mutex::new(Box::new(script)));
        let requests = Arc::clone(&server.requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&requests)));
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        Client::builder()
            .endpoint(&self.url())
            .credentials(Credentials::new(
                "LTAIexample",
                Secret::new("example-secret"),
            ))
            .poll_interval(Duration::from_millis(10))
    }

    pub(crate) fn client(&self) -> Client {
        self.builder().build().unwrap()
    }
}

async fn serve(mut stream: TcpStream, script: Script, requests: Arc<Mutex<Vec<Request>>>) {
    let mut held = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut held).await {
        let step = {
            requests.lock().unwrap().push(request.clone());
            (script.lock().unwrap())(&request)
        };
        match step {
            Step::Answer(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    head = format!("{head}{name}: {value}\r\n");
                }
                head.push_str("\r\n");
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(&body).await;
            }
            Step::Raw(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return;
            }
            Step::RawStall(bytes, time) => {
                let _ = stream.write_all(&bytes).await;
                tokio::time::sleep(time).await;
                return;
            }
            Step::Close => return,
            Step::Stall(time) => {
                tokio::time::sleep(time).await;
                return;
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream, held: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(end) = held.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(held).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(held[..end].to_vec()).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(0, |(_, value)| value.parse().unwrap());
    while held.len() < end + length {
        if stream.read_buf(held).await.ok()? == 0 {
            return None;
        }
    }
    let body = held[end..end + length].to_vec();
    held.drain(..end + length);
    Some(Request {
        method,
        path,
        headers,
        body,
    })
}
