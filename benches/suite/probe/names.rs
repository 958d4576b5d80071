//! Good names among names whose name server does not respond.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use greenlight::{
    Depth, ImageUrl, Requirements,
    probe::{AddressPolicy, Probe},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
    runtime::Builder,
    task::JoinSet,
};

use super::files::jpeg;
use crate::harness::{Kind, Rounds, Scale, Side, Suite, Unit};

pub(super) fn run(suite: &mut Suite) {
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    let rounds = Rounds::Exactly(if suite.scale <= Scale::Quick { 1 } else { 3 });
    let side = |who, kind, with_dead| {
        let runtime = &runtime;
        let mut round = 0;
        Side::new(who, kind, move || {
            round += 1;
            runtime.block_on(good_names(round, with_dead))
        })
    };
    let sides = vec![
        side("greenlight", Kind::Ours, true),
        side("alone", Kind::Limit, false),
    ];
    let name = "probe/names/http/1000-among-1000-dead";
    suite.compare(name, Unit::Nanoseconds, None, rounds, sides);
}

/// Returns the nanoseconds until all of 1,000 good names are checked.
async fn good_names(round: u32, with_dead: bool) -> f64 {
    let dns = name_server().await;
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let file: Arc<[u8]> = jpeg(1, 50_000).into();
        loop {
            let (mut stream, _) = server.accept().await.unwrap();
            let file = Arc::clone(&file);
            tokio::spawn(async move {
                let mut request = [0; 2_048];
                let _ = stream.read(&mut request).await;
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", file.len());
                let _ = stream.write_all(&[head.as_bytes(), &file].concat()).await;
            });
        }
    });
    let probe = Probe::builder()
        .policy(AddressPolicy::new().allow("127.0.0.1").unwrap())
        .name_servers([dns])
        .depth(Depth::Header)
        .build()
        .unwrap();
    let begun = Instant::now();
    let (mut good, mut dead) = (JoinSet::new(), JoinSet::new());
    for at in 0..1_000 {
        let check = |kind: &str| {
            let url = format!("http://{kind}{at}-{round}.example:{port}/image.jpg");
            let (probe, url) = (probe.clone(), ImageUrl::parse(&url).unwrap());
            async move { probe.download(&url, &Requirements::ASYNC).await }
        };
        if with_dead {
            dead.spawn(check("dead"));
        }
        good.spawn(check("good"));
    }
    while let Some(download) = good.join_next().await {
        let download = download.unwrap();
        assert_eq!(download.status(), Some(200), "{download:?}");
    }
    serving.abort();
    begun.elapsed().as_secs_f64() * 1e9
}

/// Runs a name server that resolves every name to 127.0.0.1, but does not respond for dead names.
async fn name_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0; 1_500];
        loop {
            let (_, from) = socket.recv_from(&mut query).await.unwrap();
            if query[13..].starts_with(b"dead") {
                continue;
            }
            let end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
            let is_a = query[end - 3] == 1;
            let mut answer = query[..end].to_vec();
            answer[2..4].copy_from_slice(&[0x81, 0x80]);
            answer[6..12].copy_from_slice(&[0, u8::from(is_a), 0, 0, 0, 0]);
            if is_a {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            }
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    address
}
