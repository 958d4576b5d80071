//! An outage of the service under each policy.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use greenlight::{sandbox::Sandbox, serve::OnOutage};
use serde_json::Value;
use tokio::runtime::Runtime;

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

/// A server after an outage of the service.
struct Survivor {
    policy: OnOutage,
    sandbox: Sandbox,
    /// Ends after the server.
    _keeper: Runtime,
    server: Serving,
    images: u32,
    /// Scans that the outage left undecided.
    ids: Vec<String>,
    _place: Place,
}

impl Survivor {
    fn post(&mut self, wait: u32) -> (u16, Value) {
        self.images += 1;
        let path = format!("/v1/scan?wait={wait}");
        let reply = (self.server).post(&path, "image/png", &png(300, 256 + self.images, 0));
        (reply.status, json(&reply))
    }

    /// Scans during an outage of `time` and checks each response.
    fn of(policy: OnOutage, time: Duration) -> Self {
        let keeper = runtime();
        let sandbox = keeper.block_on(Sandbox::start()).unwrap();
        let line = Line::to(sandbox.address());
        let place = Place::new();
        let endpoint = format!("http://{}", line.address);
        let mut survivor = Self {
            policy,
            sandbox,
            _keeper: keeper,
            server: place.serve(&endpoint, policy, runtime()),
            images: 0,
            ids: Vec::new(),
            _place: place,
        };
        survivor.passes();

        line.interrupt();
        let began = Instant::now();
        while began.elapsed() < time {
            survivor.is_not_inspected();
        }
        assert_eq!(survivor.server.get("/readyz").status, 503, "{policy}");
        line.resume();
        survivor
    }

    fn passes(&mut self) {
        let (status, scan) = self.post(30);
        assert_eq!(
            (status, &scan["decision"]),
            (200, &"pass".into()),
            "{} {scan}",
            self.policy
        );
    }

    fn is_not_inspected(&mut self) {
        let policy = self.policy;
        let (status, action) = match policy {
            OnOutage::Hold => (202, "hold"),
            OnOutage::Allow => (200, "allow"),
            OnOutage::Deny => (200, "deny"),
        };
        let (found, scan) = self.post(1);
        assert_eq!(found, status, "{policy} {scan}");
        assert_eq!(
            (&scan["decision"], &scan["action"], &scan["is_final"]),
            (&"not-inspected".into(), &action.into(), &false.into()),
            "{policy}"
        );
        let later = json(&self.server.get(&format!("/v1/scans/{}", id(&scan))));
        assert_eq!(later, scan, "{policy}");
        self.ids.push(id(&scan).to_owned());
    }

    /// The pause before the next attempt is as long as the outage, and a request without a response is not repeated for a
    /// minute, because it may have been paid.
    fn every_scan_ends(&self) {
        for id in &self.ids {
            let read = || json(&self.server.get(&format!("/v1/scans/{id}?wait=10")));
            let last = (0..18)
                .map(|_| read())
                .find(|scan| scan["is_final"] == true);
            let last = last.expect("each scan ends");
            assert_eq!(
                (&last["decision"], &last["action"]),
                (&"pass".into(), &"allow".into()),
                "{}",
                self.policy
            );
        }
    }

    fn counts_each_image_once(&self) {
        assert_eq!(
            self.sandbox.paid(),
            u64::from(self.images),
            "{}",
            self.policy
        );
        let passed = format!(
            "greenlight_scans_total{{decision=\"pass\"}} {}",
            self.images
        );
        let metrics = self.server.get("/metrics").body;
        assert!(
            metrics.lines().any(|line| line == passed),
            "{passed}: {metrics}"
        );
    }
}

fn is_ready(server: &Serving) -> bool {
    (0..100).any(|_| {
        thread::sleep(Duration::from_millis(100));
        server.get("/readyz").status == 200
    })
}

fn under_each_policy(time: Duration, then: impl Fn(Survivor) + Sync) {
    thread::scope(|scope| {
        for policy in OnOutage::ALL {
            scope.spawn(|| then(Survivor::of(*policy, time)));
        }
    });
}

#[test]
fn scans_during_an_outage_follow_the_policy_and_later_ones_pass() {
    under_each_policy(Duration::from_secs(5), |mut survivor| {
        survivor.passes();
        assert!(is_ready(&survivor.server), "{}", survivor.policy);
    });
}

#[test]
#[ignore = "slow: an outage of a minute"]
fn scans_survive_an_outage_of_a_minute_under_each_policy() {
    under_each_policy(Duration::from_secs(60), |mut survivor| {
        survivor.every_scan_ends();
        survivor.passes();
        assert!(is_ready(&survivor.server), "{}", survivor.policy);
        survivor.counts_each_image_once();
    });
}
