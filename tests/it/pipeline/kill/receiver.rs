//! Receives callbacks in a separate process, as a server would.

use greenlight::{
    green::{Callback, Secret, callback::Verifier},
    pipeline::Pipeline,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

use super::Bench;

pub(super) fn callback(url: &str) -> Callback {
    Callback::new(url, Secret::new("seed_of_the_kill_suite")).unwrap()
}

/// Starts the receiver and returns its address.
pub(super) fn start(runtime: &Runtime, bench: &Bench) -> String {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let verifier = Verifier::new(bench.sandbox.uid(), &callback(&url));
    runtime.spawn(receive(listener, verifier, bench.pipeline()));
    url
}

async fn receive(listener: TcpListener, verifier: Verifier, pipeline: Pipeline) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (verifier, pipeline) = (verifier.clone(), pipeline.clone());
        tokio::spawn(async move {
            let form = read_form(&mut stream).await;
            let report = verifier.open(&form).unwrap();
            // A server that may crash must record first. This one is not killed, and the sandbox sends
            // callbacks sequentially.
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            pipeline.record_callback(&report).await.unwrap();
        });
    }
}

async fn read_form(stream: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    loop {
        let head = request.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.unwrap().trim().parse().unwrap();
            let body = head + 4;
            if request.len() >= body + length {
                return request[body..body + length].to_vec();
            }
        }
        assert!(
            stream.read_buf(&mut request).await.unwrap() > 0,
            "it ended early"
        );
    }
}
