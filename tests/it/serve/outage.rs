//! An outage of the service under each policy.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use greenlight::{sandbox::Sandbox, serve::OnOutage};

use super::{
    Serving, json, runtime,
    scan::{Place, id},
};
use crate::images::png;

/// The connections to a server, which can be interrupted.
struct Line {
    address: SocketAddr,
    /// `None` during an outage.
    open: Arc<Mutex<Option<Vec<TcpStream>>>>,
}

impl Line {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let line = Self {
            address: listener.local_addr().unwrap(),
            open: Arc::new(Mutex::new(Some(Vec::new()))),
        };
        let open = Arc::clone(&line.open);
        thread::spawn(move || {
            for client in listener.incoming() {
                let mut open = open.lock().unwrap();
                let (Some(open), Ok(client)) = (open.as_mut(), client) else {
                    continue;
                };
                let server = TcpStream::connect(server).unwrap();
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    thread::spawn(move || {
                        let _ = io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
                open.extend([client, server]);
            }
        });
        line
    }

    fn interrupt(&self) {
        for stream in self.open.lock().unwrap().take().into_iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn resume(&self) {
        *self.open.lock().unwrap() = Some(Vec::new());
    }
}

/// Scans during an outage of `time`: each response, and what becomes of each image.
fn survive(policy: OnOutage, time: Duration) {
    let keeper = runtime();
    let sandbox = keeper.block_on(Sandbox::start()).unwrap();
    let line = Line::to(sandbox.address());
    let place = Place::new();
    let endpoint = format!("http://{}", line.address);
    let server = place.serve(&endpoint, policy, runtime());
    let mut images = 0;
    let mut post = |wait: u32| {
        images += 1;
        let path = format!("/v1/scan?wait={wait}");
        let reply = server.post(&path, "image/png", &png(300, 256 + images, 0));
        (reply.status, json(&reply))
    };
    let (status, before) = post(30);
    assert_eq!((status, &before["decision"]), (200, &"pass".into()));

    line.interrupt();
    let (status, action) = match policy {
        OnOutage::Hold => (202, "hold"),
        OnOutage::Allow => (200, "allow"),
        OnOutage::Deny => (200, "deny"),
    };
    let began = Instant::now();
    let mut ids = Vec::new();
    while began.elapsed() < time {
        let (found, scan) = post(1);
        assert_eq!(found, status, "{policy} {scan}");
        assert_eq!(
            (&scan["decision"], &scan["action"], &scan["is_final"]),
            (&"not-inspected".into(), &action.into(), &false.into()),
            "{policy}"
        );
        ids.push(id(&scan).to_owned());
        let later = json(&server.get(&format!("/v1/scans/{}", id(&scan))));
        assert_eq!(later, scan, "{policy}");
    }
    assert_eq!(server.get("/readyz").status, 503, "{policy}");
    line.resume();

    // The pause before the next attempt is as long as the outage.
    for id in &ids {
        let read = || json(&server.get(&format!("/v1/scans/{id}?wait=10")));
        let last = (0..18)
            .map(|_| read())
            .find(|scan| scan["is_final"] == true);
        let last = last.expect("each scan ends");
        assert_eq!(
            (&last["decision"], &last["action"]),
            (&"pass".into(), &"allow".into()),
            "{policy}"
        );
    }
    let (status, after) = post(30);
    assert_eq!(
        (status, &after["decision"]),
        (200, &"pass".into()),
        "{policy}"
    );
    assert!(is_ready(&server), "{policy}");
    assert_eq!(sandbox.paid(), u64::from(images), "{policy}");
    let passed = format!("greenlight_scans_total{{decision=\"pass\"}} {images}");
    let metrics = server.get("/metrics").body;
    assert!(
        metrics.lines().any(|line| line == passed),
        "{passed}: {metrics}"
    );
}

fn is_ready(server: &Serving) -> bool {
    (0..100).any(|_| {
        thread::sleep(Duration::from_millis(100));
        server.get("/readyz").status == 200
    })
}

fn under_each_policy(time: Duration) {
    thread::scope(|scope| {
        for policy in OnOutage::ALL {
            scope.spawn(move || survive(*policy, time));
        }
    });
}

#[test]
fn scans_survive_a_short_outage_under_each_policy() {
    under_each_policy(Duration::from_secs(5));
}

#[test]
#[ignore = "slow: an outage of a minute"]
fn scans_survive_an_outage_of_a_minute_under_each_policy() {
    under_each_policy(Duration::from_secs(60));
}
