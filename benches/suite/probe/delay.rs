//! A proxy that adds a round-trip time.

use std::{net::Ipv4Addr, thread};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    runtime,
    sync::mpsc,
    time,
};

use super::ROUND_TRIP;

/// Runs a proxy to `port` with a round-trip time of [`ROUND_TRIP`], also for opening a connection.
pub(super) fn proxy(port: u16) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let own = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (near, _) = listener.accept().await.unwrap();
                tokio::spawn(relay(near, port));
            }
        });
    });
    own
}

async fn relay(near: TcpStream, port: u16) {
    // Delays the connection by the round trip that loopback does not have.
    time::sleep(ROUND_TRIP).await;
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    tokio::join!(one_way(near_in, far_out), one_way(far_in, near_out));
}

/// Forwards bytes, each after half a round trip.
async fn one_way(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf) {
    // The bytes in flight: up to 64 chunks, which corresponds to a window of 4 MB.
    let (sender, mut receiver) = mpsc::channel::<(time::Instant, Vec<u8>)>(64);
    let reading = async move {
        loop {
            let mut piece = vec![0; 64 << 10];
            match from.read(&mut piece).await {
                Ok(len @ 1..) => piece.truncate(len),
                _ => return,
            }
            let due = time::Instant::now() + ROUND_TRIP / 2;
            if sender.send((due, piece)).await.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((due, piece)) = receiver.recv().await {
            time::sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(reading, writing);
}
