//! The probe compared with the maximum throughput and with a common implementation.
//!
//! A server on loopback has 22 JPEG files of 2.65 MB on average: plain, over TLS, and through a proxy
//! with a round-trip time of 20 ms; 16 requests are in flight. The server and each contender run in
//! their own processes, each on one thread. The contenders take turns:
//!
//! * `raw-range`: `Range: bytes=0-65535` with keep-alive, and the response is read and dropped: the
//!   maximum;
//! * `greenlight`: `Probe::check_all` in the mode that the name has;
//! * `reqwest`: a loop of `get`, `bytes` and `Inspection::at` at header depth;
//! * `reqwest-range`: the same with the Range.
//!
//! The values are probes per second, the client's CPU time per probe and the peak memory.
//!
//! `probe/names`: how long 1,000 names take among 1,000 whose name server does not respond, compared
//! with alone.

pub(crate) mod contender;
mod delay;
pub(crate) mod files;
mod names;

use std::{path::Path, time::Duration};

use crate::{
    harness::{Kind, Rounds, Scale, Side, Suite, Unit},
    process,
};

const IN_FLIGHT: usize = 16;
const ROUND_TRIP: Duration = Duration::from_millis(20);
const HOST: &str = "images.example";

pub(crate) fn run(suite: &mut Suite) {
    let (seconds, rounds) = match suite.scale {
        Scale::Once | Scale::Quick => (1, 1),
        Scale::Full | Scale::Long => (2, 3),
    };
    let mut server = None;
    for scheme in ["http", "https"] {
        for distance in ["loopback", "20ms-away"] {
            let name = |unit: &str| format!("probe/{unit}/{scheme}/{distance}");
            let (rate, cpu, memory) = (name("rate"), name("cpu"), name("memory"));
            let is_skipped = suite.scale <= Scale::Quick && distance != "loopback";
            if is_skipped || ![&rate, &cpu, &memory].iter().any(|name| suite.wants(name)) {
                continue;
            }
            let server = server.get_or_insert_with(files::Server::start);
            let port = server.port(scheme);
            let port = if distance == "loopback" {
                port
            } else {
                delay::proxy(port)
            };
            let root = server.root.clone();
            let side = |who, kind, contender: &'static str| {
                let root = root.clone();
                Side::many(who, kind, move || {
                    measure(contender, scheme, port, seconds, &root)
                })
            };
            let sides = vec![
                side("greenlight", Kind::Ours, "header"),
                side("greenlight-full", Kind::Ours, "full"),
                side("reqwest", Kind::Peer, "reqwest"),
                side("reqwest-range", Kind::Peer, "reqwest-range"),
                side("raw-range", Kind::Limit, "raw-range"),
            ];
            let names = [
                (rate.as_str(), Unit::PerSecond),
                (&cpu, Unit::Nanoseconds),
                (&memory, Unit::Bytes),
            ];
            suite.compare_all(&names, None, Rounds::Exactly(rounds), sides);
        }
    }
    names::run(suite);
}

/// Runs one contender: probes per second, nanoseconds of CPU time per probe, and the peak memory.
fn measure(contender: &str, scheme: &str, port: u16, seconds: u64, root: &Path) -> Vec<f64> {
    let cpu = process::children_cpu();
    let (port, seconds) = (port.to_string(), seconds.to_string());
    let root = root.to_str().unwrap();
    let figures = process::numbers(&["probe", contender, scheme, &port, &seconds, root]);
    let cpu = process::children_cpu() - cpu;
    let [done, elapsed, memory] = figures[..] else {
        panic!("{figures:?}");
    };
    vec![done / elapsed, cpu * 1e9 / done, memory]
}
