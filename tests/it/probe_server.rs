//! A server on loopback that is controlled by the test, and the images that it serves.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "helpers of tests, with numbers of their own making"
)]

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use greenlight::{
    ImageUrl,
    probe::{AddressPolicy, Mode, Probe, ProbeBuilder},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time,
};

/// A listening socket on loopback whose connections a function of the test serves.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    task: JoinHandle<()>,
}

/// The requests of a server.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Seen {
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The heads of the requests, in the order they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// The server's end of one connection.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    /// Which connection it is, from 0.
    pub(crate) number: usize,
    seen: Arc<Seen>,
}

impl Server {
    pub(crate) async fn start<F, A>(serve: F) -> Self
    where
        F: Fn(Peer) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        Self::start_at("127.0.0.1:0", serve).await
    }

    pub(crate) async fn start_at<F, A>(address: &str, serve: F) -> Self
    where
        F: Fn(Peer) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        Self::try_start_at(address, serve).await.unwrap()
    }

    /// Fails if the address is in use.
    pub(crate) async fn try_start_at<F, A>(address: &str, serve: F) -> io::Result<Self>
    where
        F: Fn(Peer) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let noted = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                stream.set_nodelay(true).unwrap();
                let number = noted.connections.fetch_add(1, Ordering::SeqCst);
                let seen = Arc::clone(&noted);
                let serving = serve(Peer {
                    stream,
                    number,
                    seen,
                });
                // The server ends shortly after its test.
                tokio::spawn(time::timeout(Duration::from_secs(20), serving));
            }
        });
        Ok(Self {
            address,
            seen,
            task,
        })
    }

    /// Starts a server that sends the same bytes in response to every request and closes.
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::start(move |mut peer| {
            let answer = Arc::clone(&answer);
            async move {
                if peer.request().await.is_some() {
                    peer.send(&answer).await;
                    peer.close().await;
                }
            }
        })
        .await
    }

    pub(crate) fn url(&self, path: &str) -> ImageUrl {
        ImageUrl::parse(&format!("http://{}{path}", self.address)).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    /// Returns the head of the next request; `None` if the client has closed the connection.
    pub(crate) async fn request(&mut self) -> Option<String> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match self.stream.read(&mut byte).await {
                Ok(1) => head.push(byte[0]),
                _ => return None,
            }
        }
        let head = String::from_utf8(head).unwrap();
        self.seen.requests.lock().unwrap().push(head.clone());
        Some(head)
    }

    /// Sends as much as the client reads; returns whether it read all.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let mut bytes = bytes.as_ref();
        while !bytes.is_empty() {
            match self.stream.write(bytes).await {
                Ok(sent) => bytes = &bytes[sent..],
                Err(_) => return false,
            }
        }
        true
    }

    /// Sends `bytes` one by one, each after `pause`.
    pub(crate) async fn trickle(&mut self, bytes: &[u8], pause: Duration) -> bool {
        for byte in bytes {
            if !self.send([*byte]).await {
                return false;
            }
            time::sleep(pause).await;
        }
        true
    }

    /// Closes in order: the client reads to the end.
    pub(crate) async fn close(mut self) {
        let _ = self.stream.shutdown().await;
        let mut rest = [0; 1024];
        while matches!(self.stream.read(&mut rest).await, Ok(1..)) {}
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }

    /// Keeps the connection open and does nothing.
    pub(crate) async fn stall(self) {
        time::sleep(Duration::from_secs(15)).await;
    }
}

/// Returns a probe that may connect to loopback.
pub(crate) fn builder() -> ProbeBuilder {
    Probe::builder().policy(AddressPolicy::new().allow("127.0.0.0/8").unwrap())
}

pub(crate) fn probe(mode: Mode) -> Probe {
    builder().mode(mode).build().unwrap()
}

/// Returns a response with a correct head for `body`.
pub(crate) fn ok(content_type: &str, body: &[u8]) -> Vec<u8> {
    answer("200 OK", &[("Content-Type", content_type)], body)
}

/// Returns a response with `Content-Length`.
pub(crate) fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        answer.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    answer.extend(b"\r\n");
    answer.extend_from_slice(body);
    answer
}

/// Returns the response to a request: the requested range, or the whole file.
pub(crate) fn ranged(request: &str, content_type: &str, file: &[u8]) -> Vec<u8> {
    let Some((first, last)) = range(request) else {
        return ok(content_type, file);
    };
    if first >= file.len() {
        let range = format!("bytes */{}", file.len());
        return answer(
            "416 Range Not Satisfiable",
            &[("Content-Range", &range)],
            b"",
        );
    }
    let last = last.min(file.len() - 1);
    let range = format!("bytes {first}-{last}/{}", file.len());
    answer(
        "206 Partial Content",
        &[("Content-Type", content_type), ("Content-Range", &range)],
        &file[first..=last],
    )
}

/// Returns the range of a request.
pub(crate) fn range(request: &str) -> Option<(usize, usize)> {
    let range = header(request, "range")?;
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// Returns a header of a request.
pub(crate) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().find_map(|line| {
        let (own, value) = line.split_once(": ")?;
        own.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// Returns a complete PNG of black pixels, with `padding` bytes of text after its header.
pub(crate) fn png(width: u32, height: u32, padding: usize) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([1, 0, 0, 0, 0]);
    chunk(&mut file, *b"IHDR", &header);
    if padding > 0 {
        let mut text = b"Comment\0".to_vec();
        text.resize(8 + padding, b'.');
        chunk(&mut file, *b"tEXt", &text);
    }
    // One bit per pixel, no filter, in stored blocks (RFC 1950, RFC 1951).
    let rows = vec![0; height as usize * (1 + (width as usize).div_ceil(8))];
    let mut data = vec![0x78, 0x01];
    let mut blocks = rows.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        data.push(u8::from(blocks.peek().is_none()));
        data.extend((block.len() as u16).to_le_bytes());
        data.extend((!(block.len() as u16)).to_le_bytes());
        data.extend(block);
    }
    let sum = (rows.len() % 65_521) as u32;
    data.extend((sum << 16 | 1).to_be_bytes());
    chunk(&mut file, *b"IDAT", &data);
    chunk(&mut file, *b"IEND", b"");
    file
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    file.extend((data.len() as u32).to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend(data);
    let crc = crc32fast::hash(&file[start..]);
    file.extend(crc.to_be_bytes());
}

/// The beginning of a JPEG whose frame header comes after `padding` bytes of application data.
pub(crate) fn jpeg_head(width: u16, height: u16, padding: usize) -> Vec<u8> {
    let mut file = vec![0xff, 0xd8];
    for segment in vec![0; padding].chunks(60_000) {
        file.extend([0xff, 0xe1]);
        file.extend((segment.len() as u16 + 2).to_be_bytes());
        file.extend(segment);
    }
    file.extend([0xff, 0xc0, 0, 11, 8]);
    file.extend(height.to_be_bytes());
    file.extend(width.to_be_bytes());
    file.extend([1, 1, 0x11, 0]);
    file
}
