//! Scans of URLs that were scanned before.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use greenlight::{
    probe::{AddressPolicy, Probe},
    sandbox::Sandbox,
};
use serde_json::Value;

use super::{
    Serving, builder, json, runtime,
    scan::{Place, id},
};
use crate::images::png;

/// A site with one image, which counts its downloads.
struct Site {
    address: SocketAddr,
    downloads: Arc<AtomicUsize>,
}

impl Site {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let downloads = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&downloads);
        let image = png(300, 260, 0);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            image.len()
        );
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                    request.push(byte[0]);
                }
                stream
                    .write_all(&[head.as_bytes(), &image].concat())
                    .unwrap();
            }
        });
        Self { address, downloads }
    }

    fn downloads(&self) -> usize {
        self.downloads.load(Ordering::Relaxed)
    }

    fn serve(&self, place: &Place, sandbox: &Sandbox, age: Option<Duration>) -> Serving {
        let mut moderation = place.moderation(&sandbox.endpoint());
        if let Some(age) = age {
            moderation = moderation.url_age(age);
        }
        let allowed = format!("127.0.0.1/32:{}", self.address.port());
        let policy = AddressPolicy::new().allow(&allowed).unwrap();
        let probe = Probe::builder().policy(policy).build().unwrap();
        Serving::start(builder().moderation(moderation).probe(probe), runtime())
    }

    fn scan(&self, server: &Serving, query: &str) -> Value {
        let body = serde_json::json!({ "url": format!("http://{}/a.png", self.address) });
        let path = format!("/v1/scan?wait=30{query}");
        let scan = json(&server.post(&path, "application/json", body.to_string().as_bytes()));
        assert_eq!(scan["decision"], "pass", "{scan}");
        scan
    }
}

#[test]
fn a_url_is_not_downloaded_again_within_its_age() {
    let site = Site::new();
    let place = Place::new();
    let keeper = runtime();
    let sandbox = keeper.block_on(Sandbox::start()).unwrap();
    let hour = Some(Duration::from_secs(3_600));
    let server = site.serve(&place, &sandbox, hour);
    let first = site.scan(&server, "");
    assert_eq!(site.scan(&server, ""), first);
    let other = site.scan(&server, "&dataId=order-2");
    assert_ne!(id(&other), id(&first), "each data id has its own scan");
    assert_eq!(other["data_id"], "order-2");
    assert_eq!(site.scan(&server, "&dataId=order-2"), other);
    assert_eq!(site.downloads(), 1);
    drop(server);
    // The ledger knows it.
    let server = site.serve(&place, &sandbox, hour);
    assert_eq!(site.scan(&server, ""), first);
    assert_eq!(site.downloads(), 1);
    // Other requirements need the bytes.
    site.scan(&server, "&max_bytes=100000");
    assert_eq!(site.downloads(), 2);
    assert_eq!(sandbox.paid(), 1);
}

#[test]
fn a_url_is_downloaded_again_after_its_age_and_by_default() {
    let site = Site::new();
    let keeper = runtime();
    let sandbox = keeper.block_on(Sandbox::start()).unwrap();
    let place = Place::new();
    let server = site.serve(&place, &sandbox, Some(Duration::from_secs(1)));
    let first = site.scan(&server, "");
    thread::sleep(Duration::from_millis(1_500));
    assert_eq!(
        site.scan(&server, ""),
        first,
        "equal bytes are the same scan"
    );
    assert_eq!(site.downloads(), 2);
    drop(server);
    let server = site.serve(&place, &sandbox, None);
    site.scan(&server, "");
    assert_eq!(site.downloads(), 3);
    assert_eq!(sandbox.paid(), 1, "it is paid for once in any case");
}
