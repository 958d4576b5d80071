//! A database that is far away: a round trip takes longer than all of its work.

#![expect(clippy::disallowed_methods, reason = "tests measure time")]

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::Child,
    thread,
    time::{Duration, Instant},
};

use url::Url;

use super::{Run, Service, sources};
use crate::postgres_server::fresh_url;

/// A round trip takes twice as long. A call of the ledger takes several, and with them longer than
/// the interval at which progress is shown.
const ONE_WAY: Duration = Duration::from_millis(60);

/// Returns the URL of the database behind a relay that delays every message.
fn far_away(near: &str) -> String {
    let mut url = Url::parse(near).unwrap();
    let (host, port) = (url.host_str().unwrap(), url.port().unwrap_or(5432));
    let server = format!("{host}:{port}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(&server) else {
                continue;
            };
            let (from_client, to_server) = (client.try_clone(), server.try_clone());
            thread::spawn(|| forward(from_client.unwrap(), to_server.unwrap()));
            thread::spawn(|| forward(server, client));
        }
    });
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(address.port())).unwrap();
    url.into()
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    to.set_nodelay(true).unwrap();
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(len @ 1..) = from.read(&mut bytes) {
        thread::sleep(ONE_WAY);
        if to.write_all(&bytes[..len]).is_err() {
            break;
        }
    }
    // The other side is gone already if this fails.
    drop(to.shutdown(Shutdown::Write));
}

/// Returns what the process did, after at most a minute.
fn ended(mut child: Child) -> Run {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(50));
    }
    Run::of(child)
}

#[test]
fn outcomes_are_printed_although_reading_them_takes_longer_than_a_tick() {
    let Some(near) = fresh_url() else {
        return;
    };
    let service = Service::new("far");
    let urls = service.list("list.txt", 3);
    let scan = ended(service.scan_list(&far_away(&near), &[]));
    assert_eq!(scan.code, Some(0), "{scan}");
    assert_eq!(sources(&scan.stdout), urls);
    assert_eq!(service.sandbox.paid(), 3);
}
