//! A small web site on loopback: one file per path, each with a configurable delay.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

pub(crate) struct Site {
    address: SocketAddr,
    has_been_asked: Arc<AtomicBool>,
}

#[derive(Clone)]
pub(crate) struct Page {
    status: &'static str,
    head: String,
    body: Vec<u8>,
    delay: Duration,
    needs: &'static [&'static str],
}

impl Page {
    pub(crate) fn image(media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: "200 OK",
            head: format!("Content-Type: {media_type}\r\n"),
            body: body.into(),
            delay: Duration::ZERO,
            needs: &[],
        }
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self {
            status: "302 Found",
            head: format!("Location: {to}\r\n"),
            body: Vec::new(),
            delay: Duration::ZERO,
            needs: &[],
        }
    }

    /// The file is served only to requests with these header lines.
    pub(crate) fn only_with(mut self, lines: &'static [&'static str]) -> Self {
        self.needs = lines;
        self
    }

    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

impl Site {
    pub(crate) fn start(pages: impl IntoIterator<Item = (&'static str, Page)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let pages: HashMap<_, _> = pages.into_iter().collect();
        let pages = Arc::new(pages);
        let has_been_asked = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&has_been_asked);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                asked.store(true, Ordering::SeqCst);
                let pages = Arc::clone(&pages);
                thread::spawn(move || answer(&stream, &pages));
            }
        });
        Self {
            address,
            has_been_asked,
        }
    }

    pub(crate) fn wait_for_a_request(&self) {
        while !self.has_been_asked.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the value of `--allow-address` for this site only.
    pub(crate) fn allowed(&self) -> String {
        format!("127.0.0.1/32:{}", self.address.port())
    }

    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }
}

fn answer(stream: &TcpStream, pages: &HashMap<&str, Page>) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    loop {
        let request = lines.next()?.ok()?;
        let path = request.split(' ').nth(1)?.to_owned();
        let mut headers = Vec::new();
        loop {
            match lines.next()?.ok()? {
                line if line.is_empty() => break,
                line => headers.push(line),
            }
        }
        let missing = Page {
            status: "404 Not Found",
            ..Page::image("text/plain", "nothing here")
        };
        let has = |line: &&str| headers.iter().any(|own| own.eq_ignore_ascii_case(line));
        let page = pages
            .get(path.as_str())
            .filter(|page| page.needs.iter().all(has));
        let page = page.cloned().unwrap_or(missing);
        thread::sleep(page.delay);
        let head = format!(
            "HTTP/1.1 {}\r\n{}Content-Length: {}\r\n\r\n",
            page.status,
            page.head,
            page.body.len()
        );
        let mut stream = stream;
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(&page.body).ok()?;
    }
}
