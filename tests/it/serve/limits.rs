//! Limits, slow clients, sockets and the end of a server.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use greenlight::serve::Limits;

use super::{Serving, builder, json, limited, request, runtime, serve};
use crate::{
    images::png,
    wire::{header, read},
};

/// Sends the head and the first half of an upload. Returns the connection and the second half.
fn half(server: &Serving, image: &[u8]) -> (TcpStream, Vec<u8>) {
    let request = request("POST", "/v1/check", &[("Content-Type", "image/png")], image);
    let (first, second) = request.split_at(request.len() - image.len() / 2);
    let mut stream = server.connect();
    stream.write_all(first).unwrap();
    (stream, second.to_vec())
}

/// Waits until the server has this many uploads in progress.
fn await_uploads(server: &Serving, uploads: u32) {
    let expected = format!("greenlight_uploads_in_progress {uploads}\n");
    for _ in 0..400 {
        if server.get("/metrics").body.contains(&expected) {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("no {expected} in {}", server.get("/metrics").body);
}

#[test]
fn a_full_server_names_the_time_to_try_again() {
    let image = png(300, 260, 100_000);
    for (limits, code) in [
        (Limits::default().with_uploads(1), "server/too-many-uploads"),
        (
            Limits::default().with_bytes(150_000),
            "server/too-many-bytes",
        ),
    ] {
        let server = limited(limits);
        let (mut stream, rest) = half(&server, &image);
        await_uploads(&server, 1);
        for path in ["/v1/check", "/pict-rs"] {
            let reply = server.post(path, "image/png", &image);
            assert_eq!((reply.status, &*reply.code()), (503, code), "{reply:?}");
            assert_eq!(header(&reply.head, "retry-after"), Some("1"));
        }
        // The upload in progress is not disturbed, and its place is free afterwards.
        stream.write_all(&rest).unwrap();
        assert_eq!(json(&read(&mut stream))["decision"], "accept");
        await_uploads(&server, 0);
        assert_eq!(server.post("/v1/check", "image/png", &image).status, 200);
    }
}

#[test]
fn a_check_by_url_takes_a_place_too() {
    let server = limited(Limits::default().with_uploads(1));
    let (_stream, _) = half(&server, &png(300, 260, 100_000));
    await_uploads(&server, 1);
    let reply = server.post(
        "/v1/check-url",
        "application/json",
        br#"{"url": "http://a.example/"}"#,
    );
    assert_eq!(
        (reply.status, &*reply.code()),
        (503, "server/too-many-uploads")
    );
}

#[test]
fn an_aborted_upload_frees_its_place() {
    let server = limited(Limits::default().with_uploads(1));
    let image = png(300, 260, 100_000);
    let (stream, _) = half(&server, &image);
    await_uploads(&server, 1);
    drop(stream);
    await_uploads(&server, 0);
    assert_eq!(server.post("/v1/check", "image/png", &image).status, 200);
}

#[test]
fn an_image_larger_than_the_whole_budget_is_checked_alone() {
    let server = limited(Limits::default().with_bytes(10_000));
    let reply = server.post("/v1/check", "image/png", &png(300, 260, 100_000));
    assert_eq!(json(&reply)["decision"], "accept");
}

#[test]
fn a_client_without_a_request_head_is_disconnected() {
    let server = limited(Limits::default().with_head_time(Duration::from_millis(200)));
    for head in ["", "POST /v1/check HTTP/1.1\r\nHost: localhost\r\nX: "] {
        let mut stream = server.connect();
        stream.write_all(head.as_bytes()).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("the server closes");
        let rest = String::from_utf8(rest).unwrap();
        assert!(
            rest.is_empty() || rest.starts_with("HTTP/1.1 408"),
            "{rest}"
        );
    }
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn an_endless_request_head_is_refused() {
    let server = serve();
    let mut stream = server.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        .unwrap();
    let line = format!("X: {}\r\n", "x".repeat(1_000));
    let reply = (0..1_000).find_map(|_| stream.write_all(line.as_bytes()).err());
    let mut rest = String::new();
    // The server may close the connection while the client still writes.
    let _ = stream.read_to_string(&mut rest);
    assert!(
        reply.is_some() || rest.starts_with("HTTP/1.1 431"),
        "{rest}"
    );
}

#[test]
fn uploads_in_progress_are_finished_at_the_end() {
    let mut server = serve();
    let (mut stream, rest) = half(&server, &png(300, 260, 100_000));
    await_uploads(&server, 1);
    server.begin_shutdown();
    let address = server.address();
    let refused = (0..400).any(|_| {
        thread::sleep(Duration::from_millis(25));
        TcpStream::connect(address).is_err()
    });
    assert!(refused, "no new connection is accepted");
    stream.write_all(&rest).unwrap();
    let reply = read(&mut stream);
    assert_eq!(json(&reply)["decision"], "accept", "{reply:?}");
    server.ended();
}

#[test]
fn the_end_does_not_wait_for_a_client_that_stalls() {
    let limits = Limits::default().with_shutdown_time(Duration::from_millis(300));
    let mut server = limited(limits);
    let (mut stream, _) = half(&server, &png(300, 260, 100_000));
    await_uploads(&server, 1);
    server.begin_shutdown();
    server.ended();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.is_empty(), "{rest:?}");
}

#[cfg(unix)]
#[test]
fn a_server_listens_on_a_unix_socket() {
    use std::os::unix::net::{UnixListener, UnixStream};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    // Left behind by a process that was killed.
    drop(UnixListener::bind(&path).unwrap());
    let listen = format!("unix:{}", path.display());
    let builder = || builder().listen(listen.parse().unwrap());
    let mut server = Serving::start(builder(), runtime());
    assert_eq!(server.url, listen);

    let in_use = runtime().block_on(builder().bind());
    assert!(in_use.is_err(), "a socket in use is not replaced");

    let mut stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(super::WAIT)).unwrap();
    let image = png(300, 260, 0);
    let request = request(
        "POST",
        "/v1/check",
        &[("Content-Type", "image/png")],
        &image,
    );
    stream.write_all(&request).unwrap();
    assert_eq!(json(&read(&mut stream))["decision"], "accept");
    drop(stream);
    server.begin_shutdown();
    server.ended();
    assert!(!path.exists(), "the socket's file is removed");

    std::fs::write(&path, "a file of the user").unwrap();
    assert!(runtime().block_on(builder().bind()).is_err());
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "a file of the user"
    );
}
